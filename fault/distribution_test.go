package fault_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// delays draws n waits of calls.
func delays(t *testing.T, n int, change func(*fault.Fault)) []time.Duration {
	t.Helper()
	p := started(t, call(fault.Latency, change)).Point("a")
	all := make([]time.Duration, n)
	for i := range all {
		if in := p.Draw(t.Context(), fault.Call{}); in != nil {
			all[i] = in.Delay
		}
	}
	return all
}

// T45: each distribution has the mean and the quantiles of its formula.
func TestLatenciesFollowTheirDistribution(t *testing.T) {
	const n = 200_000
	for _, test := range []struct {
		name               string
		change             func(*fault.Fault)
		mean               float64 // in units of the latency, as all
		p10, p50, p90, p99 float64
	}{
		{"fixed", func(f *fault.Fault) { f.Distribution = fault.Fixed }, 1, 1, 1, 1, 1},
		{"none", func(*fault.Fault) {}, 1, 1, 1, 1, 1},
		{"uniform", func(f *fault.Fault) { f.Jitter = f.Latency / 2 }, 1, 0.6, 1, 1.4, 1.49},
		{
			"normal", func(f *fault.Fault) { f.Distribution, f.Jitter = fault.Normal, f.Latency/5 },
			1, 1 - 0.2*1.2816, 1, 1 + 0.2*1.2816, 1 + 0.2*2.3263,
		},
		{
			"lognormal", func(f *fault.Fault) { f.Distribution, f.Shape = fault.LogNormal, 0.5 },
			math.Exp(0.125), math.Exp(-0.5 * 1.2816), 1, math.Exp(0.5 * 1.2816), math.Exp(0.5 * 2.3263),
		},
		{
			"pareto", func(f *fault.Fault) { f.Distribution, f.Shape = fault.Pareto, 3 },
			1.5, math.Pow(0.9, -1./3), math.Pow(0.5, -1./3), math.Pow(0.1, -1./3), math.Pow(0.01, -1./3),
		},
	} {
		const unit = 100 * time.Millisecond
		all := delays(t, n, func(f *fault.Fault) { f.Latency = unit; test.change(f) })
		sum := 0.0
		for _, d := range all {
			sum += float64(d) / float64(unit)
		}
		slices.Sort(all)
		for what, v := range map[string][2]float64{
			"mean": {sum / n, test.mean},
			"p10":  {float64(all[n/10]) / float64(unit), test.p10},
			"p50":  {float64(all[n/2]) / float64(unit), test.p50},
			"p90":  {float64(all[n*9/10]) / float64(unit), test.p90},
			"p99":  {float64(all[n*99/100]) / float64(unit), test.p99},
		} {
			if math.Abs(v[0]-v[1]) > 0.02*v[1] {
				t.Errorf("%s: %s is %.4f, want %.4f", test.name, what, v[0], v[1])
			}
		}
	}
}

// T43: no time is negative, and none is above its cap, however heavy the tail is.
func TestLatenciesStayWithinTheirCaps(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*fault.Fault)
		low, high time.Duration
	}{
		"normal": {func(f *fault.Fault) { f.Distribution, f.Jitter, f.Cap = fault.Normal, time.Hour, time.Minute }, 0, time.Minute},
		"lognormal": {
			func(f *fault.Fault) { f.Distribution, f.Shape, f.Cap = fault.LogNormal, 10, time.Minute }, 0, time.Minute,
		},
		"lognormal without": {func(f *fault.Fault) { f.Distribution, f.Shape = fault.LogNormal, 10 }, 0, time.Hour},
		"pareto": {
			func(f *fault.Fault) { f.Distribution, f.Shape, f.Cap = fault.Pareto, 0.1, time.Minute }, time.Second, time.Minute,
		},
		"pareto without": {func(f *fault.Fault) { f.Distribution, f.Shape = fault.Pareto, 0.1 }, time.Second, time.Hour},
	} {
		all := delays(t, 20_000, func(f *fault.Fault) { f.Latency = time.Second; test.change(f) })
		low, high := slices.Min(all), slices.Max(all)
		if low < test.low || high != test.high {
			t.Errorf("%s: from %v to %v", name, low, high)
		}
	}
	for _, f := range []fault.Fault{
		{Latency: time.Hour, Distribution: fault.Normal, Jitter: time.Hour},
		{Latency: time.Hour, Distribution: fault.LogNormal, Shape: 10},
		{Latency: time.Hour, Distribution: fault.Pareto, Shape: 0.1},
		{Latency: time.Hour, Jitter: time.Hour},
	} {
		for _, drawn := range []uint64{0, 1, 1 << 63, math.MaxUint64 - 1, math.MaxUint64} {
			if d := f.Lateness(drawn); d < 0 || d > 2*time.Hour || f.Jitter == 0 && d > time.Hour {
				t.Errorf("%s at %d: %v", f.Distribution, drawn, d)
			}
		}
	}
}
