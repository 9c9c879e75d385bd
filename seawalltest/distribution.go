package seawalltest

import (
	"math"
	"math/rand/v2"
	"time"
)

// Distribution draws times, such as those of service.
type Distribution func(random *rand.Rand) time.Duration

// Fixed is the same time always.
func Fixed(d time.Duration) Distribution { return func(*rand.Rand) time.Duration { return d } }

// Between is any time from low to high with the same probability.
func Between(low, high time.Duration) Distribution {
	return func(random *rand.Rand) time.Duration {
		return low + time.Duration(random.Float64()*float64(high-low))
	}
}

// Exponential has the mean; its shortest times are near 0.
func Exponential(mean time.Duration) Distribution {
	return func(random *rand.Rand) time.Duration { return time.Duration(random.ExpFloat64() * float64(mean)) }
}

// LogNormal has the median, and a spread of sigma in the logarithm: at 0.5, 95 % of the times lie within a factor of 2.7.
// Latencies of services are often like this.
func LogNormal(median time.Duration, sigma float64) Distribution {
	return func(random *rand.Rand) time.Duration {
		return clamped(float64(median) * math.Exp(sigma*random.NormFloat64()))
	}
}

// Pareto has no time below the least, and a heavy tail: P(longer than x) = (least/x)^alpha. With alpha 1 or less it has no
// mean.
func Pareto(least time.Duration, alpha float64) Distribution {
	return func(random *rand.Rand) time.Duration {
		return clamped(float64(least) / math.Pow(1-random.Float64(), 1/alpha))
	}
}

// clamped keeps a heavy tail from overflowing.
func clamped(ns float64) time.Duration {
	return time.Duration(min(ns, float64(farthest)))
}
