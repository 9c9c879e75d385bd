package draw_test

import (
	"fmt"
	"math"
	"slices"
)

func sprint(keys []uint64) string { return fmt.Sprint(keys) }

func moments(values []float64) (mean, sd float64) {
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	for _, v := range values {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(len(values)))
}

// kolmogorov returns the largest distance between the empirical distribution function and the wanted one.
func kolmogorov(values []float64, cdf func(float64) float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	worst, n := 0.0, float64(len(sorted))
	for i, v := range sorted {
		f := cdf(v)
		worst = max(worst, f-float64(i)/n, float64(i+1)/n-f)
	}
	return worst
}

func correlation(a, b []float64) float64 {
	ma, sa := moments(a)
	mb, sb := moments(b)
	sum := 0.0
	for i := range a {
		sum += (a[i] - ma) * (b[i] - mb)
	}
	return sum / float64(len(a)) / (sa * sb)
}
