package breaker

import (
	"fmt"
	"math"
	"time"

	"github.com/seawall-go/seawall"
)

// Config sets a [Breaker]. The zero value is a good breaker for most dependencies; a zero field is its default.
type Config struct {
	// FailureRate is the share of failures at which the breaker opens, in the window or among the probes. Default 0.5;
	// 0.000001 to 1, rounded to a millionth. It is compared in integers, and reaching it is enough. A low rate turns a partial failure into a
	// whole one: 0.1 makes an outage of a dependency that serves 85 % of the calls.
	FailureRate float64 `json:"failure_rate" yaml:"failure_rate"`
	// MinCalls is how many calls the window must hold before the rate means anything. Default 20; 1 to 1,000,000, and
	// at most Window.Calls. With 1 a failure before any success opens it.
	MinCalls int `json:"min_calls" yaml:"min_calls"`
	// Window is what the failure rate is taken over. Default the last 10 s.
	Window Window `json:"window" yaml:"window"`
	// OpenFor is how long the breaker stays open after it trips the first time, before a jitter of ±20 %. It doubles
	// with each further opening, up to MaxOpenFor, and starts over after a healthy time: a closed period as long as
	// OpenFor, and as Window.Time if that is longer. Default 2 s; 1 ms to 24 h. Longer values delay recovery by up to
	// this much after the dependency has healed.
	OpenFor time.Duration `json:"open_for" yaml:"open_for"`
	// MaxOpenFor is the longest time that the breaker stays open, jitter included. Default 30 s, or OpenFor if that
	// is longer; OpenFor to 24 h.
	MaxOpenFor time.Duration `json:"max_open_for" yaml:"max_open_for"`
	// Probes sets the half-open state.
	Probes Probes `json:"probes" yaml:"probes"`
	// Mode is how the breaker acts on its state. Default [seawall.Enforce].
	Mode seawall.Mode `json:"mode" yaml:"mode"`

	// Classify judges how a call ended. Default [seawall.Classify]. It is not asked about nil, which is a success, nor
	// about the caller's own cancellation. It runs outside of all locks. A panic of it is the caller's, and the call
	// counts as a failure.
	Classify func(error) seawall.Verdict `json:"-" yaml:"-"`
	// OnStateChange is told of every change of the state, in order, outside of all locks, by the goroutine whose call
	// caused it or one that came later. While it runs, other calls go on. A panic in it is logged and goes no
	// further. If it calls runtime.Goexit, it ends the goroutine that it runs on. nil is off.
	OnStateChange func(Event) `json:"-" yaml:"-"`
	// Registry is where the breaker enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Window is what a failure rate is taken over. At most one of its fields is set.
type Window struct {
	// Time is how far back outcomes count, in ten steps. 10 ms to 1 h.
	Time time.Duration `json:"time" yaml:"time"`
	// Calls is how many outcomes count, the latest ones. 1 to 1,000,000; each costs four bytes of memory.
	Calls int `json:"calls" yaml:"calls"`
}

// Probes sets the half-open state.
type Probes struct {
	// Calls is how many probes judge a recovery, and how many are in flight at the most. Default 5; 1 to 10,000. With
	// 1 luck decides.
	Calls int `json:"calls" yaml:"calls"`
	// Timeout is how long the last of all probes may take before those that have not ended count as failures.
	// Default 10 s; at least 1 ms. Without it a probe that hangs would keep the breaker half-open for ever.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
}

func (c Config) withDefaults() Config {
	if c.FailureRate == 0 {
		c.FailureRate = 0.5
	}
	if c.Window == (Window{}) {
		c.Window.Time = 10 * time.Second
	}
	if c.MinCalls == 0 {
		c.MinCalls = 20
		if c.Window.Calls > 0 {
			c.MinCalls = min(20, c.Window.Calls)
		}
	}
	if c.OpenFor == 0 {
		c.OpenFor = 2 * time.Second
	}
	if c.MaxOpenFor == 0 {
		c.MaxOpenFor = max(30*time.Second, c.OpenFor)
	}
	if c.Probes.Calls == 0 {
		c.Probes.Calls = 5
	}
	if c.Probes.Timeout == 0 {
		c.Probes.Timeout = 10 * time.Second
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("breaker: Config.%s is %v, want %s", field, value, want)
	}
	if c.Window.Time != 0 && c.Window.Calls != 0 {
		return bad("Window", fmt.Sprintf("%+v", c.Window), "Time or Calls, not both")
	}
	rate, given := c.FailureRate, c
	switch c = c.withDefaults(); {
	case math.IsNaN(rate) || rate < 0 || rate > 1 || (rate > 0 && rate < 1/float64(million)):
		return bad("FailureRate", rate, "0.000001 to 1")
	case c.Window.Calls < 0 || c.Window.Calls > million:
		return bad("Window.Calls", c.Window.Calls, "1 to 1000000")
	case c.Window.Time < 0 || c.Window.Time > time.Hour || (c.Window.Calls == 0 && c.Window.Time < 10*time.Millisecond):
		return bad("Window.Time", c.Window.Time, "10ms to 1h")
	case c.MinCalls < 1 || c.MinCalls > million:
		return bad("MinCalls", c.MinCalls, "1 to 1000000")
	case c.Window.Calls > 0 && c.MinCalls > c.Window.Calls:
		return bad("MinCalls", c.MinCalls, fmt.Sprintf("at most Window.Calls, which is %d", c.Window.Calls))
	case c.OpenFor < time.Millisecond || c.OpenFor > longest:
		return bad("OpenFor", c.OpenFor, "1ms to 24h")
	case c.MaxOpenFor < c.OpenFor || c.MaxOpenFor > longest:
		return bad("MaxOpenFor", given.MaxOpenFor, fmt.Sprintf("OpenFor, which is %v, to 24h", c.OpenFor))
	case c.Probes.Calls < 1 || c.Probes.Calls > 10_000:
		return bad("Probes.Calls", c.Probes.Calls, "1 to 10000")
	case c.Probes.Timeout < time.Millisecond:
		return bad("Probes.Timeout", c.Probes.Timeout, "at least 1ms")
	case !c.Mode.Valid():
		return bad("Mode", c.Mode, "one of the modes of package seawall")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their functions and registry left
// aside.
func (c Config) Equal(other Config) bool {
	return c.data() == other.data()
}

// configData is what compares in a Config.
type configData struct {
	rate             float64
	minCalls         int
	window           Window
	openFor, maxOpen time.Duration
	probes           Probes
	mode             seawall.Mode
}

func (c Config) data() configData {
	c = c.withDefaults()
	return configData{c.FailureRate, c.MinCalls, c.Window, c.OpenFor, c.MaxOpenFor, c.Probes, c.Mode}
}

// longest is how long a breaker may stay open. Whoever wants more has seawall.ForcedOpen.
const longest = 24 * time.Hour

// changes names the fields, but for the mode, whose data differs.
func (c Config) changes(to Config) (fields []string) {
	for _, f := range []struct {
		name    string
		differs bool
	}{
		{"failure_rate", c.FailureRate != to.FailureRate},
		{"min_calls", c.MinCalls != to.MinCalls},
		{"window", c.Window != to.Window},
		{"open_for", c.OpenFor != to.OpenFor},
		{"max_open_for", c.MaxOpenFor != to.MaxOpenFor},
		{"probes", c.Probes != to.Probes},
	} {
		if f.differs {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// million is the precision of a rate: rates are compared in integers, as parts per million.
const million = 1_000_000

// settings is a Config made ready for the path of a call.
type settings struct {
	Config
	ppm int64 // FailureRate in parts per million
}

func newSettings(cfg Config) *settings {
	cfg = cfg.withDefaults()
	if cfg.Classify == nil {
		cfg.Classify = seawall.Classify
	}
	return &settings{Config: cfg, ppm: int64(math.Round(cfg.FailureRate * million))}
}

// trips reports whether what a window holds opens the breaker. A success can do it as well: by completing MinCalls.
func (s *settings) trips(in tally) bool {
	return in.failures() > 0 && in.calls() >= int64(s.MinCalls) && s.tripsAt(in.failures(), in.calls())
}

// tripsAt reports whether so many failures among so many calls reach the failure rate.
func (s *settings) tripsAt(failures, calls int64) bool { return failures*million >= s.ppm*calls }
