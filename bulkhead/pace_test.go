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

// steadyQueue makes a bulkhead with one slot whose queue moves every step, and as many waiters as asked for.
func steadyQueue(t *testing.T, cfg bulkhead.Config, step time.Duration, waiters int) (*bulkhead.Bulkhead, func()) {
	t.Helper()
	cfg.Limit = 1
	b := newBulkhead(cfg)
	holder := acquire(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	queue := make([]*attempt, waiters+2)
	for i := range queue {
		queue[i] = start(ctx, b)
	}
	for i := range 2 { // two hand-overs make one measurement
		time.Sleep(step)
		holder.Done(nil)
		wantAdmitted(t, queue[i])
		holder = queue[i].permit
	}
	wantCounts(t, b, 1, waiters)
	return b, func() {
		cancel()
		for _, a := range queue {
			if a.settle(t) == nil {
				a.permit.Done(nil)
			}
		}
		wantIdle(t, b)
	}
}

// T34: 5 ms left and a 1 s queue: rejected at once, with a retry-after.
func TestBulkheadRejectsAtOnceAWaitThatCannotEndBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 20, MaxWait: 10 * time.Second}},
			100*time.Millisecond, 9)
		defer end()
		if got := b.Stats().ExpectedWait; got != time.Second {
			t.Fatalf("a newcomer has to expect %v, want 1s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		a := start(ctx, b)
		err := a.settle(t)
		wantReason(t, err, seawall.ReasonDeadline)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("a rejection is taken for the caller's deadline")
		}
		if r, _ := errors.AsType[*seawall.RejectedError](err); r.RetryAfter() != time.Second || a.took != 0 {
			t.Errorf("rejected after %v with a retry-after of %v, want at once and 1s", a.took, r.RetryAfter())
		}

		// One call has ended that came through the queue, and took 100 ms: half of that is what the next will need.
		const needed = time.Second + 50*time.Millisecond
		for left, want := range map[time.Duration]int{needed - 1: 9, needed: 10} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			a := start(ctx, b)
			wantCounts(t, b, 1, want)
			cancel()
			if err := a.settle(t); errors.Is(err, bulkhead.ErrFull) == (want == 10) {
				t.Errorf("%v left: error is %v", left, err)
			}
		}
	})
}

func TestBulkheadRejectsAtOnceAWaitThatCannotEndWithinMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = 100 * time.Millisecond
		b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 20, MaxWait: 5*step + 1}}, step, 4)
		defer end()
		ctx, cancel := context.WithCancel(t.Context())
		fits := start(ctx, b)
		wantCounts(t, b, 1, 5)
		tooLong := start(ctx, b)
		err := tooLong.settle(t)
		wantReason(t, err, seawall.ReasonQueueTimeout)
		if r, _ := errors.AsType[*seawall.RejectedError](err); r.RetryAfter() != 6*step || tooLong.took != 0 {
			t.Errorf("rejected after %v with a retry-after of %v, want at once and %v",
				tooLong.took, r.RetryAfter(), 6*step)
		}
		cancel()
		if err := fits.settle(t); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// T8 in a queue: an average from bad times must not turn newcomers away when nobody is left to correct it.
func TestBulkheadForgetsThePaceWhenTheQueueIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := bulkhead.Config{Queue: bulkhead.Queue{Limit: 20, MaxWait: 10 * time.Second}}
		b, end := steadyQueue(t, cfg, 4*time.Second, 2)
		a := start(t.Context(), b)
		wantReason(t, a.settle(t), seawall.ReasonQueueTimeout)
		end()
		if got := b.Stats().ExpectedWait; got != 0 {
			t.Errorf("with an empty queue a newcomer has to expect %v, want nothing to be known", got)
		}
		holder := acquire(t, b)
		newcomers := []*attempt{start(t.Context(), b), start(t.Context(), b)}
		wantCounts(t, b, 1, 2)
		holder.Done(nil)
		for _, a := range newcomers {
			wantAdmitted(t, a)
			a.permit.Done(nil)
		}
	})
}

func TestBulkheadRejectsAfterMaxWaitWithoutAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		a := start(t.Context(), b)
		time.Sleep(2 * time.Second)
		err := a.settle(t)
		wantReason(t, err, seawall.ReasonQueueTimeout)
		if r, _ := errors.AsType[*seawall.RejectedError](err); r.RetryAfter() != 0 || a.took != time.Second {
			t.Errorf("rejected after %v with a retry-after of %v, want the default of 1s and none",
				a.took, r.RetryAfter())
		}
		holder.Done(nil)
		wantIdle(t, b)
	})
}

func TestBulkheadTellsWhoWaitedTooLongWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		var waiting []*attempt
		for range 4 {
			waiting = append(waiting, start(t.Context(), b))
			time.Sleep(10 * time.Millisecond)
		}
		for _, a := range waiting[:2] { // two hand-overs make one measurement
			time.Sleep(10 * time.Millisecond)
			holder.Done(nil)
			wantAdmitted(t, a)
			holder = a.permit
		}
		time.Sleep(960 * time.Millisecond) // the third has waited for a second, the fourth 10 ms less
		err := waiting[2].settle(t)
		wantReason(t, err, seawall.ReasonQueueTimeout)
		if r, _ := errors.AsType[*seawall.RejectedError](err); r.RetryAfter() != 20*time.Millisecond {
			t.Errorf("retry-after is %v, want 20ms: one waits, and the queue moves every 10ms", r.RetryAfter())
		}
		holder.Done(nil)
		wantAdmitted(t, waiting[3])
		waiting[3].permit.Done(nil)
		wantIdle(t, b)
	})
}

// T43
func TestBulkheadForetellsNoNegativeWait(t *testing.T) {
	const far = 1 << 62
	for _, handOvers := range [][]time.Duration{
		nil, {0}, {5, 3}, {-far, far}, {far, -far}, {0, time.Hour, 1000 * time.Hour}, {-3, -3, -3},
	} {
		for _, position := range []int{1, 2, 1_000_000} {
			if d := bulkhead.Foretell(handOvers, position); d < 0 {
				t.Errorf("hand-overs at %v: place %d has to expect %v", handOvers, position, d)
			}
		}
	}
	if d := bulkhead.Foretell([]time.Duration{10, 20}, 3); d != 30 {
		t.Errorf("two hand-overs 10 apart: place 3 has to expect %d, want 30", d)
	}
	if d := bulkhead.Foretell([]time.Duration{0, 8, 24}, 1); d != 9 {
		t.Errorf("hand-overs 8 and then 16 apart: the first has to expect %d, want 8 + (16 - 8)/8", d)
	}
}

// A slot that was passed on is not the end of a call, so the pace is not that fast.
func TestBulkheadLearnsNoPaceFromSlotsThatWerePassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		dying := start(&dyingContext{Context: t.Context(), dead: 2}, b)
		waiting := []*attempt{start(t.Context(), b), start(t.Context(), b), start(t.Context(), b)}
		for _, a := range waiting[:2] {
			time.Sleep(20 * time.Millisecond)
			holder.Done(nil)
			wantAdmitted(t, a)
			holder = a.permit
		}
		if dying.err == nil {
			t.Error("the call with the dead context got in")
		}
		if got := b.Stats().ExpectedWait; got != 40*time.Millisecond {
			t.Errorf("a newcomer has to expect %v, want twice 20ms", got)
		}
		holder.Done(nil)
		wantAdmitted(t, waiting[2])
		waiting[2].permit.Done(nil)
		wantIdle(t, b)
	})
}
