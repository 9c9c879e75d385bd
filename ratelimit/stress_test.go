package ratelimit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// T44, T2: 2,000 goroutines, mixed calls: every call ends in exactly one count, of the limiter, of the group and of the
// throttle.
func TestEveryCallIsCountedOnce(t *testing.T) {
	const callers, calls = 2000, 10
	l := newLimiter(ratelimit.Config{Rate: 500, Burst: 200, MaxWait: 2 * time.Millisecond, MaxWaiting: 30})
	g := newGroup(ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 50, Burst: 400}, MaxKeys: 5})
	th := newThrottle(ratelimit.ThrottleConfig{})
	th.SetRandom(rand.Float64)
	var in [2]atomic.Int64 // past the group, and past the limiter
	var ran, left atomic.Int64
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(caller), 44))
			for range calls {
				chain := seawall.Chain(g.For(rng.IntN(9)), counting{&in[0]}, l, counting{&in[1]}, th)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rng.IntN(3))*time.Millisecond)
				switch rng.IntN(8) {
				case 0:
					cancel()
				case 1:
					go cancel()
				}
				end := rng.IntN(8)
				var err error
				var call sync.WaitGroup
				call.Go(func() { // of its own, because op may leave by Goexit
					defer func() { _ = recover() }()
					err = chain.Do(ctx, func(context.Context) error {
						ran.Add(1)
						switch end {
						case 0:
							return overloaded{}
						case 1:
							panic("boom")
						case 2:
							runtime.Goexit()
						case 3:
							return errors.New("refused")
						case 4:
							return rejection()
						}
						return nil
					})
				})
				call.Wait()
				if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
					if errors.Is(err, seawall.ErrRejected) {
						t.Errorf("%v is a rejection and the caller's own end", err)
					}
					left.Add(1)
				}
				cancel()
			}
		})
	}
	all.Wait()
	ls, gs, ts := l.Stats(), g.Stats(), th.Stats()
	dead := callers*calls - gs.Sum.Allowed - gs.Sum.Rejected.Total() // that came with a dead context
	if dead < 0 || dead+ls.Canceled > left.Load() || ls.Waiting != 0 || l.HasTimer() {
		t.Errorf("%+v, %+v: %d calls, of which %d were left by their caller", gs.Sum, ls, callers*calls, left.Load())
	}
	// A caller that leaves between two gates is not counted by the second.
	if n := in[0].Load(); n != gs.Sum.Allowed || ls.Allowed+ls.Delayed+ls.Canceled+ls.Rejected.Total() > n {
		t.Errorf("%d passed the group, which has %+v, and the limiter has %+v", n, gs.Sum, ls)
	}
	if n := in[1].Load(); n != ls.Allowed+ls.Delayed || ts.Admitted+ts.Limited > n {
		t.Errorf("%d passed the limiter, which has %+v, and the throttle has %+v", n, ls, ts)
	}
	if ts.Admitted != ran.Load() || ts.Success+ts.Failure+ts.Overload+ts.Ignored != ts.Admitted {
		t.Errorf("%d ran, and the throttle has %+v", ran.Load(), ts)
	}
	if ls.Rejected.Total() == 0 || gs.NoRoom == 0 || gs.Sum.Refunded == 0 || ls.Refunded == 0 {
		t.Errorf("%+v, %+v: not all was tried", ls, gs.Sum)
	}
}

// counting is a policy that counts the calls that come to it.
type counting struct{ n *atomic.Int64 }

func (c counting) Do(ctx context.Context, op func(context.Context) error) error {
	c.n.Add(1)
	return op(ctx)
}

// T35: with real time, real goroutines and clocks that are read out of order, no more get in than the law allows.
func TestLimiterKeepsTheLawUnderLoad(t *testing.T) {
	const burst, rate = 100, 5000
	l := newLimiter(ratelimit.Config{Rate: rate, Burst: burst})
	var in atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range 64 {
		all.Go(func() {
			for time.Since(began) < 200*time.Millisecond {
				if l.Do(t.Context(), succeed) == nil {
					in.Add(1)
				}
			}
		})
	}
	all.Wait()
	if most := burst + rate*time.Since(began).Seconds(); float64(in.Load()) > most {
		t.Errorf("%d calls got in, want %v at the most", in.Load(), most)
	}
}

// T41: readers and writers of everything, side by side.
func TestLimiterAndThrottleCanBeReadWhileTheyAreChanged(t *testing.T) {
	registry := quietRegistry()
	l := ratelimit.New("geocoder", ratelimit.Config{Rate: 1e5, MaxWait: time.Millisecond, Registry: registry})
	th := ratelimit.NewThrottle("geocoder", ratelimit.ThrottleConfig{Registry: registry})
	var all sync.WaitGroup
	for _, work := range []func(i int){
		func(int) { _ = l.Do(t.Context(), succeed) },
		func(int) { _ = l.Do(t.Context(), func(context.Context) error { return seawall.ErrRejected }) },
		func(int) { _ = seawall.Chain(th, l).Do(t.Context(), succeed) },
		func(int) { _ = th.Do(t.Context(), refuse) },
		func(i int) { _, _ = l.SetMode(seawall.Mode(i%5)), th.SetMode(seawall.Mode(i/5%5)) },
		func(i int) {
			_ = l.Update(ratelimit.Config{Rate: float64(1 + i*1000), Burst: 1 + i%7, MaxWait: time.Millisecond})
			_ = th.Update(ratelimit.ThrottleConfig{Window: time.Duration(1+i%2) * time.Minute, K: float64(2 + i%3)})
		},
		func(int) { _, _ = l.Config().Equal(ratelimit.Config{}), th.Config().Equal(ratelimit.ThrottleConfig{}) },
		func(int) { _ = l.Name() + l.String() + th.Name() + th.String() },
		func(int) { _, _ = l.Stats(), th.Stats() },
		func(int) { _, _ = l.Keep(), th.Keep() },
		func(int) { _, _ = l.Traits(), th.Traits() },
		func(int) { _ = registry.Snapshots() },
	} {
		all.Go(func() {
			for i := range 500 {
				work(i)
			}
		})
	}
	all.Wait()
	if s := l.Stats(); s.Waiting != 0 || l.HasTimer() {
		t.Errorf("stats are %+v", s)
	}
}

// T42: calls leave no timer and no context behind, whichever way they end.
func TestLimiterLeavesNothingBehindOnALongLivedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := newLimiter(ratelimit.Config{Rate: 200_000, Burst: 1, MaxWait: time.Millisecond, MaxWaiting: 3})
	calls := func(n int) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range n / 4 {
					_ = l.Do(ctx, succeed)
				}
			})
		}
		wg.Wait()
	}
	heap := func() uint64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	calls(1000)
	before := heap()
	calls(40_000)
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", before, after)
	}
	if s := l.Stats(); s.Delayed == 0 {
		t.Error("nobody waited, so nothing is proved")
	}
}
