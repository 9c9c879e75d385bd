package seawalltest_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seawall-go/seawall/seawalltest"
)

// count returns the arrivals of each second, and fails the test if they are out of order.
func count(t *testing.T, a seawalltest.Arrivals, seconds int) []int {
	t.Helper()
	next := a(rand.New(rand.NewPCG(1, 2)))
	perSecond := make([]int, seconds)
	for last := time.Duration(-1); ; {
		at, ok := next()
		if !ok || at >= time.Duration(seconds)*time.Second {
			return perSecond
		}
		if at < last {
			t.Fatalf("an arrival at %v after one at %v", at, last)
		}
		last = at
		perSecond[at/time.Second]++
	}
}

func TestEvenArrivalsFollowTheirRate(t *testing.T) {
	for name, c := range map[string]struct {
		rate seawalltest.Rate
		want func(second int) float64
	}{
		"constant": {seawalltest.Constant(280), func(int) float64 { return 280 }},
		"ramp":     {seawalltest.Ramp(100, 200, 10*time.Second), func(s int) float64 { return min(200, 105+10*float64(s)) }},
		"steps": {
			seawalltest.Steps(seawalltest.Step{From: 4 * time.Second, PerSecond: 50}, seawalltest.Step{From: 2 * time.Second, PerSecond: 100}),
			func(s int) float64 { return []float64{0, 0, 100, 100, 50}[min(s, 4)] },
		},
		"less than one": {seawalltest.Constant(0.5), func(s int) float64 { return float64(s % 2) }},
	} {
		for s, got := range count(t, seawalltest.Even(c.rate), 20) {
			if math.Abs(float64(got)-c.want(s)) > 1.5 {
				t.Errorf("%s: %d arrivals in second %d, want %v", name, got, s, c.want(s))
			}
		}
	}
}

func TestPoissonArrivalsHaveItsMeanAndVariance(t *testing.T) {
	const rate, seconds = 50.0, 4000
	mean, square := 0.0, 0.0
	for _, n := range count(t, seawalltest.Poisson(seawalltest.Constant(rate)), seconds) {
		mean += float64(n) / seconds
		square += float64(n) * float64(n) / seconds
	}
	near(t, "the mean", mean, rate, 0.01)
	near(t, "the variance", square-mean*mean, rate, 0.08)
}

func TestArrivalsEndWhenTheRateStaysZero(t *testing.T) {
	if n := count(t, seawalltest.Poisson(seawalltest.Constant(0)), 5); n[0] != 0 {
		t.Errorf("%v arrivals at rate 0", n)
	}
}

func TestReplayDoesNotChangeItsTraceAndEnds(t *testing.T) {
	trace := []time.Duration{2 * time.Second, 0, time.Second, time.Second}
	a := seawalltest.Replay(trace...)
	for range 2 {
		if got := count(t, a, 3); got[0] != 1 || got[1] != 2 || got[2] != 1 {
			t.Errorf("%v", got)
		}
	}
	if trace[0] != 2*time.Second {
		t.Error("the caller's trace was sorted")
	}
}

func TestDistributionsHaveTheMomentsThatTheySay(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		d            seawalltest.Distribution
		mean, median float64 // in ms
	}{
		"fixed":       {seawalltest.Fixed(100 * ms), 100, 100},
		"between":     {seawalltest.Between(50*ms, 150*ms), 100, 100},
		"exponential": {seawalltest.Exponential(100 * ms), 100, 100 * math.Ln2},
		"lognormal":   {seawalltest.LogNormal(100*ms, 0.5), 100 * math.Exp(0.125), 100},
		"pareto":      {seawalltest.Pareto(100*ms, 3), 150, 100 * math.Cbrt(2)},
	} {
		random, sum, below := rand.New(rand.NewPCG(3, 4)), 0.0, 0
		const n = 200_000
		for range n {
			v := float64(c.d(random)) / float64(ms)
			sum += v / n
			if v < c.median {
				below++
			}
		}
		near(t, name+": the mean", sum, c.mean, 0.02)
		if share := float64(below) / n; name != "fixed" && math.Abs(share-0.5) > 0.01 {
			t.Errorf("%s: %.3f lie below the median", name, share)
		}
	}
}
