package measure

import (
	"slices"
	"time"
)

// Latency is a distribution of latencies, by percentiles: the smallest value that at least so many per cent do not
// exceed (nearest rank). They are exact. All are 0 if Count is.
type Latency struct {
	Count int           `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// LatencyOf returns the distribution of values, which it sorts.
func LatencyOf(values []time.Duration) Latency {
	if len(values) == 0 {
		return Latency{}
	}
	slices.Sort(values)
	return Latency{
		Count: len(values),
		P50:   rank(values, 500), P90: rank(values, 900), P99: rank(values, 990), P999: rank(values, 999),
		Max: values[len(values)-1],
	}
}

// rank returns the nearest rank of a percentile in tenths of a per cent, in integers: 0.99 times 100 is more than 99 in
// floating point.
func rank(sorted []time.Duration, tenths int64) time.Duration {
	return sorted[(int64(len(sorted))*tenths+999)/1000-1]
}
