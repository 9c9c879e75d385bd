package draw_test

import (
	"math"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/draw"
)

func TestZipfDoesNotDriftFromItsWeights(t *testing.T) {
	const n = 200_000
	for _, row := range []struct {
		ranks int
		s     float64
	}{{1, 1}, {2, 0}, {12, 0.8}, {12, 1}, {100, 1.2}} {
		z := draw.NewZipf(row.ranks, row.s)
		s := draw.New(5).Stream("zipf")
		counts := make([]int, z.Len())
		for k := range uint64(n) {
			counts[s.Zipf(z, k)]++
		}
		total := 0.0
		for r := range row.ranks {
			total += math.Pow(float64(r+1), -row.s)
		}
		chi := 0.0
		for r, got := range counts {
			p := math.Pow(float64(r+1), -row.s) / total
			if math.Abs(p-z.Probability(r)) > 1e-12 {
				t.Errorf("%d ranks, s %v: Probability(%d) = %v, want %v", row.ranks, row.s, r, z.Probability(r), p)
			}
			chi += (float64(got) - n*p) * (float64(got) - n*p) / (n * p)
		}
		// Chi squared with f degrees of freedom: mean f, variance 2f; five standard deviations.
		f := float64(row.ranks - 1)
		if chi > f+5*math.Sqrt(2*f)+1e-9 {
			t.Errorf("%d ranks, s %v: chi squared %v with %v degrees of freedom", row.ranks, row.s, chi, f)
		}
	}
}

// T43: the table and the search hold at the extremes.
func TestZipfDoesNotLeaveItsRanks(t *testing.T) {
	s := draw.New(1).Stream("zipf")
	for _, z := range []*draw.Zipf{draw.NewZipf(1, 0), draw.NewZipf(3, 1e6), draw.NewZipf(100_000, 0.1)} {
		for k := range uint64(10_000) {
			if r := s.Zipf(z, k); r < 0 || r >= z.Len() {
				t.Fatalf("rank %d of %d", r, z.Len())
			}
		}
	}
}

func TestZipfRefusesTheImpossible(t *testing.T) {
	for _, row := range []struct {
		n int
		s float64
	}{{0, 1}, {-1, 1}, {1, -0.1}, {1, math.NaN()}, {1, math.Inf(1)}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewZipf(%d, %v) did not panic", row.n, row.s)
				}
			}()
			draw.NewZipf(row.n, row.s)
		}()
	}
}
