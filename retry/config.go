package retry

import (
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall"
)

const (
	// Unlimited as Config.MaxAttempts bounds the attempts of a call by its context, the schedule and the budget alone.
	Unlimited = -1
	// NoDelay as Config.OverloadDelay adds nothing.
	NoDelay time.Duration = -1
)

// Config sets a [Retry]. The zero value is good for calls that may be carried out twice; a zero field is its default.
type Config struct {
	// MaxAttempts is how many attempts a call may take, the first one included. Default 3; at least 1, or [Unlimited].
	// 1 never repeats. With many a caller waits long for an answer that is no. Where layers repeat on top of each other
	// without a budget attempts multiply: 3 layers of 3 make 27 calls.
	MaxAttempts int `json:"max_attempts" yaml:"max_attempts"`
	// Backoff is the schedule of the waits between attempts. Default full jitter that grows from 50 ms to 5 s.
	Backoff Backoff `json:"backoff" yaml:"backoff"`
	// MaxRetryAfter is the longest wait that the dependency can ask for: what goes beyond is cut off. A wait that was
	// asked for is never undercut otherwise. On top of it come up to a tenth of it at random, at most 5 s, because all
	// who were turned away together were told the same time, and the wait of the schedule. Default 30 s; at least 1 ns.
	// A short one comes back before the dependency wants it, a long one lets it park callers that have no deadline. What
	// was asked for, uncut, is in [seawall.Facts] and in [Event].
	MaxRetryAfter time.Duration `json:"max_retry_after" yaml:"max_retry_after"`
	// OverloadDelay is for an answer that asks for less, [seawall.Overload], without a time: a random wait up to this
	// comes on top of the schedule. Default 1 s, the base of the AWS SDKs for throttled calls; at least 1 ns, or
	// [NoDelay]. A short one makes the retries part of the overload, a long one costs the caller's time.
	OverloadDelay time.Duration `json:"overload_delay" yaml:"overload_delay"`
	// Funding says what pays for retries. Default [FromBudget].
	Funding Funding `json:"funding" yaml:"funding"`
	// BudgetConfig sets the Retry's own budget. Default 10 % of the successes, and a burst of 10. It must be zero with
	// [NoBudget] and with a shared Budget, which has numbers of its own.
	BudgetConfig seawall.BudgetConfig `json:"budget" yaml:"budget"`

	// Budget is a budget shared with others that make extra attempts at the same dependency, side by side. Each success
	// pays into it once for each Retry that it passes, so of two around each other only one should have it. nil is one of
	// the Retry's own, made from BudgetConfig.
	Budget *seawall.Budget `json:"-" yaml:"-"`
	// Schedule makes the schedule of one call that has failed, in the place of Backoff: a schedule has state, so it
	// must be a new one each time, and not nil. backoff.Stop, or any negative wait, ends the call with [ErrExhausted].
	// It is Reset before its first use, so a limit on the elapsed time starts behind the first attempt. Its waits are
	// taken as they are: an ExponentialBackOff puts its jitter on top of its MaxInterval, and stops after 15 minutes
	// unless told otherwise. nil is Backoff.
	Schedule func() backoff.BackOff `json:"-" yaml:"-"`
	// Classify judges how an attempt ended. Default [seawall.Classify], with an error that has a backoff.Permanent in
	// its tree never repeated. It is not asked about nil, nor about the caller's own cancellation. A verdict without an
	// After gets that of a RetryAfter() time.Duration in the error's tree; a negative After is none. A panic of it is
	// the caller's.
	Classify func(error) seawall.Verdict `json:"-" yaml:"-"`
	// OnRetry is told of each retry at its start, after the wait and right before the attempt, by the goroutine of the
	// call. A panic of it is logged as seawall.listener.panicked, and the attempt starts. nil is off.
	OnRetry func(Event) `json:"-" yaml:"-"`
	// Registry is where the Retry enters itself, and where its events are logged. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c Config) withDefaults() Config {
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 3
	}
	c.Backoff = c.Backoff.withDefaults()
	if c.MaxRetryAfter == 0 {
		c.MaxRetryAfter = 30 * time.Second
	}
	if c.OverloadDelay == 0 {
		c.OverloadDelay = time.Second
	}
	if c.Funding == FromBudget && c.Budget == nil {
		c.BudgetConfig = resolved(c.BudgetConfig)
	}
	if c.Classify == nil {
		c.Classify = classify
	}
	return c
}

// resolved fills in the defaults of a valid BudgetConfig, which only a budget knows.
func resolved(c seawall.BudgetConfig) seawall.BudgetConfig {
	if c.Validate() != nil {
		return c
	}
	return seawall.NewBudget(c).Config()
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("retry: Config.%s is %v, want %s", field, value, want)
	}
	switch {
	case c.MaxAttempts < 0 && c.MaxAttempts != Unlimited:
		return bad("MaxAttempts", c.MaxAttempts, "at least 1, or Unlimited")
	case c.MaxRetryAfter < 0:
		return bad("MaxRetryAfter", c.MaxRetryAfter, "at least 1ns")
	case c.OverloadDelay < 0 && c.OverloadDelay != NoDelay:
		return bad("OverloadDelay", c.OverloadDelay, "at least 1ns, or NoDelay")
	case int(c.Funding) >= len(fundingNames):
		return bad("Funding", c.Funding, "FromBudget or NoBudget")
	case c.Funding == NoBudget && c.Budget != nil:
		return bad("Budget", "set", "nil with NoBudget")
	case c.BudgetConfig != (seawall.BudgetConfig{}) && c.Funding == NoBudget:
		return bad("BudgetConfig", fmt.Sprintf("%+v", c.BudgetConfig), "zero with NoBudget")
	case c.BudgetConfig != (seawall.BudgetConfig{}) && c.Budget != nil:
		return bad("BudgetConfig", fmt.Sprintf("%+v", c.BudgetConfig), "zero with a shared Budget")
	}
	if err := c.BudgetConfig.Validate(); err != nil {
		return fmt.Errorf("retry: Config.BudgetConfig: %w", err)
	}
	if err := c.Backoff.Validate(); err != nil {
		return fmt.Errorf("retry: Config.Backoff: %w", err)
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their functions and registry left
// aside. A shared budget is equal to itself only.
func (c Config) Equal(other Config) bool { return len(c.changes(other)) == 0 }

// changes names the fields, as in a file, whose meaning differs.
func (c Config) changes(to Config) (fields []string) {
	c, to = c.withDefaults(), to.withDefaults()
	for _, f := range []struct {
		name    string
		differs bool
	}{
		{"max_attempts", c.MaxAttempts != to.MaxAttempts},
		{"backoff.kind", c.Backoff.Kind != to.Backoff.Kind},
		{"backoff.base", c.Backoff.Base != to.Backoff.Base},
		{"backoff.max", c.Backoff.Max != to.Backoff.Max},
		{"backoff.factor", c.Backoff.Factor != to.Backoff.Factor},
		{"max_retry_after", c.MaxRetryAfter != to.MaxRetryAfter},
		{"overload_delay", c.OverloadDelay != to.OverloadDelay},
		{"funding", c.Funding != to.Funding},
		{"budget", c.Budget != to.Budget || c.BudgetConfig != to.BudgetConfig},
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
	maxAttempts int             // Unlimited resolved
	budget      *seawall.Budget // nil if there is none
}

// newSettings makes settings out of a valid Config. Its own budget is that of old, if that has one of the same numbers:
// where it has none of its own, its BudgetConfig is zero, which ours is not.
func newSettings(cfg Config, old *settings) *settings {
	s := &settings{Config: cfg.withDefaults()}
	s.maxAttempts = s.MaxAttempts
	if s.maxAttempts == Unlimited {
		s.maxAttempts = math.MaxInt
	}
	switch {
	case s.Funding == NoBudget:
	case s.Budget != nil:
		s.budget = s.Budget
	case old != nil && old.BudgetConfig == s.BudgetConfig:
		s.budget = old.budget
	default:
		s.budget = seawall.NewBudget(s.BudgetConfig)
	}
	return s
}
