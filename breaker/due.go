package breaker

import (
	"math"
	"slices"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// never is a time that does not come.
const never time.Duration = math.MaxInt64

// later returns at + d, or never.
func later(at, d time.Duration) time.Duration {
	if sum := at + d; sum >= at {
		return sum
	}
	return never
}

// due returns when something happens by the mere passing of time: running calls become slow, or the deadline comes.
// Nothing waits for it. Who reads the clock for a call or for the state compares, and then calls catchUp.
func (e *era) due() time.Duration {
	at := e.deadline()
	if e.tracking != nil {
		at = min(at, e.tracking.due())
	}
	for _, t := range e.older {
		at = min(at, t.due())
	}
	return at
}

// deadline returns when the state changes by the mere passing of time. That the open time is over does not: it takes a
// call to begin with probes.
func (e *era) deadline() time.Duration {
	switch {
	case e.probes != nil:
		return e.probes.deadline(e.settings)
	case e.step != nil:
		at, _ := e.step.ends(e.settings)
		return at
	}
	return never
}

// catchUp lets happen what was due up to now, each thing at its time, as if somebody had looked then: whether and when
// somebody looks changes nothing.
func (b *Breaker) catchUp(now time.Duration) {
	b.mu.Lock()
	b.catchUpLocked(now)
	b.mu.Unlock()
	b.deliver()
}

func (b *Breaker) catchUpLocked(now time.Duration) {
	if e := b.era.Load(); e.ahead(now) && e.ahead(mono.Now()) { // not only held up between reading the clock and the lock
		b.restartLocked(e, now)
	}
	for {
		e := b.era.Load()
		deadline := e.deadline()
		t, limit := e.nextTracking(min(now, deadline))
		switch {
		case t != nil:
			if n, at := t.collect(limit); n > 0 {
				b.hangLocked(e, n, at)
			} else if t.to != 0 && !t.busy() {
				b.dropLocked(e, t)
			}
		case deadline > now:
			return
		default:
			b.expireLocked(e, now, unknown)
		}
	}
}

// expireLocked does what the deadline of an era brings, if it has come by now: at its time, but not before another.
func (b *Breaker) expireLocked(e *era, now, notBefore time.Duration) {
	if e.probes != nil {
		if at := e.deadline(); at <= now {
			e.probes.failures = int64(e.settings.Probes.Calls) - e.probes.successes
			b.judgeLocked(e, max(at, notBefore))
		}
		return
	}
	// Calls come and end meanwhile, so what happens has to be what the time says.
	at, stalled := e.step.ends(e.settings)
	switch at = max(at, notBefore); {
	case at > now:
	case stalled:
		b.openLocked(e, reasonRampStalled, e.window.in(at).numbers(), time.Duration(e.window.until.Load()), at)
	default:
		b.stepLocked(e, at)
	}
}

// nextTracking returns the tracking that is due first, if that is not after limit, and how far it may be followed before
// another one comes first.
func (e *era) nextTracking(limit time.Duration) (first *tracking, until time.Duration) {
	if e.tracking != nil && e.tracking.due() <= limit {
		first = e.tracking
	}
	until = limit
	for _, t := range e.older {
		switch due := t.due(); {
		case due > limit:
		case first == nil:
			first = t
		case due < first.due():
			first, until = t, min(until, first.due())
		default:
			until = min(until, due)
		}
	}
	return first, until
}

// hangLocked counts n calls that became slow at a time, and have not ended.
func (b *Breaker) hangLocked(e *era, n int64, at time.Duration) {
	b.counts.slow.Add(n)
	if p := e.probes; p != nil {
		p.slow += n
		p.hung += n
		b.judgeLocked(e, at)
		return
	}
	b.unended.entered += n
	b.weighLocked(e, e.window.hang(at, n), at)
}

// dropLocked forgets a tracking whose calls have all ended.
func (b *Breaker) dropLocked(e *era, t *tracking) {
	next := *e
	next.older = slices.DeleteFunc(slices.Clone(e.older), func(other *tracking) bool { return other == t })
	b.era.Store(next.with(e.settings))
}

// ahead reports whether an era has seen a later time than now. The clock goes back only at the border of a testing/synctest
// bubble, whose time begins in the year 2000: for a breaker that was made outside, or used in an earlier bubble.
func (e *era) ahead(now time.Duration) bool {
	return now < e.since || e.tracking != nil && now < e.tracking.oldest()
}

// restartLocked begins the state anew by a clock that has gone back: an open time, a window and probes that were measured
// by the other one say nothing, and would be over in a quarter of a century. Calls in flight end too late to count.
func (b *Breaker) restartLocked(e *era, now time.Duration) {
	s := e.settings
	next := era{ticket: e.nextTicket(), state: e.state, since: now, opened: e.opened, rejection: e.rejection}
	switch e.state {
	case Open:
		next.openFor, next.until = e.openFor, now+e.openFor
		next.rejection = reject(b.name, seawall.ReasonOpen, e.openFor)
	case HalfOpen:
		next.probes = newProbes()
	case Ramping:
		next.window, next.step = newWindow(s.Window, now), newStep(e.step.share, now, next.ticket)
	case Closed:
		next.window = newWindow(s.Window, now)
	}
	if e.state != Open {
		next.track(s, now)
	}
	b.era.Store(next.with(s))
	if e.window != nil {
		b.foldLocked(e.window)
	}
}
