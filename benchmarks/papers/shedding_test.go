package papers_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// A service of 1000 calls a second, which takes 20 to 60 ms for each, behind a bulkhead with its default queue.
const (
	sheddingSlots = 40
	sheddingRoom  = 1000.0 // calls per second
	sheddingSeed  = 39
)

func sheddingWork(random *rand.Rand) time.Duration {
	return 20*time.Millisecond + time.Duration(random.Float64()*float64(40*time.Millisecond))
}

func sheddingBulkhead(s bulkhead.Shedding) *bulkhead.Bulkhead {
	return bulkhead.New("shedding", bulkhead.Config{Limit: sheddingSlots, Shedding: s, Registry: silent()})
}

// arrive calls each at random times, so many times a second on average, for a while.
func arrive(random *rand.Rand, rate func(at time.Duration) float64, lasting time.Duration, each func(i int)) {
	for i, at := 0, time.Duration(0); ; i++ {
		gap := time.Duration(random.ExpFloat64() / rate(at) * float64(time.Second))
		time.Sleep(gap)
		if at += gap; at >= lasting {
			return
		}
		each(i)
	}
}

// twoCallTasks sends tasks that need two calls each, one after the other, and returns the share that completes. The
// first fifth is not counted.
func twoCallTasks(t *testing.T, s bulkhead.Shedding, rate float64, tasks int) float64 {
	var begun, completed atomic.Int64
	synctest.Test(t, func(t *testing.T) {
		b := sheddingBulkhead(s)
		random := rand.New(rand.NewPCG(sheddingSeed, 391))
		lasting := time.Duration(float64(tasks) / rate * float64(time.Second))
		began := time.Now()
		var wg sync.WaitGroup
		arrive(random, func(time.Duration) float64 { return rate }, lasting, func(i int) {
			counts := time.Since(began) >= lasting/5
			first, second := sheddingWork(random), sheddingWork(random)
			// At once, it would find the place that it has just left.
			between := time.Duration(random.Float64() * float64(100*time.Millisecond))
			wg.Go(func() {
				ctx := seawall.WithUser(t.Context(), fmt.Sprint(i))
				ok := b.Do(ctx, sleeping(first)) == nil
				if ok {
					time.Sleep(between)
					ok = b.Do(ctx, sleeping(second)) == nil
				}
				if counts {
					begun.Add(1)
					if ok {
						completed.Add(1)
					}
				}
			})
		})
		wg.Wait()
	})
	return float64(completed.Load()) / float64(begun.Load())
}

func sleeping(d time.Duration) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(d)
		return nil
	}
}

// consistentShedding is the reason for shedding by user (WeChat's DAGOR, SoCC 2018).
func consistentShedding(t *testing.T, b *book) {
	tasks := brief(15_000, 100_000)
	b.given(sheddingSeed, "%d tasks of two calls at a service of %v calls/s, which takes %d at once", tasks, sheddingRoom, sheddingSlots)
	for _, load := range []float64{1, 2} { // tasks by the calls that can be served: F/C
		p := (math.Sqrt(1+4/load) - 1) / 2 // p + p² = C/F
		random, consistent := p*p, 1/(2*load)
		in := fmt.Sprintf("F = %v C: share of the tasks that completes: ", load)
		b.near(in+"by arrival", random, twoCallTasks(t, bulkhead.ByArrival, load*sheddingRoom, tasks), 0.02/random)
		b.note("published is p², of p + p² = C/F; by arrival is nearly random")
		got := twoCallTasks(t, bulkhead.ByUser, load*sheddingRoom, tasks)
		b.atLeast(in+"by user", 0.9*consistent, got)
		b.atMost(in+"by user, which cannot exceed C/2F", consistent+0.02, got)
	}
}

// served is what became of the calls of a spike.
type served struct{ users, prefetches, goodput float64 }

// prefetchSpike sends 500 calls of users and 100 prefetches a second, of which there are 1200 from some time on, and
// returns what became of those that came since.
func prefetchSpike(t *testing.T, prefetch seawall.Priority) served {
	lasting := brief(10*time.Second, time.Minute)
	begins := lasting / 5
	var sent, good [2]atomic.Int64
	synctest.Test(t, func(t *testing.T) {
		b := sheddingBulkhead(bulkhead.ByArrival)
		var wg sync.WaitGroup
		source := func(of int, p seawall.Priority, rate func(time.Duration) float64) {
			random := rand.New(rand.NewPCG(sheddingSeed, uint64(of)))
			ctx, began := seawall.WithPriority(t.Context(), p), time.Now()
			arrive(random, rate, lasting, func(int) {
				counts, work := time.Since(began) >= begins, sheddingWork(random)
				wg.Go(func() {
					err := b.Do(ctx, sleeping(work))
					if counts {
						sent[of].Add(1)
						if err == nil {
							good[of].Add(1)
						}
					}
				})
			})
		}
		wg.Go(func() { source(0, seawall.Critical, func(time.Duration) float64 { return 500 }) })
		wg.Go(func() {
			source(1, prefetch, func(at time.Duration) float64 {
				if at < begins {
					return 100
				}
				return 1200
			})
		})
		wg.Wait()
	})
	return served{
		users:      float64(good[0].Load()) / float64(sent[0].Load()),
		prefetches: float64(good[1].Load()) / float64(sent[1].Load()),
		goodput:    float64(good[0].Load()+good[1].Load()) / (lasting - begins).Seconds() / sheddingRoom,
	}
}

func priorityShedding(t *testing.T, b *book) {
	b.given(sheddingSeed, "a service of %v calls/s; 500 calls/s of users, prefetches from 100 to 1200/s", sheddingRoom)
	equal := prefetchSpike(t, seawall.Critical)
	b.near("all equally important: share of the users' calls served", sheddingRoom/1700, equal.users, 0.03)
	b.near("all equally important: share of the prefetches served", sheddingRoom/1700, equal.prefetches, 0.03)
	ranked := prefetchSpike(t, seawall.SheddablePlus)
	b.atLeast("by priority: share of the users' calls served", 0.994, ranked.users)
	b.atLeast("by priority: goodput by capacity", 0.95, ranked.goodput)
	b.beside("by priority: share of the prefetches served", number(ranked.prefetches),
		"Netflix had 20 %; what is left of the capacity here is 500 of 1200")
}
