package breaker

import (
	"context"
	"log/slog"
	"time"

	"github.com/seawall-go/seawall/internal/events"
)

// Event is a change of a breaker's state, with the numbers that caused it. It is also logged, as
// seawall.breaker.state_changed with name, from, to, reason, calls, failures, slow and open_for: at WARN if the breaker
// opens, else at INFO.
type Event struct {
	Name     string // the breaker's
	From, To State
	// Reason is one of a closed list:
	//
	//   - "failure_rate", "slow_rate", "consecutive_failures": from closed or ramping to open
	//   - "open_time_over": from open to half-open
	//   - "probes_failed", "probes_slow": from half-open to open
	//   - "probes_succeeded": from half-open to ramping, or to closed without a ramp
	//   - "ramp_stalled": from ramping to open, because no call of a step has ended
	//   - "ramp_completed": from ramping to closed
	Reason   string
	Calls    int64         // in the window, or among the probes, that decided
	Failures int64         // of them
	Slow     int64         // of them
	OpenFor  time.Duration // how long it stays open; 0 if it does not open
}

const (
	reasonFailureRate         = "failure_rate"
	reasonSlowRate            = "slow_rate"
	reasonConsecutiveFailures = "consecutive_failures"
	reasonOpenTimeOver        = "open_time_over"
	reasonProbesFailed        = "probes_failed"
	reasonProbesSlow          = "probes_slow"
	reasonProbesSucceeded     = "probes_succeeded"
	reasonRampStalled         = "ramp_stalled"
	reasonRampCompleted       = "ramp_completed"
)

// deliver tells the events, in order and outside of all locks. It is called after every unlock behind which there may be
// an event.
func (b *Breaker) deliver() { b.events.Tell(b.tell) }

// tell logs an event and gives it to the listener.
func (b *Breaker) tell(e Event) {
	s := b.era.Load().settings
	logger := s.Registry.Logger()
	events.Shield(logger, kind, b.name, func() { logEvent(s, e) })
	if s.OnStateChange != nil {
		events.Shield(logger, kind, b.name, func() { s.OnStateChange(e) })
	}
}

func logEvent(s *settings, e Event) {
	level := slog.LevelInfo
	if e.To == Open {
		level = slog.LevelWarn
	}
	s.Registry.Log(context.Background(), level, "seawall.breaker.state_changed",
		slog.String("name", e.Name), slog.String("from", e.From.String()), slog.String("to", e.To.String()),
		slog.String("reason", e.Reason), slog.Int64("calls", e.Calls), slog.Int64("failures", e.Failures),
		slog.Int64("slow", e.Slow), slog.Duration("open_for", e.OpenFor))
}
