package bulkhead

import (
	"context"
	"errors"
	"time"

	"github.com/seawall-go/seawall"
)

// ErrFull is matched by every rejection of a bulkhead, whatever its reason. The details are in the
// [*seawall.RejectedError].
var ErrFull = errors.New("bulkhead: full")

// refusal says why a call is rejected, as an index.
type refusal int

const (
	noRefusal refusal = iota
	full
	queueFull
	queueTimeout
	deadline
	shed
	forced
	refusalCount
)

func (why refusal) reason() seawall.Reason {
	return [refusalCount]seawall.Reason{
		full:         seawall.ReasonFull,
		queueFull:    seawall.ReasonQueueFull,
		queueTimeout: seawall.ReasonQueueTimeout,
		deadline:     seawall.ReasonDeadline,
		shed:         seawall.ReasonShed,
		forced:       seawall.ReasonForced,
	}[why]
}

// reject counts a rejection and returns its error, which is made once if it has no retry-after.
func (b *Bulkhead) reject(ctx context.Context, why refusal, after time.Duration) error {
	b.counts.rejected[why].Add(1)
	b.note(ctx, why.reason())
	if after > 0 {
		return seawall.Reject(b.kind, b.name, why.reason(), ErrFull, after)
	}
	err := b.refusals[why].Load()
	if err == nil {
		err = seawall.Reject(b.kind, b.name, why.reason(), ErrFull, 0)
		b.refusals[why].Store(err)
	}
	return err
}

// turnAway is reject for a call that found no slot free.
func (b *Bulkhead) turnAway(ctx context.Context, l level, why refusal, after time.Duration) error {
	b.counts.levels[l].rejected.Add(1)
	return b.reject(ctx, why, after)
}

// turnAwayFull is turnAway for a call that finds everything full, without the lock. In overload this is the end of most
// calls: the error is made anew only when the queue has moved.
func (b *Bulkhead) turnAwayFull(ctx context.Context, l level, why refusal) error {
	wait := time.Duration(b.foretold[l].Load())
	if wait == 0 {
		return b.turnAway(ctx, l, why, 0)
	}
	b.counts.levels[l].rejected.Add(1)
	b.counts.rejected[why].Add(1)
	b.note(ctx, why.reason())
	err := b.fulls[l].Load()
	if err == nil || err.Reason != why.reason() {
		err = seawall.Reject(b.kind, b.name, why.reason(), ErrFull, wait)
		b.fulls[l].Store(err)
	}
	return err
}

// canceled counts a call whose context ended while it waited, and returns its error.
func (b *Bulkhead) canceled(ctx context.Context) error {
	b.counts.canceled.Add(1)
	b.note(ctx, seawall.ReasonCanceled)
	return seawall.Waited(b.kind, b.name, context.Cause(ctx))
}

// note writes the end into the call's record, if it has one.
func (b *Bulkhead) note(ctx context.Context, reason seawall.Reason) {
	if record := seawall.RecordOf(ctx); record != nil {
		record.Note(func(f *seawall.Facts) { f.DecidedBy, f.Reason = b.String(), reason })
	}
}
