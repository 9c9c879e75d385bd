package retry

import (
	"context"
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

// repetition is the rest of one call whose first attempt failed. It is used by one goroutine at a time, and shares
// nothing with other calls but the budget.
type repetition struct {
	retry    *Retry
	settings *settings
	record   *seawall.Record

	attempts int             // that have started
	verdict  seawall.Verdict // on the last one
	history  history
	schedule backoff.BackOff // nil before the first wait
	own      schedule        // what schedule is, unless it was plugged in

	granted bool          // another attempt was granted, and has not started: its token is not yet spent
	since   time.Duration // granted: reading of mono.Now
	next    Event         // granted: what OnRetry is told if it starts

	end  result // how the call ends, as soon as an attempt or a wait was refused
	why  error
	late error // outOfTime: the cause of the context, nil if it has not ended
}

// Next decides what follows a failed attempt. The token for another one is taken here, so that what is granted is paid
// for, and as the last thing: nothing of the user's runs between that and the return.
func (p *repetition) Next(ctx context.Context, err error) (wait time.Duration, again bool) {
	p.history.add(err)
	if p.attempts > 1 { // Ended has judged the first one
		p.verdict, p.end = p.retry.judge(ctx, p.settings, err, recovered)
		p.refund(err)
		if p.end == canceled {
			p.why = context.Cause(ctx)
		}
		if p.end != undecided {
			return 0, false
		}
	}
	hint := p.hint()
	wait, p.end, p.why = p.plan(ctx, hint)
	p.note(hint)
	if p.end == outOfTime {
		p.late = context.Cause(ctx)
	}
	if p.end != undecided {
		p.retry.refused(ctx, p, err)
		return 0, false
	}
	p.granted, p.since = true, mono.Now()
	p.next = Event{Name: p.retry.name, Attempt: p.attempts + 1, Err: err, Wait: wait, ServerDelay: hint}
	return wait, true
}

// plan returns the wait before the next attempt, or how the call ends without one, and why.
func (p *repetition) plan(ctx context.Context, hint time.Duration) (wait time.Duration, end result, why error) {
	if most := maxAttempts(ctx, p.settings); most == 1 { // there are no retries to exhaust
		return 0, notRetryable, nil
	} else if p.attempts >= most {
		return 0, exhausted, ErrExhausted
	}
	scheduled := p.scheduled()
	if scheduled < 0 {
		return 0, exhausted, ErrExhausted
	}
	if wait = p.floor(hint); wait > math.MaxInt64-scheduled {
		scheduled = math.MaxInt64 - wait
	}
	// The schedule comes on top: as the larger of the two it would vanish behind each hint, and with it the growth from
	// attempt to attempt.
	wait += scheduled
	if !seawall.CanWait(ctx, wait) {
		return 0, outOfTime, ErrOutOfTime
	}
	if b := p.settings.budget; b != nil && !b.Take() {
		return 0, budgetDenied, ErrBudget
	}
	return wait, undecided, nil
}

// scheduled asks the schedule. Negative means that it has come to its end.
func (p *repetition) scheduled() time.Duration {
	if p.schedule == nil {
		if p.settings.Schedule != nil {
			p.schedule = p.settings.Schedule()
			p.schedule.Reset() // backoff.Retry does so too, and some constructors rely on it
		} else {
			p.own = p.settings.Backoff.schedule(dice.Uint64N)
			p.schedule = &p.own
		}
	}
	return p.schedule.NextBackOff()
}

// hint returns how long the dependency asks to stay away.
func (p *repetition) hint() time.Duration { return max(0, p.verdict.After) }

// mostSpread bounds what is added to a hint at random.
const mostSpread = 5 * time.Second

// floor returns the wait that the dependency gets in any case. To what it asked for up to a tenth is added at random: all
// who were turned away together were told the same time, and the first wait of a schedule is short beside it.
func (p *repetition) floor(hint time.Duration) time.Duration {
	if hint > 0 {
		hint = min(hint, p.settings.MaxRetryAfter)
		spread := min(hint/10, mostSpread, math.MaxInt64-hint)
		return hint + time.Duration(dice.Uint64N(uint64(spread)+1))
	}
	if p.verdict.Outcome == seawall.Overload && p.settings.OverloadDelay > 0 {
		return time.Duration(dice.Uint64N(uint64(p.settings.OverloadDelay)))
	}
	return 0
}

// Started is told that the wait is over and the attempt starts. The token counts as spent only behind OnRetry: if that
// ends the goroutine, no attempt is made.
func (p *repetition) Started(int) {
	if s := p.settings; s.OnRetry != nil {
		events.Shield(s.Registry.Logger(), kind, p.retry.name, func() { s.OnRetry(p.next) })
	}
	p.granted = false
	p.attempts++
	p.retry.counts.retries.Add(1)
	if p.record != nil {
		waited := mono.Now() - p.since
		p.record.Note(func(f *seawall.Facts) {
			f.Retries++
			f.Waited += waited
		})
	}
}

// End ends the call, with whatever it ends.
func (p *repetition) End(err error) error {
	if p.granted {
		p.giveUp()
	}
	switch {
	case err == nil:
		p.retry.counts.add(recovered)
		p.retry.succeeded(context.Background(), p.settings)
		return nil
	case err == seawall.ErrAborted: //nolint:errorlint // the policies pass it bare
		p.retry.counts.add(aborted)
		return err
	case p.granted:
		p.end, p.why = canceled, err
	}
	p.retry.counts.add(p.end)
	return p.error()
}

// error returns the call's error. Here the history has at least one.
func (p *repetition) error() *Error {
	errs := p.history.errors()
	e := &Error{
		Name: p.retry.name, Attempts: p.attempts, Why: p.why, Last: errs[0],
		late: p.late, earlier: errs[1:], verdict: p.verdict,
	}
	if p.end == budgetDenied || p.end == exhausted && p.attempts > 1 && p.settings.budget != nil {
		e.verdict.Repeat = seawall.RepeatNever
	}
	return e
}

// refund gives back the token of an attempt that an inner gate has rejected: it never reached the dependency. Only a
// gate's own error is proof of that; one further down in a tree may have come after a call was made.
func (p *repetition) refund(err error) {
	//nolint:errorlint // see above
	if _, ok := err.(*seawall.RejectedError); ok && p.verdict.Outcome == seawall.Ignored && p.settings.budget != nil {
		p.settings.budget.Refund()
	}
}

// giveUp gives back what was granted, because the attempt is not made.
func (p *repetition) giveUp() {
	if b := p.settings.budget; b != nil {
		b.Refund()
	}
	if p.record != nil {
		waited := mono.Now() - p.since
		p.record.Note(func(f *seawall.Facts) { f.Waited += waited })
	}
}

// note tells the record what was asked for, and who ended the call.
func (p *repetition) note(hint time.Duration) {
	if p.record == nil {
		return
	}
	p.record.Note(func(f *seawall.Facts) {
		f.ServerDelay = max(f.ServerDelay, hint)
		switch p.end {
		case exhausted:
			f.DecidedBy, f.Reason = p.retry.String(), ""
		case budgetDenied:
			f.DecidedBy, f.Reason = p.retry.String(), seawall.ReasonBudget
		case outOfTime:
			f.DecidedBy, f.Reason = p.retry.String(), seawall.ReasonDeadline
		}
	})
}
