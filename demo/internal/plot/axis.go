package plot

import (
	"fmt"
	"math"
	"time"
)

// Scale is how values become heights.
type Scale uint8

const (
	// Linear begins at 0.
	Linear Scale = iota
	// LogTime is for seconds, by decades: what is ten times as long is as far away everywhere.
	LogTime
)

// axis is the vertical one of a plot.
type axis struct {
	low, high float64
	ticks     []float64 // ascending; the first is low, the last is high
	share     func(v float64) float64
	format    func(v float64) string
}

func (p Plot) axis() axis {
	low, high := p.extremes()
	if p.Scale == LogTime {
		return logTime(low, high)
	}
	return linear(high)
}

// extremes returns the smallest and the largest value above 0, or NaN if there is none.
func (p Plot) extremes() (low, high float64) {
	low, high = math.NaN(), math.NaN()
	for _, s := range p.Series {
		for _, v := range s.Values {
			if !(v > 0) {
				continue
			}
			if !(v >= low) {
				low = v
			}
			if !(v <= high) {
				high = v
			}
		}
	}
	return low, high
}

// linear reaches from 0 to a round number a little above high. Values are counts or ratios: what is smaller than a
// thousandth is nothing.
func linear(high float64) axis {
	if math.IsNaN(high) {
		high = 1
	}
	high = max(high*1.04, 0.001)
	step := niceStep(high, 5)
	steps := int(math.Ceil(high/step - 1e-9))
	a := axis{high: float64(steps) * step, format: func(v float64) string { return fmt.Sprintf("%.6g", v) }}
	for n := range steps + 1 {
		a.ticks = append(a.ticks, float64(n)*step)
	}
	a.share = func(v float64) float64 { return min(1, max(0, v/a.high)) }
	return a
}

// logTime covers whole decades, at least one and from 1 µs to 1,000 s.
func logTime(low, high float64) axis {
	if math.IsNaN(low) {
		low, high = 0.001, 1
	}
	bottom := max(-6, math.Floor(math.Log10(low)+1e-9))
	top := max(bottom+1, min(3, math.Ceil(math.Log10(high)-1e-9)))
	a := axis{low: math.Pow(10, bottom), high: math.Pow(10, top), format: decade}
	for exponent := bottom; exponent <= top; exponent++ {
		a.ticks = append(a.ticks, math.Pow(10, exponent))
	}
	a.share = func(v float64) float64 {
		if !(v > 0) {
			return 0
		}
		return min(1, max(0, (math.Log10(v)-bottom)/(top-bottom)))
	}
	return a
}

// decade formats a power of ten of seconds: 1 ms, 10 s.
func decade(v float64) string {
	switch d := time.Duration(math.Round(v * float64(time.Second))); {
	case d >= time.Second:
		return fmt.Sprintf("%d s", d/time.Second)
	case d >= time.Millisecond:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	default:
		return fmt.Sprintf("%d µs", d/time.Microsecond)
	}
}

// niceStep returns 1, 2 or 5 times a power of ten: the smallest with which at most n steps reach length.
func niceStep(length float64, n int) float64 {
	if !(length > 0) || math.IsInf(length, 1) {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(length/float64(n))))
	for _, factor := range []float64{1, 2, 5, 10} {
		if factor*step*float64(n) >= length*(1-1e-9) {
			return factor * step
		}
	}
	return 10 * step
}
