package cache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/degrade"
)

func TestDeadSourceMakesNoErrorOfACopyBeforeItsMaximumAge(t *testing.T) {
	hang := func(ctx context.Context, _ string) (int, error) { <-ctx.Done(); return 0, context.Cause(ctx) }
	for name, load := range map[string]func(context.Context, string) (int, error){
		"fails": failing(errDown), "hangs": hang, "fails late": func(context.Context, string) (int, error) { time.Sleep(time.Second); return 0, errDown },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour, RetryEvery: 10 * time.Second, Soft: 100 * time.Millisecond})
				want(t, c, "a", always(1), 1, cache.Loaded)
				for time.Since(bubbleStart) < time.Minute+time.Hour-time.Second {
					if r, err := c.Lookup(t.Context(), "a", load); err != nil || r.Value != 1 {
						t.Fatalf("after %v: %+v, %v", time.Since(bubbleStart), r, err)
					} else if age := time.Since(bubbleStart); r.Age != age {
						t.Fatalf("after %v its age is %v", age, r.Age)
					}
					time.Sleep(7 * time.Second)
				}
				time.Sleep(time.Minute)
				if r, err := c.Lookup(t.Context(), "a", load); err == nil {
					t.Errorf("after its maximum age it is still there: %+v", r)
				}
			})
		})
	}
}

// FusionCache #115: two limits of age that contradict each other. Here the one begins where the other ends.
func TestMaximumAgeCountsFromTheEndOfTheTimeToLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Hour, MaxStale: 10 * time.Second})
		want(t, c, "a", always(1), 1, cache.Loaded)
		time.Sleep(time.Hour - 1)
		want(t, c, "a", failing(errDown), 1, cache.Fresh)
		time.Sleep(10 * time.Second)
		want(t, c, "a", failing(errDown), 1, cache.Stale)
		time.Sleep(time.Nanosecond)
		wantErr(t, c, "a", failing(errDown), errDown)
	})
}

func TestStaleIsOptIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute})
		want(t, c, "a", always(1), 1, cache.Loaded)
		time.Sleep(time.Minute)
		wantErr(t, c, "a", failing(errDown), errDown)
	})
}

func TestFailedLoadIsNotRepeatedForATimeAndMovesNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Minute})
		want(t, c, "a", always(1), 1, cache.Loaded)
		time.Sleep(time.Minute)
		loads := 0
		load := func(context.Context, string) (int, error) { loads++; return 0, errDown }
		if r := want(t, c, "a", load, 1, cache.Stale); r.Why != cache.LoadFailed || !errors.Is(r.Cause, errDown) {
			t.Errorf("the first answer is %+v", r)
		}
		time.Sleep(30*time.Second - 1)
		if r := want(t, c, "a", load, 1, cache.Stale); r.Why != cache.RetryLater || loads != 1 {
			t.Errorf("the second answer is %+v after %d loads", r, loads)
		}
		time.Sleep(time.Nanosecond)
		want(t, c, "a", load, 1, cache.Stale)
		if loads != 2 {
			t.Errorf("%d loads", loads)
		}
		c.Expire(t.Context(), "a") // says that there is something new: that is worth a load
		want(t, c, "a", load, 1, cache.Stale)
		if loads != 3 {
			t.Errorf("%d loads after Expire", loads)
		}
		time.Sleep(30 * time.Second) // the end of its life, which no failure has moved
		wantErr(t, c, "a", load, errDown)
	})
}

func TestSoftTimeoutServesTheCopyAndFinishesInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour, Soft: 100 * time.Millisecond})
		want(t, c, "a", lasting(time.Second, 1), 1, cache.Loaded) // without a copy it is waited for
		time.Sleep(time.Minute)
		start := time.Now()
		if r := want(t, c, "a", lasting(time.Second, 2), 1, cache.Stale); r.Why != cache.SoftTimeout || time.Since(start) != 100*time.Millisecond {
			t.Errorf("after %v: %+v", time.Since(start), r)
		}
		// Who joins somebody else's load waits for what is left of its time, which is nothing.
		if r := want(t, c, "a", lasting(time.Second, 3), 1, cache.Stale); r.Why != cache.SoftTimeout || time.Since(start) != 100*time.Millisecond {
			t.Errorf("after %v: %+v", time.Since(start), r)
		}
		time.Sleep(time.Second)
		want(t, c, "a", failing(errDown), 2, cache.Fresh)
		if s := c.Stats(); s.SoftTimeouts != 2 || s.HardTimeouts != 0 || s.Loads.Succeeded != 2 {
			t.Errorf("the stats are %+v", s)
		}
	})
}

// What a timeout has returned is not saved again: it would look younger.
func TestTimeoutDoesNotMakeTheCopyYounger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Minute, Soft: time.Second, RetryEvery: time.Second})
		want(t, c, "a", always(1), 1, cache.Loaded)
		for range 11 {
			time.Sleep(10*time.Second - time.Second)
			_, _ = c.Lookup(t.Context(), "a", func(context.Context, string) (int, error) { time.Sleep(3 * time.Second); return 0, errDown })
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		wantErr(t, c, "a", failing(errDown), errDown)
	})
}

func TestHardTimeoutIsATypedErrorAndTheLoadGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour, Hard: 500 * time.Millisecond})
		start := time.Now()
		_, err := c.Get(t.Context(), "a", lasting(time.Second, 1))
		te, ok := errors.AsType[*cache.TimeoutError](err)
		if !ok || te.Limit != 500*time.Millisecond || !errors.Is(err, cache.ErrTimeout) || time.Since(start) != 500*time.Millisecond {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
		if errors.Is(err, context.DeadlineExceeded) || !te.Timeout() || seawall.Classify(err).Outcome != seawall.Failure {
			t.Errorf("what %v says of itself", err)
		}
		time.Sleep(time.Second)
		want(t, c, "a", failing(errDown), 1, cache.Fresh)
		time.Sleep(time.Minute)
		if r := want(t, c, "a", lasting(time.Second, 2), 1, cache.Stale); r.Why != cache.HardTimeout {
			t.Errorf("with a copy: %+v", r)
		}
	})
}

func TestCallersDeadlineGetsTheCopyAndACanceledCallerNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
		want(t, c, "a", always(1), 1, cache.Loaded)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if r, err := c.Lookup(ctx, "a", lasting(time.Minute, 2)); err != nil || r.Value != 1 || r.Why != cache.OutOfTime {
			t.Errorf("out of time: %+v, %v", r, err)
		}
		ctx, leave := context.WithCancel(context.Background())
		leave()
		if r, err := c.Lookup(ctx, "a", lasting(time.Minute, 2)); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %+v, %v", r, err)
		}
	})
}

// FusionCache #332: a refresh that fails late overwrites what another call has brought meanwhile.
func TestFailedRefreshDoesNotTouchANewerValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour, Soft: time.Millisecond})
		want(t, c, "a", always(1), 1, cache.Loaded)
		time.Sleep(time.Minute)
		want(t, c, "a", func(context.Context, string) (int, error) { time.Sleep(time.Second); return 0, cache.ErrNotFound }, 1, cache.Stale)
		if err := c.Put(t.Context(), "a", 2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		want(t, c, "a", always(3), 2, cache.Fresh)
		time.Sleep(time.Minute)
		want(t, c, "a", always(3), 3, cache.Loaded) // nor did it make the new value rest
	})
}

func TestStaleAnswerIsMarkedInTheRecordCountedAndSeenByHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New("prices", breaker.Config{Registry: quiet(), Mode: seawall.ForcedOpen})
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
		state := func() string { return c.Snapshot().State }
		want(t, c, "a", always(1), 1, cache.Loaded)
		if state() != "ok" {
			t.Errorf("the state is %s", state())
		}
		time.Sleep(time.Minute)
		var loads atomic.Int64
		load := func(ctx context.Context, key string) (int, error) {
			return seawall.Call(ctx, b, func(context.Context) (int, error) { loads.Add(1); return 2, nil })
		}
		ctx, record := seawall.WithRecord(t.Context())
		if v, err := c.Get(ctx, "a", load); v != 1 || err != nil || loads.Load() != 0 {
			t.Fatalf("got %d, %v after %d dials", v, err, loads.Load())
		}
		facts := record.Facts()
		if facts.Stale != time.Minute || facts.Reason != seawall.ReasonForced || facts.DecidedBy != `cache "test"` || facts.Replaced {
			t.Errorf("the record is %+v", facts)
		}
		if s := c.Stats(); s.Stale.LoadFailed != 1 || s.Stale.Total() != 1 || state() != "stale" {
			t.Errorf("the state is %s, the stats %+v", state(), s.Stale)
		}
		time.Sleep(30*time.Second + 1)
		if state() != "ok" {
			t.Errorf("the state is %s without a stale answer for a while", state())
		}
	})
}

func TestCopyIsAFallbackOfAnyChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type skuKey struct{}
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
		want(t, c, "a", always(1), 1, cache.Loaded)
		time.Sleep(10 * time.Minute)
		fallback := degrade.NewFallback("copy", degrade.FallbackConfig{Func: c.Stale("a"), Registry: quiet()})
		chain := seawall.Chain(fallback)
		ctx, record := seawall.WithRecord(t.Context())
		v, err := seawall.Call(ctx, chain, func(context.Context) (int, error) { return 0, errDown })
		if facts := record.Facts(); v != 1 || err != nil || facts.Stale != 10*time.Minute || !facts.Replaced {
			t.Errorf("got %d, %v; %+v", v, err, facts)
		}
		if fs, cs := fallback.Stats(), c.Stats(); fs.Stale != 1 || cs.Stale.AsFallback != 1 || c.Snapshot().State != "stale" {
			t.Errorf("the fallback counts %+v, the cache %+v", fs, cs.Stale)
		}
		byContext := seawall.Chain(degrade.NewFallback("copies", degrade.FallbackConfig{
			Registry: quiet(), AlwaysExercise: 1,
			Func: c.StaleOf(func(ctx context.Context) (string, error) {
				sku, ok := ctx.Value(skuKey{}).(string)
				if !ok {
					return "", errors.New("no sku")
				}
				return sku, nil
			}),
		}))
		for sku, want := range map[string]int{"a": 1, "b": 0} {
			ctx := context.WithValue(t.Context(), skuKey{}, sku)
			v, err := seawall.Call(ctx, byContext, func(context.Context) (int, error) { return 0, errDown })
			if v != want || (err == nil) != (want == 1) || err != nil && !errors.Is(err, errDown) {
				t.Errorf("%s is %d, %v", sku, v, err)
			}
		}
		ctx = context.WithValue(t.Context(), skuKey{}, "a")
		if _, err := seawall.Call(ctx, byContext, func(context.Context) (int, error) { return 3, nil }); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); s.Stale.AsFallback != 2 { // the exercise was none
			t.Errorf("%d answers as a fallback", s.Stale.AsFallback)
		}
	})
}

// A load whose own chain falls back on the cache would keep a dead source's value fresh for ever, and unmarked.
func TestCopyIsNotLoadedAnewFromItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
		want(t, c, "a", always(1), 1, cache.Loaded)
		guard := seawall.Chain(degrade.NewFallback("copy", degrade.FallbackConfig{Func: c.Stale("a"), Registry: quiet()}))
		guarded := func(ctx context.Context, _ string) (int, error) {
			return seawall.Call(ctx, guard, func(context.Context) (int, error) { return 0, errDown })
		}
		time.Sleep(10 * time.Minute)
		want(t, c, "a", guarded, 1, cache.Stale)
		want(t, c, "b", guarded, 1, cache.Loaded) // another key's copy is what the program asked for
		time.Sleep(time.Hour)
		wantErr(t, c, "a", guarded, errDown)
		if n := c.Stats().Stale.AsFallback; n != 1 {
			t.Errorf("%d answers as a fallback, want that for the other key", n)
		}
	})
}

// XFetch, on top of one flight: hits shortly before the expiry refresh in the background, once.
func TestHitRefreshesShortlyBeforeTheExpiryAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, EarlyRefresh: 1})
		var loads atomic.Int64
		load := func(ctx context.Context, _ string) (int, error) {
			n := loads.Add(1)
			time.Sleep(300 * time.Millisecond)
			return int(n), nil
		}
		want(t, c, "a", load, 1, cache.Loaded)
		loaded := time.Now()
		for loads.Load() == 1 {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { want(t, c, "a", load, 1, cache.Fresh) })
			}
			all.Wait()
			time.Sleep(time.Millisecond)
		}
		if gap := time.Minute - time.Since(loaded); gap <= 0 || gap > 12*time.Second {
			t.Errorf("refreshed %v before the expiry", gap)
		}
		want(t, c, "a", load, 1, cache.Fresh)
		time.Sleep(time.Second)
		want(t, c, "a", load, 2, cache.Fresh)
		if s := c.Stats(); loads.Load() != 2 || s.Early != 1 {
			t.Errorf("%d loads, %d early", loads.Load(), s.Early)
		}
	})
}

func TestEarlyRefreshThatFailsLeavesTheValueAndTheSourceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, EarlyRefresh: 100})
		want(t, c, "a", lasting(time.Second, 1), 1, cache.Loaded)
		loads := 0
		for range 50 {
			time.Sleep(time.Second)
			want(t, c, "a", func(context.Context, string) (int, error) { loads++; return 0, errDown }, 1, cache.Fresh)
			synctest.Wait()
		}
		if loads < 1 || loads > 2 { // RetryEvery is 30 s
			t.Errorf("%d loads", loads)
		}
	})
}
