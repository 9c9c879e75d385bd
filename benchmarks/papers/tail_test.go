package papers_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

// fanOut is how many leaves a request has; the slowest decides. hedgeAfter is the article's delay.
const (
	fanOut     = 100
	hedgeAfter = 10 * time.Millisecond
)

// The tail of a leaf's latency, P(longer than t): two power laws through three points. The shape below the first one
// does not matter.
const (
	tailAt, tailShare   = 10.0, 0.02 // milliseconds
	kneeAt, kneeShare   = 69.0, 0.00316
	farAt, farShare     = 1800.0, 1e-5
	tailPower, farPower = 0.9553, 1.7648
)

func longerThan(t float64) float64 {
	switch {
	case t <= 0:
		return 1
	case t < tailAt:
		return 1 - (1-tailShare)*t/tailAt
	case t < kneeAt:
		return tailShare * math.Pow(tailAt/t, tailPower)
	}
	return kneeShare * math.Pow(kneeAt/t, farPower)
}

// leafLatency is the time that the share u of the leaves exceeds.
func leafLatency(u float64) time.Duration {
	switch {
	case u >= tailShare:
		return milliseconds(tailAt * (1 - u) / (1 - tailShare))
	case u >= kneeShare:
		return milliseconds(tailAt * math.Pow(tailShare/u, 1/tailPower))
	}
	return milliseconds(kneeAt * math.Pow(kneeShare/u, 1/farPower))
}

// leaf has the latency of its first attempt, and of a second one on another replica.
type leaf [2]time.Duration

func drawLeaf(random *rand.Rand) leaf {
	return leaf{leafLatency(1 - random.Float64()), leafLatency(1 - random.Float64())}
}

// hedged is what is left of the latency if a second attempt starts after the delay.
func (l leaf) hedged() time.Duration { return min(l[0], hedgeAfter+l[1]) }

// asked runs one leaf through the decisions of a Hedge, without goroutines or clocks, and returns its latency and whether
// there was a second attempt.
func (l leaf) asked(ctx context.Context, h *hedge.Hedge) (latency time.Duration, extra bool) {
	race, winner := h.Race(ctx), 1
	race.Started(1)
	latency = l[0]
	if delay, more := race.Next(); more && delay < l[0] {
		if extra = race.Started(2); extra && delay+l[1] < l[0] {
			winner, latency = 2, delay+l[1]
		}
	}
	race.Ended(winner, nil)
	_ = race.End(winner, nil) // it returns the nil that it is given
	return latency, extra
}

func newTailHedge() *hedge.Hedge {
	return hedge.New("leaf", hedge.Config{Delay: hedgeAfter, Registry: silent()})
}

// tailQuantile returns the quantile of whole requests by the law alone: the time that so small a share of the leaves
// exceeds, by bisection.
func tailQuantile(share float64, longer func(t float64) float64) float64 {
	leafShare := 1 - math.Pow(share, 1.0/fanOut)
	low, high := 0.0, 1e6
	for range 100 {
		if mid := (low + high) / 2; longer(mid) > leafShare {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

func p(latencies []time.Duration, share float64) float64 {
	slices.Sort(latencies)
	return float64(latencies[int(share*float64(len(latencies)))]) / float64(time.Millisecond)
}

// tailAtScale is the experiment with hedged requests: 1000 keys over 100 servers, and a second request after 10 ms.
func tailAtScale(t *testing.T, b *book) {
	const seed, high = 1, 0.999
	hedgedTail := func(t float64) float64 { return longerThan(t) * longerThan(t-tailAt) }
	plainLaw, hedgedLaw := tailQuantile(high, longerThan), tailQuantile(high, hedgedTail)
	fanOuts := brief(20_000, 100_000)
	width := brief(0.25, 0.08)
	b.given(seed, "fan-out %d, leaf tail through (10 ms, 0.02), (69 ms, 0.00316), (1800 ms, 0.00001), replicas independent, "+
		"second attempt after %v; %d fan-outs through the decisions of the real hedge, times added up", fanOut, hedgeAfter, fanOuts)

	b.near("by the law alone: p99.9 without hedges, ms", 1800, plainLaw, 0.01)
	b.near("by the law alone: p99.9 with hedges, ms", 74, hedgedLaw, 0.02)

	random := rand.New(rand.NewPCG(seed, 33))
	h := newTailHedge()
	plain, hedged, extras := make([]time.Duration, fanOuts), make([]time.Duration, fanOuts), 0
	for i := range fanOuts {
		for range fanOut {
			l := drawLeaf(random)
			latency, extra := l.asked(t.Context(), h)
			plain[i], hedged[i] = max(plain[i], l[0]), max(hedged[i], latency)
			if extra {
				extras++
			}
		}
	}
	b.near("sim, decisions of the real hedge: p99.9 without hedges, ms", plainLaw, p(plain, high), width)
	b.near("sim, decisions of the real hedge: p99.9 with hedges, ms", hedgedLaw, p(hedged, high), width)
	b.note("expected by the law; the article has 74")
	b.near("sim, decisions of the real hedge: extra requests, %", 2, 100*float64(extras)/float64(fanOuts*fanOut), 0.05)
	b.plot("tail.svg", chart{title: "quantiles of the whole request, ms", x: "number of nines: 1 is p90, 2 is p99, 3 is p99.9", curves: []curve{
		nines("no hedges", plain), nines("hedged at 10 ms", hedged),
	}}.svg)
	tailKit(t, b)
}

func nines(name string, latencies []time.Duration) curve {
	c := curve{name: name}
	for i := range 31 {
		n := float64(i) / 10
		c.points = append(c.points, point{n, p(latencies, 1-math.Pow(10, -n))})
	}
	return c
}

// tailKit runs fan-outs through the real hedge with all its goroutines and timers. They are too few for p99.9, so each
// one is compared with what it has to be.
func tailKit(t *testing.T, b *book) {
	const seed = 1
	fanOuts := brief(100, 1000)
	random := rand.New(rand.NewPCG(seed, 34))
	right, extras := 0, 0
	var denied int64
	synctest.Test(t, func(t *testing.T) {
		h := newTailHedge()
		for range fanOuts {
			var leaves sync.WaitGroup
			var want time.Duration
			start := time.Now()
			for range fanOut {
				l := drawLeaf(random)
				want = max(want, l.hedged())
				if l[0] > hedgeAfter {
					extras++
				}
				leaves.Go(func() {
					err := h.Do(t.Context(), func(ctx context.Context) error {
						return wait(ctx, l[seawall.Attempt(ctx)-1])
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			leaves.Wait()
			if time.Since(start) == want {
				right++
			}
		}
		stats := h.Stats()
		denied = stats.DeniedByCap + stats.DeniedByBudget
		b.near("kit, real hedge with goroutines: second attempts", float64(extras), float64(stats.Attempts-stats.Calls()), 0)
	})
	b.near("kit, real hedge with goroutines: fan-outs that take what the law says, to the nanosecond", float64(fanOuts), float64(right), 0)
	b.near("kit, real hedge with goroutines: second attempts that cap or budget refuse", 0, float64(denied), 0)
}

// wait is an operation that takes a time, and heeds its context.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
