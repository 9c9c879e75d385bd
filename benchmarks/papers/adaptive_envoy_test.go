package papers_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// envoy is the gradient controller of Envoy's adaptive concurrency filter, with the defaults of its fields and the
// intervals of the example in its documentation, in plain arithmetic from their description. Every answer is a sample,
// whatever it says.
type envoy struct {
	random    *rand.Rand
	l         float64
	lowest    time.Duration // minRTT
	samples   []time.Duration
	updated   time.Duration // when the limit may change next
	measures  time.Duration // when minRTT is measured next
	measuring bool
	since     time.Duration // when the latest measurement began
	kept      float64       // the limit for after it
	floors    int           // updates in a row at the least limit
}

const (
	envoyLeast, envoyMost = 3, 1000
	envoyUpdate           = 100 * time.Millisecond
	envoyMeasure          = time.Minute
	envoyRequests         = 50 // of a measurement
	envoyBuffer           = 0.25
	envoyJitter           = 0.15
)

func newEnvoy(random *rand.Rand) limiter {
	e := &envoy{random: random, l: envoyLeast}
	e.measure(clock())
	return &restated{algorithm: e}
}

func (e *envoy) measure(now time.Duration) {
	e.measuring, e.since, e.kept, e.l, e.floors = true, now, e.l, envoyLeast, 0
	e.samples = e.samples[:0]
}

func (e *envoy) limit() int {
	e.tick(clock())
	return int(e.l)
}

// tick does what the timers have to do.
func (e *envoy) tick(now time.Duration) {
	if e.measuring {
		return
	}
	if now >= e.measures || e.floors >= 5 {
		e.measure(now)
		return
	}
	if now < e.updated {
		return
	}
	e.updated = now + envoyUpdate
	if len(e.samples) == 0 {
		return
	}
	gradient := max(0.5, min(2, float64(e.lowest)*(1+envoyBuffer)/float64(e.median())))
	before := e.l
	e.l = min(envoyMost, max(envoyLeast, math.Floor(e.l*gradient+math.Sqrt(e.l*gradient))))
	if before == envoyLeast && e.l == envoyLeast {
		e.floors++
	} else {
		e.floors = 0
	}
}

func (e *envoy) median() time.Duration {
	slices.Sort(e.samples)
	m := e.samples[len(e.samples)/2]
	e.samples = e.samples[:0]
	return m
}

func (e *envoy) sample(began, took time.Duration, _ int, _ bool) {
	now := began + took
	e.tick(now)
	if began < e.since {
		return
	}
	e.samples = append(e.samples, took)
	if !e.measuring || len(e.samples) < envoyRequests {
		return
	}
	e.lowest, e.l, e.measuring = e.median(), e.kept, false
	e.measures = now + envoyMeasure + time.Duration(envoyJitter*e.random.Float64()*float64(envoyMeasure))
	e.updated = now + envoyUpdate
}
