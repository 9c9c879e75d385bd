package breaker

import (
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// State is what a breaker does with calls.
type State uint8

const (
	// Closed lets all calls pass.
	Closed State = iota
	// Open rejects all calls.
	Open
	// HalfOpen lets some calls pass, as probes.
	HalfOpen
)

// String returns "closed", "open" or "half_open".
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	}
	return "unknown"
}

// era is one generation of a breaker: a period of one state. Its fields never change; a change of the configuration
// makes a copy with the same generation.
type era struct {
	generation uint64 // counts from 1; 0 on a ticket is a call that no era counts
	state      State
	settings   *settings
	passes     bool // every call passes, and is counted by this era: closed, in a mode that does not forbid it
	since      time.Duration
	opened     int // times opened without a healthy period between

	window    *window                // closed
	openFor   time.Duration          // open
	until     time.Duration          // open: when probing begins
	probes    *probes                // half-open
	rejection *seawall.RejectedError // open and half-open
}

// probes are the calls that judge a recovery. Breaker.mu guards all of it; out and latest are atomic so that a rejection
// can read them without the lock.
type probes struct {
	out       atomic.Int64 // admitted, and not given back by an end that says nothing
	latest    atomic.Int64 // when the latest one was admitted
	successes int64
	failures  int64
}

// with returns a copy of e with the settings s, of the same generation.
func (e era) with(s *settings) *era {
	e.settings = s
	e.passes = e.state == Closed && s.Mode != seawall.ForcedOpen && s.Mode != seawall.Off
	return &e
}

// nextLocked puts the era after e in force. next has the fields of its own state; in is what caused the change.
func (b *Breaker) nextLocked(e *era, next era, reason string, in totals) {
	next.generation, next.since = e.generation+1, mono.Now()
	b.era.Store(next.with(e.settings))
	if e.window != nil {
		b.foldLocked(e.window) // after the new era is there, so that who finds it sealed finds the new one too
	}
	b.events = append(b.events, Event{
		Name: b.name, From: e.state, To: next.state, Reason: reason,
		Calls: in.calls, Failures: in.failures, OpenFor: next.openFor,
	})
}

// foldLocked ends a window and keeps its counts.
func (b *Breaker) foldLocked(w *window) {
	sum := w.seal()
	b.earlier.calls += sum.calls
	b.earlier.failures += sum.failures
}

// trip opens a closed breaker whose window w has reached the rate. It asks again, now that nothing can change: w may be
// another era's, after an update the settings that open the breaker must be those that say so, and what a call counted
// reaches back too far if it was held up between reading the clock and counting.
func (b *Breaker) trip(w *window) {
	b.mu.Lock()
	defer b.deliver()
	defer b.mu.Unlock()
	in := w.in(mono.Now())
	if e := b.era.Load(); e.window == w && e.settings.trips(in) {
		b.openLocked(e, "failure_rate", totals{in.calls(), in.failures()})
	}
}

func (b *Breaker) openLocked(e *era, reason string, in totals) {
	s, now := e.settings, mono.Now()
	opened := e.opened + 1
	if healthy := max(s.Window.Time, s.OpenFor); e.state == Closed && now-e.since >= healthy {
		opened = 1
	}
	b.opened++
	d := s.openFor(opened, b.random())
	b.nextLocked(e, era{
		state: Open, opened: opened, openFor: d, until: now + d, rejection: reject(b.name, seawall.ReasonOpen, d),
	}, reason, in)
}

// openFor returns how long the breaker stays open the n-th time in a row; u is uniform in [0, 1). The jitter's range is
// cut at the maximum, not its result: else every other breaker would probe at exactly the maximum, together.
func (s *settings) openFor(n int, u float64) time.Duration {
	d := s.OpenFor
	for i := 1; i < n && d < s.MaxOpenFor; i++ {
		d *= 2
	}
	d = min(d, s.MaxOpenFor)
	low, high := d-d/5, min(d+d/5, s.MaxOpenFor)
	return low + time.Duration(u*float64(high-low))
}

// probeLocked makes an open breaker half-open.
func (b *Breaker) probeLocked(e *era) {
	b.nextLocked(e, era{
		state: HalfOpen, opened: e.opened, probes: &probes{}, rejection: reject(b.name, seawall.ReasonProbing, 0),
	}, "open_time_over", totals{})
}

// judgeLocked ends the half-open state as soon as its verdict can no longer change, however the probes that have not
// ended do.
func (b *Breaker) judgeLocked(e *era) {
	p, s := e.probes, e.settings
	in := totals{p.successes + p.failures, p.failures}
	total := max(int64(s.Probes.Calls), in.calls) // more may have ended if an update wants fewer
	switch {
	case s.tripsAt(p.failures, total):
		b.openLocked(e, "probes_failed", in)
	case !s.tripsAt(p.failures+total-in.calls, total):
		b.nextLocked(e, era{
			state: Closed, opened: e.opened, window: newWindow(s.Window, mono.Now()),
		}, "probes_succeeded", in)
	}
}
