package fault

import (
	"math"
	"time"
)

// Distribution is how the times of [Latency] are spread.
type Distribution string

const (
	// Uniform is Latency give or take Jitter, evenly. It is the default, as it is toxiproxy's; with a Jitter of 0 each
	// time is the same.
	Uniform Distribution = "uniform"
	// Fixed is exactly Latency.
	Fixed Distribution = "fixed"
	// Normal has the mean Latency and the standard deviation Jitter, before the times below 0 become 0 and those above
	// Cap become Cap.
	Normal Distribution = "normal"
	// LogNormal has the median Latency, and Shape is the standard deviation of the logarithm, σ: 0.5 is a service, 1 one
	// with a long tail. The mean is Latency · e^(σ²/2), before Cap.
	LogNormal Distribution = "lognormal"
	// Pareto has no time below Latency, and the share (Latency ÷ t)^α above a time t, with α in Shape: the smaller, the
	// heavier is the tail. The mean is Latency · α ÷ (α − 1) for α above 1, before Cap.
	Pareto Distribution = "pareto"
)

// latencyParameters returns the fields of [Latency] with a distribution.
func latencyParameters(d Distribution) []parameter {
	latency := parameter{latencyField, "0s to 1h", true, func(f Fault) bool { return within(f.Latency, 0, longest) }}
	jitter := parameter{jitterField, "none but for uniform and normal", false, func(f Fault) bool { return f.Jitter == 0 }}
	shape := parameter{shapeField, "none but for lognormal and pareto", false, func(f Fault) bool { return f.Shape == 0 }}
	limit := parameter{capField, "the latency to 1h", false, func(f Fault) bool {
		return f.Cap == 0 || within(f.Cap, f.Latency, longest)
	}}
	name := parameter{distributionField, `"uniform", "fixed", "normal", "lognormal" or "pareto"`, false, func(f Fault) bool {
		switch f.Distribution {
		case "", Uniform, Fixed, Normal, LogNormal, Pareto:
			return true
		}
		return false
	}}
	switch d {
	case "", Uniform:
		jitter.want = "0s to the latency"
		jitter.holds = func(f Fault) bool { return within(f.Jitter, 0, f.Latency) }
	case Normal:
		jitter.want, jitter.needed = "0s to 1h", true
		jitter.holds = func(f Fault) bool { return within(f.Jitter, 0, longest) }
	case LogNormal:
		shape.want, shape.needed = "0.01 to 10", true
		shape.holds = func(f Fault) bool { return within(f.Shape, 0.01, 10) }
	case Pareto:
		shape.want, shape.needed = "0.1 to 100", true
		shape.holds = func(f Fault) bool { return within(f.Shape, 0.1, 100) }
	case Fixed:
	}
	if d == "" || d == Uniform || d == Fixed {
		limit.want = "none but for normal, lognormal and pareto"
		limit.holds = func(f Fault) bool { return f.Cap == 0 }
	}
	return []parameter{latency, jitter, name, shape, limit}
}

// lateness is the time that a number drawn from all 64-bit numbers stands for: 0s to the cap. It is the quantile of the
// distribution at that number, so that one draw is one time.
func (f Fault) lateness(drawn uint64) time.Duration {
	scale := float64(f.Latency)
	var t float64
	switch f.Distribution {
	case Normal:
		t = scale + float64(f.Jitter)*normalQuantile(drawn)
	case LogNormal:
		t = scale * math.Exp(f.Shape*normalQuantile(drawn))
	case Pareto:
		t = scale * math.Pow(1-open(drawn), -1/f.Shape)
	case Fixed:
		return f.Latency
	default:
		// From -1 to just below 1, in steps of 2^-52.
		return f.Latency + time.Duration((float64(drawn>>11)/(1<<52)-1)*float64(f.Jitter))
	}
	limit := f.Cap
	if limit == 0 {
		limit = longest
	}
	return time.Duration(max(0, min(t, float64(limit))))
}

// open is a number in the open interval from 0 to 1.
func open(drawn uint64) float64 { return (float64(drawn>>12) + 0.5) / (1 << 52) }

// normalQuantile is a number of the standard normal distribution.
func normalQuantile(drawn uint64) float64 { return math.Sqrt2 * math.Erfinv(2*open(drawn)-1) }
