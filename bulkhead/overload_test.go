package bulkhead_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// The overloaded service of this file: so many calls at once, each of which takes 20 to 60 ms.
const (
	servers  = 40
	capacity = servers / 0.04 // calls per second
)

// poisson calls arrive at random times, for a while, on average so many times a second.
func poisson(rng *rand.Rand, perSecond func(at time.Duration) float64, lasting time.Duration, arrive func(i int)) {
	began := time.Now()
	for i := 0; ; i++ {
		gap := rng.ExpFloat64() / perSecond(time.Since(began))
		time.Sleep(time.Duration(gap * float64(time.Second)))
		if time.Since(began) >= lasting {
			return
		}
		arrive(i)
	}
}

func steadily(perSecond float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return perSecond }
}

func between(least, most time.Duration) time.Duration { return least + rand.N(most-least) }

func serve(context.Context) error {
	time.Sleep(between(20*time.Millisecond, 60*time.Millisecond))
	return nil
}

// completedTasks returns the part of tasks of two calls, for a user each, whose calls both came through.
func completedTasks(t *testing.T, cfg bulkhead.Config, perSecond float64, tasks int) (part float64, s bulkhead.Stats) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(cfg)
		var begun, completed atomic.Int64
		var wg sync.WaitGroup
		lasting := time.Duration(float64(tasks) / perSecond * float64(time.Second))
		settled := lasting / 5 // what comes earlier is not counted
		began := time.Now()
		poisson(rand.New(rand.NewPCG(39, 1)), steadily(perSecond), lasting, func(i int) {
			counts := time.Since(began) >= settled
			if counts {
				begun.Add(1)
			}
			wg.Go(func() {
				ctx := seawall.WithUser(t.Context(), fmt.Sprintf("user-%d", i))
				if b.Do(ctx, serve) != nil {
					return
				}
				time.Sleep(between(0, 100*time.Millisecond)) // else it would find the place that it has just left
				if b.Do(ctx, serve) == nil && counts {
					completed.Add(1)
				}
			})
		})
		wg.Wait()
		wantIdle(t, b)
		part, s = float64(completed.Load())/float64(begun.Load()), b.Stats()
	})
	return part, s
}

// Anchor 3.9: of tasks of two calls at an overloaded service many more come through if both calls have the same fate.
func TestBulkheadShedsWholeTasks(t *testing.T) {
	tasks := 100_000
	if raceEnabled || testing.Short() {
		tasks = 15_000
	}
	for _, tc := range []struct {
		load       float64 // tasks, as a multiple of the calls that can be served
		random     float64
		consistent float64
	}{{1, 0.382, 0.5}, {2, 0.134, 0.25}} {
		cfg := bulkhead.Config{Limit: servers, Shedding: bulkhead.ByUser}
		got, s := completedTasks(t, cfg, tc.load*capacity, tasks)
		t.Logf("load %v: %.3f of the tasks completed, want %.3f; %+v", tc.load, got, tc.consistent, s.Rejected)
		if got < 0.9*tc.consistent || got > tc.consistent+0.02 {
			t.Errorf("load %v: %.3f of the tasks completed, want at least nine tenths of %v", tc.load, got, tc.consistent)
		}
		cfg.Shedding = bulkhead.ByArrival
		got, _ = completedTasks(t, cfg, tc.load*capacity, tasks)
		t.Logf("load %v, by arrival: %.3f", tc.load, got)
		if got < tc.random-0.03 || got > tc.random+0.03 {
			t.Errorf("load %v, by arrival: %.3f of the tasks completed, want about %v", tc.load, got, tc.random)
		}
	}
}

// Anchor 3.9, T62: when prefetches rise to the twelvefold, users do not notice. So Netflix reports it (2024).
func TestBulkheadKeepsUsersFromNoticingASpikeOfPrefetches(t *testing.T) {
	lasting := 60 * time.Second
	if raceEnabled || testing.Short() {
		lasting = 10 * time.Second
	}
	for _, shedding := range []bulkhead.Shedding{bulkhead.ByArrival, bulkhead.ByUser} {
		for _, order := range []bulkhead.Order{bulkhead.FIFO, bulkhead.AdaptiveLIFO} {
			synctest.Test(t, func(t *testing.T) {
				b := newBulkhead(bulkhead.Config{Limit: servers, Queue: bulkhead.Queue{Order: order}, Shedding: shedding})
				type count struct{ sent, served atomic.Int64 }
				var user, prefetch count
				var wg, sources sync.WaitGroup
				calls := func(c *count, p seawall.Priority, seed uint64, perSecond func(time.Duration) float64) {
					ctx := seawall.WithPriority(t.Context(), p)
					began := time.Now()
					poisson(rand.New(rand.NewPCG(39, seed)), perSecond, lasting, func(i int) {
						spike := time.Since(began) >= lasting/5
						if spike {
							c.sent.Add(1)
						}
						wg.Go(func() {
							if b.Do(seawall.WithUser(ctx, fmt.Sprint(i)), serve) == nil && spike {
								c.served.Add(1)
							}
						})
					})
				}
				sources.Go(func() { calls(&user, seawall.Critical, 2, steadily(500)) })
				sources.Go(func() {
					calls(&prefetch, seawall.SheddablePlus, 3, func(at time.Duration) float64 {
						if at < lasting/5 {
							return 100
						}
						return 1200
					})
				})
				sources.Wait()
				wg.Wait()
				ofUsers := float64(user.served.Load()) / float64(user.sent.Load())
				goodput := float64(user.served.Load()+prefetch.served.Load()) / (0.8 * lasting.Seconds() * capacity)
				t.Logf("%v, %v: %.4f of the users' calls, %.4f of the prefetches; %.3f of the capacity", shedding, order,
					ofUsers, float64(prefetch.served.Load())/float64(prefetch.sent.Load()), goodput)
				if ofUsers < 0.994 || goodput < 0.95 {
					t.Errorf("%v, %v: %.4f of the users' calls served, and %.3f of the capacity used, want 0.994 and 0.95",
						shedding, order, ofUsers, goodput)
				}
				wantIdle(t, b)
			})
		}
	}
}
