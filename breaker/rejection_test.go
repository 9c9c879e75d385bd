package breaker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T70
func TestBreakerRejectionsExplainThemselves(t *testing.T) {
	for _, c := range []struct {
		reason seawall.Reason
		bring  func(t *testing.T, b *breaker.Breaker)
		text   string
	}{
		{seawall.ReasonOpen, func(t *testing.T, b *breaker.Breaker) { trip(t, b) }, `breaker "payments": open, retry in 1s`},
		{seawall.ReasonProbing, func(t *testing.T, b *breaker.Breaker) {
			halfOpen(t, b)
			for range b.Config().Probes.Calls {
				acquire(t, b)
			}
		}, `breaker "payments": probing`},
		{seawall.ReasonRamping, func(t *testing.T, b *breaker.Breaker) {
			update(t, b, func(c *breaker.Config) { c.Ramp = breaker.Ramp{Start: 0.5} })
			bring(t, b, breaker.Ramping)
			acquire(t, b) // every second one
		}, `breaker "payments": ramping`},
		{seawall.ReasonForced, func(t *testing.T, b *breaker.Breaker) {
			setMode(t, b, seawall.ForcedOpen)
		}, `breaker "payments": forced`},
	} {
		t.Run(string(c.reason), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(breaker.Config{MinCalls: 4})
				b.SetRandom(func() float64 { return 0.5 }) // no jitter
				c.bring(t, b)
				ctx, record := seawall.WithRecord(t.Context())
				err := b.Do(ctx, succeed)
				if !errors.Is(err, seawall.ErrRejected) || !errors.Is(err, breaker.ErrOpen) {
					t.Errorf("%v does not match both sentinels", err)
				}
				r, ok := errors.AsType[*seawall.RejectedError](err)
				if !ok || r.Kind != "breaker" || r.Name != "payments" || r.Reason != c.reason {
					t.Errorf("the details are %+v", r)
				}
				if got := err.Error(); got != c.text {
					t.Errorf("the text is %q, want %q", got, c.text)
				}
				if f := record.Facts(); f.DecidedBy != `breaker "payments"` || f.Reason != c.reason {
					t.Errorf("the record says %+v", f)
				}
			})
		})
	}
}

// T70: who was never asked is not to blame.
func TestOuterBreakerIgnoresTheRejectionsOfAnInnerOne(t *testing.T) {
	outer := newBreaker(breaker.Config{MinCalls: 2})
	inner := newBreaker(breaker.Config{MinCalls: 2, Mode: seawall.ForcedOpen})
	chain := seawall.Chain(outer, inner)
	for range 100 {
		if err := chain.Do(t.Context(), succeed); !errors.Is(err, breaker.ErrOpen) {
			t.Fatal(err)
		}
	}
	s := outer.Stats()
	if s.Ignored != 100 || s.Calls != (breaker.Counts{}) || s.State != breaker.Closed {
		t.Errorf("the outer breaker counted %+v", s)
	}
}

// T49
func TestRetryAfterOfARejectionIsTheTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 4, OpenFor: time.Minute})
		trip(t, b)
		first := rejection(t, b)
		for {
			left := b.Stats().Reopen
			if got := first.RetryAfter(); got != left { // an old rejection tells the time that is left now
				t.Fatalf("retry after %v, and the breaker opens in %v", got, left)
			}
			if left == 0 {
				break
			}
			if got := rejection(t, b).RetryAfter(); got != left {
				t.Fatalf("retry after %v, and the breaker opens in %v", got, left)
			}
			time.Sleep(min(left, 7*time.Second))
		}
		acquire(t, b) // who waits exactly its retry-after is let through
	})
}

// T11
func TestRejectionsAreNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{})
		healthy := true
		op := func(context.Context) error {
			time.Sleep(time.Millisecond)
			if healthy {
				return nil
			}
			return errDown
		}
		// One call each millisecond, and an outage of two minutes.
		run := func(d time.Duration, until func() bool) (took time.Duration) {
			start := time.Now()
			for time.Since(start) < d && !until() {
				if b.Do(t.Context(), op) != nil {
					time.Sleep(time.Millisecond)
				}
			}
			return time.Since(start)
		}
		never := func() bool { return false }
		run(10*time.Second, never)
		healthy = false
		run(2*time.Minute, never)
		s := b.Stats()
		if s.Rejected.Total() < 100_000 || s.Calls.Failures > 20_000 {
			t.Fatalf("no outage: %+v", s)
		}
		healthy = true
		// The first probe comes when the open time is over, which is bounded, and the probes decide at once.
		took := run(time.Hour, func() bool { return b.State() == breaker.Closed })
		if limit := b.Config().MaxOpenFor + 20*time.Millisecond; took > limit {
			t.Errorf("closed %v after the healing, want %v at the most", took, limit)
		}
		rejected := b.Stats().Rejected.Total()
		run(10*time.Second, never)
		if got := b.Stats().Rejected.Total() - rejected; got != 0 {
			t.Errorf("%d rejections after the recovery", got)
		}
	})
}
