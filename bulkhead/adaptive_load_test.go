package bulkhead_test

import (
	"context"
	"errors"
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

// pool is a server with workers and a queue of its own, first in, first out.
type pool struct {
	workers chan struct{}
	law     law
	mu      sync.Mutex // guards rng
	rng     *rand.Rand
}

func newPool(workers int, l law) *pool {
	return &pool{workers: make(chan struct{}, workers), law: l, rng: rand.New(rand.NewPCG(9, 9))}
}

func (p *pool) serve(context.Context) error {
	p.mu.Lock()
	work := p.law.work(0, p.rng)
	p.mu.Unlock()
	p.workers <- struct{}{}
	time.Sleep(work)
	<-p.workers
	return nil
}

// T29: the main case with goroutines, clock, slots and queue: a minute at twice the capacity of 30 workers.
func TestAdaptiveHoldsTheLimitThroughAMinuteOfOverload(t *testing.T) {
	const length, settled = 75 * time.Second, 15 * time.Second
	for _, l := range laws[:2] {
		if raceEnabled && l.name == "constant" {
			continue // the same goroutines do the same
		}
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, server := newAdaptive(bulkhead.AdaptiveConfig{}), newPool(30, l)
				begin := time.Now()
				var mu sync.Mutex // guards the two below
				var inside, all []time.Duration
				var calls sync.WaitGroup
				var in, looks int
				for i := range int(length / time.Second * 600) {
					calls.Go(func() {
						arrived := time.Now()
						var took time.Duration
						err := a.Do(t.Context(), func(ctx context.Context) error {
							admitted := time.Now()
							defer func() { took = time.Since(admitted) }()
							return server.serve(ctx)
						})
						if err == nil && time.Since(begin) > settled {
							mu.Lock()
							inside, all = append(inside, took), append(all, time.Since(arrived))
							mu.Unlock()
						}
					})
					if i%60 == 0 && time.Since(begin) > settled {
						looks++
						if limit := a.Stats().Limit; limit >= 27 && limit <= 45 {
							in++
						}
					}
					time.Sleep(time.Second / 600)
				}
				calls.Wait()
				goodput := float64(len(inside)) / (length - settled).Seconds()
				s := a.Stats()
				t.Logf("within 27 to 45 for %d of %d looks, at the end %d; baseline %v; goodput %.1f/s; p99 inside %v, with the queue %v",
					in, looks, s.Learned, s.Baseline.Round(time.Millisecond), goodput, p99(inside), p99(all))
				if in*100 < looks*95 {
					t.Errorf("the limit was within 27 to 45 at %d of %d looks, want 95 %%", in, looks)
				}
				if goodput < 285 {
					t.Errorf("goodput is %.1f/s, want 285/s", goodput)
				}
				if most := 2 * l.unloaded(); p99(inside) > most || p99(all) > most+100*time.Millisecond {
					t.Errorf("p99 is %v inside and %v with the queue, want %v and not much more", p99(inside), p99(all), most)
				}
				if s.Admitted != s.Outcomes.Total() || s.InUse != 0 {
					t.Errorf("%d admitted, %d ended, %d in use", s.Admitted, s.Outcomes.Total(), s.InUse)
				}
			})
		})
	}
}

// T62: with nothing configured, and nothing to start, the least important calls go first.
func TestAdaptiveShedsByPriority(t *testing.T) {
	const asked = 600 * 40 / 4
	for _, l := range laws[:2] {
		synctest.Test(t, func(t *testing.T) {
			a, server := newAdaptive(bulkhead.AdaptiveConfig{}), newPool(30, l)
			var served [4]atomic.Int64
			var calls sync.WaitGroup
			for i := range 4 * asked {
				priority := seawall.Sheddable + seawall.Priority(i%4)
				calls.Go(func() {
					if a.Do(seawall.WithPriority(t.Context(), priority), server.serve) == nil {
						served[priority-seawall.Sheddable].Add(1)
					}
				})
				time.Sleep(time.Second / 600)
			}
			calls.Wait()
			share := func(p seawall.Priority) float64 { return float64(served[p-seawall.Sheddable].Load()) / asked }
			t.Logf("%s, at twice the capacity: critical-plus %.3f, critical %.3f, sheddable-plus %.3f, sheddable %.3f",
				l.name, share(seawall.CriticalPlus), share(seawall.Critical), share(seawall.SheddablePlus), share(seawall.Sheddable))
			if share(seawall.CriticalPlus) < 0.9 || share(seawall.Critical) < 2*share(seawall.SheddablePlus) || share(seawall.Sheddable) > 0.15 {
				t.Errorf("%s: want nearly all of the most important, and few of the least", l.name)
			}
		})
	}
}

// T44, T31: 2,000 goroutines, all ends that there are, and changes of everything beside them.
func TestAdaptiveGivesEachCallOneOutcome(t *testing.T) {
	const callers = 2000
	calls := 10
	if raceEnabled || testing.Short() {
		calls = 3
	}
	a := newAdaptive(bulkhead.AdaptiveConfig{
		Queue:         bulkhead.Queue{Limit: 500, MaxWait: 50 * time.Millisecond},
		Knee:          bulkhead.KneeConfig{Window: 10 * time.Millisecond, Remeasure: time.Second},
		OnLimitChange: func(bulkhead.LimitEvent) { runtime.Gosched() },
	})
	var ran, rejected, left atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 44))
			for range calls {
				ctx, cancel := context.WithCancel(seawall.WithPriority(t.Context(), seawall.Priority(rng.IntN(5))))
				if rng.IntN(4) == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(3000))*time.Microsecond)
				}
				inside := false
				var err error
				var call sync.WaitGroup
				call.Go(func() { // of its own, because op may leave by Goexit
					defer func() { _ = recover() }()
					err = a.Do(ctx, func(context.Context) error {
						inside = true
						switch rng.IntN(8) {
						case 0:
							return errBroken
						case 1:
							panic("boom")
						case 2:
							runtime.Goexit()
						case 3:
							return pushback{}
						case 4:
							cancel()
							return context.Canceled
						case 5:
							return context.DeadlineExceeded
						case 6:
							runtime.Gosched()
						}
						return nil
					})
				})
				call.Wait()
				cancel()
				switch {
				case inside:
					ran.Add(1)
				case errors.Is(err, bulkhead.ErrFull):
					rejected.Add(1)
				default:
					left.Add(1)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			cfg := a.Config()
			cfg.Algorithm, cfg.Max = bulkhead.Knee+bulkhead.Algorithm(i%2), 20+i
			if err := a.Update(cfg); err != nil {
				t.Error(err)
			}
			_ = a.SetMode([]seawall.Mode{seawall.Shadow, seawall.ForcedClosed, seawall.Enforce}[i%3])
			a.Snapshot()
			runtime.Gosched()
		}
		_ = a.SetMode(seawall.Enforce)
	})
	wg.Wait()
	s := a.Stats()
	if s.InUse != 0 || s.Waiting != 0 {
		t.Errorf("%d slots in use and %d calls waiting, want none", s.InUse, s.Waiting)
	}
	if s.Admitted != ran.Load() || s.Outcomes.Total() != ran.Load() || s.Rejected.Total() != rejected.Load() {
		t.Errorf("%d calls ran and %d were rejected: %d were admitted, %d ended, %d rejected",
			ran.Load(), rejected.Load(), s.Admitted, s.Outcomes.Total(), s.Rejected.Total())
	}
	if sum := ran.Load() + rejected.Load() + left.Load(); sum != int64(callers*calls) {
		t.Errorf("%d ends for %d calls", sum, callers*calls)
	}
}

// T41: readers and writers of everything, side by side.
func TestAdaptiveCanBeReadWhileItIsChanged(t *testing.T) {
	a := newAdaptive(bulkhead.AdaptiveConfig{Knee: bulkhead.KneeConfig{Window: 10 * time.Millisecond}})
	var wg sync.WaitGroup
	for _, work := range []func(i int){
		func(int) { _ = a.Do(t.Context(), succeed) },
		func(int) { _ = a.Do(t.Context(), fail) },
		func(int) { _ = seawall.Chain(a).Do(t.Context(), succeed) },
		func(i int) { _ = a.SetMode(seawall.Mode(i % 5)) },
		func(i int) {
			_ = a.Update(bulkhead.AdaptiveConfig{Max: 1 + i%30, Algorithm: bulkhead.Knee + bulkhead.Algorithm(i%2)})
		},
		func(int) { _ = a.Config().Equal(bulkhead.AdaptiveConfig{}) },
		func(int) { _ = a.Name() + a.String() },
		func(int) { _, _, _ = a.Stats(), a.Snapshot(), a.Keep() },
	} {
		wg.Go(func() {
			for i := range 1000 {
				work(i)
			}
		})
	}
	wg.Wait()
}
