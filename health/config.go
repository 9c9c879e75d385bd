package health

import (
	"fmt"
	"slices"
	"time"

	"github.com/seawall-go/seawall"
)

// Config sets a [Health]. A zero field is its default. What a [Check] sets for itself goes before it.
type Config struct {
	// Interval is the time between two runs of a check. Default 5 s; 10 ms to 1 h. Until a check has passed for the first
	// time it runs each second, if that is shorter.
	Interval time.Duration `json:"interval" yaml:"interval"`
	// Jitter is by how much an interval is longer or shorter, at random, as a share of it. Default 0.2; up to 0.5, or
	// [NoJitter]. It keeps a fleet from asking its database in step.
	Jitter float64 `json:"jitter" yaml:"jitter"`
	// Timeout is how long a check may run. Default 1 s; 1 ms to 1 h. Its context ends then, and it has failed whatever
	// it returns later. If it does not come back, it has failed once more with each further interval.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
	// Fall is how many failures in a row make a check fail. Default 3; 1 to 1000. It then takes Fall intervals until a
	// fault shows; 1 reacts to a single lost packet.
	Fall int `json:"fall" yaml:"fall"`
	// Rise is how many successes in a row make it pass again. Default 2; 1 to 1000. For the first pass one is enough.
	Rise int `json:"rise" yaml:"rise"`
	// StaleAfter is the number of intervals after which a result is too old to be believed. Default 3; 2 to 1000. A check
	// that passes by a stale result is a warning. One whose Timeout is longer than that is one while it takes its time.
	StaleAfter int `json:"stale_after" yaml:"stale_after"`
	// StartDeadline is the time from Start after which an unfinished start is logged, with what is missing. Default 60 s;
	// 10 ms to 24 h. /startupz is 503 before and after it.
	StartDeadline time.Duration `json:"start_deadline" yaml:"start_deadline"`
	// SaturatedAfter is how long a bulkhead is full before that is a warning. Default 10 s; 10 ms to 1 h.
	SaturatedAfter time.Duration `json:"saturated_after" yaml:"saturated_after"`
	// FailWhenFull names bulkheads that make the instance not ready when they stay full, where other instances could do
	// better after all: each has work of its own, say. Where all have the same work a busy hour fills them all, they leave
	// one after the other, and those that are left have more to do; so it takes three times SaturatedAfter, and then up to
	// MaxHold, and the log says so at Start. Only time in the mode [seawall.Enforce] counts, and in another one a bulkhead
	// fails nothing. Of a family it is one member, such as tenants[acme], if the family has labels. A name that no
	// bulkhead has had for StartDeadline is a warning, but that of a key, which may be made at any time. Default none: a
	// full bulkhead is a warning.
	FailWhenFull []string `json:"fail_when_full" yaml:"fail_when_full"`
	// MaxHold is the longest time that an instance waits, at random, before a shared check with FailReadiness, or a full
	// bulkhead of FailWhenFull, makes it not ready, so that not all instances leave together. Default 30 s; up to 1 h, or [NoHold].
	MaxHold time.Duration `json:"max_hold" yaml:"max_hold"`
	// IgnoreGates leaves the gates of the registry out. Default false: they are warnings, see the package's text.
	IgnoreGates bool `json:"ignore_gates" yaml:"ignore_gates"`

	// OnChange is told about each change, in order and outside of all locks, on a goroutine of a check or of whoever
	// caused it. It may call anything of this package but Stop. A panic of it is logged. If it does not return, nothing is
	// logged meanwhile, the latest 1000 events wait, and older ones are lost, which is logged as seawall.health.events_lost;
	// what the handlers and a gRPC health service answer does not wait for it. nil is off.
	OnChange func(Change) `json:"-" yaml:"-"`
	// Registry is where health enters itself, whose gates it reads, and where its events are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

const (
	// NoJitter as Jitter keeps intervals exact.
	NoJitter = -1
	// NoHold as MaxHold makes an instance not ready at once.
	NoHold = -1
)

func (c Config) withDefaults() Config {
	setDefault(&c.Interval, 5*time.Second)
	setDefault(&c.Jitter, 0.2)
	setDefault(&c.Timeout, time.Second)
	setDefault(&c.Fall, 3)
	setDefault(&c.Rise, 2)
	setDefault(&c.StaleAfter, 3)
	setDefault(&c.StartDeadline, time.Minute)
	setDefault(&c.SaturatedAfter, 10*time.Second)
	setDefault(&c.MaxHold, 30*time.Second)
	c.FailWhenFull = slices.Clone(c.FailWhenFull)
	return c
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Equal reports whether two configurations mean the same: their defaults filled in, listener and registry left aside.
func (c Config) Equal(other Config) bool {
	c, other = c.withDefaults(), other.withDefaults()
	return c.Interval == other.Interval && c.Jitter == other.Jitter && c.Timeout == other.Timeout && c.Fall == other.Fall &&
		c.Rise == other.Rise && c.StaleAfter == other.StaleAfter && c.StartDeadline == other.StartDeadline &&
		c.SaturatedAfter == other.SaturatedAfter && slices.Equal(c.FailWhenFull, other.FailWhenFull) &&
		c.MaxHold == other.MaxHold && c.IgnoreGates == other.IgnoreGates
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	if c.Jitter != NoJitter && !(c.Jitter >= 0 && c.Jitter <= 0.5) { // NaN is neither
		return fmt.Errorf("health: Config.Jitter is %v, want 0 to 0.5, or NoJitter", c.Jitter)
	}
	if c.MaxHold != NoHold && (c.MaxHold < 0 || c.MaxHold > time.Hour) {
		return fmt.Errorf("health: Config.MaxHold is %v, want up to 1h, or NoHold", c.MaxHold)
	}
	if slices.Contains(c.FailWhenFull, "") {
		return fmt.Errorf("health: Config.FailWhenFull is %q, want the names of bulkheads", c.FailWhenFull)
	}
	if err := within("Config.StartDeadline", c.StartDeadline, 10*time.Millisecond, 24*time.Hour); err != nil {
		return err
	}
	if err := within("Config.SaturatedAfter", c.SaturatedAfter, 10*time.Millisecond, time.Hour); err != nil {
		return err
	}
	if err := within("Config.StaleAfter", c.StaleAfter, 2, 1000); err != nil {
		return err
	}
	return validatePace("Config", c.Interval, c.Timeout, c.Fall, c.Rise)
}

// validatePace checks what Config and Check have in common.
func validatePace(of string, interval, timeout time.Duration, fall, rise int) error {
	if err := within(of+".Interval", interval, 10*time.Millisecond, time.Hour); err != nil {
		return err
	}
	if err := within(of+".Timeout", timeout, time.Millisecond, time.Hour); err != nil {
		return err
	}
	if err := within(of+".Fall", fall, 1, 1000); err != nil {
		return err
	}
	return within(of+".Rise", rise, 1, 1000)
}

func within[T int | time.Duration](field string, got, from, to T) error {
	if got != 0 && (got < from || got > to) {
		return fmt.Errorf("health: %s is %v, want %v to %v", field, got, from, to)
	}
	return nil
}
