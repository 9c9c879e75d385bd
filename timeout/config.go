package timeout

import (
	"fmt"
	"math"
	"time"

	"github.com/seawall-go/seawall"
)

// Off as Config.Limit sets no limit.
const Off time.Duration = -1

// Config sets a [Timeout]. A zero field is its default.
type Config struct {
	// Limit is the longest time that a call may take. Default 10 s; at least 1 ns, or [Off]. Choose it from the
	// dependency's latency: so long that a healthy call hardly ever meets it, so short that a sick one is worth giving
	// up. Above the callers' own deadlines it has no effect.
	Limit time.Duration `json:"limit" yaml:"limit"`
	// Adaptive makes the limit follow the latency, with Limit as its ceiling. Default off.
	Adaptive Adaptive `json:"adaptive" yaml:"adaptive"`

	// Registry is where the Timeout enters itself, and where its events are logged. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Adaptive sets a limit that follows the latency: the Percentile of the latencies of late times Factor, not below Min, and
// not above Config.Limit, which is also the limit as long as too little is known. Config.Limit must not be [Off].
//
// Calls that succeed are counted with the time that they took, those that exceed the limit with the time after which they
// were given up: it is a lower bound of what they would have taken, and lets the limit grow when the latency does. If
// only successes counted, a limit that has become too short would see only calls that are shorter still. Calls that
// fail, whose caller leaves, or whose caller's deadline comes first are not counted.
//
// So the limit settles where at most the share 1 - Percentile of the calls exceeds it. When the latency grows beyond the
// limit, the calls are given up until they are that share of what the Window holds, then the limit is multiplied by
// Factor, and so on: at 0.99, and with calls as many as before, each step takes a hundredth of the Window.
type Adaptive struct {
	// Percentile is the share of the calls whose latency is the base. 0.5 to 0.999; 0, the default, is off. Take 0.99 or
	// so: at 0.5 a shift of the latency is followed after half of the Window only.
	Percentile float64 `json:"percentile" yaml:"percentile"`
	// Factor is how much longer a call may take. Default 2; 1.1 to 100. A small one gives up what is only a bit slow, and
	// grows slowly.
	Factor float64 `json:"factor" yaml:"factor"`
	// Min is the shortest limit. Default 10 ms, or Config.Limit if that is shorter; 1 ns to Config.Limit. A short one
	// gives up calls for a pause of this process.
	Min time.Duration `json:"min" yaml:"min"`
	// Window is how far back latencies count. Default 1 minute; 1 s to 24 h.
	Window time.Duration `json:"window" yaml:"window"`
	// MinCalls is how many latencies must be known. Default 100; 1 to 1,000,000.
	MinCalls int `json:"min_calls" yaml:"min_calls"`
}

// The ranges of Adaptive.
const (
	shortestWindow = time.Second
	longestWindow  = 24 * time.Hour
	mostMinCalls   = 1_000_000
)

func (c Config) withDefaults() Config {
	if c.Limit == 0 {
		c.Limit = 10 * time.Second
	}
	if c.Adaptive.on() {
		c.Adaptive = c.Adaptive.withDefaults(c.Limit)
	}
	return c
}

func (a Adaptive) withDefaults(limit time.Duration) Adaptive {
	if a.Factor == 0 {
		a.Factor = 2
	}
	if a.Min == 0 {
		a.Min = min(10*time.Millisecond, limit)
	}
	if a.Window == 0 {
		a.Window = time.Minute
	}
	if a.MinCalls == 0 {
		a.MinCalls = 100
	}
	return a
}

// on also holds for settings without a Percentile, which are not valid: they would do nothing, and not say so.
func (a Adaptive) on() bool { return a != (Adaptive{}) }

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	if c.Limit < 0 && c.Limit != Off {
		return fmt.Errorf("timeout: Config.Limit is %v, want at least 1ns, or Off", c.Limit)
	}
	if !c.Adaptive.on() {
		return nil
	}
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("timeout: Config.Adaptive.%s is %v, want %s", field, value, want)
	}
	r := c.withDefaults()
	switch a := r.Adaptive; {
	case r.Limit == Off:
		return fmt.Errorf("timeout: Config.Limit is Off, want a limit with Adaptive, as its ceiling")
	case math.IsNaN(a.Percentile) || a.Percentile < 0.5 || a.Percentile > 0.999:
		return bad("Percentile", a.Percentile, "0.5 to 0.999, or Adaptive zero, which is off")
	case math.IsNaN(a.Factor) || a.Factor < 1.1 || a.Factor > 100:
		return bad("Factor", a.Factor, "1.1 to 100")
	case a.Min < 0 || a.Min > r.Limit:
		return bad("Min", a.Min, fmt.Sprintf("1ns to Config.Limit, which is %v", r.Limit))
	case a.Window < shortestWindow || a.Window > longestWindow:
		return bad("Window", a.Window, fmt.Sprintf("%v to %v", shortestWindow, longestWindow))
	case a.MinCalls < 1 || a.MinCalls > mostMinCalls:
		return bad("MinCalls", a.MinCalls, fmt.Sprintf("1 to %d", mostMinCalls))
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their registry left aside.
func (c Config) Equal(other Config) bool {
	return len(c.withDefaults().changes(other.withDefaults())) == 0
}

// changes names the fields whose data differs. Both have their defaults filled in.
func (c Config) changes(to Config) (fields []string) {
	if c.Limit != to.Limit {
		fields = append(fields, "limit")
	}
	if c.Adaptive != to.Adaptive {
		fields = append(fields, "adaptive")
	}
	return fields
}
