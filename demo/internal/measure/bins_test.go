package measure_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
)

// naive is the definition of a percentile: the smallest value that at least so many per mille do not exceed.
func naive(values []time.Duration, perMille int) time.Duration {
	best := time.Duration(-1)
	for _, candidate := range values {
		covered := 0
		for _, v := range values {
			if v <= candidate {
				covered++
			}
		}
		if covered*1000 >= perMille*len(values) && (best < 0 || candidate < best) {
			best = candidate
		}
	}
	return best
}

func TestPercentilesAreThoseOfTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 250; n += 1 + n/20 {
		values := make([]time.Duration, n)
		for i := range values {
			values[i] = time.Duration(r.IntN(50))
		}
		want := measure.Latency{
			Count: n, P50: naive(values, 500), P90: naive(values, 900), P99: naive(values, 990), P999: naive(values, 999),
			Max: slices.Max(values),
		}
		if got := measure.LatencyOf(slices.Clone(values)); got != want {
			t.Fatalf("%v: %+v, want %+v", values, got, want)
		}
	}
	if got := measure.LatencyOf(nil); got != (measure.Latency{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// Bins against a twin that looks at every answer for every second.
func TestBinsCountEachAnswerOnceInItsSecond(t *testing.T) {
	slo := measure.DefaultSLO()
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		length := time.Duration(1+r.IntN(8000)) * ms
		all := answers(r, 500, 8*time.Second)
		bins := measure.Bins(slo, length, slices.Clone(all), nil)
		for n, got := range bins {
			from, to := time.Duration(n)*time.Second, time.Duration(n+1)*time.Second
			var want measure.Bin
			var latencies []time.Duration
			for _, a := range all {
				if a.At < from || a.At >= to {
					continue
				}
				want.Offered++
				latencies = append(latencies, a.Done-a.At)
				switch grade := slo.Grade(a); {
				case grade == measure.Good && a.Stale:
					want.Good++
					want.Stale++
				case grade == measure.Good:
					want.Good++
				case grade == measure.Slow:
					want.Slow++
				case grade == measure.Refused:
					want.Refused++
				default:
					want.Errors++
				}
			}
			want.Latency = measure.LatencyOf(latencies)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, second %d: %+v, want %+v", seed, n, got, want)
			}
			if got.Offered != got.Good+got.Slow+got.Refused+got.Errors {
				t.Fatalf("seed %d, second %d: %+v does not add up", seed, n, got)
			}
		}
		if want := int((length + time.Second - 1) / time.Second); len(bins) != want {
			t.Fatalf("%v has %d bins", length, len(bins))
		}
	}
}

func TestBinsGiveEachSecondWhatHappenedInIt(t *testing.T) {
	sample := func(at time.Duration, n uint64) measure.Sample {
		return measure.Sample{At: at, Status: measure.Status{Calls: n, Attempts: 2 * n, Shed: n / 10}}
	}
	samples := []measure.Sample{
		sample(0, 100), // before the scene
		sample(500*ms, 130),
		sample(1000*ms, 150), // exactly between two seconds: ends the first
		sample(1100*ms, 160),
		// nothing in the third second: it belongs to the fourth
		sample(3500*ms, 200),
		sample(9000*ms, 900), // after the end
	}
	bins := measure.Bins(measure.DefaultSLO(), 4*time.Second, nil, samples)
	var calls, attempts, shed []uint64
	for _, b := range bins {
		calls, attempts, shed = append(calls, b.Calls), append(attempts, b.Attempts), append(shed, b.Shed)
	}
	if !slices.Equal(calls, []uint64{50, 10, 0, 40}) || !slices.Equal(attempts, []uint64{100, 20, 0, 80}) ||
		!slices.Equal(shed, []uint64{5, 1, 0, 4}) {
		t.Errorf("calls %v, attempts %v, shed %v", calls, attempts, shed)
	}
	if v, ok := bins[0].AttemptsPerCall(); !ok || v != 2 {
		t.Errorf("attempts per call %v, %v", v, ok)
	}
	if _, ok := bins[2].AttemptsPerCall(); ok {
		t.Error("a second without calls has attempts per call")
	}
	if _, ok := bins[2].Goodput(); ok {
		t.Error("a second without requests has a goodput")
	}
}

func TestGoodputLooksAtItsTimeAndKindsOnly(t *testing.T) {
	slo := measure.DefaultSLO()
	r := rand.New(rand.NewPCG(7, 7))
	all := answers(r, 2000, 10*time.Second)
	for range 200 {
		from := time.Duration(r.IntN(10)) * time.Second
		to := from + time.Duration(r.IntN(5000))*ms
		kinds := [][]load.Kind{nil, {load.Hold}, {load.SeatMap, load.Catalog}}[r.IntN(3)]
		want := measure.Share{}
		var latencies []time.Duration
		for _, a := range all {
			if a.At >= from && a.At < to {
				latencies = append(latencies, a.Latency())
				if kinds == nil || slices.Contains(kinds, a.Kind) {
					want.Whole++
					if slo.Grade(a) == measure.Good {
						want.Part++
					}
				}
			}
		}
		if got := measure.Goodput(slo, all, from, to, kinds...); got != want {
			t.Fatalf("%v from %v to %v: %+v, want %+v", kinds, from, to, got, want)
		}
		if got := measure.Latencies(all, from, to); got != measure.LatencyOf(latencies) {
			t.Fatalf("latencies from %v to %v: %+v", from, to, got)
		}
	}
}

func TestShareNeverRoundsToAllOrNothing(t *testing.T) {
	for _, row := range []struct {
		part, whole int
		want        string
	}{
		{0, 0, "-"},
		{0, 10, "0.0 %"},
		{1, 100_000, "0.1 %"},
		{99_999, 100_000, "99.9 %"},
		{100, 100, "100.0 %"},
		{993, 1000, "99.3 %"},
		{1, 3, "33.3 %"},
	} {
		if got := (measure.Share{Part: row.part, Whole: row.whole}).String(); got != row.want {
			t.Errorf("%d of %d: %s, want %s", row.part, row.whole, got, row.want)
		}
	}
}
