package fault_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// T78: impossible values are refused before anything runs, by the entry, the field, the value and the range.
func TestPlanRefusesWhatItCannotDo(t *testing.T) {
	good := slow(0, time.Second, "db", 2)
	for _, test := range []struct {
		name   string
		change func(*fault.Fault)
		want   string
	}{
		{"negative at", func(f *fault.Fault) { f.At = -1 }, "at is -1ns, want 0s to 720h"},
		{"late at", func(f *fault.Fault) { f.At = 720*time.Hour + 1 }, "at is 720h0m0.000000001s, want 0s to 720h"},
		{"no end", func(f *fault.Fault) { f.For = 0 }, "for is 0s, want above 0s and up to 720h"},
		{"negative for", func(f *fault.Fault) { f.For = -time.Second }, "for is -1s, want above 0s and up to 720h"},
		{
			"end beyond time", func(f *fault.Fault) { f.For = math.MaxInt64 },
			"for is 2562047h47m16.854775807s, want above 0s and up to 720h",
		},
		{
			"no kind", func(f *fault.Fault) { f.Kind = "" },
			`kind is "", want one of ["slow" "capacity" "error" "latency" "bandwidth" "stall" "reset_peer" "down" "status" "ack_lost" ` +
				`"truncate" "slicer" "blackhole" "timeout" "limit_data" "half_close" "slow_close" "corrupt"]`,
		},
		{
			"other kind", func(f *fault.Fault) { f.Kind = "Slow" },
			`kind is "Slow", want one of ["slow" "capacity" "error" "latency" "bandwidth" "stall" "reset_peer" "down" "status" "ack_lost" ` +
				`"truncate" "slicer" "blackhole" "timeout" "limit_data" "half_close" "slow_close" "corrupt"]`,
		},
		{"no target", func(f *fault.Fault) { f.Target = "" }, `target is "", want 1 to 64 bytes of UTF-8`},
		{
			"long target", func(f *fault.Fault) { f.Target = strings.Repeat("x", 65) },
			`target is "` + strings.Repeat("x", 65) + `", want 1 to 64 bytes of UTF-8`,
		},
		{"broken target", func(f *fault.Fault) { f.Target = "\xff" }, `target is "\xff", want 1 to 64 bytes of UTF-8`},
		{"faster", func(f *fault.Fault) { f.Factor = 0.5 }, `factor is 0.5, want 1 to 1000 for kind "slow"`},
		{"no factor", func(f *fault.Fault) { f.Factor = 0 }, `factor is 0, want 1 to 1000 for kind "slow"`},
		{"too slow", func(f *fault.Fault) { f.Factor = 1001 }, `factor is 1001, want 1 to 1000 for kind "slow"`},
		{"NaN", func(f *fault.Fault) { f.Factor = math.NaN() }, `factor is NaN, want 1 to 1000 for kind "slow"`},
		{"Inf", func(f *fault.Fault) { f.Factor = math.Inf(1) }, `factor is +Inf, want 1 to 1000 for kind "slow"`},
		{"rate of slow", func(f *fault.Fault) { f.Rate = 0.3 }, `rate is 0.3, want none for kind "slow"`},
		{"NaN of slow", func(f *fault.Fault) { f.Rate = math.NaN() }, `rate is NaN, want none for kind "slow"`},
		{
			"more capacity", func(f *fault.Fault) { f.Kind, f.Factor = fault.Capacity, 1.1 },
			`factor is 1.1, want 0.001 to 1 for kind "capacity"`,
		},
		{
			"no capacity", func(f *fault.Fault) { f.Kind, f.Factor = fault.Capacity, 0 },
			`factor is 0, want 0.001 to 1 for kind "capacity"`,
		},
		{
			"rate above 1", func(f *fault.Fault) { f.Kind, f.Factor, f.Rate = fault.Error, 0, 1.01 },
			`rate is 1.01, want 0 to 1 for kind "error"`,
		},
		{
			"negative rate", func(f *fault.Fault) { f.Kind, f.Factor, f.Rate = fault.Error, 0, -0.1 },
			`rate is -0.1, want 0 to 1 for kind "error"`,
		},
		{
			"factor of error", func(f *fault.Fault) { f.Kind, f.Rate = fault.Error, 0.5 },
			`factor is 2, want none for kind "error"`,
		},
		{
			"negative latency", func(f *fault.Fault) { *f = latency(0, 1, "a", -1) },
			`latency is -1ns, want 0s to 1h for kind "latency"`,
		},
		{
			"long latency", func(f *fault.Fault) { *f = latency(0, 1, "a", time.Hour+1) },
			`latency is 1h0m0.000000001s, want 0s to 1h for kind "latency"`,
		},
		{
			"jitter above latency", func(f *fault.Fault) { *f = latency(0, 1, "a", 5); f.Jitter = 6 },
			`jitter is 6ns, want 0s to the latency for kind "latency"`,
		},
		{
			"latency of slow", func(f *fault.Fault) { f.Latency = time.Second },
			`latency is 1s, want none for kind "slow"`,
		},
		{"jitter of slow", func(f *fault.Fault) { f.Jitter = 1 }, `jitter is 1ns, want none for kind "slow"`},
		{"bytes of slow", func(f *fault.Fault) { f.Bytes = 1 }, `bytes is 1, want none for kind "slow"`},
		{"stream of slow", func(f *fault.Fault) { f.Stream = "both" }, `stream is both, want none for kind "slow"`},
		{"toxicity of slow", func(f *fault.Fault) { f.Toxicity = 1 }, `toxicity is 1, want none for kind "slow"`},
		{
			"no bandwidth", func(f *fault.Fault) { *f = on(fault.Bandwidth, 0, 1, "a") },
			`rate is 0, want 0.001 to 1000000 for kind "bandwidth"`,
		},
		{
			"negative bytes", func(f *fault.Fault) { *f = on(fault.ResetPeer, 0, 1, "a"); f.Bytes = -1 },
			`bytes is -1, want 0 to 1099511627776 for kind "reset_peer"`,
		},
		{
			"other stream", func(f *fault.Fault) { *f = on(fault.Stall, 0, 1, "a"); f.Stream = "up" },
			`stream is up, want "downstream", "upstream" or "both" for kind "stall"`,
		},
		{
			"stream of down", func(f *fault.Fault) { *f = on(fault.Down, 0, 1, "a"); f.Stream = fault.Upstream },
			`stream is upstream, want none for kind "down"`,
		},
		{
			"toxicity above 1", func(f *fault.Fault) { *f = on(fault.Down, 0, 1, "a"); f.Toxicity = 1.5 },
			`toxicity is 1.5, want 0 to 1 for kind "down"`,
		},
		{
			"negative toxicity", func(f *fault.Fault) { *f = on(fault.Stall, 0, 1, "a"); f.Toxicity = -0.5 },
			`toxicity is -0.5, want 0 to 1 for kind "stall"`,
		},
		{
			"NaN toxicity", func(f *fault.Fault) { *f = on(fault.Stall, 0, 1, "a"); f.Toxicity = math.NaN() },
			`toxicity is NaN, want 0 to 1 for kind "stall"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			bad := good
			test.change(&bad)
			err := fault.Plan{Faults: []fault.Fault{good, bad}}.Validate()
			if want := "fault: plan: faults[1]." + test.want; err == nil || err.Error() != want {
				t.Fatalf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestPlanTakesTheEndsOfEachRange(t *testing.T) {
	p := fault.Plan{Seed: math.MaxUint64, Faults: []fault.Fault{
		slow(0, 1, "a", 1),
		slow(720*time.Hour, 720*time.Hour, strings.Repeat("x", 64), 1000),
		capacity(0, 1, "a", 0.001),
		capacity(0, 1, "a", 1),
		failing(0, 1, "a", 0),
		failing(0, 1, "a", 1),
		latency(0, 1, "a", 0),
		{For: 1, Kind: fault.Latency, Target: "a", Latency: time.Hour, Jitter: time.Hour, Stream: fault.BothStreams},
		{For: 1, Kind: fault.Bandwidth, Target: "a", Rate: 0.001, Stream: fault.Upstream},
		{For: 1, Kind: fault.Bandwidth, Target: "a", Rate: 1e6, Stream: fault.Downstream},
		{For: 1, Kind: fault.Stall, Target: "a", Toxicity: fault.Never},
		{For: 1, Kind: fault.ResetPeer, Target: "a", Bytes: 1 << 40, Toxicity: 1e-9},
		{For: 1, Kind: fault.Down, Target: "a", Toxicity: 1},
	}}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := (fault.Plan{}).Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestPlanRefusesMoreFaultsThanItCanCarry(t *testing.T) {
	p := fault.Plan{Faults: make([]fault.Fault, 1001)}
	for i := range p.Faults {
		p.Faults[i] = slow(0, 1, "a", 1)
	}
	err := p.Validate()
	if err == nil || err.Error() != "fault: plan: faults has 1001 entries, want at most 1000" {
		t.Fatal(err)
	}
	p.Faults = p.Faults[:1000]
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestNewPanicsOnAnImpossiblePlanAndNamesThePackage(t *testing.T) {
	defer func() {
		text, _ := recover().(string)
		if !strings.HasPrefix(text, "fault: plan: faults[0].for is 0s") {
			t.Fatalf("panicked with %q", text)
		}
	}()
	newInjector(slow(0, 0, "a", 2))
}

func TestPlanIsEqualOnlyToTheSame(t *testing.T) {
	p := fault.Plan{Seed: 1, Faults: []fault.Fault{slow(0, 1, "a", 2), slow(0, 1, "b", 2)}}
	same := fault.Plan{Seed: 1, Faults: []fault.Fault{slow(0, 1, "a", 2), slow(0, 1, "b", 2)}}
	if !p.Equal(same) || !(fault.Config{Plan: p}).Equal(fault.Config{Plan: same, Registry: quiet()}) {
		t.Fatal("equal plans differ")
	}
	for name, other := range map[string]fault.Plan{
		"seed":  {Seed: 2, Faults: p.Faults},
		"fewer": {Seed: 1, Faults: p.Faults[:1]},
		"order": {Seed: 1, Faults: []fault.Fault{p.Faults[1], p.Faults[0]}},
	} {
		if p.Equal(other) {
			t.Errorf("%s: different plans are equal", name)
		}
	}
}

// T19: what was built does not follow what its maker does to the plan later, nor what a reader does to the Config.
func TestInjectorKeepsThePlanOfItsBirth(t *testing.T) {
	p := fault.Plan{Faults: []fault.Fault{slow(0, time.Hour, "a", 2)}}
	i := fault.New("test", fault.Config{Plan: p, Registry: quiet()})
	p.Faults[0].Factor = 3
	i.Config().Plan.Faults[0].Factor = 4
	mustStart(t, i)
	if got := i.Config().Plan.Faults[0].Factor; got != 2 {
		t.Errorf("the Config has factor %v", got)
	}
	if got := i.Point("a").Slow(); got != 2 {
		t.Errorf("the point has factor %v", got)
	}
}
