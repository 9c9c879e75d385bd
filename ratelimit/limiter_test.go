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

func TestLimiterLetsABurstInAndThenTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 5})
		if n := drain(t.Context(), l); n != 5 {
			t.Errorf("%d calls got in at once, want the burst of 5", n)
		}
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			if n := drain(t.Context(), l); n != 1 {
				t.Fatalf("%d calls got in after the time of one token", n)
			}
		}
		time.Sleep(time.Hour)
		if n := drain(t.Context(), l); n != 5 {
			t.Errorf("%d calls got in after an hour, want the burst of 5", n)
		}
	})
}

// T70: a rejection says who, why and until when, and who comes then is let in.
func TestLimiterTellsWhenTheTokensWillBeThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{0.001, 0.3, 3, 7, 10, 1000, 999_983, 1e8} {
			l := newLimiter(ratelimit.Config{Rate: rate, Burst: 1})
			for range 50 {
				take(t, l, 1)
				_, err := l.Acquire(t.Context())
				if !errors.Is(err, ratelimit.ErrLimited) {
					t.Fatalf("at %v per second: error is %v, want ErrLimited", rate, err)
				}
				r, _ := errors.AsType[*seawall.RejectedError](err)
				if r.Kind != "ratelimit" || r.Name != "geocoder" || r.Reason != seawall.ReasonLimited {
					t.Fatalf("rejection is %+v", r)
				}
				after := r.RetryAfter()
				if exact := time.Duration(1e9 / rate); after < exact || after > exact+1 {
					t.Fatalf("at %v per second: retry after %v, want %v", rate, after, exact)
				}
				const early = 3
				time.Sleep(after - early)
				if _, err := l.Acquire(t.Context()); err == nil {
					t.Fatalf("at %v per second: a call got in %v before its time", rate, early)
				}
				time.Sleep(early)
			}
		}
	})
}

func TestLimiterErrorReadsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10})
		take(t, l, 1)
		_, err := l.Acquire(t.Context())
		if want := `ratelimit "geocoder": limited, retry in 100ms`; err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	})
}

// T35: the calls of any interval are no more than burst + rate·t; in particular there is no window at whose edge twice the
// burst would pass.
func TestLimiterNeverLetsTwoBurstsInAcrossAnEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for offset := range 100 {
			l := newLimiter(ratelimit.Config{Rate: 100, Burst: 100})
			time.Sleep(time.Duration(offset) * 10 * time.Millisecond)
			before := drain(t.Context(), l)
			time.Sleep(10 * time.Millisecond)
			if after := drain(t.Context(), l); before != 100 || after > 1 {
				t.Fatalf("%d and, 10ms later, %d calls got in, want 100 and 1", before, after)
			}
		}
	})
}

// T13
func TestLimiterTakesNothingForADeadContext(t *testing.T) {
	l := newLimiter(ratelimit.Config{Rate: 1, Burst: 1})
	cause := errors.New("closing time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	ran := false
	for _, p := range []seawall.Policy{l, seawall.Chain(l)} {
		err := p.Do(ctx, func(context.Context) error {
			ran = true
			return nil
		})
		if !errors.Is(err, cause) || ran {
			t.Errorf("error is %v, op ran: %t", err, ran)
		}
	}
	if s := l.Stats(); s.Allowed+s.Rejected.Total()+s.Canceled != 0 || s.Tokens != 1 {
		t.Errorf("stats are %+v, want nothing counted", s)
	}
}

func TestLimiterWeighsCalls(t *testing.T) {
	type key struct{}
	weight := func(n int) context.Context { return context.WithValue(t.Context(), key{}, n) }
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 10, Weight: func(ctx context.Context) int {
			n, _ := ctx.Value(key{}).(int)
			return n
		}})
		for _, n := range []int{7, 1, 0, -5} { // what is below 1 counts as 1
			if _, err := l.Acquire(weight(n)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := l.Acquire(weight(5))
		wantRejection(t, err, seawall.ReasonLimited, 500*time.Millisecond)
		_, err = l.Acquire(weight(11)) // can never be served
		wantRejection(t, err, seawall.ReasonLimited, 0)
		_, err = l.Acquire(weight(int(^uint(0) >> 1))) // T43
		wantRejection(t, err, seawall.ReasonLimited, 0)
		update(t, l, ratelimit.Config{Rate: ratelimit.Unlimited, Weight: l.Config().Weight})
		if _, err := l.Acquire(weight(int(^uint(0) >> 1))); err != nil {
			t.Errorf("unlimited, but %v", err)
		}
	})
}

func TestUnlimitedLetsAllInAndCounts(t *testing.T) {
	l := newLimiter(ratelimit.Config{Rate: ratelimit.Unlimited, MaxWait: time.Second})
	take(t, l, 10_000)
	if s := l.Stats(); s.Allowed != 10_000 || s.Rejected.Total() != 0 {
		t.Errorf("stats are %+v", s)
	}
}

// T2: whatever op does, it is one call that started, and the panic goes on.
func TestLimiterCountsAPanicOnce(t *testing.T) {
	l := newLimiter(ratelimit.Config{Rate: 1, Burst: 2})
	func() {
		defer func() {
			if value := recover(); value != "boom" {
				t.Errorf("recovered %v", value)
			}
		}()
		_ = l.Do(t.Context(), func(context.Context) error { panic("boom") })
	}()
	if s := l.Stats(); s.Allowed != 1 || s.Refunded != 0 {
		t.Errorf("stats are %+v", s)
	}
}

// A weight function that panics has taken nothing and holds no lock.
func TestLimiterSurvivesAPanicOfTheWeight(t *testing.T) {
	l := newLimiter(ratelimit.Config{Rate: 1, Burst: 2, Weight: func(context.Context) int { panic("boom") }})
	func() {
		defer func() { _ = recover() }()
		_ = l.Do(t.Context(), succeed)
	}()
	if s := l.Stats(); s.Tokens != 2 || s.Allowed != 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestRejectionIsInTheRecord(t *testing.T) {
	l := newLimiter(ratelimit.Config{Rate: 1, Burst: 1})
	take(t, l, 1)
	ctx, record := seawall.WithRecord(t.Context())
	if err := l.Do(ctx, succeed); err == nil {
		t.Fatal("it got in")
	}
	if f := record.Facts(); f.DecidedBy != `ratelimit "geocoder"` || f.Reason != seawall.ReasonLimited {
		t.Errorf("facts are %+v", f)
	}
}

// All calls that are rejected between two tokens get the same error.
func TestRejectionIsMadeOncePerToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 3, Burst: 1})
		take(t, l, 1)
		_, first := l.Acquire(t.Context())
		for range 100 {
			time.Sleep(time.Millisecond)
			if _, err := l.Acquire(t.Context()); err != first { //nolint:errorlint // the same value is what is tested
				t.Fatalf("another error: %v", err)
			}
		}
		time.Sleep(time.Second)
		take(t, l, 1)
		_, err := l.Acquire(t.Context())
		if err == first { //nolint:errorlint // as above
			t.Error("the error of the last token is handed out for this one")
		}
	})
}
