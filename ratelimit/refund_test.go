package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

var errOpen = errors.New("inner: open")

// rejection is that of a gate further in.
func rejection() error { return seawall.Reject("breaker", "inner", seawall.ReasonOpen, errOpen, 0) }

// Which ends give tokens back.
func TestLimiterRefundsOnlyCallsThatWereNotMade(t *testing.T) {
	for _, c := range []struct {
		what   string
		err    error
		refund bool
	}{
		{"success", nil, false},
		{"failure", errors.New("refused"), false},
		{"cancellation", seawall.ErrCanceled, false},
		{"panic", seawall.ErrAborted, false},
		{"rejection", rejection(), true},
		{"bare sentinel", seawall.ErrRejected, true},
		{"wrapped rejection", fmt.Errorf("payments: %w", rejection()), true},
		{"permanent rejection", seawall.Permanent(rejection()), true},
		{"joined with an attempt that was made", errors.Join(rejection(), errors.New("refused")), false},
		{"two wrapped", fmt.Errorf("%w, and before: %w", rejection(), errors.New("refused")), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(ratelimit.Config{Rate: 10, Burst: 3})
			p := take(t, l, 1)[0]
			if !p.Done(c.err) || p.Done(c.err) { // T31
				t.Errorf("%s: the first Done did not count, or the second one did", c.what)
			}
			want := 2.0
			if c.refund {
				want = 3
			}
			if s := l.Stats(); s.Tokens != want || (s.Refunded == 1) != c.refund || s.Allowed != 1 {
				t.Errorf("%s: stats are %+v, want %v tokens", c.what, s, want)
			}
		})
	}
}

// A refund makes up for no more than the bucket has not gained meanwhile: calls that hang in an inner queue must not
// come back as a second burst.
func TestLimiterRefundsLessTheLaterItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, held := range []time.Duration{
			0,
			100 * time.Millisecond, // 7 of the 8 come back, and 1 has come in
			400 * time.Millisecond,
			800 * time.Millisecond, // nothing comes back, and 8 have come in
			time.Hour,
		} {
			l := newLimiter(ratelimit.Config{Rate: 10, Burst: 10, Weight: func(context.Context) int { return 8 }})
			p := take(t, l, 1)[0]
			time.Sleep(held)
			cfg := l.Config()
			cfg.Weight = nil
			update(t, l, cfg)
			got := drain(t.Context(), l)
			p.Done(rejection())
			if total := got + drain(t.Context(), l); total != 10 {
				t.Errorf("after %v: %d calls got in beside the one that was not made, want 10", held, total)
			}
		}
	})
}

// A refund is for those that wait.
func TestRefundServesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 1, Burst: 1, MaxWait: time.Minute})
		p := take(t, l, 1)[0]
		a := start(t.Context(), l)
		p.Done(rejection())
		if err := a.settle(t); err != nil || a.took != 0 {
			t.Errorf("%v after %v", err, a.took)
		}
	})
}

// In a chain: an open breaker behind the limiter costs no tokens.
func TestChainRefundsWhatAnInnerGateRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer := newLimiter(ratelimit.Config{Rate: 1, Burst: 2})
		inner := newLimiter(ratelimit.Config{Rate: 1, Burst: 1, Mode: seawall.ForcedOpen})
		chain := seawall.Chain(outer, inner)
		for range 100 {
			r, _ := errors.AsType[*seawall.RejectedError](chain.Do(t.Context(), succeed))
			if r == nil || r.Reason != seawall.ReasonForced {
				t.Fatalf("rejection is %v, want the inner one's", r)
			}
		}
		if s := outer.Stats(); s.Tokens != 2 || s.Allowed != 100 || s.Refunded != 100 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// A ticket that the limiter cannot have issued changes nothing.
func TestLimiterRefusesAForeignTicket(t *testing.T) {
	l := newLimiter(ratelimit.Config{Rate: 1, Burst: 2})
	take(t, l, 2)
	if l.Release(seawall.Ticket{Generation: 1 << 40}, rejection()) {
		t.Error("it was taken")
	}
	if n := drain(t.Context(), l); n != 0 {
		t.Errorf("%d calls got in", n)
	}
}
