package bulkhead_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// limiter is what a simulation asks for a limit. Those of other libraries fit in as well.
type limiter interface {
	Limit() int
	Observe(bulkhead.Ending)
}

// origin is where the clock of the simulations begins: as in a synctest bubble, below zero.
const origin = -20 * 365 * 24 * time.Hour

// scenario is a server with a queue of its own, first in, first out, behind a limit without a queue.
type scenario struct {
	length  time.Duration
	rate    func(now time.Duration) float64 // of arrivals, per second
	poisson bool                            // the arrivals, which else are evenly spaced
	workers func(now time.Duration) int
	service func(now time.Duration, rng *rand.Rand) time.Duration
	// bypass is the end of a call that does not reach the workers, or false.
	bypass func(now time.Duration, rng *rand.Rand) (bulkhead.Ending, bool)
}

// simCall is a call in the server.
type simCall struct {
	began, ends time.Duration
	inFlight    int
	bypass      bool
	end         bulkhead.Ending
}

// callHeap has the call that ends first on top. It is container/heap without the boxes: a run has hundreds of thousands.
type callHeap []simCall

func (h *callHeap) push(c simCall) {
	*h = append(*h, c)
	for i := len(*h) - 1; i > 0 && (*h)[i].ends < (*h)[(i-1)/2].ends; i = (i - 1) / 2 {
		(*h)[i], (*h)[(i-1)/2] = (*h)[(i-1)/2], (*h)[i]
	}
}

func (h *callHeap) pop() simCall {
	old, n := *h, len(*h)-1
	top := old[0]
	old[0] = old[n]
	*h = old[:n]
	for i := 0; 2*i+1 < n; {
		least := 2*i + 1
		if least+1 < n && old[least+1].ends < old[least].ends {
			least++
		}
		if old[i].ends <= old[least].ends {
			break
		}
		old[i], old[least] = old[least], old[i]
		i = least
	}
	return top
}

// trace is what happened in a simulation. Times are since its beginning.
type trace struct {
	length    time.Duration
	at        []time.Duration // when the limit became
	limit     []int           // this
	ended     []time.Duration // when a call ended well
	latencies []time.Duration // and how long it took
}

// simulate runs a scenario on a heap of events, one after the other.
func simulate(s scenario, lim limiter, seed uint64) *trace {
	rng := rand.New(rand.NewPCG(seed, 38))
	tr := &trace{length: s.length}
	var running callHeap
	var queue []simCall
	busy, inFlight := 0, 0
	note := func(now time.Duration) {
		if l := lim.Limit(); len(tr.limit) == 0 || tr.limit[len(tr.limit)-1] != l {
			tr.at, tr.limit = append(tr.at, now), append(tr.limit, l)
		}
	}
	serve := func(now time.Duration) {
		for len(queue) > 0 && busy < s.workers(now) {
			c := queue[0]
			queue = queue[1:]
			busy++
			c.ends = now + s.service(now, rng)
			running.push(c)
		}
	}
	arrival := func(after time.Duration) time.Duration {
		rate := s.rate(after)
		if rate <= 0 {
			return after + time.Millisecond
		}
		gap := 1 / rate
		if s.poisson {
			gap *= rng.ExpFloat64()
		}
		return after + max(1, time.Duration(gap*float64(time.Second)))
	}
	note(0)
	for next := arrival(0); ; {
		if len(running) > 0 && running[0].ends <= next {
			c := running.pop()
			now := c.ends
			if now > s.length {
				return tr
			}
			if inFlight--; !c.bypass {
				busy--
			}
			c.end.Now, c.end.Took, c.end.InFlight = origin+now, now-c.began, c.inFlight
			if c.end.Outcome == seawall.Success {
				tr.ended, tr.latencies = append(tr.ended, now), append(tr.latencies, c.end.Took)
			}
			lim.Observe(c.end)
			note(now)
			serve(now)
			continue
		}
		now := next
		if now > s.length {
			return tr
		}
		next = arrival(now)
		if s.rate(now) <= 0 || inFlight >= lim.Limit() {
			continue
		}
		inFlight++
		c := simCall{began: now, inFlight: inFlight}
		if s.bypass != nil {
			if end, ok := s.bypass(now, rng); ok {
				c.bypass, c.end, c.ends = true, end, now+end.Took
				running.push(c)
				continue
			}
		}
		queue = append(queue, c)
		serve(now)
	}
}

// steps calls f for each step of the limit between two times.
func (tr *trace) steps(from, to time.Duration, f func(limit int, lasted time.Duration)) {
	for i, limit := range tr.limit {
		end := tr.length
		if i+1 < len(tr.at) {
			end = tr.at[i+1]
		}
		if a, b := max(from, tr.at[i]), min(to, end); b > a {
			f(limit, b-a)
		}
	}
}

// share is the share of the time in which the limit was within bounds.
func (tr *trace) share(from time.Duration, low, high int) float64 {
	var in time.Duration
	tr.steps(from, tr.length, func(limit int, lasted time.Duration) {
		if limit >= low && limit <= high {
			in += lasted
		}
	})
	return float64(in) / float64(tr.length-from)
}

// mean is the limit on average over time.
func (tr *trace) mean(from, to time.Duration) (mean float64) {
	tr.steps(from, to, func(limit int, lasted time.Duration) { mean += float64(limit) * float64(lasted) })
	return mean / float64(to-from)
}

func (tr *trace) bounds(from, to time.Duration) (low, high int) {
	low = math.MaxInt
	tr.steps(from, to, func(limit int, _ time.Duration) { low, high = min(low, limit), max(high, limit) })
	return low, high
}

// reaches is when the limit first satisfies ok, counted from a time; a length without end if never.
func (tr *trace) reaches(from time.Duration, ok func(limit int) bool) time.Duration {
	for i, limit := range tr.limit {
		if tr.at[i] >= from && ok(limit) {
			return tr.at[i] - from
		}
	}
	return math.MaxInt64
}

// goodput is the rate of the calls that ended well, per second.
func (tr *trace) goodput(from, to time.Duration) float64 {
	first, _ := slices.BinarySearch(tr.ended, from)
	last, _ := slices.BinarySearch(tr.ended, to)
	return float64(last-first) / (to - from).Seconds()
}

func (tr *trace) p99() time.Duration { return p99(tr.latencies) }

func p99(latencies []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(latencies))
	return sorted[(len(sorted)-1)*99/100]
}

// series shows the limit over time.
func (tr *trace) series(step time.Duration) string {
	var b strings.Builder
	for from := time.Duration(0); from < tr.length; from += step {
		fmt.Fprintf(&b, "%.0f ", tr.mean(from, min(from+step, tr.length)))
	}
	return b.String()
}

// law is how long the work on a call takes, as a multiple of the mean.
type law struct {
	name string
	draw func(rng *rand.Rand) float64
}

var laws = []law{
	{"constant", func(*rand.Rand) float64 { return 1 }},
	{"exponential", func(rng *rand.Rand) float64 { return rng.ExpFloat64() }},
	{"lognormal 0.5", lognormal(0.5)},
	{"lognormal 1", lognormal(1)},
}

// lognormal has the mean 1 and the deviation σ of the logarithm.
func lognormal(sigma float64) func(*rand.Rand) float64 {
	return func(rng *rand.Rand) float64 { return math.Exp(sigma*rng.NormFloat64() - sigma*sigma/2) }
}

// work is 100 ms on average.
func (l law) work(_ time.Duration, rng *rand.Rand) time.Duration {
	return time.Duration(l.draw(rng) * float64(100*time.Millisecond))
}

// unloaded is the 99th percentile of the work.
func (l law) unloaded() time.Duration {
	if l.name == laws[0].name {
		return 100 * time.Millisecond
	}
	rng := rand.New(rand.NewPCG(1, 1))
	sample := make([]time.Duration, 100_000)
	for i := range sample {
		sample[i] = l.work(0, rng)
	}
	return p99(sample)
}

func always[T any](v T) func(time.Duration) T { return func(time.Duration) T { return v } }

// during is one value within two times, and else another.
func during[T any](from, to time.Duration, within, else_ T) func(time.Duration) T {
	return func(now time.Duration) T {
		if now >= from && now < to {
			return within
		}
		return else_
	}
}

func knee() *bulkhead.Model { return bulkhead.NewModel(bulkhead.AdaptiveConfig{}, origin) }

// forLaws runs a test for each law, kind of arrivals and seed. A simulation has one goroutine, so the race detector gets
// two of them only: the calmest and a wild one.
func forLaws(t *testing.T, test func(t *testing.T, l law, poisson bool, seed uint64)) {
	seeds := uint64(6)
	if raceEnabled || testing.Short() {
		seeds = 1
	}
	for _, l := range someLaws() {
		for _, poisson := range []bool{false, true} {
			if raceEnabled && poisson != (l.name == "exponential") {
				continue
			}
			for seed := range seeds {
				arrivals := map[bool]string{false: "even", true: "poisson"}[poisson]
				t.Run(fmt.Sprintf("%s/%s/%d", l.name, arrivals, seed), func(t *testing.T) { test(t, l, poisson, seed) })
			}
		}
	}
}

// someLaws are all of them, or the first two under the race detector.
func someLaws() []law {
	if raceEnabled {
		return laws[:2]
	}
	return laws
}
