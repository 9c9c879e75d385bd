package hedge

import (
	"fmt"
	"math"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/quantile"
)

// OnFailure as Config.Delay or Latency.Initial starts no attempt by time: only when another one has failed.
const OnFailure time.Duration = -1

// Config sets a [Hedge]. The zero value is good for calls that may be carried out twice; a zero field is its default.
type Config struct {
	// Delay is the time from the latest start of an attempt to the next one, fixed. Default 0: it follows Latency,
	// because a fixed one is wrong as soon as the latency moves. At least 1 ns, or [OnFailure]. A delay that is short
	// for the dependency turns each call into two, up to the Cap.
	Delay time.Duration `json:"delay" yaml:"delay"`
	// Latency makes the delay out of the latencies of late. It means nothing where Delay is set.
	Latency Latency `json:"latency" yaml:"latency"`
	// MaxAttempts is how many attempts a call may have, the first one included. Default 2; 1 to 10. 1 never hedges. The
	// third attempt of a call helps little, and comes when the dependency is in trouble.
	MaxAttempts int `json:"max_attempts" yaml:"max_attempts"`
	// Cap bounds the extra attempts by the number of calls.
	Cap Cap `json:"cap" yaml:"cap"`
	// Funding says what else pays for extra attempts. Default [FromBudget], which with a shared Budget leaves it to others
	// to fund that.
	Funding Funding `json:"funding" yaml:"funding"`
	// BudgetConfig sets the Hedge's own budget. Default 10 % of the successes, and a burst of 10. It must be zero with
	// [NoBudget] and with a shared Budget, which has numbers of its own.
	BudgetConfig seawall.BudgetConfig `json:"budget" yaml:"budget"`

	// Budget is a budget shared with others that make extra attempts at the same dependency, such as that of a retry
	// around the Hedge. nil is one of the Hedge's own, made from BudgetConfig.
	//
	// With the default Funding the Hedge only takes from a shared one. If nobody else pays in, as a retry does, it is
	// empty for good after its Burst, and nothing is hedged any more: the log then has a seawall.hedge.budget_empty, and
	// never a seawall.hedge.budget_restored. Set Funding to [Contribute] there, for one of the Hedges that see the same
	// success.
	Budget *seawall.Budget `json:"-" yaml:"-"`
	// Classify judges how an attempt ended. Default [seawall.Classify]; unlike the default of a retry that does not know
	// backoff.Permanent: use [seawall.Permanent] for what neither may repeat. It is not asked about nil, nor about the
	// caller's own cancellation. A panic of it is the caller's.
	Classify func(error) seawall.Verdict `json:"-" yaml:"-"`
	// OnHedge is told of each extra attempt right before it starts, by the goroutine of the call. A panic of it is
	// logged as seawall.listener.panicked, and the attempt starts. nil is off.
	OnHedge func(Event) `json:"-" yaml:"-"`
	// Registry is where the Hedge enters itself, and where its events are logged. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Latency makes a delay out of a percentile of the latencies of late.
//
// The latency of a call is the time from the start of its first attempt to its success, whichever attempt that is of: the
// first one has taken it, or would have taken longer. So where an extra attempt wins, the latency is only a lower
// bound of the first one's, but one above the delay: the shares of latencies below and above the delay, and with them
// the percentile, are right, and do not move by hedging. (What extra attempts take would be the times of those only that
// were fast enough to win.) Calls that fail, whose first attempt fails, or whose caller leaves are not counted.
type Latency struct {
	// Percentile is the share of the calls that are given time to end by themselves. Default 0.95; 0.5 to 0.999. In
	// steady times the rest is hedged, as far as the Cap and the budget go; if it is more than half of Cap.Ratio, chance
	// decides which calls are.
	Percentile float64 `json:"percentile" yaml:"percentile"`
	// Min is the shortest delay. Default 1 ms, or Max if that is shorter; at least 1 ns. A short one makes attempts of
	// what is only a hiccup of this process.
	Min time.Duration `json:"min" yaml:"min"`
	// Max is the longest delay. Default 1 minute, or Min if that is longer; at least Min. A short one spends the Cap on
	// calls that are just slow.
	Max time.Duration `json:"max" yaml:"max"`
	// Initial is the delay as long as fewer than MinCalls latencies are known. Default [OnFailure]: what is too short for
	// the dependency would be known only by trying, and at the start, with its caches cold. At least 1 ns. It is not
	// bounded by Min and Max.
	Initial time.Duration `json:"initial" yaml:"initial"`
	// Window is how far back latencies count. Default 30 s; 1 s to 24 h. When latencies grow, the delay follows as soon
	// as slow calls are the share beyond the Percentile: within a twentieth of the Window at the default, if calls
	// come as often as before. When they fall, it follows within the Window. A long one is slow to follow, a short one
	// knows little where calls are few.
	Window time.Duration `json:"window" yaml:"window"`
	// MinCalls is how many latencies must be known. Default 100; 1 to 1,000,000. A percentile of 0.95 out of 100 is the
	// sixth from the top; for a higher one take more, 10/(1 - Percentile) or so.
	MinCalls int `json:"min_calls" yaml:"min_calls"`
}

// Cap bounds the extra attempts by the number of calls: those over any time are at most the calls begun in it times
// Ratio, plus Burst. The count is exact, in integers. An attempt that a gate inside has rejected before its call was
// decided does not count.
type Cap struct {
	// Ratio is how many extra attempts each call pays for. Default 0.1; 0.000001 to 9, rounded to a millionth.
	Ratio float64 `json:"ratio" yaml:"ratio"`
	// Burst is how many extra attempts are at hand at the start and at the most. Default 10; 1 to 1,000,000.
	Burst int `json:"burst" yaml:"burst"`
}

func (c Config) withDefaults() Config {
	c.Latency = c.Latency.withDefaults()
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 2
	}
	if c.Cap.Ratio == 0 {
		c.Cap.Ratio = 0.1
	}
	if c.Cap.Burst == 0 {
		c.Cap.Burst = 10
	}
	if c.Funding == FromBudget && c.Budget == nil && c.BudgetConfig.Validate() == nil {
		c.BudgetConfig = seawall.NewBudget(c.BudgetConfig).Config() // only a budget knows its defaults
	}
	if c.Classify == nil {
		c.Classify = seawall.Classify
	}
	return c
}

func (l Latency) withDefaults() Latency {
	if l.Percentile == 0 {
		l.Percentile = 0.95
	}
	switch {
	case l.Min == 0 && l.Max == 0:
		l.Min, l.Max = time.Millisecond, time.Minute
	case l.Min == 0:
		l.Min = min(time.Millisecond, max(1, l.Max))
	case l.Max == 0:
		l.Max = max(time.Minute, l.Min)
	}
	if l.Initial == 0 {
		l.Initial = OnFailure
	}
	if l.Window == 0 {
		l.Window = 30 * time.Second
	}
	if l.MinCalls == 0 {
		l.MinCalls = 100
	}
	return l
}

// The ranges of Latency.
const (
	shortestWindow = time.Second
	longestWindow  = 24 * time.Hour
	million        = 1_000_000
)

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("hedge: Config.%s is %v, want %s", field, value, want)
	}
	switch r := c.withDefaults(); {
	case r.Delay < 0 && r.Delay != OnFailure:
		return bad("Delay", c.Delay, "at least 1ns, or OnFailure")
	case r.MaxAttempts < 1 || r.MaxAttempts > 10:
		return bad("MaxAttempts", c.MaxAttempts, "1 to 10")
	case math.IsNaN(r.Cap.Ratio) || r.Cap.Ratio < 1.0/million || r.Cap.Ratio > 9:
		return bad("Cap.Ratio", c.Cap.Ratio, "0.000001 to 9")
	case r.Cap.Burst < 1 || r.Cap.Burst > million:
		return bad("Cap.Burst", c.Cap.Burst, "1 to 1000000")
	case int(r.Funding) >= len(fundingNames):
		return bad("Funding", c.Funding, "FromBudget, Contribute or NoBudget")
	case r.Funding == NoBudget && c.Budget != nil:
		return bad("Budget", "set", "nil with NoBudget")
	case r.Funding == Contribute && c.Budget == nil:
		return bad("Budget", "nil", "a shared one with Contribute")
	case c.BudgetConfig != (seawall.BudgetConfig{}) && r.Funding == NoBudget:
		return bad("BudgetConfig", fmt.Sprintf("%+v", c.BudgetConfig), "zero with NoBudget")
	case c.BudgetConfig != (seawall.BudgetConfig{}) && c.Budget != nil:
		return bad("BudgetConfig", fmt.Sprintf("%+v", c.BudgetConfig), "zero with a shared Budget")
	}
	if err := c.BudgetConfig.Validate(); err != nil {
		return fmt.Errorf("hedge: Config.BudgetConfig: %w", err)
	}
	return c.Latency.validate()
}

func (l Latency) validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("hedge: Config.Latency.%s is %v, want %s", field, value, want)
	}
	switch r := l.withDefaults(); {
	case math.IsNaN(r.Percentile) || r.Percentile < 0.5 || r.Percentile > 0.999:
		return bad("Percentile", l.Percentile, "0.5 to 0.999")
	case r.Min < 0:
		return bad("Min", l.Min, "at least 1ns")
	case r.Max < r.Min:
		return bad("Max", l.Max, fmt.Sprintf("at least Min, which is %v", r.Min))
	case r.Initial < 0 && r.Initial != OnFailure:
		return bad("Initial", l.Initial, "at least 1ns, or OnFailure")
	case r.Window < shortestWindow || r.Window > longestWindow:
		return bad("Window", l.Window, fmt.Sprintf("%v to %v", shortestWindow, longestWindow))
	case r.MinCalls < 1 || r.MinCalls > million:
		return bad("MinCalls", l.MinCalls, "1 to 1000000")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their functions and registry left
// aside. A shared budget is equal to itself only.
func (c Config) Equal(other Config) bool {
	return len(c.withDefaults().changes(other.withDefaults())) == 0
}

// changes names the fields whose data differs. Both have their defaults filled in.
func (c Config) changes(to Config) (fields []string) {
	for _, f := range []struct {
		name    string
		differs bool
	}{
		{"delay", c.Delay != to.Delay},
		{"latency", c.Latency != to.Latency},
		{"max_attempts", c.MaxAttempts != to.MaxAttempts},
		{"cap", c.Cap != to.Cap},
		{"funding", c.Funding != to.Funding},
		{"budget", c.BudgetConfig != to.BudgetConfig || c.Budget != to.Budget},
	} {
		if f.differs {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// settings is a Config made ready for the path of a call.
type settings struct {
	Config
	cap       *seawall.Budget  // which each call funds
	budget    *seawall.Budget  // nil if there is none
	pays      bool             // successes fund budget
	latencies *quantile.Window // nil if the delay is fixed
}

// newSettings makes settings out of a valid Config. What old has, if it is not nil, stays where its numbers stay.
func newSettings(cfg Config, old *settings) *settings {
	s := &settings{Config: cfg.withDefaults()}
	if old != nil && old.Cap == s.Cap {
		s.cap = old.cap
	} else {
		s.cap = seawall.NewBudget(seawall.BudgetConfig{Ratio: s.Cap.Ratio, Burst: s.Cap.Burst})
	}
	switch {
	case s.Funding == NoBudget:
	case s.Budget != nil:
		s.budget, s.pays = s.Budget, s.Funding == Contribute
	case old != nil && old.BudgetConfig == s.BudgetConfig: // ours is not zero, so old's is its own as well
		s.budget, s.pays = old.budget, true
	default:
		s.budget, s.pays = seawall.NewBudget(s.BudgetConfig), true
	}
	switch {
	case s.Delay != 0:
	case old != nil && old.latencies != nil && old.Latency.Window == s.Latency.Window:
		s.latencies = old.latencies
	default:
		s.latencies = quantile.New(s.Latency.Window)
	}
	return s
}

// never is a delay that does not end: the attempt starts only if another one fails.
const never time.Duration = math.MaxInt64

// delay returns how long after an attempt the next one starts, now being a reading of mono.Now if the delay is not
// fixed.
func (s *settings) delay(now time.Duration) time.Duration {
	delay := s.Delay
	if s.latencies != nil {
		l := &s.Latency
		if estimate, ok := s.latencies.Quantile(now, l.Percentile, l.MinCalls); ok {
			return max(l.Min, min(l.Max, estimate))
		}
		delay = l.Initial
	}
	if delay == OnFailure {
		return never
	}
	return delay
}
