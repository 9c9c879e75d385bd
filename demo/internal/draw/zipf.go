package draw

import (
	"fmt"
	"math"
	"sort"
)

// Zipf is a distribution of ranks in which rank r (from 0) has a weight of 1/(r+1)^s: a few shows that everybody wants,
// and many that hardly anybody does. It holds the table of its distribution function, 8 bytes for each rank, which is
// built once. It is immutable and safe for concurrent use.
type Zipf struct {
	cumulative []float64 // [r] is the probability of a rank of at most r
}

// NewZipf returns the distribution over n ranks with the exponent s. An s of 0 makes all ranks equal; 1 is Zipf's law.
// It panics unless n is at least 1 and s is a finite number of at least 0. It costs n powers.
func NewZipf(n int, s float64) *Zipf {
	if n < 1 {
		panic(fmt.Sprintf("draw: Zipf over %d ranks; at least 1 is needed", n))
	}
	if !(s >= 0) || math.IsInf(s, 1) {
		panic(fmt.Sprintf("draw: Zipf exponent %v; it must be a finite number of at least 0", s))
	}
	cumulative := make([]float64, n)
	sum := 0.0
	for r := range cumulative {
		sum += math.Pow(float64(r+1), -s)
		cumulative[r] = sum
	}
	for r := range cumulative {
		cumulative[r] /= sum
	}
	return &Zipf{cumulative: cumulative}
}

// Len returns the number of ranks.
func (z *Zipf) Len() int { return len(z.cumulative) }

// Probability returns how likely a rank is. It panics if the rank is not from 0 to [Zipf.Len] - 1.
func (z *Zipf) Probability(rank int) float64 {
	if rank == 0 {
		return z.cumulative[0]
	}
	return z.cumulative[rank] - z.cumulative[rank-1]
}

// Zipf returns a rank from 0 to z.Len() - 1, by the inverse of the distribution function. It costs a binary search in
// the table and allocates nothing.
func (s Stream) Zipf(z *Zipf, keys ...uint64) int {
	u := s.Float64(keys...)
	return sort.Search(len(z.cumulative)-1, func(r int) bool { return u < z.cumulative[r] })
}
