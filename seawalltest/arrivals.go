package seawalltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Rate is a number of calls per second that depends on the time since the start of the scenario.
type Rate func(at time.Duration) float64

// Constant is the same rate at all times, 0 for no calls. It panics if the rate is below 0, or no number.
func Constant(perSecond float64) Rate {
	if !(perSecond >= 0) {
		panic(fmt.Sprintf("seawalltest: Constant(%v): want a rate of 0 or more", perSecond))
	}
	return func(time.Duration) float64 { return perSecond }
}

// Ramp goes evenly from one rate to another in the given time, and stays there.
func Ramp(from, to float64, over time.Duration) Rate {
	return func(at time.Duration) float64 {
		if at >= over {
			return to
		}
		return from + (to-from)*float64(at)/float64(over)
	}
}

// Step is a rate from a time on.
type Step struct {
	From      time.Duration // since the start
	PerSecond float64
}

// Steps goes from one rate to the next in no time; before the first step nothing comes. The steps may be in any order.
func Steps(steps ...Step) Rate {
	steps = slices.Clone(steps)
	slices.SortStableFunc(steps, func(a, b Step) int { return int(a.From - b.From) })
	return func(at time.Duration) (perSecond float64) {
		for _, s := range steps {
			if s.From > at {
				break
			}
			perSecond = s.PerSecond
		}
		return perSecond
	}
}

// Arrivals says when calls come. It is asked for an endless row of times since the start, each later than the one before;
// false ends the row.
type Arrivals func(random *rand.Rand) (next func() (time.Duration, bool))

// Poisson are independent arrivals, as those of many users are.
func Poisson(rate Rate) Arrivals {
	return func(random *rand.Rand) func() (time.Duration, bool) {
		return spaced(rate, random.ExpFloat64)
	}
}

// Even are arrivals at even distances: what one measures with them has less scatter.
func Even(rate Rate) Arrivals {
	return func(*rand.Rand) func() (time.Duration, bool) {
		return spaced(rate, func() float64 { return 1 })
	}
}

// Replay are arrivals at the times of a trace, which need not be in order.
func Replay(times ...time.Duration) Arrivals {
	times = slices.Sorted(slices.Values(times))
	return func(*rand.Rand) func() (time.Duration, bool) {
		rest := times
		return func() (time.Duration, bool) {
			if len(rest) == 0 {
				return 0, false
			}
			t := rest[0]
			rest = rest[1:]
			return t, true
		}
	}
}

// spaced are the points at which the integral of the rate grows by another gap. It is summed up in slices of ten
// milliseconds, within which the rate is taken for constant.
func spaced(rate Rate, gap func() float64) func() (time.Duration, bool) {
	const slice = 10 * time.Millisecond
	at := time.Duration(0)
	return func() (time.Duration, bool) {
		for wanted := gap(); ; {
			end := at.Truncate(slice) + slice
			if end < at {
				return 0, false // the end of time
			}
			perSecond := max(0, rate(at))
			if have := perSecond * (end - at).Seconds(); have < wanted {
				wanted -= have
				at = end
				if at > farthest {
					return 0, false
				}
				continue
			}
			at += time.Duration(math.Ceil(wanted / perSecond * float64(time.Second)))
			return at, true
		}
	}
}

// farthest is the longest scenario. It ends the search for an arrival under a rate that has become 0.
const farthest = 24 * time.Hour
