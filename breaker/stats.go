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
	Share  float64       // share of the calls that are let in: 1 if closed, 0 if open or half-open, between while ramping
	Window WindowCounts  // closed and ramping: what the rates are taken over; half-open: the probes that have ended
	Hung   int64         // calls that are slow and still run; only those of this generation

	Totals
}

// Totals are counted since New and never decrease; a change of the state clears nothing.
type Totals struct {
	Calls          Counts
	Slow           int64 // calls that were slow, each counted when it became so
	Overloads      int64 // ends that asked for less
	Ignored        int64 // ends that say nothing
	Late           int64 // ends that came in a later generation than their call's, and changed no state
	Rejected       Rejections
	ShadowRejected int64 // calls that would have been rejected
	Entered        Transitions
}

// Counts are ended calls that were judged good or bad.
type Counts struct {
	Successes, Failures int64
}

// WindowCounts are what a window holds. The failure of a call that was counted while it hung is counted when it ends; so
// there may be more failures than calls for a moment.
type WindowCounts struct {
	Calls, Failures, Slow int64
}

// FailureRatio returns the share of failures, 0 to 1; 0 without calls.
func (c WindowCounts) FailureRatio() float64 { return ratio(c.Failures, c.Calls) }

// SlowRatio returns the share of slow calls, 0 to 1; 0 without calls.
func (c WindowCounts) SlowRatio() float64 { return ratio(c.Slow, c.Calls) }

func ratio(part, whole int64) float64 {
	if part <= 0 || whole <= 0 {
		return 0
	}
	return min(1, float64(part)/float64(whole))
}

// Rejections counts rejections by their reason.
type Rejections struct {
	Open    int64 // it was open
	Probing int64 // it was half-open with all its probes out
	Ramping int64 // it was ramping, and the call not among the share
	Forced  int64 // it was forced open
}

// Total returns the sum.
func (r Rejections) Total() int64 { return r.Open + r.Probing + r.Ramping + r.Forced }

// Transitions counts changes of the state by the one that was entered.
type Transitions struct {
	Closed, Open, HalfOpen, Ramping int64
}

// unended counts the calls that entered a window without an outcome, because they were slow: while they hung, or because
// their end said nothing. The windows count them as calls, and their failures as failures.
type unended struct {
	entered, succeeded, failed int64
}

// counts are what the windows do not count. Their addition is the whole work of their calls, or rare.
type counts struct {
	overloads, ignored, late      atomic.Int64
	open, probing, ramping        atomic.Int64
	forced, shadowRejected        atomic.Int64
	otherSuccesses, otherFailures atomic.Int64 // of probes, and of calls that pass in spite of the state
	slow                          atomic.Int64
}

func (c *counts) rejection(reason seawall.Reason) *atomic.Int64 {
	switch reason {
	case seawall.ReasonProbing:
		return &c.probing
	case seawall.ReasonRamping:
		return &c.ramping
	case seawall.ReasonForced:
		return &c.forced
	}
	return &c.open
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
	case neutral(outcome):
		c.neutral(outcome)
	default:
		c.judged(outcome == seawall.Failure)
	}
}

// Stats returns the state and the counts. The numbers are each exact, but not of one instant while calls run.
func (b *Breaker) Stats() Stats {
	s := b.stats()
	b.deliver()
	return s
}

func (b *Breaker) stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := mono.Now()
	b.catchUpLocked(now)
	e := b.era.Load()
	c := &b.counts
	s := Stats{
		State: e.stateAt(now), Since: now - e.since, Hung: e.hung(),
	}
	s.Totals = Totals{
		Slow:      c.slow.Load(),
		Overloads: c.overloads.Load(), Ignored: c.ignored.Load(), Late: c.late.Load(),
		Rejected: Rejections{
			Open: c.open.Load(), Probing: c.probing.Load(), Ramping: c.ramping.Load(), Forced: c.forced.Load(),
		},
		ShadowRejected: c.shadowRejected.Load(),
		Entered: Transitions{
			Closed: b.entered[Closed], Open: b.entered[Open], HalfOpen: b.entered[HalfOpen], Ramping: b.entered[Ramping],
		},
	}
	sum := b.earlier
	switch {
	case e.window != nil:
		in, era := e.window.in(now), e.window.counted()
		s.Window = WindowCounts{in.calls(), in.failures(), in.slow}
		s.Share = 1
		if e.step != nil {
			s.Share = float64(e.step.share) / million
		}
		sum.calls += era.calls
		sum.failures += era.failures
	case e.probes != nil:
		s.Window = WindowCounts{e.probes.successes + e.probes.failures, e.probes.failures, e.probes.slow}
	case e.state == Open:
		s.Reopen = max(0, e.until-now)
		if s.State == HalfOpen {
			s.Since = now - e.until
		}
	}
	ended := sum.calls - b.unended.entered // those of the windows that entered with their outcome
	s.Calls = Counts{
		Successes: ended - (sum.failures - b.unended.failed) + b.unended.succeeded + c.otherSuccesses.Load(),
		Failures:  sum.failures + c.otherFailures.Load(),
	}
	return s
}

// hung returns how many calls are slow and still run.
func (e *era) hung() (n int64) {
	if e.tracking != nil {
		n = e.tracking.hung.Load()
	}
	for _, t := range e.older {
		n += t.hung.Load()
	}
	return n
}

// Snapshot returns the Stats in the form of the registry.
func (b *Breaker) Snapshot() seawall.Snapshot {
	s := b.Stats()
	return seawall.Snapshot{
		Kind: kind, Name: b.name, Mode: b.era.Load().settings.Mode, State: s.State.String(), Values: s.values(),
	}
}

func (s Stats) values() []seawall.Value {
	return append([]seawall.Value{
		count("window.calls", s.Window.Calls),
		count("window.failures", s.Window.Failures),
		count("window.slow", s.Window.Slow),
		{Name: "failure.ratio", V: s.Window.FailureRatio()},
		{Name: "slow.ratio", V: s.Window.SlowRatio()},
		{Name: "share", V: s.Share},
		count("hung", s.Hung),
		{Name: "since", V: s.Since.Seconds()},
		{Name: "reopen", V: s.Reopen.Seconds()},
	}, s.Totals.values()...)
}

func count(name string, n int64) seawall.Value { return seawall.Value{Name: name, V: float64(n)} }
