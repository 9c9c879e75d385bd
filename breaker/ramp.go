package breaker

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

// step is one step of the ramp: a share of the calls for a time.
type step struct {
	share    rate
	began    time.Duration
	from     uint64 // the first ticket of its calls
	arrivals atomic.Int64
	firstEnd atomic.Int64 // when the first of its calls ended; or never; or unknown, if none was let in
}

func newStep(share rate, now time.Duration, from uint64) *step {
	st := &step{share: share, began: now, from: from}
	st.firstEnd.Store(unknown)
	return st
}

// admits counts an arrival and reports whether it is let in. Of n arrivals it lets in share·n, rounded up: as many as
// Bresenham's line has steps, with an error below one, and the first of all.
func (st *step) admits() bool {
	n := st.arrivals.Add(1)
	return st.admitted(n) > st.admitted(n-1)
}

func (st *step) admitted(n int64) int64 { return (n*int64(st.share) + million - 1) / million }

// letIn notes that one of the calls is under way.
func (st *step) letIn() {
	if st.firstEnd.Load() == unknown {
		st.firstEnd.CompareAndSwap(unknown, int64(never))
	}
}

// ends returns when the step ends by the passing of time: because it is over and something has ended, or nothing came;
// or because nothing of what came has ended, and then it has stalled.
func (st *step) ends(s *settings) (at time.Duration, stalled bool) {
	over, first := later(st.began, s.Ramp.Step), time.Duration(st.firstEnd.Load())
	if first == never {
		return later(over, s.Probes.Timeout), true
	}
	return max(over, first), false
}

// ended notes that a call has ended, which may be what its step waits for.
func (st *step) ended(ticket uint64, now time.Duration) {
	if ticket >= st.from {
		st.firstEnd.CompareAndSwap(int64(never), int64(now))
	}
}

// recoverLocked ends the half-open state well.
func (b *Breaker) recoverLocked(e *era, in numbers, at time.Duration) {
	s := e.settings
	next := era{state: Closed, opened: e.opened, window: newWindow(s.Window, at)}
	if s.start < million {
		next.state, next.step = Ramping, newStep(s.start, at, e.nextTicket())
		next.rejection = reject(b.name, seawall.ReasonRamping, 0)
	}
	b.nextLocked(e, next, reasonProbesSucceeded, in, at)
}

// stepLocked ends a step of the ramp. The generation and its window go on.
func (b *Breaker) stepLocked(e *era, at time.Duration) {
	share := rate(min(million, math.Round(float64(e.step.share)*e.settings.Ramp.Factor)))
	if e.settings.start == million { // an update wants no ramp
		share = million
	}
	next := *e
	next.ticket++
	if share < million {
		next.step = newStep(share, at, next.ticket)
		b.era.Store(next.with(e.settings))
		return
	}
	next.state, next.since, next.step, next.rejection = Closed, at, nil, nil
	b.era.Store(next.with(e.settings))
	b.changedLocked(e, &next, reasonRampCompleted, e.window.in(at).numbers())
}
