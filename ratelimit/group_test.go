package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

func newGroup[K comparable](cfg ratelimit.GroupConfig[K]) *ratelimit.Group[K] {
	cfg.Registry = quietRegistry()
	return ratelimit.NewGroup("tenants", cfg)
}

func TestGroupGivesEachKeyItsOwnBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(ratelimit.GroupConfig[string]{Limiter: ratelimit.Config{Rate: 10, Burst: 3}})
		for _, key := range []string{"a", "b"} {
			if n := drain(t.Context(), g.For(key)); n != 3 {
				t.Errorf("%s got %d calls in, want 3", key, n)
			}
		}
		err := g.Do(t.Context(), "a", succeed)
		wantRejection(t, err, seawall.ReasonLimited, 100*time.Millisecond)
		if want := `ratelimit "tenants": limited, retry in 100ms`; err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
		if err := g.Do(t.Context(), "c", succeed); err != nil {
			t.Error(err)
		}
		if s := g.Stats(); s.Keys != 3 || s.Sum.Allowed != 7 || s.Sum.Rejected.Limited != 3 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// T35, T76: full does not mean unlimited. While no bucket is full, new keys are rejected until one is.
func TestGroupFailsClosedAtCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 10, Burst: 3}, MaxKeys: 4})
		for key := range 4 {
			for range 3 - key%2 {
				if err := g.Do(t.Context(), key, succeed); err != nil {
					t.Fatal(err)
				}
			}
		}
		held := g.For(99)
		for _, p := range []seawall.Policy{g.For(5), held} {
			err := p.Do(t.Context(), succeed)
			if !errors.Is(err, ratelimit.ErrLimited) {
				t.Errorf("a new key got %v", err)
			}
		}
		time.Sleep(10 * time.Millisecond)
		_, err := g.Acquire(t.Context(), 6)
		wantRejection(t, err, seawall.ReasonLimited, 190*time.Millisecond) // then 1 or 3 is full again
		if s := g.Stats(); s.NoRoom != 3 || s.Keys != 4 || s.Sum.Rejected.Limited != 3 || s.Forgotten != 0 {
			t.Errorf("stats are %+v", s)
		}
		time.Sleep(190 * time.Millisecond)
		if err := held.Do(t.Context(), succeed); err != nil {
			t.Errorf("a bucket is full, and a new key got %v", err)
		}
		if s := g.Stats(); s.Keys != 4 || s.Forgotten != 1 || s.Sum.Allowed != 11 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// T35: ten times more keys than capacity, in any order: no key ever exceeds its rate, and no more are remembered than may be.
func TestGroupLetsNoKeyExceedItsRate(t *testing.T) {
	const maxKeys, burst, rate = 20, 4, 10
	seeds := 20
	if raceEnabled || testing.Short() {
		seeds = 4
	}
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, 35))
			g := newGroup(ratelimit.GroupConfig[int]{
				Limiter: ratelimit.Config{Rate: rate, Burst: burst}, MaxKeys: maxKeys,
			})
			admitted := map[int][]time.Time{}
			inner := errors.New("open")
			refuse := seawall.Reject("breaker", "inner", seawall.ReasonOpen, inner, 0)
			for i := range 5000 {
				time.Sleep(time.Duration(rng.IntN(8)) * time.Millisecond)
				key := rng.IntN(10 * maxKeys)
				if rng.IntN(3) == 0 {
					key = rng.IntN(3) // some are busy all the time
				}
				made := rng.IntN(10) > 0
				err := g.Do(t.Context(), key, func(context.Context) error {
					if made {
						return nil
					}
					return refuse
				})
				if err == nil {
					admitted[key] = append(admitted[key], time.Now())
				}
				if i%50 != 0 {
					continue
				}
				if n := g.Stats().Keys; n > maxKeys {
					t.Fatalf("seed %d: %d keys are remembered", seed, n)
				}
			}
			for key, at := range admitted {
				if first, last, ok := tooMany(at, burst, rate); ok {
					t.Fatalf("seed %d: key %d got %d calls in within %v", seed, key, last-first+1, at[last].Sub(at[first]))
				}
			}
			if s := g.Stats(); s.NoRoom == 0 || s.Forgotten == 0 {
				t.Fatalf("seed %d: stats are %+v: nothing is proved", seed, s)
			}
		}
	})
}

// tooMany finds an interval with more than burst + rate·t instants. A nanosecond of the rate is what x/time/rate does not
// count.
func tooMany(at []time.Time, burst, rate float64) (first, last int, found bool) {
	for first := range at {
		for last := first; last < len(at); last++ {
			t := at[last].Sub(at[first]) + time.Nanosecond
			if float64(last-first+1) > burst+rate*t.Seconds()+1e-6 {
				return first, last, true
			}
		}
	}
	return 0, 0, false
}

// T76: a key that is forgotten and made again under concurrent use is one bucket, not two. Time stands still for all that
// matters, so of each key no more than the burst may get in.
func TestGroupNeverHasTwoBucketsOfOneKey(t *testing.T) {
	const keys, burst, callers = 8, 5, 16
	rounds := 200
	if raceEnabled || testing.Short() {
		rounds = 20
	}
	for range rounds {
		g := newGroup(ratelimit.GroupConfig[int]{
			Limiter: ratelimit.Config{Rate: 1e-3, Burst: burst}, MaxKeys: keys,
		})
		var in [keys]atomic.Int64
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(caller), 76))
				for range 50 {
					key := rng.IntN(keys)
					if g.Do(t.Context(), key, succeed) == nil {
						in[key].Add(1)
					}
					// A key whose every call gives its token back is full, and may be forgotten at any time.
					_ = g.Do(t.Context(), keys+rng.IntN(keys), func(context.Context) error { return seawall.ErrRejected })
				}
			})
		}
		wg.Wait()
		for key := range in {
			if n := in[key].Load(); n > burst {
				t.Fatalf("key %d got %d calls in, want %d at the most", key, n, burst)
			}
		}
	}
}

// T76: a million keys leave no more behind than a thousand. One that is in use is still known then.
func TestGroupStaysSmallUnderAFloodOfKeys(t *testing.T) {
	keys := 1_000_000
	if raceEnabled || testing.Short() {
		keys = 30_000
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	g := newGroup(ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 1e-3, Burst: 2}, MaxKeys: 1000})
	if n := drain(t.Context(), g.For(-1)); n != 2 {
		t.Fatalf("%d calls got in", n)
	}
	made := 0
	for key := range keys {
		permit, err := g.Acquire(t.Context(), key)
		if err == nil {
			made++
			permit.Done(seawall.ErrRejected) // it was not made: the bucket is full again, and may be forgotten
		}
	}
	after := heap()
	t.Logf("%d keys, %d made, %d bytes for each that is remembered", keys, made, (int64(after)-int64(before))/1000)
	if after > before+2<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", before, after)
	}
	if s := g.Stats(); s.Keys > 1000 || s.Forgotten < int64(keys/2) {
		t.Errorf("stats are %+v", s)
	}
	if n := drain(t.Context(), g.For(-1)); n != 0 {
		t.Errorf("the flood has refilled a bucket: %d calls got in", n)
	}
}

// A key that no map finds again must not fill the memory.
func TestGroupRejectsAKeyThatIsNotEqualToItself(t *testing.T) {
	g := newGroup(ratelimit.GroupConfig[float64]{Limiter: ratelimit.Config{Rate: 10}})
	for range 10 {
		if err := g.Do(t.Context(), math.NaN(), succeed); !errors.Is(err, ratelimit.ErrLimited) {
			t.Errorf("error is %v", err)
		}
	}
	if s := g.Stats(); s.Keys != 0 {
		t.Errorf("%d keys are remembered", s.Keys)
	}
}

func TestGroupKeepsAKeyWhoseCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(ratelimit.GroupConfig[string]{
			Limiter: ratelimit.Config{Rate: 10, Burst: 1, MaxWait: time.Second}, MaxKeys: 1,
		})
		take(t, g.For("a"), 1)
		waiting := start(t.Context(), g.For("a"))
		_, err := g.Acquire(t.Context(), "b")
		wantRejection(t, err, seawall.ReasonLimited, 200*time.Millisecond)
		time.Sleep(100 * time.Millisecond)
		if err := waiting.settle(t); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Millisecond)
		if _, err := g.Acquire(t.Context(), "b"); err != nil {
			t.Error(err)
		}
	})
}

// T13
func TestGroupMakesNoKeyForADeadContext(t *testing.T) {
	g := newGroup(ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 10}})
	if err := g.Do(canceledContext, 1, succeed); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := g.Acquire(canceledContext, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := g.Stats(); s.Keys != 0 || s.Sum != (ratelimit.Stats{Rate: 10, Burst: 1}) {
		t.Errorf("stats are %+v", s)
	}
}

// T76: between its lookup and its bucket a call is overtaken by one that makes the bucket anew and empties it. It must not
// take from the old one, which is full. The weight function runs just there.
func TestGroupCallOfAForgottenBucketAsksTheNewOne(t *testing.T) {
	var g *ratelimit.Group[string]
	var overtook error
	inside := false
	g = newGroup(ratelimit.GroupConfig[string]{
		MaxKeys: 1,
		Limiter: ratelimit.Config{Rate: 0.01, Burst: 1, Weight: func(ctx context.Context) int {
			if !inside {
				inside = true
				permit, err := g.Acquire(ctx, "other")
				permit.Done(rejection()) // the bucket is full again
				overtook = errors.Join(err, g.Do(ctx, "key", succeed))
			}
			return 1
		}},
	})
	if err := g.Do(t.Context(), "key", succeed); !errors.Is(err, ratelimit.ErrLimited) {
		t.Errorf("the call got %v, want that it meets the bucket of the one that overtook it", err)
	}
	if s := g.Stats(); overtook != nil || s.Forgotten != 2 || s.Sum.Allowed != 2 || s.Sum.Rejected.Limited != 1 {
		t.Errorf("it was overtaken by one that got %v; stats are %+v", overtook, s)
	}
}

func TestAGroupTellsHowManyTokensAKeyHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ratelimit.NewGroup("test", ratelimit.GroupConfig[string]{
			Limiter: ratelimit.Config{Rate: 1, Burst: 5}, Registry: new(seawall.Registry),
		})
		if n := g.Tokens("a"); n != 5 {
			t.Errorf("an unknown key has %v tokens, want the burst", n)
		}
		for range 3 {
			if _, err := g.Acquire(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		if n := g.Tokens("a"); n != 2 {
			t.Errorf("after three calls %v tokens are left, want 2", n)
		}
		time.Sleep(time.Second)
		if n := g.Tokens("a"); n != 3 {
			t.Errorf("a second later there are %v, want 3", n)
		}
		if n := g.Tokens("b"); n != 5 {
			t.Errorf("another key has %v", n)
		}
	})
}
