package papers_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seawall-go/seawall/seawalltest"
)

// limiter is a limit on calls at once that moves by itself: ours, or another's. It reads the time of the bubble.
type limiter interface {
	// enter asks for a slot, and does not wait. leave gives it back, and tells how the call ended.
	enter() (leave func(error), ok bool)
	limit() int
}

// crowd is a load on a server with a queue of its own, first in, first out, behind a limit without a queue.
type crowd struct {
	length  time.Duration
	rate    float64 // of arrivals per second, which are independent
	workers func(now time.Duration) int
	work    seawalltest.Distribution
	// bypass is how a call ends that does not reach the workers, and after what time; 0 if it does.
	bypass func(now time.Duration, random *rand.Rand) (took time.Duration, err error)
}

// course is what became of a crowd.
type course struct {
	length time.Duration
	limits []int           // after every step
	good   []time.Duration // when calls ended well
	took   []time.Duration // sorted: how long those were in
}

// courseStep is shorter than any period in which one of the limiters holds a limit.
const courseStep = 20 * time.Millisecond

// visit is a call that was let in.
type visit struct {
	began, ends time.Duration
	leave       func(error)
	err         error
	bypass      bool
}

// visits is a heap with the visit that ends first on top. It is container/heap without the boxes.
type visits []visit

func (h *visits) push(v visit) {
	*h = append(*h, v)
	for i := len(*h) - 1; i > 0 && (*h)[i].ends < (*h)[(i-1)/2].ends; i = (i - 1) / 2 {
		(*h)[i], (*h)[(i-1)/2] = (*h)[(i-1)/2], (*h)[i]
	}
}

func (h *visits) pop() visit {
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

// through sends a crowd through a limiter, one event after the other, in a bubble. The random numbers of arrivals and of
// work come from two sources, so that all limiters see the same arrivals.
func (c crowd) through(l limiter, seed uint64) *course {
	arrivals, random := rand.New(rand.NewPCG(seed, 381)), rand.New(rand.NewPCG(seed, 382))
	out := &course{length: c.length}
	var inside visits
	var queue []visit
	busy, now, step := 0, time.Duration(0), courseStep
	gap := func() time.Duration {
		return max(1, time.Duration(arrivals.ExpFloat64()/c.rate*float64(time.Second)))
	}
	for next := gap(); ; {
		at := min(next, step)
		if len(inside) > 0 {
			at = min(at, inside[0].ends)
		}
		if at > c.length {
			slices.Sort(out.took)
			return out
		}
		time.Sleep(at - now)
		now = at
		switch {
		case now == step:
			out.limits = append(out.limits, l.limit())
			step += courseStep
		case now == next:
			next = now + gap()
			leave, ok := l.enter()
			if !ok {
				continue
			}
			v := visit{began: now, leave: leave}
			if c.bypass != nil {
				if took, err := c.bypass(now, random); took > 0 {
					v.ends, v.err, v.bypass = now+took, err, true
					inside.push(v)
					continue
				}
			}
			queue = append(queue, v)
		default:
			v := inside.pop()
			v.leave(v.err)
			if v.err == nil {
				out.good, out.took = append(out.good, now), append(out.took, now-v.began)
			}
			if !v.bypass {
				busy--
			}
		}
		for len(queue) > 0 && busy < c.workers(now) {
			v := queue[0]
			queue = queue[1:]
			v.ends = now + max(1, c.work(random))
			busy++
			inside.push(v)
		}
	}
}

// between are the limits of a time.
func (c *course) between(from, to time.Duration) []int {
	return c.limits[from/courseStep : min(int(to/courseStep), len(c.limits))]
}

// at is the limit at a time, on average over the two seconds around it.
func (c *course) at(t time.Duration) float64 {
	return average(c.between(max(0, t-time.Second), min(c.length, t+time.Second)))
}

func average(limits []int) float64 {
	sum := 0
	for _, l := range limits {
		sum += l
	}
	return float64(sum) / float64(len(limits))
}

// share is the share of the limits that are within bounds.
func share(limits []int, low, high float64) float64 {
	in := 0
	for _, l := range limits {
		if float64(l) >= low && float64(l) <= high {
			in++
		}
	}
	return float64(in) / float64(len(limits))
}

// until is how long it takes from a time on until a limit is within bounds; the rest of the course if it never is.
func (c *course) until(from time.Duration, low, high float64) time.Duration {
	for i, l := range c.between(from, c.length) {
		if float64(l) >= low && float64(l) <= high {
			return time.Duration(i) * courseStep
		}
	}
	return c.length - from
}

// falls counts how often the limit was lowered from a time on until it was at most the floor.
func (c *course) falls(from time.Duration, floor int) (n int) {
	limits := c.between(from, c.length)
	for i := 1; i < len(limits) && limits[i-1] > floor; i++ {
		if limits[i] < limits[i-1] {
			n++
		}
	}
	return n
}

// goodput is the rate of the calls that ended well in a time, per second.
func (c *course) goodput(from, to time.Duration) float64 {
	first, _ := slices.BinarySearch(c.good, from)
	last, _ := slices.BinarySearch(c.good, to)
	return float64(last-first) / (to - from).Seconds()
}

// p99 is 0 if no call ended well.
func (c *course) p99() time.Duration {
	if len(c.took) == 0 {
		return 0
	}
	return c.took[(len(c.took)-1)*99/100]
}

// points are the limits for a picture, averaged over 1/400 of the course each, and no higher than most.
func (c *course) points(most float64) (p []point) {
	each := max(1, len(c.limits)/400)
	for i := 0; i+each <= len(c.limits); i += each {
		p = append(p, point{(time.Duration(i) * courseStep).Seconds(), min(most, average(c.limits[i:i+each]))})
	}
	return p
}

// bounds are the lowest and the highest limit of a time.
func (c *course) bounds(from, to time.Duration) (low, high int) {
	limits := c.between(from, to)
	return slices.Min(limits), slices.Max(limits)
}
