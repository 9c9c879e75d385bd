package breaker

import (
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
	// Ramping lets a growing share of the calls pass, after the probes have succeeded.
	Ramping
)

// String returns "closed", "open", "half_open" or "ramping".
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	case Ramping:
		return "ramping"
	}
	return "unknown"
}

// era is one generation of a breaker: a period of one state, or of ramping and the closed state after it. Its fields
// never change. A change of the configuration, and a step of the ramp, makes a copy with the same generation.
type era struct {
	ticket   uint64 // generation and phase; 0 on a permit is a call that no era counts
	state    State
	settings *settings
	passes   bool // every call passes, and is counted by this era: closed, in a mode that does not forbid it
	watched  bool // things happen by the mere passing of time; see due
	timed    bool // the end of a call needs the time
	since    time.Duration
	opened   int   // times opened without a healthy period between
	minCalls int64 // of a rate

	window    *window                // closed and ramping
	tracking  *tracking              // of the calls of the latest phases; nil if none is slow
	older     []*tracking            // of calls that began before Slow.Over changed, and of which some may be in flight
	openFor   time.Duration          // open
	until     time.Duration          // open: when probing begins
	probes    *probes                // half-open
	step      *step                  // ramping
	rejection *seawall.RejectedError // all but closed
}

// A ticket is a generation, counted from 1, and in its low bits a phase: how often an era was copied such that its calls
// must be told from earlier ones.
const phaseBits = 24

func (e *era) generation() uint64 { return e.ticket >> phaseBits }

// nextTicket returns the first one of the next generation.
func (e *era) nextTicket() uint64 { return (e.generation() + 1) << phaseBits }

// with returns a copy of e with the settings s, of the same generation and phase.
func (e era) with(s *settings) *era {
	e.settings = s
	e.passes = e.state == Closed && s.Mode != seawall.ForcedOpen && s.Mode != seawall.Off && len(e.older) == 0
	e.watched = e.tracking != nil || len(e.older) > 0 || e.probes != nil || e.step != nil
	e.timed = e.watched || e.window != nil && e.window.ring == nil
	e.minCalls = int64(s.MinCalls)
	if e.state == Ramping {
		e.minCalls = int64(min(s.MinCalls, s.Probes.Calls))
	}
	return &e
}

// track gives an era its tracking, for the calls from the ticket on.
func (e *era) track(s *settings, now time.Duration) {
	e.tracking = nil
	if s.tracks() {
		e.tracking = newTracking(s.Slow.Over, now, e.ticket)
	}
}

// trackingOf returns what tracks the calls of a ticket of e's generation, or nil.
func (e *era) trackingOf(ticket uint64) *tracking {
	if t := e.tracking; t != nil && ticket >= t.from {
		return t
	}
	for _, t := range e.older {
		if t.from <= ticket && ticket < t.to {
			return t
		}
	}
	return nil
}

func (e *era) stateAt(now time.Duration) State {
	if e.state == Open && now >= e.until {
		return HalfOpen
	}
	return e.state
}

// numbers are what a change of the state is told with.
type numbers struct{ calls, failures, slow int64 }

func (in evidence) numbers() numbers { return numbers{in.calls(), in.failures(), in.slow} }

// nextLocked begins a new generation at a time that is now or has passed unseen. next has the fields of its own state;
// in is what caused the change.
func (b *Breaker) nextLocked(e *era, next era, reason string, in numbers, at time.Duration) {
	next.ticket, next.since = e.nextTicket(), at
	if next.state != Open {
		next.track(e.settings, at)
	}
	b.era.Store(next.with(e.settings))
	if e.window != nil {
		b.foldLocked(e.window) // after the new era is there, so that who finds it sealed finds the new one too
	}
	b.changedLocked(e, &next, reason, in)
}

// changedLocked counts and tells that the state has changed.
func (b *Breaker) changedLocked(from, to *era, reason string, in numbers) {
	b.entered[to.state]++
	b.events.Put(Event{
		Name: b.name, From: from.state, To: to.state, Reason: reason,
		Calls: in.calls, Failures: in.failures, Slow: in.slow, OpenFor: to.openFor,
	})
}

// foldLocked ends a window and keeps its counts.
func (b *Breaker) foldLocked(w *window) {
	sum := w.seal()
	b.earlier.calls += sum.calls
	b.earlier.failures += sum.failures
}

// trip opens a breaker whose window w has reached a threshold. It asks again, now that nothing can change: w may be
// another era's, after an update the settings that open the breaker must be those that say so, and what a call counted
// reaches back too far if it was held up between reading the clock and counting.
func (b *Breaker) trip(w *window) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.era.Load(); e.window == w {
		now := mono.Now()
		b.weighLocked(e, w.in(now), now)
	}
}

// weighLocked opens a breaker if what its window holds is enough.
func (b *Breaker) weighLocked(e *era, in evidence, at time.Duration) {
	if reason := e.settings.trips(in, e.minCalls); reason != "" {
		b.openLocked(e, reason, in.numbers(), time.Duration(e.window.until.Load()), at)
	}
}

// openLocked opens a breaker. hint is the instant before which the dependency asked for no other call, or unknown.
func (b *Breaker) openLocked(e *era, reason string, in numbers, hint, at time.Duration) {
	s := e.settings
	opened := e.opened + 1
	if healthy := max(s.Window.Time, s.OpenFor); e.state == Closed && at-e.since >= healthy {
		opened = 1
	}
	u := b.random()
	d := s.openFor(opened, u)
	if hint > at {
		asked := hint - at
		d = max(d, asked+time.Duration(u*float64(asked/5))) // never less: the dependency knows best
	}
	b.nextLocked(e, era{
		state: Open, opened: opened, openFor: d, until: at + d,
		rejection: reject(b.name, seawall.ReasonOpen, at+d-mono.Now()),
	}, reason, in, at)
}
