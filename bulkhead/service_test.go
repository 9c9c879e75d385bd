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

// servedFrom makes a bulkhead with one slot, through whose queue calls have come that took so long each, and one that
// waits. It returns the holder's permit and the one that waits.
func servedFrom(t *testing.T, cfg bulkhead.Config, took ...time.Duration) (*bulkhead.Bulkhead, *seawall.Permit, *attempt) {
	t.Helper()
	cfg.Limit = 1
	b := newBulkhead(cfg)
	holder := acquire(t, b)
	next := start(t.Context(), b)
	for _, d := range append([]time.Duration{0}, took...) { // the first one did not come through the queue
		after := start(t.Context(), b)
		time.Sleep(d)
		holder.Done(nil)
		wantAdmitted(t, next)
		holder, next = next.permit, after
	}
	wantCounts(t, b, 1, 1)
	return b, holder, next
}

var patient = bulkhead.Config{Queue: bulkhead.Queue{Limit: 10, MaxWait: time.Hour}}

// T34: whoever could wait, but would not have the time to be served, is turned away at once.
func TestBulkheadTurnsAwayWhoWouldBeServedInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := patient
		b, holder, next := servedFrom(t, cfg, 400*time.Millisecond)
		// One call took 400 ms: so the next is taken to need 200 ms, and two hand-overs are foretold, of 400 ms each.
		for left, wants := range map[time.Duration]bool{999 * time.Millisecond: false, time.Second: true} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			a := start(ctx, b)
			if a.ended == wants {
				t.Errorf("%v left: ended with %v", left, a.err)
			}
			if a.ended {
				wantReason(t, a.err, seawall.ReasonDeadline)
				if r, _ := errors.AsType[*seawall.RejectedError](a.err); r.RetryAfter() != 800*time.Millisecond {
					t.Errorf("retry-after is %v, want 800ms", r.RetryAfter())
				}
			}
			cancel()
			_ = a.settle(t)
		}
		holder.Done(nil)
		wantAdmitted(t, next)
		next.permit.Done(nil)
		wantIdle(t, b)
	})
}

// The slot goes to one that can still be answered.
func TestBulkheadPassesOverAWaiterWhoWouldBeServedInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, holder, next := servedFrom(t, patient, 400*time.Millisecond, 400*time.Millisecond, 400*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 1400*time.Millisecond)
		defer cancel()
		short, long := start(ctx, b), start(t.Context(), b)
		wantCounts(t, b, 1, 3)
		time.Sleep(700 * time.Millisecond)
		holder.Done(nil)
		wantAdmitted(t, next)
		time.Sleep(600 * time.Millisecond) // 100 ms are left
		next.permit.Done(nil)
		wantReason(t, short.settle(t), seawall.ReasonDeadline)
		if short.took != 1300*time.Millisecond {
			t.Errorf("it was told after %v, want when its turn came", short.took)
		}
		wantAdmitted(t, long)
		long.permit.Done(nil)
		wantIdle(t, b)
	})
}

// One slow call turns nobody away who is quick, once a few quick ones were served.
func TestBulkheadForgivesOneSlowCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quick = 10 * time.Millisecond
		b, holder, next := servedFrom(t, patient, quick, quick, quick, quick, 10*time.Second, quick)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a := start(ctx, b)
		wantCounts(t, b, 1, 2)
		for range 40 { // by then also the pace has recovered
			after := start(t.Context(), b)
			time.Sleep(quick)
			holder.Done(nil)
			wantAdmitted(t, next)
			holder = next.permit
			next, a = a, after
		}
		ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		last := start(ctx, b)
		wantCounts(t, b, 1, 3)
		for _, a := range []*attempt{next, a, last} {
			time.Sleep(quick)
			holder.Done(nil)
			wantAdmitted(t, a)
			holder = a.permit
		}
		holder.Done(nil)
		wantIdle(t, b)
	})
}

// T8 in a queue: what was learned in bad times must not turn newcomers away when nobody is left to correct it.
func TestBulkheadForgetsTheServiceTimeWhenTheQueueIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, holder, next := servedFrom(t, patient, time.Minute)
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantReason(t, start(hurried, b).settle(t), seawall.ReasonDeadline)
		holder.Done(nil)
		wantAdmitted(t, next)
		time.Sleep(time.Minute)
		next.permit.Done(nil) // it came through the queue, but nobody waits any more
		holder = acquire(t, b)
		hurried, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := start(hurried, b)
		wantCounts(t, b, 1, 1)
		holder.Done(nil)
		wantAdmitted(t, a)
		a.permit.Done(nil)
		wantIdle(t, b)
	})
}

// Where some calls take long and others do not, a short deadline may be that of a short call.
func TestBulkheadTurnsNobodyAwayWhenCallsDifferWidely(t *testing.T) {
	long, short := 2*time.Second, 10*time.Millisecond
	if got := bulkhead.ServiceExpected(long, short, long, short, long, short, long, short, long, short); got > short*20 {
		t.Errorf("a call is taken to need %v, but half of them take %v", got, short)
	}
	if got := bulkhead.ServiceExpected(long, long, long, long, long, long, long, long); got < long*3/4 {
		t.Errorf("a call is taken to need %v, and each of them takes %v", got, long)
	}
	// T43
	for _, hostile := range [][]time.Duration{{}, {-5}, {0}, {1 << 62}, {-1 << 62, 1 << 62}, {1 << 62, -1 << 62, 0}} {
		if got := bulkhead.ServiceExpected(hostile...); got < 0 || got > time.Hour {
			t.Errorf("after %v: a call is taken to need %v", hostile, got)
		}
	}
}
