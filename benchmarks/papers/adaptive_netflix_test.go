package papers_test

import (
	"math"
	"math/rand/v2"
	"time"
)

// The algorithms of Netflix's concurrency-limits, with its defaults, in plain arithmetic from their description.

// vegas compares each latency with the lowest one, and at a probe takes the current one for the lowest.
type vegas struct {
	random     *rand.Rand
	l          float64
	lowest     time.Duration
	samples    float64 // since the latest probe
	probeAfter float64 // as a multiple of 30 limits
}

func newVegas(random *rand.Rand) limiter {
	v := &vegas{random: random, l: 20}
	v.probed()
	return &restated{algorithm: v}
}

func (v *vegas) probed()    { v.samples, v.probeAfter = 0, 0.5+0.5*v.random.Float64() }
func (v *vegas) limit() int { return int(v.l) }

func (v *vegas) sample(_, took time.Duration, inFlight int, dropped bool) {
	v.samples++
	switch {
	case v.samples >= v.probeAfter*30*v.l:
		v.probed()
		v.lowest = took
		return
	case v.lowest == 0 || took < v.lowest:
		v.lowest = took
		return
	}
	unit := max(1, math.Floor(math.Log10(math.Floor(v.l)))) // α is 3 of it, β is 6
	waiting := math.Ceil(v.l * (1 - float64(v.lowest)/float64(took)))
	switch {
	case dropped:
		v.l -= unit
	case 2*inFlight < int(v.l):
	case waiting <= unit:
		v.l += 6 * unit
	case waiting < 3*unit:
		v.l += unit
	case waiting > 6*unit:
		v.l -= unit
	}
	v.l = min(1000, max(1, v.l))
}

// gradient2 compares the latency of a window with its exponential average over 600 of them. It does not look at drops.
type gradient2 struct {
	l       float64
	long    float64
	windows float64
}

func newGradient2() limiter { return &restated{algorithm: &windowed{algorithm: &gradient2{l: 20}}} }

func (g *gradient2) limit() int { return int(g.l) }

func (g *gradient2) sample(_, took time.Duration, inFlight int, _ bool) {
	const span, warm, tolerance, queue, smoothing = 600, 10, 1.5, 4, 0.2
	short := float64(took)
	g.windows++
	weight := 1 / g.windows // the mean, at first
	if g.windows > warm {
		weight = 2.0 / (span + 1)
	}
	g.long += (short - g.long) * weight
	long := g.long
	if long > 2*short {
		g.long *= 0.95
	}
	if float64(inFlight) < g.l/2 {
		return
	}
	gradient := max(0.5, min(1, tolerance*long/short))
	next := g.l*gradient + queue
	g.l = min(200, max(20, g.l*(1-smoothing)+next*smoothing))
}

// netflixAIMD steps back at drops, and at latencies above five seconds.
type netflixAIMD struct{ l int }

func newNetflixAIMD() limiter { return &restated{algorithm: &netflixAIMD{20}} }

func (a *netflixAIMD) limit() int { return a.l }

func (a *netflixAIMD) sample(_, took time.Duration, inFlight int, dropped bool) {
	switch {
	case dropped || took > 5*time.Second:
		a.l = int(float64(a.l) * 0.9)
	case 2*inFlight >= a.l:
		a.l++
	}
	a.l = min(200, max(20, a.l))
}

// windowed makes one sample of those of a second: the mean latency, the most in flight, and whether any was dropped.
// Fewer than ten are none, and what takes less than 100 µs does not count.
type windowed struct {
	algorithm
	until    time.Duration
	sum      time.Duration
	samples  int
	inFlight int
	dropped  bool
}

func (w *windowed) sample(began, took time.Duration, inFlight int, dropped bool) {
	if took < 100*time.Microsecond {
		return
	}
	w.sum += took
	w.samples++
	w.inFlight = max(w.inFlight, inFlight)
	w.dropped = w.dropped || dropped
	if now := began + took; now > w.until {
		if w.samples >= 10 {
			w.algorithm.sample(began, w.sum/time.Duration(w.samples), w.inFlight, w.dropped)
		}
		*w = windowed{algorithm: w.algorithm, until: now + time.Second}
	}
}
