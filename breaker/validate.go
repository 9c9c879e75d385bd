package breaker

import (
	"fmt"
	"math"
	"time"
)

// longest is how long a breaker may stay open. Whoever wants more has seawall.ForcedOpen.
const longest = 24 * time.Hour

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	if c.Window.Time != 0 && c.Window.Calls != 0 {
		return bad("Window", fmt.Sprintf("%+v", c.Window), "Time or Calls, not both")
	}
	given := c
	switch c = c.withDefaults(); {
	case !isRate(c.FailureRate):
		return bad("FailureRate", c.FailureRate, "0.000001 to 1")
	case c.Window.Calls < 0 || c.Window.Calls > million:
		return bad("Window.Calls", c.Window.Calls, "1 to 1000000")
	case c.Window.Time < 0 || c.Window.Time > time.Hour || (c.Window.Calls == 0 && c.Window.Time < 10*time.Millisecond):
		return bad("Window.Time", c.Window.Time, "10ms to 1h")
	case c.MinCalls < 1 || c.MinCalls > million:
		return bad("MinCalls", c.MinCalls, "1 to 1000000")
	case c.Window.Calls > 0 && c.MinCalls > c.Window.Calls:
		return bad("MinCalls", c.MinCalls, fmt.Sprintf("at most Window.Calls, which is %d", c.Window.Calls))
	case c.ConsecutiveFailures < 0 || c.ConsecutiveFailures > million:
		return bad("ConsecutiveFailures", c.ConsecutiveFailures, "0 to 1000000")
	case c.OpenFor < time.Millisecond || c.OpenFor > longest:
		return bad("OpenFor", c.OpenFor, "1ms to 24h")
	case !within(c.OpenGrowth, 1, 10):
		return bad("OpenGrowth", c.OpenGrowth, "1 to 10")
	case c.MaxOpenFor < c.OpenFor || c.MaxOpenFor > longest:
		return bad("MaxOpenFor", given.MaxOpenFor, fmt.Sprintf("OpenFor, which is %v, to 24h", c.OpenFor))
	case c.MaxRetryAfter != NoRetryAfter && (c.MaxRetryAfter < time.Millisecond || c.MaxRetryAfter > longest):
		return bad("MaxRetryAfter", c.MaxRetryAfter, "1ms to 24h, or NoRetryAfter")
	case !c.Mode.Valid():
		return bad("Mode", c.Mode, "one of the modes of package seawall")
	}
	return c.validateNested()
}

func (c Config) validateNested() error {
	switch {
	case c.Slow.Over != NoSlowCalls && (c.Slow.Over < time.Millisecond || c.Slow.Over > 24*time.Hour):
		return bad("Slow.Over", c.Slow.Over, "1ms to 24h, or NoSlowCalls")
	case !isRate(c.Slow.Rate):
		return bad("Slow.Rate", c.Slow.Rate, "0.000001 to 1")
	case c.Probes.Calls < 1 || c.Probes.Calls > 10_000:
		return bad("Probes.Calls", c.Probes.Calls, "1 to 10000")
	case c.Probes.Timeout < time.Millisecond:
		return bad("Probes.Timeout", c.Probes.Timeout, "at least 1ms")
	case !within(c.Ramp.Start, 0.001, 1):
		return bad("Ramp.Start", c.Ramp.Start, "0.001 to 1, which is NoRamp")
	case !within(c.Ramp.Factor, 1.1, 1000):
		return bad("Ramp.Factor", c.Ramp.Factor, "1.1 to 1000")
	case c.Ramp.Step < time.Millisecond || c.Ramp.Step > time.Hour:
		return bad("Ramp.Step", c.Ramp.Step, "1ms to 1h")
	}
	return nil
}

func bad(field string, value any, want string) error {
	return fmt.Errorf("breaker: Config.%s is %v, want %s", field, value, want)
}

func isRate(f float64) bool { return within(f, 1/float64(million), 1) }

func within(f, low, high float64) bool { return !math.IsNaN(f) && f >= low && f <= high }
