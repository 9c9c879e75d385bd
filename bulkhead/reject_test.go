package bulkhead_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T70: every rejection says who, why and until when, and is no verdict on the dependency.
func TestBulkheadRejectionsExplainThemselves(t *testing.T) {
	const step = 100 * time.Millisecond
	for _, tc := range []struct {
		reason seawall.Reason
		text   string
		reject func(t *testing.T) (*bulkhead.Bulkhead, *attempt, func())
	}{
		{
			seawall.ReasonFull, `bulkhead "inventory": full`,
			func(t *testing.T) (*bulkhead.Bulkhead, *attempt, func()) {
				b := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
				holder := acquire(t, b)
				return b, start(t.Context(), b), func() { holder.Done(nil) }
			},
		},
		{
			seawall.ReasonQueueFull, `bulkhead "inventory": queue_full, retry in 400ms`,
			func(t *testing.T) (*bulkhead.Bulkhead, *attempt, func()) {
				b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 3}}, step, 1)
				ctx, cancel := context.WithCancel(t.Context())
				start(ctx, b)
				start(ctx, b)
				return b, start(ctx, b), func() { cancel(); end() }
			},
		},
		{
			seawall.ReasonQueueTimeout, `bulkhead "inventory": queue_timeout, retry in 400ms`,
			func(t *testing.T) (*bulkhead.Bulkhead, *attempt, func()) {
				cfg := bulkhead.Config{Queue: bulkhead.Queue{Limit: 9, MaxWait: 4 * step}}
				b, end := steadyQueue(t, cfg, step, 3)
				return b, start(t.Context(), b), end
			},
		},
		{
			seawall.ReasonDeadline, `bulkhead "inventory": deadline, retry in 400ms`,
			func(t *testing.T) (*bulkhead.Bulkhead, *attempt, func()) {
				b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 9}}, step, 3)
				ctx, cancel := context.WithTimeout(t.Context(), step)
				return b, start(ctx, b), func() { cancel(); end() }
			},
		},
		{
			seawall.ReasonShed, `bulkhead "inventory": shed, retry in 400ms`,
			func(t *testing.T) (*bulkhead.Bulkhead, *attempt, func()) {
				b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 3}, Shares: none}, step, 1)
				ctx, cancel := context.WithCancel(t.Context())
				start(ctx, b)
				last := start(ctx, b)
				start(seawall.WithPriority(ctx, seawall.CriticalPlus), b)
				return b, last, func() { cancel(); end() }
			},
		},
		{
			seawall.ReasonForced, `bulkhead "inventory": forced`,
			func(t *testing.T) (*bulkhead.Bulkhead, *attempt, func()) {
				b := newBulkhead(bulkhead.Config{Mode: seawall.ForcedOpen})
				return b, start(t.Context(), b), func() {}
			},
		},
	} {
		t.Run(string(tc.reason), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, a, end := tc.reject(t)
				err := a.settle(t)
				wantReason(t, err, tc.reason)
				if !errors.Is(err, seawall.ErrRejected) || !errors.Is(err, bulkhead.ErrFull) {
					t.Errorf("%v does not match both ErrRejected and ErrFull", err)
				}
				if r, _ := errors.AsType[*seawall.RejectedError](err); r.Kind != "bulkhead" || r.Name != b.Name() {
					t.Errorf("rejected by %s %q, want bulkhead %q", r.Kind, r.Name, b.Name())
				}
				if err.Error() != tc.text {
					t.Errorf("text is %q, want %q", err, tc.text)
				}
				if v := seawall.Classify(err); v.Outcome != seawall.Ignored || v.Repeat != seawall.RepeatNever {
					t.Errorf("judged as %+v, want it ignored and not repeated", v)
				}
				if n := b.Stats().Rejected.Total(); n != 1 {
					t.Errorf("%d rejections counted, want 1", n)
				}
				end()
			})
		})
	}
}

// T70: the error of a full queue is made once for many, and yet it must not say an instant that has passed.
func TestBulkheadSaysAnewWhenAFullQueueHasMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = 100 * time.Millisecond
		b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 3, MaxWait: time.Minute}}, step, 1)
		ctx, cancel := context.WithCancel(t.Context())
		start(ctx, b)
		first := start(ctx, b)
		turnedAway := func() *seawall.RejectedError {
			err := start(t.Context(), b).settle(t)
			wantReason(t, err, seawall.ReasonQueueFull)
			r, _ := errors.AsType[*seawall.RejectedError](err)
			if got := r.RetryAfter(); got != 4*step {
				t.Errorf("retry after %v, want four steps from now", got)
			}
			return r
		}
		if before := turnedAway(); turnedAway() != before {
			t.Error("nothing has moved, and there is another error")
		}
		cancel()
		_ = first.settle(t)
		ctx, cancel = context.WithCancel(t.Context())
		time.Sleep(step)
		start(ctx, b)
		start(ctx, b)
		_ = turnedAway()
		cancel()
		end()
	})
}

func TestBulkheadWritesIntoTheRecordWhyACallEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		want := seawall.Facts{DecidedBy: `bulkhead "inventory"`, Reason: seawall.ReasonQueueTimeout}
		ctx, record := seawall.WithRecord(t.Context())
		a := start(ctx, b)
		time.Sleep(2 * time.Second)
		wantReason(t, a.settle(t), seawall.ReasonQueueTimeout)
		if got := record.Facts(); got != want {
			t.Errorf("recorded %+v, want %+v", got, want)
		}

		ctx, record = seawall.WithRecord(t.Context())
		ctx, cancel := context.WithCancel(ctx)
		a = start(ctx, b)
		cancel()
		_ = a.settle(t)
		want.Reason = seawall.ReasonCanceled
		if got := record.Facts(); got != want {
			t.Errorf("recorded %+v, want %+v", got, want)
		}
		holder.Done(nil)
	})
}

func TestBulkheadWritesNothingIntoTheRecordOfASuccess(t *testing.T) {
	b := newBulkhead(oneSlot)
	ctx, record := seawall.WithRecord(t.Context())
	if err := b.Do(ctx, succeed); err != nil {
		t.Fatal(err)
	}
	if got := record.Facts(); got != (seawall.Facts{}) {
		t.Errorf("recorded %+v, want nothing", got)
	}
}
