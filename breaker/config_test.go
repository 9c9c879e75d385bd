package breaker_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T78: the defaults are the documented ones.
func TestZeroConfigIsTheDocumentedOne(t *testing.T) {
	got := breaker.New("payments", breaker.Config{Registry: quiet()}).Config()
	want := breaker.Config{
		FailureRate: 0.5, MinCalls: 20, Window: breaker.Window{Time: 10 * time.Second},
		Slow:    breaker.SlowCalls{Over: 5 * time.Second, Rate: 0.9},
		OpenFor: time.Second, OpenGrowth: 1.5, MaxOpenFor: 30 * time.Second, MaxRetryAfter: time.Minute,
		Probes: breaker.Probes{Calls: 5, Timeout: 10 * time.Second},
		Ramp:   breaker.Ramp{Start: 0.05, Factor: 5, Step: 500 * time.Millisecond}, Mode: seawall.Enforce,
	}
	bare := got
	bare.Classify, bare.Registry = nil, nil
	if !reflect.DeepEqual(bare, want) {
		t.Errorf("the defaults are %+v, want %+v", bare, want)
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
		{"OpenGrowth", breaker.Config{OpenGrowth: -1}},
		{"OpenGrowth", breaker.Config{OpenGrowth: math.Nextafter(1, 0)}},
		{"OpenGrowth", breaker.Config{OpenGrowth: math.Nextafter(10, 11)}},
		{"OpenGrowth", breaker.Config{OpenGrowth: math.NaN()}},
		{"OpenGrowth", breaker.Config{OpenGrowth: math.Inf(1)}},
		{"MaxOpenFor", breaker.Config{MaxOpenFor: time.Second - 1}},
		{"MaxOpenFor", breaker.Config{MaxOpenFor: 24*time.Hour + 1}},
		{"MaxOpenFor", breaker.Config{MaxOpenFor: huge}},
		{"Probes.Calls", breaker.Config{Probes: breaker.Probes{Calls: -1}}},
		{"Probes.Calls", breaker.Config{Probes: breaker.Probes{Calls: 10_001}}},
		{"Probes.Timeout", breaker.Config{Probes: breaker.Probes{Timeout: -1}}},
		{"Probes.Timeout", breaker.Config{Probes: breaker.Probes{Timeout: time.Millisecond - 1}}},
		{"ConsecutiveFailures", breaker.Config{ConsecutiveFailures: -1}},
		{"ConsecutiveFailures", breaker.Config{ConsecutiveFailures: 1_000_001}},
		{"Slow.Over", breaker.Config{Slow: breaker.SlowCalls{Over: -2}}},
		{"Slow.Over", breaker.Config{Slow: breaker.SlowCalls{Over: time.Millisecond - 1}}},
		{"Slow.Over", breaker.Config{Slow: breaker.SlowCalls{Over: 24*time.Hour + 1}}},
		{"Slow.Over", breaker.Config{Slow: breaker.SlowCalls{Over: huge}}},
		{"Slow.Rate", breaker.Config{Slow: breaker.SlowCalls{Rate: -0.1}}},
		{"Slow.Rate", breaker.Config{Slow: breaker.SlowCalls{Rate: 1.1}}},
		{"Slow.Rate", breaker.Config{Slow: breaker.SlowCalls{Rate: math.NaN()}}},
		{"Slow.Rate", breaker.Config{Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls, Rate: math.Inf(1)}}},
		{"MaxRetryAfter", breaker.Config{MaxRetryAfter: -2}},
		{"MaxRetryAfter", breaker.Config{MaxRetryAfter: time.Millisecond - 1}},
		{"MaxRetryAfter", breaker.Config{MaxRetryAfter: huge}},
		{"Ramp.Start", breaker.Config{Ramp: breaker.Ramp{Start: -1}}},
		{"Ramp.Start", breaker.Config{Ramp: breaker.Ramp{Start: 0.0009}}},
		{"Ramp.Start", breaker.Config{Ramp: breaker.Ramp{Start: 1.01}}},
		{"Ramp.Start", breaker.Config{Ramp: breaker.Ramp{Start: math.NaN()}}},
		{"Ramp.Factor", breaker.Config{Ramp: breaker.Ramp{Factor: 1}}},
		{"Ramp.Factor", breaker.Config{Ramp: breaker.Ramp{Factor: -5}}},
		{"Ramp.Factor", breaker.Config{Ramp: breaker.Ramp{Factor: math.Inf(1)}}},
		{"Ramp.Factor", breaker.Config{Ramp: breaker.Ramp{Factor: math.NaN()}}},
		{"Ramp.Step", breaker.Config{Ramp: breaker.Ramp{Step: -1}}},
		{"Ramp.Step", breaker.Config{Ramp: breaker.Ramp{Step: time.Millisecond - 1}}},
		{"Ramp.Step", breaker.Config{Ramp: breaker.Ramp{Step: time.Hour + 1}}},
		{"Ramp.Step", breaker.Config{Ramp: breaker.Ramp{Step: huge}}},
		{"Mode", breaker.Config{Mode: seawall.Off + 1}},
		{"Mode", breaker.Config{Mode: 255}},
	} {
		want := "breaker: Config." + c.field + " is "
		err := c.cfg.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: Validate says %v, want %q", c.cfg, err, want)
			continue
		}
		panicked, _, _ := attempt(func() { breaker.New("payments", c.cfg) })
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
		{OpenGrowth: 1},
		{OpenGrowth: 10},
		{Probes: breaker.Probes{Calls: 1, Timeout: time.Millisecond}},
		{Probes: breaker.Probes{Calls: 10_000, Timeout: math.MaxInt64}},
		{Slow: breaker.SlowCalls{Over: time.Millisecond, Rate: 0.000001}},
		{Slow: breaker.SlowCalls{Over: 24 * time.Hour, Rate: 1}},
		{Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls}},
		{ConsecutiveFailures: 1},
		{ConsecutiveFailures: 1_000_000},
		{MaxRetryAfter: time.Millisecond},
		{MaxRetryAfter: 24 * time.Hour},
		{MaxRetryAfter: breaker.NoRetryAfter},
		{Ramp: breaker.Ramp{Start: 0.001, Factor: 1.1, Step: time.Millisecond}},
		{Ramp: breaker.Ramp{Start: breaker.NoRamp, Factor: 1000, Step: time.Hour}},
		{Mode: seawall.Off},
	} {
		cfg.Registry = quiet()
		b := breaker.New("payments", cfg)
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
			FailureRate: 0.25, MinCalls: 3, Window: breaker.Window{Calls: 9}, OpenFor: time.Second, OpenGrowth: 3,
			MaxOpenFor: time.Minute,
			Probes:     breaker.Probes{Calls: 2, Timeout: time.Hour}, Mode: seawall.Shadow,
			Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls, Rate: 0.5}, ConsecutiveFailures: 7,
			MaxRetryAfter: breaker.NoRetryAfter, Ramp: breaker.Ramp{Start: 0.5, Factor: 2, Step: time.Minute},
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
	want := `{"failure_rate":0,"min_calls":0,"window":{"time":0,"calls":0},"slow":{"over":0,"rate":0},` +
		`"consecutive_failures":0,"open_for":0,"open_growth":0,"max_open_for":0,"max_retry_after":0,"probes":{"calls":0,"timeout":0},` +
		`"ramp":{"start":0,"factor":0,"step":0},"mode":"enforce"}`
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
		{OpenFor: 2 * time.Second},
		{OpenGrowth: 2},
		{MaxOpenFor: time.Minute},
		{Probes: breaker.Probes{Calls: 6}},
		{Probes: breaker.Probes{Timeout: time.Second}},
		{Slow: breaker.SlowCalls{Over: time.Second}},
		{Slow: breaker.SlowCalls{Rate: 0.8}},
		{ConsecutiveFailures: 1},
		{MaxRetryAfter: time.Second},
		{Ramp: breaker.Ramp{Start: 0.1}},
		{Ramp: breaker.Ramp{Factor: 2}},
		{Ramp: breaker.Ramp{Step: time.Minute}},
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

// FuzzConfig decodes what a file may say, and checks that Validate never panics, that New and Update accept exactly what
// it accepts, and that what it accepts works.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		`{}`,
		`{"failure_rate":0.5,"min_calls":20,"window":{"time":1000000000},"open_for":1000000000,"mode":"shadow"}`,
		`{"failure_rate":1e-6,"min_calls":1,"window":{"calls":1},"open_for":1000000,"open_growth":10,"max_open_for":86400000000000}`,
		`{"slow":{"over":-1,"rate":1},"consecutive_failures":3,"max_retry_after":-1,"ramp":{"start":1}}`,
		`{"slow":{"over":1000000,"rate":1e-6},"ramp":{"start":0.001,"factor":1.1,"step":1000000},"mode":"forced_closed"}`,
		`{"probes":{"calls":10000,"timeout":9223372036854775807},"max_retry_after":86400000000000}`,
		`{"failure_rate":-1,"min_calls":-1,"window":{"time":-1,"calls":-1},"probes":{"calls":-1,"timeout":-1}}`,
		`{"slow":{"over":9223372036854775807},"ramp":{"factor":1e308,"step":9223372036854775807},"mode":"no such"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var cfg breaker.Config
		if json.Unmarshal(text, &cfg) != nil {
			return
		}
		cfg.Registry = quiet()
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
		for _, end := range ends {
			if p, err := b.Acquire(t.Context()); err == nil {
				p.Done(end.err)
			}
		}
		if s := b.Stats(); s.Reopen > 2*24*time.Hour {
			t.Fatalf("open for %v", s.Reopen)
		}
	})
}
