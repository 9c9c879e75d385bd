package ratelimit_test

import (
	"math"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/seawall-go/seawall/ratelimit"
)

// What Seawall relies on in x/time/rate, and what it avoids. If one of these fails with a new version of it, look at
// bucket.go.

// A refund is a negative reservation: exact, and capped by the burst.
func TestXTimeRateTakesANegativeReservationAsARefund(t *testing.T) {
	now := time.Now()
	l := rate.NewLimiter(1, 10)
	if !l.AllowN(now, 8) {
		t.Fatal("the bucket is not full")
	}
	l.ReserveN(now, -5)
	if got := l.TokensAt(now); got != 7 {
		t.Errorf("%v tokens after 10 - 8 + 5, want 7", got)
	}
	l.ReserveN(now, -5)
	if got := l.TokensAt(now); got != 10 {
		t.Errorf("%v tokens, want the burst of 10", got)
	}
}

// Cancel gives back only what nobody has reserved behind it: of three that wait, the first one's token is lost. And it
// gives nothing back once the reservation's time has come, so not for a call that has begun.
func TestXTimeRateCancelRefundsOnlyTheLast(t *testing.T) {
	now := time.Now()
	l := rate.NewLimiter(1, 1)
	l.AllowN(now, 1)
	first, second := l.ReserveN(now, 1), l.ReserveN(now, 1)
	first.CancelAt(now)
	if got := l.TokensAt(now); got != -2 {
		t.Errorf("%v tokens after the first of two has left, want -2: nothing came back", got)
	}
	second.CancelAt(now)
	if got := l.TokensAt(now); got != -1 {
		t.Errorf("%v tokens after the last has left, want -1", got)
	}

	l = rate.NewLimiter(1, 1)
	begun := l.ReserveN(now, 1)
	begun.CancelAt(now.Add(time.Millisecond))
	if got := l.TokensAt(now.Add(time.Millisecond)); math.Abs(got-0.001) > 1e-9 {
		t.Errorf("%v tokens after a call that has begun, want 0.001: nothing came back", got)
	}
}

// Who waits for less than a nanosecond is let in: the bucket is in debt by that much at the most.
func TestXTimeRateLetsInWhoWaitsForLessThanANanosecond(t *testing.T) {
	now := time.Now()
	l := rate.NewLimiter(1.5e9, 1)
	in := 0
	for range 3 {
		if l.AllowN(now, 1) {
			in++
		}
	}
	if in != 2 {
		t.Errorf("%d of three calls at once are let in at 1.5 per nanosecond, want 2", in)
	}
}

// T35: of two calls the one that read the clock first may come second. x/time/rate then counts the time between twice;
// Seawall does not.
func TestBucketCountsTimeOnceWhenCallsComeOutOfOrder(t *testing.T) {
	now := time.Now()
	theirs := rate.NewLimiter(10, 100)
	theirs.AllowN(now, 100)
	const earlier, later = -2 * time.Second, -time.Second // readings of the clock, from before the program began
	ours := ratelimit.NewBucket(earlier, ratelimit.Config{Rate: 10, Burst: 100})
	ours.Take(earlier, 100)
	for range 10 {
		theirs.AllowN(now.Add(time.Second), 1)
		theirs.AllowN(now, 1)
		ours.Take(later, 1)
		ours.Take(earlier, 1)
	}
	if got := ours.Tokens(later); got != 0 {
		t.Errorf("%v tokens are left of 10 that came, after 20 calls", got)
	}
	if got := theirs.TokensAt(now.Add(time.Second)); got <= 10 {
		t.Errorf("x/time/rate has %v tokens: it does not count time twice any more", got)
	}
}

// T10, T43: no rate, burst or reading of the clock makes a wait overflow, or a bucket hold more than its burst.
func FuzzBucket(f *testing.F) {
	f.Add(1.0, 1, int64(0), int64(time.Second), 1)
	f.Add(1e-5, 1_000_000, int64(math.MinInt64/2), int64(math.MaxInt64/4), 1_000_000)
	f.Add(1e9, 1_000_000, int64(-1), int64(1), 3)
	f.Fuzz(func(t *testing.T, perSecond float64, burst int, began, passed int64, n int) {
		cfg := ratelimit.Config{Rate: perSecond, Burst: burst}
		if cfg.Validate() != nil || n < 1 || began > math.MaxInt64/4 || began < math.MinInt64/2 {
			return
		}
		if burst == 0 {
			burst = int(max(1, math.Ceil(perSecond/10)))
			burst = min(burst, 1_000_000)
		}
		start := time.Duration(began)
		now := start + time.Duration(max(0, min(passed, math.MaxInt64/4)))
		b := ratelimit.NewBucket(start, cfg)
		if took := b.Take(start, n); took != (n <= burst || perSecond == ratelimit.Unlimited) {
			t.Errorf("%d of a full bucket of %d: %t", n, burst, took)
		}
		if tokens := b.Tokens(now); tokens > float64(burst) || tokens < -1.1 || math.IsNaN(tokens) {
			t.Errorf("%v tokens in a bucket of %d", tokens, burst)
		}
		wait := b.Wait(now, float64(burst))
		if wait < 0 {
			t.Errorf("a wait of %v", wait)
		}
		if wait < time.Hour {
			if tokens := b.Tokens(now + wait); tokens < float64(burst)-1e-6*float64(burst)-perSecond*1e-9 {
				t.Errorf("after a wait of %v there are %v tokens, want %d", wait, tokens, burst)
			}
		}
	})
}
