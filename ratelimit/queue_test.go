package ratelimit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

func TestLimiterServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 2, MaxWait: time.Second})
		take(t, l, 2)
		var calls []*attempt
		for range 5 {
			calls = append(calls, start(t.Context(), l))
		}
		for i := range calls {
			for j, c := range calls {
				if c.ended() != (j < i) {
					t.Fatalf("after %d tokens, call %d has ended: %t", i, j, c.ended())
				}
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if s := l.Stats(); s.Delayed != 5 || s.Allowed != 2 || s.Waiting != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// A newcomer does not overtake: while calls wait, what comes in is theirs.
func TestLimiterLetsNobodyOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 1, MaxWait: time.Second})
		take(t, l, 1)
		first := start(t.Context(), l)
		time.Sleep(50 * time.Millisecond)
		second := start(t.Context(), l)
		time.Sleep(50 * time.Millisecond)
		if err := first.settle(t); err != nil || second.ended() {
			t.Errorf("first: %v; the second has ended: %t", err, second.ended())
		}
		if newcomer := start(t.Context(), l); newcomer.ended() {
			t.Error("a newcomer got in while another one waits")
		}
		time.Sleep(time.Second)
	})
}

// T35, T34: a wait that cannot end in time is not begun, and says so at once with the time that it would have taken.
func TestLimiterRejectsAWaitInVainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 1, MaxWait: 250 * time.Millisecond, MaxWaiting: 2})
		take(t, l, 1)
		within := func(d time.Duration) *attempt {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			t.Cleanup(cancel)
			return start(ctx, l)
		}
		wantRejection(t, within(100*time.Millisecond).settle(t), seawall.ReasonDeadline, 100*time.Millisecond)
		first := within(101 * time.Millisecond)
		wantRejection(t, within(150*time.Millisecond).settle(t), seawall.ReasonDeadline, 200*time.Millisecond)
		second := within(time.Hour)
		wantRejection(t, within(time.Hour).settle(t), seawall.ReasonQueueFull, 300*time.Millisecond)

		cfg := l.Config()
		cfg.MaxWaiting = 3
		update(t, l, cfg)
		wantRejection(t, within(time.Hour).settle(t), seawall.ReasonLimited, 300*time.Millisecond)
		wantRejection(t, within(200*time.Millisecond).settle(t), seawall.ReasonDeadline, 300*time.Millisecond)

		time.Sleep(200 * time.Millisecond)
		for i, a := range []*attempt{first, second} {
			if err := a.settle(t); err != nil || a.took != time.Duration(i+1)*100*time.Millisecond {
				t.Errorf("call %d: %v after %v", i, err, a.took)
			}
		}
		if s := l.Stats(); s.Rejected != (ratelimit.Rejections{Limited: 1, Deadline: 3, QueueFull: 1}) || s.Delayed != 2 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// A wait of exactly MaxWait is not too long.
func TestLimiterWaitsMaxWaitToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 1, MaxWait: 100 * time.Millisecond})
		take(t, l, 1)
		a := start(t.Context(), l)
		time.Sleep(100 * time.Millisecond)
		if err := a.settle(t); err != nil || a.took != 100*time.Millisecond {
			t.Errorf("%v after %v", err, a.took)
		}
	})
}

// T35: who leaves the queue has taken nothing, wherever it stood: all behind it move up. x/time/rate's Wait gives back
// only what nobody has reserved behind, so there only the last in the line can leave without a loss.
func TestLimiterRefundsACanceledWait(t *testing.T) {
	for leaver := range 3 {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(ratelimit.Config{Rate: 10, Burst: 1, MaxWait: time.Second})
			take(t, l, 1)
			var calls [3]*attempt
			var cancels [3]context.CancelFunc
			for i := range calls {
				var ctx context.Context
				ctx, cancels[i] = context.WithCancel(t.Context())
				defer cancels[i]()
				calls[i] = start(ctx, l)
			}
			time.Sleep(50 * time.Millisecond)
			cancels[leaver]()
			err := calls[leaver].settle(t)
			if !errors.Is(err, context.Canceled) || errors.Is(err, seawall.ErrRejected) {
				t.Errorf("error is %v, want the cancellation", err)
			}
			if v := seawall.Classify(err); v.Outcome != seawall.Ignored {
				t.Errorf("the verdict on it is %v", v.Outcome)
			}
			time.Sleep(150 * time.Millisecond)
			synctest.Wait()
			for i, c := range calls {
				if !c.ended() {
					t.Errorf("%d left at 50ms, and %d still waits at 200ms", leaver, i)
				}
			}
			if s := l.Stats(); s.Canceled != 1 || s.Delayed != 2 || s.Tokens != 0 {
				t.Errorf("stats are %+v", s)
			}
		})
	}
}

// A heavy call at the head that leaves makes room for a light one at once.
func TestLimiterServesALightCallBehindAHeavyOneThatLeft(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{
			Rate: 10, Burst: 10, MaxWait: time.Minute,
			Weight: func(ctx context.Context) int { n, _ := ctx.Value(key{}).(int); return n },
		})
		take(t, l, 8)
		heavy, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, 10))
		defer cancel()
		first, second := start(heavy, l), start(t.Context(), l)
		cancel()
		if _ = first.settle(t); second.settle(t) != nil || second.took != 0 {
			t.Errorf("the light call got %v after %v", second.err, second.took)
		}
	})
}

// What came at the very instant of the cancellation goes back.
func TestLimiterStartsNothingForACallerThatLeftAsItsTokenCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			l := newLimiter(ratelimit.Config{Rate: 10, Burst: 1, MaxWait: time.Second})
			take(t, l, 1)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			a := start(ctx, l)
			time.Sleep(100 * time.Millisecond)
			err := a.settle(t)
			if s := l.Stats(); (err == nil) != (s.Tokens == 0) || s.Delayed+s.Canceled != 1 || (err == nil) != (s.Delayed == 1) {
				t.Fatalf("error is %v, stats are %+v", err, s)
			}
			cancel()
		}
	})
}

// T35, T40: no timer runs when nothing is waited for, nor after the last one has left.
func TestLimiterHasNoTimerWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 1, MaxWait: time.Second})
		wantTimer := func(want bool) {
			t.Helper()
			if got := l.HasTimer(); got != want {
				t.Errorf("a timer runs: %t, want %t", got, want)
			}
		}
		take(t, l, 1)
		wantTimer(false)
		ctx, cancel := context.WithCancel(t.Context())
		a, b := start(t.Context(), l), start(ctx, l)
		wantTimer(true)
		time.Sleep(100 * time.Millisecond)
		_ = a.settle(t)
		wantTimer(true)
		cancel()
		_ = b.settle(t)
		wantTimer(false)
	})
}

// T34: 1,000 arrive at once.
func TestLimiterBoundsItsQueueUnderSimultaneousArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 1, MaxWait: time.Hour, MaxWaiting: 10})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 1000 {
			go func() { _, _ = l.Acquire(ctx) }()
		}
		synctest.Wait()
		if s := l.Stats(); s.Waiting != 10 || s.Allowed != 1 || s.Rejected.QueueFull != 989 {
			t.Errorf("stats are %+v", s)
		}
		cancel()
		synctest.Wait()
		if s := l.Stats(); s.Waiting != 0 || s.Canceled != 10 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// T75: those that can no longer be served in time learn it at once; the others get what those leave.
func TestLimiterTurnsThoseAwayWhomASlowerRateWouldMakeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := ratelimit.Config{Rate: 10, Burst: 1, MaxWait: 400 * time.Millisecond}
		l := newLimiter(cfg)
		take(t, l, 1)
		short, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		hurried, patient, last := start(short, l), start(t.Context(), l), start(t.Context(), l)
		cfg.Rate = 4
		update(t, l, cfg)
		wantRejection(t, hurried.settle(t), seawall.ReasonDeadline, 250*time.Millisecond)
		wantRejection(t, last.settle(t), seawall.ReasonLimited, 500*time.Millisecond)
		time.Sleep(250 * time.Millisecond)
		if err := patient.settle(t); err != nil {
			t.Error(err)
		}
	})
}

// T75: a faster rate is felt by those that wait already.
func TestLimiterServesWaitersByAFasterRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := ratelimit.Config{Rate: 1, Burst: 1, MaxWait: time.Minute}
		l := newLimiter(cfg)
		take(t, l, 1)
		a := start(t.Context(), l)
		cfg.Rate = 10
		update(t, l, cfg)
		time.Sleep(100 * time.Millisecond)
		if err := a.settle(t); err != nil {
			t.Error(err)
		}
	})
}
