package draw_test

import (
	"math"
	"math/bits"
	"sync"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/draw"
)

// The first outputs of SplitMix64 with seed 1234567, as published with the reference implementation in C.
func TestMixerIsNotADifferentOneThanItsSource(t *testing.T) {
	want := []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821}
	state := uint64(1234567)
	for i, w := range want {
		state += draw.Golden
		if got := draw.Mix(state); got != w {
			t.Errorf("output %d: got %d, want %d", i, got, w)
		}
	}
}

// Reports name a seed, and the seed must bring the run back: a changed hash is a change that users see.
func TestDrawsDoNotChangeBetweenReleases(t *testing.T) {
	s := draw.New(1).Stream("arrivals")
	for _, row := range []struct {
		keys []uint64
		want uint64
	}{
		{nil, 0x8ba3b8ff76541ca6},
		{[]uint64{0}, 0x620a9dc23e16db4a},
		{[]uint64{17, 2}, 0x38b3251628fdd1f6},
	} {
		if got := s.Uint64(row.keys...); got != row.want {
			t.Errorf("Uint64(%v) = %#x, want %#x", row.keys, got, row.want)
		}
	}
}

// T45: the same seed gives the same values, call by call, whoever else draws at the same time.
func TestDrawsDoNotTravel(t *testing.T) {
	s := draw.New(7).Stream("faults")
	want := make([]float64, 1000)
	for n := range want {
		want[n] = s.Float64(uint64(n))
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range want {
				n := (i*7 + g*13) % len(want)
				if got := s.Float64(uint64(n)); got != want[n] {
					t.Errorf("draw %d depends on the order of the draws: %v, then %v", n, want[n], got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSeedNameAndKeysDoNotCollide(t *testing.T) {
	seen := map[uint64]string{}
	add := func(what string, v uint64) {
		if before, ok := seen[v]; ok {
			t.Fatalf("%s and %s draw the same value", before, what)
		}
		seen[v] = what
	}
	for seed := range uint64(20) {
		for _, name := range []string{"", "a", "b", "ab", "ba", "service", "service/inventory"} {
			s := draw.New(seed).Stream(name)
			what := func(keys ...uint64) {
				add(string(rune('A'+seed))+"/"+name+"/"+sprint(keys), s.Uint64(keys...))
			}
			what()
			for k := range uint64(20) {
				what(k)
				for l := range uint64(20) {
					what(k, l)
				}
			}
			what(1, 2, 0)
			what(draw.Golden)
			what(math.MaxUint64)
		}
	}
}

// A key that changes by one bit must change half of the bits of the draw: arrival numbers are consecutive.
func TestConsecutiveKeysDoNotResembleEachOther(t *testing.T) {
	s := draw.New(1).Stream("avalanche")
	const draws = 20_000
	for bit := range 64 {
		flipped := 0
		for n := range uint64(draws / 64) {
			flipped += bits.OnesCount64(s.Uint64(n) ^ s.Uint64(n^1<<bit))
		}
		// The mean of 312 x 64 fair coins: 0.5 with a standard deviation of 0.0035; five of them.
		if share := float64(flipped) / (draws / 64 * 64); math.Abs(share-0.5) > 0.018 {
			t.Errorf("bit %d of the key flips %.3f of the bits", bit, share)
		}
	}
}

func TestFloat64IsNeverAnEndOfItsInterval(t *testing.T) {
	s := draw.New(1).Stream("uniform")
	for n := range uint64(1_000_000) {
		if v := s.Float64(n); !(v > 0 && v < 1) {
			t.Fatalf("draw %d is %v", n, v)
		}
	}
	// The cells at the two ends, which no test will ever draw.
	for _, top := range []uint64{0, math.MaxUint64} {
		if v := (float64(top>>12) + 0.5) / (1 << 52); !(v > 0 && v < 1) {
			t.Errorf("the value of bits %#x is %v", top, v)
		}
	}
}

func TestDistributionsDoNotLeaveTheirShape(t *testing.T) {
	const n = 200_000
	source := draw.New(3)
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	for _, row := range []struct {
		name     string
		draw     func(s draw.Stream, k uint64) float64
		cdf      func(x float64) float64
		mean, sd float64
	}{
		{
			"uniform", func(s draw.Stream, k uint64) float64 { return s.Float64(k) },
			func(x float64) float64 { return x }, 0.5, math.Sqrt(1.0 / 12),
		},
		{
			"two keys", func(s draw.Stream, k uint64) float64 { return s.Float64(k%500, k/500) },
			func(x float64) float64 { return x }, 0.5, math.Sqrt(1.0 / 12),
		},
		{
			"exponential", func(s draw.Stream, k uint64) float64 { return s.Exp(25, k) },
			func(x float64) float64 { return 1 - math.Exp(-x/25) }, 25, 25,
		},
		{
			"log-normal", func(s draw.Stream, k uint64) float64 { return s.LogNormal(40, 0.5, k) },
			func(x float64) float64 { return normal((math.Log(x/40) + 0.125) / 0.5) },
			40, 40 * math.Sqrt(math.Exp(0.25)-1),
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := source.Stream(row.name)
			values := make([]float64, n)
			for k := range values {
				values[k] = row.draw(s, uint64(k))
			}
			// Five standard errors: one run in two million would fail by chance, and the seed is fixed.
			mean, sd := moments(values)
			if math.Abs(mean-row.mean) > 5*row.sd/math.Sqrt(n) {
				t.Errorf("mean %v, want %v", mean, row.mean)
			}
			if math.Abs(sd/row.sd-1) > 0.03 {
				t.Errorf("standard deviation %v, want %v", sd, row.sd)
			}
			// Kolmogorov and Smirnov: above 1.95 with a probability of 0.001.
			if d := kolmogorov(values, row.cdf); d*math.Sqrt(n) > 1.95 {
				t.Errorf("distance to the distribution function %v, times the root of n %v", d, d*math.Sqrt(n))
			}
			// Neighbours by key are independent: their correlation has a standard error of 1/sqrt(n).
			if r := correlation(values[1:], values[:n-1]); math.Abs(r) > 5/math.Sqrt(n) {
				t.Errorf("neighbours correlate by %v", r)
			}
		})
	}
}

func TestStreamsAndSeedsDoNotCorrelate(t *testing.T) {
	const n = 100_000
	draws := func(s draw.Stream) []float64 {
		values := make([]float64, n)
		for k := range values {
			values[k] = s.Float64(uint64(k))
		}
		return values
	}
	base := draws(draw.New(1).Stream("a"))
	for _, other := range []struct {
		what string
		s    draw.Stream
	}{
		{"the stream b", draw.New(1).Stream("b")},
		{"the seed 2", draw.New(2).Stream("a")},
		{"the seed 0", draw.New(0).Stream("a")},
	} {
		if r := correlation(base, draws(other.s)); math.Abs(r) > 5/math.Sqrt(n) {
			t.Errorf("seed 1, stream a and %s correlate by %v", other.what, r)
		}
	}
}

func TestLogNormalWithoutSpreadIsNotAnythingButItsMean(t *testing.T) {
	s := draw.New(1).Stream("service")
	for n := range uint64(100) {
		if v := s.LogNormal(40, 0, n); v != 40 {
			t.Fatalf("draw %d is %v", n, v)
		}
	}
}

func TestADrawDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	source, z := draw.New(1), draw.NewZipf(100, 1)
	n := uint64(0)
	if allocs := testing.AllocsPerRun(1000, func() {
		s := source.Stream("service")
		sink += s.LogNormal(40, 0.5, n, 1) + s.Exp(1, n) + float64(s.Zipf(z, n))
		n++
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

var sink float64
