package bulkhead

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
)

// AdaptiveConfig sets an [Adaptive]. The zero value is a good one for a server; a zero field is its default. It is data,
// but for the functions: it compares, prints and loads.
type AdaptiveConfig struct {
	// Initial is the limit at the start. Default 20; 1 to 1,000,000, and kept within Min and Max. It hardly matters: a limit
	// that is used up doubles in some seconds if there is room, and one that is too high falls more quickly.
	Initial int `json:"initial" yaml:"initial"`
	// Min is the lowest limit. Default 1; 1 to Max. A floor above what a sick dependency can carry keeps it sick.
	Min int `json:"min" yaml:"min"`
	// Max is the highest limit. Default 1000; 1 to 1,000,000. It is what holds when everything that can be measured is
	// misleading: set it to what memory and connections allow.
	Max int `json:"max" yaml:"max"`
	// Algorithm finds the limit. Default [Knee].
	Algorithm Algorithm `json:"algorithm" yaml:"algorithm"`
	// Knee and AIMD set the algorithms of that name.
	Knee KneeConfig `json:"knee" yaml:"knee"`
	AIMD AIMDConfig `json:"aimd" yaml:"aimd"`

	// Queue is where calls wait when all slots are in use, as in [Config]. By default it has as many places as Initial
	// says, however the limit moves.
	Queue Queue `json:"queue" yaml:"queue"`
	// Shares are guaranteed to the levels of importance of the slots that come free while calls wait.
	Shares Shares `json:"shares" yaml:"shares"`
	// Shedding says who is turned away in lasting overload. Default [ByArrival].
	Shedding Shedding `json:"shedding" yaml:"shedding"`
	// Mode is how the bulkhead acts on its judgement. Default [seawall.Enforce]. See [Adaptive.SetMode].
	Mode seawall.Mode `json:"mode" yaml:"mode"`

	// Classify judges how a call ended. Default [seawall.Classify]. It is not asked about nil, which is a success, nor
	// about the caller's own cancellation. Only successes teach what the latency is; a failure that was slow, or says that
	// it is a timeout, and every overload outcome, speak for a lower limit; what is ignored teaches nothing. It runs
	// outside of all locks, when the slot is free again. A panic of it is the caller's, and the call counts as a failure.
	Classify func(error) seawall.Verdict `json:"-" yaml:"-"`
	// OnLimitChange is told of the changes of the limit that are logged, in order, outside of all locks, by the goroutine
	// whose call caused it or one that came later. While it runs, other calls go on. A panic in it is logged and goes no
	// further. nil is off.
	OnLimitChange func(LimitEvent) `json:"-" yaml:"-"`
	// Registry is where the bulkhead enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry]. An Update does not change it.
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c AdaptiveConfig) withDefaults() AdaptiveConfig {
	if c.Min == 0 {
		c.Min = 1
	}
	if c.Max == 0 {
		c.Max = max(1000, c.Min)
	}
	if c.Initial == 0 {
		c.Initial = 20
	}
	c.Initial = min(max(c.Initial, c.Min), c.Max)
	if c.Algorithm == 0 {
		c.Algorithm = Knee
	}
	c.Knee, c.AIMD = c.Knee.withDefaults(), c.AIMD.withDefaults()
	e := Config{Limit: c.Initial, Queue: c.Queue, Shares: c.Shares, Shedding: c.Shedding}.withDefaults()
	c.Queue, c.Shares, c.Shedding = e.Queue, e.Shares, e.Shedding
	return c
}

// engine is the configuration of the bulkhead inside.
func (c AdaptiveConfig) engine(limit int) Config {
	return Config{Limit: limit, Queue: c.Queue, Shares: c.Shares, Shedding: c.Shedding, Mode: c.Mode, Registry: c.Registry}
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c AdaptiveConfig) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("bulkhead: AdaptiveConfig.%s is %v, want %s", field, value, want)
	}
	window := func(d time.Duration) bool { return d >= 10*time.Millisecond && d <= time.Minute }
	initial := c.Initial
	switch c = c.withDefaults(); {
	case initial < 0 || initial > maxLimit:
		return bad("Initial", initial, "1 to 1000000")
	case c.Max < 1 || c.Max > maxLimit:
		return bad("Max", c.Max, "1 to 1000000")
	case c.Min < 1 || c.Min > c.Max:
		return bad("Min", c.Min, fmt.Sprintf("1 to Max, which is %d", c.Max))
	case !c.Algorithm.Valid():
		return bad("Algorithm", c.Algorithm, "knee or aimd")
	case !(c.Knee.Tolerance >= 0.01 && c.Knee.Tolerance <= 0.5): // so written, NaN is bad
		return bad("Knee.Tolerance", c.Knee.Tolerance, "0.01 to 0.5")
	case !window(c.Knee.Window):
		return bad("Knee.Window", c.Knee.Window, "10ms to 1m")
	case c.Knee.Remeasure < time.Second || c.Knee.Remeasure > time.Hour:
		return bad("Knee.Remeasure", c.Knee.Remeasure, "1s to 1h")
	case !(c.AIMD.Backoff >= 0.1 && c.AIMD.Backoff <= 0.99):
		return bad("AIMD.Backoff", c.AIMD.Backoff, "0.1 to 0.99")
	case c.AIMD.Timeout < time.Millisecond || c.AIMD.Timeout > time.Hour:
		return bad("AIMD.Timeout", c.AIMD.Timeout, "1ms to 1h")
	case !window(c.AIMD.Window):
		return bad("AIMD.Window", c.AIMD.Window, "10ms to 1m")
	}
	if err := c.engine(c.Initial).Validate(); err != nil {
		return errors.New(strings.Replace(err.Error(), "Config.", "AdaptiveConfig.", 1))
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, functions and registry left aside.
func (c AdaptiveConfig) Equal(other AdaptiveConfig) bool {
	c, other = c.withDefaults(), other.withDefaults()
	return c.Mode == other.Mode && len(c.changes(other)) == 0
}

// changes returns the names, as in a file, of the fields but for the mode that differ in meaning. Both have their
// defaults filled in.
func (c AdaptiveConfig) changes(other AdaptiveConfig) (fields []string) {
	for _, f := range []struct {
		name    string
		differs bool
	}{
		{"initial", c.Initial != other.Initial},
		{"min", c.Min != other.Min},
		{"max", c.Max != other.Max},
		{"algorithm", c.Algorithm != other.Algorithm},
		{"knee.tolerance", math.Float64bits(c.Knee.Tolerance) != math.Float64bits(other.Knee.Tolerance)},
		{"knee.window", c.Knee.Window != other.Knee.Window},
		{"knee.remeasure", c.Knee.Remeasure != other.Knee.Remeasure},
		{"aimd.backoff", math.Float64bits(c.AIMD.Backoff) != math.Float64bits(other.AIMD.Backoff)},
		{"aimd.timeout", c.AIMD.Timeout != other.AIMD.Timeout},
		{"aimd.window", c.AIMD.Window != other.AIMD.Window},
	} {
		if f.differs {
			fields = append(fields, f.name)
		}
	}
	c.Mode, other.Mode = seawall.Enforce, seawall.Enforce
	return append(fields, c.engine(1).changes(other.engine(1))...)
}
