package breaker

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Stats is what a breaker says of itself at one moment.
type Stats struct {
	State  State
	Since  time.Duration // time in the state
	Reopen time.Duration // open: time until it probes
	Window Counts        // closed: what the failure rate is taken over; half-open: the probes that have ended

	// The rest is counted since New and never decreases; a change of the state clears nothing.
	Calls          Counts
	Overloads      int64 // ends that asked for less
	Ignored        int64 // ends that say nothing
	Late           int64 // ends that came in a later generation than their call's, and changed no state
	Rejected       int64
	ShadowRejected int64 // calls that would have been rejected
	Opened         int64 // times opened
}

// Counts are ended calls that were judged good or bad.
type Counts struct {
	Successes, Failures int64
}

// counts are the ends that the windows do not count. Their addition is the whole work of their calls, or rare.
type counts struct {
	overloads, ignored, late      atomic.Int64
	rejected, shadowRejected      atomic.Int64
	otherSuccesses, otherFailures atomic.Int64 // of probes, and of calls that pass in spite of the state
}

func (c *counts) neutral(outcome seawall.Outcome) {
	if outcome == seawall.Overload {
		c.overloads.Add(1)
	} else {
		c.ignored.Add(1)
	}
}

func (c *counts) judged(failure bool) {
	if failure {
		c.otherFailures.Add(1)
	} else {
		c.otherSuccesses.Add(1)
	}
}

// outside counts the end of a call that no era counts: a late one, or one that passed in spite of the state.
func (c *counts) outside(t seawall.Ticket, outcome seawall.Outcome) {
	switch {
	case t.Generation != 0:
		c.late.Add(1)
	case outcome == seawall.Success, outcome == seawall.Failure:
		c.judged(outcome == seawall.Failure)
	default:
		c.neutral(outcome)
	}
}

// Stats returns the state and the counts. The numbers are each exact, but not of one instant while calls run.
func (b *Breaker) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, now := b.era.Load(), mono.Now()
	s := Stats{
		State: e.stateAt(now), Since: now - e.since,
		Overloads: b.counts.overloads.Load(), Ignored: b.counts.ignored.Load(), Late: b.counts.late.Load(),
		Rejected: b.counts.rejected.Load(), ShadowRejected: b.counts.shadowRejected.Load(), Opened: b.opened,
	}
	sum := b.earlier
	switch {
	case e.window != nil:
		in, era := e.window.in(now), e.window.counted()
		s.Window = Counts{in.calls() - in.failures(), in.failures()}
		sum.calls += era.calls
		sum.failures += era.failures
	case e.probes != nil:
		s.Window = Counts{e.probes.successes, e.probes.failures}
	case e.state == Open:
		s.Reopen = max(0, e.until-now)
		if s.State == HalfOpen {
			s.Since = now - e.until
		}
	}
	s.Calls = Counts{
		Successes: sum.calls - sum.failures + b.counts.otherSuccesses.Load(),
		Failures:  sum.failures + b.counts.otherFailures.Load(),
	}
	return s
}

// Snapshot returns the Stats in the form of the registry.
func (b *Breaker) Snapshot() seawall.Snapshot {
	s, mode := b.Stats(), b.era.Load().settings.Mode
	return seawall.Snapshot{
		Kind: kind, Name: b.name, Mode: mode, State: s.State.String(),
		Values: []seawall.Value{
			{Name: "window.successes", V: float64(s.Window.Successes)},
			{Name: "window.failures", V: float64(s.Window.Failures)},
			{Name: "calls.success", V: float64(s.Calls.Successes)},
			{Name: "calls.failure", V: float64(s.Calls.Failures)},
			{Name: "calls.overload", V: float64(s.Overloads)},
			{Name: "calls.ignored", V: float64(s.Ignored)},
			{Name: "late_results", V: float64(s.Late)},
			{Name: "rejections", V: float64(s.Rejected)},
			{Name: "shadow_rejections", V: float64(s.ShadowRejected)},
			{Name: "opened", V: float64(s.Opened)},
		},
	}
}
