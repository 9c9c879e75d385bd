package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T30: nobody sleeps beside a free slot. Time stands still in the bubble while anybody can run, so a call that waits
// too long has been forgotten.
func TestBulkheadLosesNoWakeup(t *testing.T) {
	rounds := 400
	if raceEnabled || testing.Short() {
		rounds = 40
	}
	const callers, calls = 8, 300
	synctest.Test(t, func(t *testing.T) {
		for round := range rounds {
			limit := 1 + round%3
			b := newBulkhead(bulkhead.Config{Limit: limit, Queue: bulkhead.Queue{Limit: callers}})
			var in atomic.Int64
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for i := range calls {
						err := b.Do(t.Context(), func(context.Context) error {
							if n := in.Add(1); n > int64(limit) {
								t.Errorf("%d calls are in at a limit of %d", n, limit)
							}
							if i%3 == 0 {
								runtime.Gosched()
							}
							in.Add(-1)
							return nil
						})
						if err != nil {
							t.Errorf("limit %d: %v", limit, err)
						}
					}
				})
			}
			wg.Wait()
			wantIdle(t, b)
			if s := b.Stats(); s.Admitted != callers*calls {
				t.Fatalf("%d admitted, want %d", s.Admitted, callers*calls)
			}
		}
	})
}

// T30: nor when waiters are canceled at the moment of the hand-over and the limit changes, and every slot comes back.
func TestBulkheadLosesNoWakeupToCancelsAndResizes(t *testing.T) {
	rounds := 300
	if raceEnabled || testing.Short() {
		rounds = 30
	}
	const callers, calls, most = 8, 200, 3
	synctest.Test(t, func(t *testing.T) {
		for round := range rounds {
			b := newBulkhead(bulkhead.Config{Limit: 1 + round%most, Queue: bulkhead.Queue{Limit: callers}})
			var cancels [callers]atomic.Pointer[context.CancelFunc]
			var in atomic.Int64
			var served, left atomic.Int64
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					for range calls {
						ctx, cancel := context.WithCancel(t.Context())
						cancels[i].Store(&cancel)
						err := b.Do(ctx, func(context.Context) error {
							if n := in.Add(1); n > most {
								t.Errorf("%d calls are in at a limit of at most %d", n, most)
							}
							runtime.Gosched()
							in.Add(-1)
							return nil
						})
						switch {
						case err == nil:
							served.Add(1)
						case errors.Is(err, context.Canceled):
							left.Add(1)
						default:
							t.Errorf("error is %v, want none or the cancellation", err)
						}
						cancel()
					}
				})
			}
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round), 30))
				for i := range calls {
					if cancel := cancels[rng.IntN(callers)].Load(); cancel != nil {
						(*cancel)()
					}
					if i%8 == 0 {
						cfg := b.Config()
						cfg.Limit = 1 + rng.IntN(most)
						if err := b.Update(cfg); err != nil {
							t.Error(err)
						}
					}
					runtime.Gosched()
				}
			})
			wg.Wait()
			wantIdle(t, b)
			s := b.Stats()
			if s.Rejected.Total() != 0 {
				t.Fatalf("round %d: %+v: a call was forgotten in the queue", round, s)
			}
			if s.Admitted != served.Load() || s.Canceled > left.Load() {
				t.Fatalf("round %d: %+v, but %d were served and %d left", round, s, served.Load(), left.Load())
			}
		}
	})
}

// T44, T2: two thousand callers with all kinds of calls, and all kinds of ends: every call ends in exactly one count, and
// every slot comes back.
func TestBulkheadCountsEveryCallOnce(t *testing.T) {
	const callers = 2000
	calls := 40
	if raceEnabled || testing.Short() {
		calls = 8
	}
	b := newBulkhead(bulkhead.Config{
		Limit: 4, Weight: weightOf, Shedding: bulkhead.ByUser,
		Queue: bulkhead.Queue{Limit: 300, MaxWait: 5 * time.Millisecond, Order: bulkhead.AdaptiveLIFO, Interval: time.Millisecond},
	})
	chain := seawall.Chain(b)
	failure := errors.New("sold out")
	var served, rejected, canceled, dead atomic.Int64
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(caller), 44))
			for range calls {
				ctx := seawall.WithUser(t.Context(), fmt.Sprint(caller))
				ctx = seawall.WithPriority(ctx, seawall.Priority(rng.IntN(5)))
				ctx = context.WithValue(ctx, weightKey{}, rng.IntN(6))
				ctx, cancel := context.WithCancel(ctx)
				if rng.IntN(4) == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(3000))*time.Microsecond)
				}
				ran := false
				op := func(context.Context) error {
					ran = true
					switch rng.IntN(8) {
					case 0:
						return failure
					case 1:
						panic("boom")
					case 2:
						runtime.Goexit()
					case 3:
						runtime.Gosched()
					}
					return nil
				}
				switch rng.IntN(8) {
				case 0:
					cancel()
				case 1:
					go cancel()
				}
				alive := ctx.Err() == nil
				var err error
				var call sync.WaitGroup
				call.Go(func() { // of its own, because op may leave by Goexit
					defer func() { _ = recover() }()
					var p seawall.Policy = b
					if rng.IntN(2) == 0 {
						p = chain
					}
					err = p.Do(ctx, op)
				})
				call.Wait()
				cancel()
				switch {
				case ran:
					served.Add(1)
				case errors.Is(err, bulkhead.ErrFull):
					rejected.Add(1)
				case !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("error is %v, and op did not run", err)
				case alive:
					canceled.Add(1)
				default:
					dead.Add(1)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 100 {
			cfg := b.Config()
			cfg.Limit, cfg.Queue.Limit = 1+i%5, 100+i
			if err := b.Update(cfg); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
	})
	wg.Wait()
	wantIdle(t, b)
	s := b.Stats()
	if s.Admitted != served.Load() || s.Rejected.Total() != rejected.Load() || s.Canceled > canceled.Load() {
		t.Errorf("%+v, but %d were served, %d rejected, and at most %d left while they waited",
			s, served.Load(), rejected.Load(), canceled.Load())
	}
	levels := s.Levels.CriticalPlus.Rejected + s.Levels.Critical.Rejected +
		s.Levels.SheddablePlus.Rejected + s.Levels.Sheddable.Rejected
	if levels != rejected.Load() {
		t.Errorf("%d of all levels were rejected, want %d", levels, rejected.Load())
	}
	if sum := served.Load() + rejected.Load() + canceled.Load() + dead.Load(); sum != int64(callers*calls) {
		t.Errorf("%d ends for %d calls", sum, callers*calls)
	}
}

// T41: readers and writers of everything, side by side.
func TestBulkheadCanBeReadWhileItIsChanged(t *testing.T) {
	const times = 2000
	registry := quietRegistry()
	b := bulkhead.New("inventory", bulkhead.Config{Limit: 2, Registry: registry})
	var wg sync.WaitGroup
	for _, work := range []func(i int){
		func(int) { _ = b.Do(t.Context(), succeed) },
		func(int) { _ = b.Do(t.Context(), succeed) },
		func(int) { _ = seawall.Chain(b).Do(t.Context(), succeed) },
		func(i int) { _ = b.SetMode(seawall.Mode(i % 5)) },
		func(i int) { _ = b.Update(bulkhead.Config{Limit: 1 + i%3, Queue: bulkhead.Queue{Limit: 1 + i%5}}) },
		func(int) { _ = b.Config().Equal(bulkhead.Config{}) },
		func(int) { _ = b.Name() + b.String() },
		func(int) {
			if s := b.Stats(); s.InUse < 0 || s.Waiting < 0 || s.Admitted < s.Waited {
				t.Errorf("stats are %+v", s)
			}
		},
		func(int) { _ = b.Snapshot() },
		func(int) { _ = registry.Snapshots() },
	} {
		wg.Go(func() {
			for i := range times {
				work(i)
			}
		})
	}
	wg.Wait()
	wantIdle(t, b)
}

// T42: a wait leaves no timer and no context behind, whichever way it ends.
func TestBulkheadLeavesNothingBehindOnALongLivedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 8, MaxWait: time.Hour}})
	calls := func(n int) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range n / 4 {
					_ = b.Do(ctx, func(context.Context) error {
						runtime.Gosched()
						return nil
					})
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
	many := 100_000
	if raceEnabled {
		many = 30_000 // of which each leaves 100 bytes at least if it leaves anything
	}
	calls(1000)
	before := heap()
	calls(many)
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", before, after)
	}
	if s := b.Stats(); s.Waited == 0 {
		t.Error("nobody waited, so nothing is proved")
	}
	wantIdle(t, b)
}
