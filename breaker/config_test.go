package breaker_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T78: the defaults are the documented ones.
func TestZeroConfigIsTheDocumentedOne(t *testing.T) {
	got := newBreaker(breaker.Config{}).Config()
	want := breaker.Config{
		FailureRate: 0.5, MinCalls: 20, Window: breaker.Window{Time: 10 * time.Second},
		OpenFor: 2 * time.Second, MaxOpenFor: 30 * time.Second,
		Probes: breaker.Probes{Calls: 5, Timeout: 10 * time.Second}, Mode: seawall.Enforce,
	}
	if got.FailureRate != want.FailureRate || got.MinCalls != want.MinCalls || got.Window != want.Window ||
		got.OpenFor != want.OpenFor || got.MaxOpenFor != want.MaxOpenFor || got.Probes != want.Probes || got.Mode != want.Mode {
		t.Errorf("the defaults are %+v, want %+v", got, want)
	}
	if !got.Equal(breaker.Config{}) || !want.Equal(breaker.Config{}) {
		t.Error("the zero Config does not equal the one that it means")
	}
	if v := got.Classify(errOverload); v.Outcome != seawall.Overload {
		t.Errorf("the default classifier says %+v", v)
	}
}

// T78
func TestDefaultsFollowWhatIsGiven(t *testing.T) {
	for _, c := range []struct {
		name       string
		given      breaker.Config
		minCalls   int
		maxOpenFor time.Duration
		window     breaker.Window
	}{
		{"a small count window", breaker.Config{Window: breaker.Window{Calls: 7}}, 7, 30 * time.Second, breaker.Window{Calls: 7}},
		{"a large count window", breaker.Config{Window: breaker.Window{Calls: 700}}, 20, 30 * time.Second, breaker.Window{Calls: 700}},
		{"a long open time", breaker.Config{OpenFor: time.Minute}, 20, time.Minute, breaker.Window{Time: 10 * time.Second}},
		{"a minimum", breaker.Config{MinCalls: 1}, 1, 30 * time.Second, breaker.Window{Time: 10 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := newBreaker(c.given).Config()
			if got.MinCalls != c.minCalls || got.MaxOpenFor != c.maxOpenFor || got.Window != c.window {
				t.Errorf("resolved to %+v", got)
			}
		})
	}
}

// T78: each impossible value is refused by Validate, New and Update alike, and named.
func TestConfigRefusesWhatCannotBe(t *testing.T) {
	const huge = math.MaxInt64
	for _, c := range []struct {
		field string
		cfg   breaker.Config
	}{
		{"FailureRate", breaker.Config{FailureRate: -0.1}},
		{"FailureRate", breaker.Config{FailureRate: 1.1}},
		{"FailureRate", breaker.Config{FailureRate: 0.0000009}},
		{"FailureRate", breaker.Config{FailureRate: math.NaN()}},
		{"FailureRate", breaker.Config{FailureRate: math.Inf(1)}},
		{"FailureRate", breaker.Config{FailureRate: math.Inf(-1)}},
		{"MinCalls", breaker.Config{MinCalls: -1}},
		{"MinCalls", breaker.Config{MinCalls: 1_000_001}},
		{"MinCalls", breaker.Config{MinCalls: math.MaxInt}},
		{"MinCalls", breaker.Config{MinCalls: 11, Window: breaker.Window{Calls: 10}}},
		{"Window.Calls", breaker.Config{Window: breaker.Window{Calls: -1}}},
		{"Window.Calls", breaker.Config{Window: breaker.Window{Calls: 1_000_001}}},
		{"Window.Calls", breaker.Config{Window: breaker.Window{Calls: math.MaxInt}}},
		{"Window.Time", breaker.Config{Window: breaker.Window{Time: -1}}},
		{"Window.Time", breaker.Config{Window: breaker.Window{Time: 10*time.Millisecond - 1}}},
		{"Window.Time", breaker.Config{Window: breaker.Window{Time: time.Hour + 1}}},
		{"Window.Time", breaker.Config{Window: breaker.Window{Time: huge}}},
		{"Window", breaker.Config{Window: breaker.Window{Time: time.Second, Calls: 10}}},
		{"Window", breaker.Config{Window: breaker.Window{Time: -1, Calls: -1}}},
		{"OpenFor", breaker.Config{OpenFor: -1}},
		{"OpenFor", breaker.Config{OpenFor: time.Millisecond - 1}},
		{"OpenFor", breaker.Config{OpenFor: 24*time.Hour + 1}},
		{"OpenFor", breaker.Config{OpenFor: huge}},
		{"MaxOpenFor", breaker.Config{MaxOpenFor: -1}},
		{"MaxOpenFor", breaker.Config{MaxOpenFor: 2*time.Second - 1}},
		{"MaxOpenFor", breaker.Config{MaxOpenFor: 24*time.Hour + 1}},
		{"MaxOpenFor", breaker.Config{MaxOpenFor: huge}},
		{"Probes.Calls", breaker.Config{Probes: breaker.Probes{Calls: -1}}},
		{"Probes.Calls", breaker.Config{Probes: breaker.Probes{Calls: 10_001}}},
		{"Probes.Timeout", breaker.Config{Probes: breaker.Probes{Timeout: -1}}},
		{"Probes.Timeout", breaker.Config{Probes: breaker.Probes{Timeout: time.Millisecond - 1}}},
		{"Mode", breaker.Config{Mode: seawall.Off + 1}},
		{"Mode", breaker.Config{Mode: 255}},
	} {
		want := "breaker: Config." + c.field + " is "
		err := c.cfg.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: Validate says %v, want %q", c.cfg, err, want)
			continue
		}
		panicked, _, _ := attempt(func() { newBreaker(c.cfg) })
		if panicked != err.Error() {
			t.Errorf("%+v: New panics with %v, want %q", c.cfg, panicked, err)
		}
		if got := newBreaker(breaker.Config{}).Update(c.cfg); got == nil || got.Error() != err.Error() {
			t.Errorf("%+v: Update says %v, want %v", c.cfg, got, err)
		}
	}
}

// T78
func TestConfigAcceptsTheEndsOfItsRanges(t *testing.T) {
	for _, cfg := range []breaker.Config{
		{FailureRate: 0.000001},
		{FailureRate: 1},
		{MinCalls: 1},
		{MinCalls: 1_000_000},
		{Window: breaker.Window{Calls: 1}},
		{Window: breaker.Window{Calls: 1_000_000}, MinCalls: 1_000_000},
		{Window: breaker.Window{Time: 10 * time.Millisecond}},
		{Window: breaker.Window{Time: time.Hour}},
		{OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond},
		{OpenFor: 24 * time.Hour},
		{Probes: breaker.Probes{Calls: 1, Timeout: time.Millisecond}},
		{Probes: breaker.Probes{Calls: 10_000, Timeout: math.MaxInt64}},
		{Mode: seawall.Off},
	} {
		b := newBreaker(cfg)
		_ = b.Do(t.Context(), fail)
		_ = b.Do(t.Context(), succeed)
		if err := b.Update(cfg); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// T78
func TestConfigGoesThroughJSONAndBack(t *testing.T) {
	for _, cfg := range []breaker.Config{
		{},
		newBreaker(breaker.Config{}).Config(),
		{
			FailureRate: 0.25, MinCalls: 3, Window: breaker.Window{Calls: 9}, OpenFor: time.Second, MaxOpenFor: time.Minute,
			Probes: breaker.Probes{Calls: 2, Timeout: time.Hour}, Mode: seawall.Shadow,
		},
	} {
		text, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var back breaker.Config
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if !back.Equal(cfg) {
			t.Errorf("%s came back as %+v, was %+v", text, back, cfg)
		}
	}
	text, _ := json.Marshal(breaker.Config{})
	want := `{"failure_rate":0,"min_calls":0,"window":{"time":0,"calls":0},"open_for":0,"max_open_for":0,` +
		`"probes":{"calls":0,"timeout":0},"mode":"enforce"}`
	if string(text) != want {
		t.Errorf("a Config is written as\n%s, want\n%s", text, want)
	}
}

func TestConfigsThatDifferAreNotEqual(t *testing.T) {
	base := breaker.Config{}
	for _, other := range []breaker.Config{
		{FailureRate: 0.4},
		{MinCalls: 21},
		{Window: breaker.Window{Time: time.Second}},
		{Window: breaker.Window{Calls: 20}},
		{OpenFor: time.Second},
		{MaxOpenFor: time.Minute},
		{Probes: breaker.Probes{Calls: 6}},
		{Probes: breaker.Probes{Timeout: time.Second}},
		{Mode: seawall.Off},
	} {
		if base.Equal(other) || other.Equal(base) {
			t.Errorf("%+v equals the zero Config", other)
		}
	}
	if !base.Equal(breaker.Config{OnStateChange: func(breaker.Event) {}, Registry: quiet()}) {
		t.Error("functions and registry are compared")
	}
}

// FuzzConfig checks that Validate never panics, and that New and Update accept exactly what it accepts.
func FuzzConfig(f *testing.F) {
	f.Add(0.0, 0, int64(0), 0, int64(0), int64(0), 0, int64(0), uint8(0))
	f.Add(0.5, 20, int64(time.Second), 0, int64(time.Second), int64(time.Minute), 5, int64(time.Second), uint8(1))
	f.Add(math.NaN(), -1, int64(math.MinInt64), math.MaxInt, int64(math.MaxInt64), int64(-1), math.MinInt, int64(1), uint8(9))
	f.Add(1e-6, 1, int64(0), 1, int64(time.Millisecond), int64(24*time.Hour), 10_000, int64(math.MaxInt64), uint8(4))
	f.Fuzz(func(t *testing.T, rate float64, minCalls int, windowTime int64, windowCalls int,
		openFor, maxOpenFor int64, probes int, probeTimeout int64, mode uint8,
	) {
		cfg := breaker.Config{
			FailureRate: rate, MinCalls: minCalls,
			Window:  breaker.Window{Time: time.Duration(windowTime), Calls: windowCalls},
			OpenFor: time.Duration(openFor), MaxOpenFor: time.Duration(maxOpenFor),
			Probes:   breaker.Probes{Calls: probes, Timeout: time.Duration(probeTimeout)},
			Mode:     seawall.Mode(mode),
			Registry: quiet(),
		}
		err := cfg.Validate()
		if uerr := newBreaker(breaker.Config{}).Update(cfg); (uerr == nil) != (err == nil) {
			t.Fatalf("Validate says %v, Update %v", err, uerr)
		}
		var b *breaker.Breaker
		panicked, _, _ := attempt(func() { b = breaker.New("fuzz", cfg) })
		if (panicked == nil) != (err == nil) {
			t.Fatalf("Validate says %v, and New panics with %v", err, panicked)
		}
		if err != nil {
			return
		}
		if err := b.Config().Validate(); err != nil {
			t.Fatalf("the resolved config is not valid: %v", err)
		}
		if !b.Config().Equal(cfg) {
			t.Fatalf("%+v resolved to %+v", cfg, b.Config())
		}
		for _, n := range []int{1, 2, 100} {
			for _, u := range []float64{0, math.Nextafter(1, 0)} {
				if d := breaker.OpenFor(cfg, n, u); d <= 0 || d > b.Config().MaxOpenFor {
					t.Fatalf("opening %d would be for %v", n, d)
				}
			}
		}
		_ = b.Do(t.Context(), fail)
		_ = b.Do(t.Context(), succeed)
		_ = b.Stats()
	})
}
