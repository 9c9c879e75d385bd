package breaker

import (
	"time"

	"github.com/seawall-go/seawall"
)

// Config sets a [Breaker]. The zero value is a good breaker for most dependencies; a zero field is its default.
type Config struct {
	// FailureRate is the share of failures at which the breaker opens, in the window or among the probes. Default 0.5;
	// 0.000001 to 1, rounded to a millionth. It is compared in integers, and reaching it is enough. A low rate turns a
	// partial failure into a whole one: 0.1 makes an outage of a dependency that serves 85 % of the calls.
	FailureRate float64 `json:"failure_rate" yaml:"failure_rate"`
	// MinCalls is how many calls the window must hold before a rate means anything. Default 20; 1 to 1,000,000, and
	// at most Window.Calls. With 1 a failure before any success opens it.
	MinCalls int `json:"min_calls" yaml:"min_calls"`
	// Window is what the rates are taken over. Default the last 10 s.
	Window Window `json:"window" yaml:"window"`
	// Slow sets which calls are slow, and which share of them opens the breaker.
	Slow SlowCalls `json:"slow" yaml:"slow"`
	// ConsecutiveFailures is how many failures in a row open the breaker, whatever MinCalls says. Ends that are neither
	// good nor bad do not interrupt them. Default 0, which is no such rule; up to 1,000,000. A small number opens the
	// breaker by chance: at 10 % failures five in a row come about once in 100,000 calls, and two in 100.
	ConsecutiveFailures int `json:"consecutive_failures" yaml:"consecutive_failures"`
	// OpenFor is how long the breaker stays open after it trips the first time, before a jitter of ±20 %. It grows with
	// each further opening, and starts over after a healthy time: a closed period as long as OpenFor, and as Window.Time
	// if that is longer. Default 1 s; 1 ms to 24 h. Longer values delay recovery by up to this much after the dependency
	// has healed.
	OpenFor time.Duration `json:"open_for" yaml:"open_for"`
	// OpenGrowth is the factor by which the open time grows with each further opening, up to MaxOpenFor. Default 1.5; 1,
	// which is a constant time, to 10. After an outage the breaker stays open for up to about OpenGrowth − 1 times as
	// long as that has lasted, half of it at the default. A small factor probes a dead dependency more often instead.
	OpenGrowth float64 `json:"open_growth" yaml:"open_growth"`
	// MaxOpenFor is the longest time that the breaker stays open of its own accord, jitter included. Default 30 s, or
	// OpenFor if that is longer; OpenFor to 24 h.
	MaxOpenFor time.Duration `json:"max_open_for" yaml:"max_open_for"`
	// MaxRetryAfter is how far the dependency's own word is followed: a breaker does not probe before what a failing
	// answer asked for ([seawall.Verdict].After), but asks for more than this are taken for this. A jitter of up to
	// 20 % comes on top, because all clients were told the same. It may exceed MaxOpenFor. Default 1 min; 1 ms to 24 h,
	// or [NoRetryAfter]. A long one lets a mistaken answer keep the breaker open for as long.
	MaxRetryAfter time.Duration `json:"max_retry_after" yaml:"max_retry_after"`
	// Probes sets the half-open state.
	Probes Probes `json:"probes" yaml:"probes"`
	// Ramp sets how the load comes back after the probes have succeeded.
	Ramp Ramp `json:"ramp" yaml:"ramp"`
	// Mode is how the breaker acts on its state. Default [seawall.Enforce].
	Mode seawall.Mode `json:"mode" yaml:"mode"`

	// Classify judges how a call ended. Default [seawall.Classify]. It is not asked about nil, which is a success, nor
	// about the caller's own cancellation. It runs outside of all locks. A panic of it is the caller's, and the call
	// counts as a failure.
	Classify func(error) seawall.Verdict `json:"-" yaml:"-"`
	// OnStateChange is told of every change of the state, in order, outside of all locks, by the goroutine whose call
	// caused it or found that its time had come, or by one that came later; reading the state is such a call. While it
	// runs, other calls go on. A panic in it is logged and goes no further. If it calls runtime.Goexit, it ends the
	// goroutine that it runs on. nil is off.
	OnStateChange func(Event) `json:"-" yaml:"-"`
	// Registry is where the breaker enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Window is what the rates are taken over. At most one of its fields is set.
type Window struct {
	// Time is how far back outcomes count, in ten steps. 10 ms to 1 h.
	Time time.Duration `json:"time" yaml:"time"`
	// Calls is how many outcomes count, the latest ones. 1 to 1,000,000; each costs four bytes of memory.
	Calls int `json:"calls" yaml:"calls"`
}

// SlowCalls sets which calls are slow, and how many are too many. A dependency that hangs produces no failures until
// limits of time have passed, if there are any, and by then the callers have piled up.
//
// The defaults open a breaker when nine of ten calls take 5 s or longer, and at least MinCalls such calls fall into the
// window. Nobody who waits for an answer on a screen is served by that. It takes so much of it because a dependency
// that is slow by its nature, a report or a batch, works: one that has 20 calls of 5 s in 10 s has ten under way all the
// time, and whoever runs such a load sets Over to what is slow there, or to [NoSlowCalls].
type SlowCalls struct {
	// Over is how long a call takes to be slow. It counts as soon as it has taken so long, while it still runs,
	// whatever its end will be, and once; its end is then counted as well. That is noticed up to an eighth of Over late
	// and needs no traffic but somebody who asks for a call or for the state. Default 5 s; 1 ms to 24 h, or
	// [NoSlowCalls], which saves a call one reading of the clock. Streams and long polls that live longer than Over are
	// slow calls, and so are calls that wait as long at a gate inside of the breaker. A change of it is for calls that
	// begin later.
	Over time.Duration `json:"over" yaml:"over"`
	// Rate is the share of slow calls at which the breaker opens, in the window or among the probes. Default 0.9;
	// 0.000001 to 1, rounded to a millionth and compared as FailureRate is. A low rate makes an outage of a slow hour.
	Rate float64 `json:"rate" yaml:"rate"`
}

// Probes sets the half-open state.
type Probes struct {
	// Calls is how many probes judge a recovery, and how many are in flight at the most. Default 5; 1 to 10,000. With
	// 1 luck decides. While the load comes back, a rate means something from as many calls on, or from MinCalls if that
	// is less.
	Calls int `json:"calls" yaml:"calls"`
	// Timeout is how long the last of all probes may take before those that have not ended count as failures.
	// Default 10 s; at least 1 ms. Without it a probe that hangs would keep the breaker half-open for ever. It is also
	// how long a step of the ramp waits for the first end of a call.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
}

// Ramp sets how the load comes back after the probes have succeeded: a few good probes do not prove that all of it is
// welcome. In steps, a growing share of the calls is let in, and each step is judged by the rates that open a closed
// breaker. The window and the generation go on from the first step to the closed state.
type Ramp struct {
	// Start is the share of calls let in by the first step. Default 0.05; 0.001 to 1, rounded to a millionth. [NoRamp],
	// which is 1, closes the breaker as soon as the probes have succeeded.
	Start float64 `json:"start" yaml:"start"`
	// Factor is how much larger the share of each further step is, up to all calls, which is the closed state. Default
	// 5, which makes steps of 5 % and 25 %; 1.1 to 1000. Large steps ask the dependency for more than was tried.
	Factor float64 `json:"factor" yaml:"factor"`
	// Step is how long a step takes at the least. It also waits until one of its calls has ended, unless there was
	// none. Default 500 ms; 1 ms to 1 h. A step that is shorter than a call judges nothing.
	Step time.Duration `json:"step" yaml:"step"`
}

const (
	// NoSlowCalls as SlowCalls.Over takes no call for slow.
	NoSlowCalls time.Duration = -1
	// NoRetryAfter as Config.MaxRetryAfter takes no notice of what failing answers ask for.
	NoRetryAfter time.Duration = -1
	// NoRamp as Ramp.Start lets the whole load in at once.
	NoRamp = 1.0
)

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
	if c.Slow.Over == 0 {
		c.Slow.Over = 5 * time.Second
	}
	if c.Slow.Rate == 0 {
		c.Slow.Rate = 0.9
	}
	if c.OpenFor == 0 {
		c.OpenFor = time.Second
	}
	if c.OpenGrowth == 0 {
		c.OpenGrowth = 1.5
	}
	if c.MaxOpenFor == 0 {
		c.MaxOpenFor = max(30*time.Second, c.OpenFor)
	}
	if c.MaxRetryAfter == 0 {
		c.MaxRetryAfter = time.Minute
	}
	if c.Probes.Calls == 0 {
		c.Probes.Calls = 5
	}
	if c.Probes.Timeout == 0 {
		c.Probes.Timeout = 10 * time.Second
	}
	if c.Ramp.Start == 0 {
		c.Ramp.Start = 0.05
	}
	if c.Ramp.Factor == 0 {
		c.Ramp.Factor = 5
	}
	if c.Ramp.Step == 0 {
		c.Ramp.Step = 500 * time.Millisecond
	}
	return c
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
	slow             SlowCalls
	inARow           int
	openFor          time.Duration
	growth           float64
	maxOpen, maxHint time.Duration
	probes           Probes
	ramp             Ramp
	mode             seawall.Mode
}

func (c Config) data() configData {
	c = c.withDefaults()
	return configData{
		c.FailureRate, c.MinCalls, c.Window, c.Slow, c.ConsecutiveFailures, c.OpenFor, c.OpenGrowth, c.MaxOpenFor,
		c.MaxRetryAfter, c.Probes, c.Ramp, c.Mode,
	}
}

// changes names the fields, but for the mode, whose data differs.
func (c Config) changes(to Config) (fields []string) {
	for _, f := range []struct {
		name    string
		differs bool
	}{
		{"failure_rate", c.FailureRate != to.FailureRate},
		{"min_calls", c.MinCalls != to.MinCalls},
		{"window", c.Window != to.Window},
		{"slow", c.Slow != to.Slow},
		{"consecutive_failures", c.ConsecutiveFailures != to.ConsecutiveFailures},
		{"open_for", c.OpenFor != to.OpenFor},
		{"open_growth", c.OpenGrowth != to.OpenGrowth},
		{"max_open_for", c.MaxOpenFor != to.MaxOpenFor},
		{"max_retry_after", c.MaxRetryAfter != to.MaxRetryAfter},
		{"probes", c.Probes != to.Probes},
		{"ramp", c.Ramp != to.Ramp},
	} {
		if f.differs {
			fields = append(fields, f.name)
		}
	}
	return fields
}
