package bulkhead

import (
	"context"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

// Config sets a [Bulkhead]. A zero field is its default. It is data, but for Weight: it compares, prints and loads.
type Config struct {
	// Limit is how many calls run at once, or how many slots there are where calls have a Weight. Default 64; 1 to
	// 1,000,000. By Little's law a dependency that answers in W seconds serves Limit/W calls per second at the most. Too
	// high protects nothing, too low rejects what the dependency could have served.
	Limit int `json:"limit" yaml:"limit"`
	// Queue is where calls wait when all slots are in use.
	Queue Queue `json:"queue" yaml:"queue"`
	// Shares are guaranteed to the levels of importance of the slots that come free while calls wait.
	Shares Shares `json:"shares" yaml:"shares"`
	// Shedding says who is turned away in lasting overload. Default [ByArrival].
	Shedding Shedding `json:"shedding" yaml:"shedding"`
	// Mode is how the bulkhead acts on its judgement. Default [seawall.Enforce]. See [Bulkhead.SetMode].
	Mode seawall.Mode `json:"mode" yaml:"mode"`

	// Weight says how many slots a call takes, from what its context says of it. Default nil: one each. It is kept within
	// 1 and Limit, so that a call heavier than the whole bulkhead runs alone. A call waits until as many slots are free at
	// once, and nobody goes before it meanwhile who is not more important: a few heavy calls make all others wait. It runs
	// for each call, and outside of all locks. An Update does not change it.
	Weight func(context.Context) int `json:"-" yaml:"-"`
	// Registry is where the bulkhead enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Queue sets where calls wait.
type Queue struct {
	// Limit is how many calls wait at the most. Default as many as Config.Limit; 1 to 1,000,000, or [NoQueue]. A long
	// queue turns overload into latency: what waits is late before it begins.
	Limit int `json:"limit" yaml:"limit"`
	// MaxWait is how long a call waits at the most; less if its deadline is nearer. Default 1 s; 1 ms to 1 h. Without
	// a deadline of its own a caller waits this long for a dependency that hangs.
	MaxWait time.Duration `json:"max_wait" yaml:"max_wait"`
	// Order says who of equally important calls is served first. Default [FIFO].
	Order Order `json:"order" yaml:"order"`
	// Target is how long the oldest call may have waited in a queue that does its work, and how long a call may wait in
	// one that does not, with [AdaptiveLIFO]. Default 5 ms; 1 ms to 1 h. That is CoDel's and Facebook's number: little
	// beside what a call takes that goes over a network, and much beside the pace at which a busy server's slots come
	// free; where that is slower, it counts instead. A target near MaxWait switches AdaptiveLIFO off.
	Target time.Duration `json:"target" yaml:"target"`
	// Interval is how long calls have to have waited for Target before the queue counts as a standing one. Default 100 ms;
	// 1 ms to 1 h. It is CoDel's number, and Facebook's as well: about the longest round trip on the Internet, so that a
	// burst has been served and its senders have had the time to notice. Shorter takes bursts for overload.
	Interval time.Duration `json:"interval" yaml:"interval"`
}

// NoQueue as a Queue.Limit rejects at once when all slots are in use.
const NoQueue = -1

const (
	maxLimit   = 1_000_000 // fits the bits that the state has for it
	minMaxWait = time.Millisecond
	maxMaxWait = time.Hour
)

func (c Config) withDefaults() Config {
	if c.Limit == 0 {
		c.Limit = 64
	}
	if c.Queue.Limit == 0 {
		c.Queue.Limit = c.Limit
	}
	if c.Queue.MaxWait == 0 {
		c.Queue.MaxWait = time.Second
	}
	if c.Queue.Order == 0 {
		c.Queue.Order = FIFO
	}
	if c.Queue.Target == 0 {
		c.Queue.Target = 5 * time.Millisecond
	}
	if c.Queue.Interval == 0 {
		c.Queue.Interval = 100 * time.Millisecond
	}
	c.Shares = c.Shares.withDefaults()
	if c.Shedding == 0 {
		c.Shedding = ByArrival
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("bulkhead: Config.%s is %v, want %s", field, value, want)
	}
	switch c = c.withDefaults(); {
	case c.Limit < 1 || c.Limit > maxLimit:
		return bad("Limit", c.Limit, "1 to 1000000")
	case c.Queue.Limit != NoQueue && (c.Queue.Limit < 1 || c.Queue.Limit > maxLimit):
		return bad("Queue.Limit", c.Queue.Limit, "1 to 1000000, or NoQueue")
	case c.Queue.MaxWait < minMaxWait || c.Queue.MaxWait > maxMaxWait:
		return bad("Queue.MaxWait", c.Queue.MaxWait, "1ms to 1h")
	case !c.Queue.Order.Valid():
		return bad("Queue.Order", c.Queue.Order, "fifo or adaptive_lifo")
	case c.Queue.Target < minMaxWait || c.Queue.Target > maxMaxWait:
		return bad("Queue.Target", c.Queue.Target, "1ms to 1h")
	case c.Queue.Interval < minMaxWait || c.Queue.Interval > maxMaxWait:
		return bad("Queue.Interval", c.Queue.Interval, "1ms to 1h")
	case !c.Shedding.Valid():
		return bad("Shedding", c.Shedding, "by_arrival or by_user")
	case !c.Mode.Valid():
		return bad("Mode", c.Mode, "one of the modes of package seawall")
	}
	return c.Shares.validate(bad)
}

// Equal reports whether two configurations mean the same: their defaults filled in, Weight and the registry left aside.
func (c Config) Equal(other Config) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c Config) changes(other Config) (fields []string) {
	c, other = c.withDefaults(), other.withDefaults()
	if c.Limit != other.Limit {
		fields = append(fields, "limit")
	}
	if c.Queue.Limit != other.Queue.Limit {
		fields = append(fields, "queue.limit")
	}
	if c.Queue.MaxWait != other.Queue.MaxWait {
		fields = append(fields, "queue.max_wait")
	}
	if c.Queue.Order != other.Queue.Order {
		fields = append(fields, "queue.order")
	}
	if c.Queue.Target != other.Queue.Target {
		fields = append(fields, "queue.target")
	}
	if c.Queue.Interval != other.Queue.Interval {
		fields = append(fields, "queue.interval")
	}
	if c.Shares != other.Shares {
		fields = append(fields, "shares")
	}
	if c.Shedding != other.Shedding {
		fields = append(fields, "shedding")
	}
	if c.Mode != other.Mode {
		fields = append(fields, "mode")
	}
	return fields
}

// settings is a Config made ready for the path of a call.
type settings struct {
	Config
	free     word         // what the state must be below for a call to get in at once: Limit in enforce mode, else 0
	capacity int          // slots that those who wait may get: Limit in enforce mode, else all that can be counted
	places   int          // in the queue
	whenFull refusal      // why a call is rejected for which there is no place
	made     seawall.Mode // what it is when nobody has set it by hand
	counts   bool         // all calls, so that none gets in without the lock
	parts    [levels]int64
}

func newSettings(cfg Config) *settings {
	s := &settings{Config: cfg.withDefaults(), capacity: maxInUse, whenFull: full, made: cfg.Mode}
	s.parts = s.Shares.parts()
	if s.Mode == seawall.Enforce {
		s.free, s.capacity = word(s.Limit)*oneInUse, s.Limit
	}
	if s.Queue.Limit != NoQueue {
		s.places, s.whenFull = s.Queue.Limit, queueFull
	}
	return s
}

// counting returns the settings for the time in which all calls are counted.
func (s *settings) counting() *settings {
	c := *s
	c.counts, c.free = true, 0
	return &c
}

// notCounting returns those for afterwards.
func (s *settings) notCounting() *settings {
	c := *s
	c.counts, c.free = false, word(s.Limit)*oneInUse
	return &c
}
