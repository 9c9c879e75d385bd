package bulkhead

import (
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

// Config sets a [Bulkhead]. A zero field is its default. It is data: it compares, prints and loads.
type Config struct {
	// Limit is how many calls run at once. Default 64; 1 to 1,000,000. By Little's law a dependency that answers in
	// W seconds serves Limit/W calls per second at the most. Too high protects nothing, too low rejects what the
	// dependency could have served.
	Limit int `json:"limit" yaml:"limit"`
	// Queue is where calls wait when all slots are in use.
	Queue Queue `json:"queue" yaml:"queue"`
	// Mode is how the bulkhead acts on its judgement. Default [seawall.Enforce]. See [Bulkhead.SetMode].
	Mode seawall.Mode `json:"mode" yaml:"mode"`

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
	case !c.Mode.Valid():
		return bad("Mode", c.Mode, "one of the modes of package seawall")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, the registry left aside.
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
	if c.Mode != other.Mode {
		fields = append(fields, "mode")
	}
	return fields
}

// settings is a Config made ready for the path of a call.
type settings struct {
	Config
	free     word    // what the state must be below for a call to get in at once: Limit in enforce mode, else 0
	places   int     // in the queue
	whenFull refusal // why a call is rejected for which there is no place
}

func newSettings(cfg Config) *settings {
	s := &settings{Config: cfg.withDefaults(), whenFull: full}
	if s.Mode == seawall.Enforce {
		s.free = word(s.Limit)
	}
	if s.Queue.Limit != NoQueue {
		s.places, s.whenFull = s.Queue.Limit, queueFull
	}
	return s
}
