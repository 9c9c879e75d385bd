package hedge

import (
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

// race is one call. It is used by one goroutine at a time, and shares nothing with other calls but the settings.
type race struct {
	hedge    *Hedge
	settings *settings
	record   *seawall.Record

	left       <-chan struct{} // closed when the caller's context is done
	begin      time.Duration   // reading of mono.Now at the start; only where it is needed, see Race
	deadline   time.Duration   // reading of mono.Now at the caller's deadline; only if limited
	limited    bool
	idempotent bool

	stopped     bool // no more attempts are to start
	granted     bool // an extra attempt was paid for, and has not started
	firstFailed bool
	answered    bool // an error is an answer, and wins
	interrupted bool // an attempt ended when the caller's context was done
	started     int
	running     int
	failures    failures
	early       error // of the attempt whose failure starts the next one
}

// Next returns when another attempt is to start.
func (r *race) Next() (delay time.Duration, more bool) {
	if r.stopped || r.started >= r.settings.MaxAttempts {
		return 0, false
	}
	if !r.idempotent {
		return never, true
	}
	now := r.begin
	if r.started > 1 && (r.limited || r.settings.latencies != nil) {
		now = mono.Now()
	}
	if delay = r.settings.delay(now); r.limited && delay >= r.deadline-now {
		return never, true
	}
	return delay, true
}

// Started decides whether an attempt starts. Its tokens are taken here, the budget's last: others may want it.
func (r *race) Started(n int) bool {
	s, early := r.settings, r.early
	r.early = nil
	switch {
	case r.started == 0:
		s.cap.Succeeded() // each call pays into the cap when it begins, whatever it comes to
		r.started, r.running = 1, 1
		return true
	case r.stopped:
		return false
	case !s.cap.Take():
		r.stopped = true
		r.hedge.counts.deniedByCap.Add(1)
		r.hedge.counts.refuse()
		return false
	case s.budget != nil && !s.budget.Take():
		s.cap.Refund()
		r.stopped = true
		r.hedge.counts.deniedByBudget.Add(1)
		if s.Budget == nil {
			r.hedge.counts.refuse()
		}
		r.hedge.starve(s.Registry)
		return false
	}
	r.granted = true
	if s.OnHedge != nil {
		e := Event{Name: r.hedge.name, Attempt: n, Elapsed: mono.Now() - r.begin, Err: early}
		events.Shield(s.Registry.Logger(), kind, r.hedge.name, func() { s.OnHedge(e) })
	}
	r.granted = false
	r.started++
	r.running++
	r.hedge.counts.hedges.Add(1)
	return true
}

// Ended says what the end of an attempt means. An error that ends the hedging of this call asks for the next attempt too,
// which Started then forbids: so the race does not wait for its time to come.
func (r *race) Ended(n int, err error) seawall.Finish {
	r.running--
	if err == nil {
		return seawall.Win
	}
	if r.callerDone() { // the error says so, and nothing about the attempt
		r.interrupted = true
		if r.running == 0 {
			return seawall.Win
		}
		return seawall.KeepRunning
	}
	v := r.settings.Classify(err)
	if n > 1 && v.Outcome == seawall.Ignored {
		r.refund(err)
	}
	again := r.mayRepeat(v)
	if v.Outcome == seawall.Success && !again {
		r.answered = true
		return seawall.Win
	}
	r.failures.add(err, v)
	r.firstFailed = r.firstFailed || n == 1
	r.stopped = r.stopped || !again
	if r.stopped && r.running == 0 {
		return seawall.Win
	}
	r.early = err
	return seawall.StartNext
}

// refund gives back the tokens of an extra attempt that an inner gate has rejected: it never reached the dependency.
// Only a gate's own error is proof of that; one further down in a tree may have come after a call was made.
func (r *race) refund(err error) {
	if _, ok := err.(*seawall.RejectedError); ok { //nolint:errorlint // see above
		r.giveBack()
	}
}

// giveBack puts the tokens of one extra attempt back.
func (r *race) giveBack() {
	r.settings.cap.Refund()
	if b := r.settings.budget; b != nil {
		b.Refund()
	}
}

// mayRepeat reports whether another attempt may start at once after one with this verdict.
func (r *race) mayRepeat(v seawall.Verdict) bool {
	switch {
	case v.Outcome == seawall.Overload, v.Outcome == seawall.Ignored, v.After > 0:
		return false
	case v.Repeat == seawall.RepeatIfIdempotent:
		return r.idempotent
	}
	return v.Repeat == seawall.RepeatAlways
}

// callerDone reports whether the caller's context is done, or is about to be: an attempt that hands the deadline to a
// connection can be faster than the timer of the context, and no other one is to start in between.
func (r *race) callerDone() bool {
	select {
	case <-r.left:
		return true
	default:
		return r.limited && mono.Now() >= r.deadline
	}
}

// canceled reports whether the caller has left, which is different from its deadline passing; see [seawall.Settle].
func (r *race) canceled() bool {
	return r.callerDone() && (!r.limited || mono.Now() < r.deadline)
}

// End ends the call.
func (r *race) End(winner int, err error) error {
	s := r.settings
	if r.granted { // OnHedge has ended the goroutine
		r.giveBack()
	}
	end, err := r.judge(winner, err)
	if end == primary || end == hedged {
		if s.pays {
			s.budget.Succeeded()
		}
		if s.budget != nil && r.hedge.starved.Load() {
			r.hedge.restore(s.Registry, s.budget)
		}
		if s.latencies != nil && !r.firstFailed {
			now := mono.Now()
			s.latencies.Observe(now, now-r.begin)
		}
	} else {
		winner = 0
	}
	r.hedge.counts.add(end)
	if r.record != nil && r.started > 1 {
		r.record.Note(func(f *seawall.Facts) { f.Hedges, f.Winner = f.Hedges+r.started-1, winner })
	}
	return err
}

// judge returns how the call ended, and the error for the caller.
func (r *race) judge(winner int, err error) (result, error) {
	switch {
	case (err == nil || r.answered) && winner == 1:
		return primary, err
	case err == nil || r.answered:
		return hedged, err
	case err == seawall.ErrAborted: //nolint:errorlint // the walk passes it bare
		return aborted, err
	}
	end := failed
	if r.canceled() {
		end = canceled
	}
	switch {
	case len(r.failures.errs) == 0:
		return end, err
	case winner == 0 || r.interrupted:
		return end, r.failures.error(r.hedge.name, r.started, err)
	case r.started == 1:
		return end, err
	}
	return end, r.failures.error(r.hedge.name, r.started, nil)
}
