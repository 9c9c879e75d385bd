package bulkhead_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T78: the zero AdaptiveConfig equals the documented table.
func TestAdaptiveConfigDefaultsAreTheDocumentedOnes(t *testing.T) {
	want := bulkhead.AdaptiveConfig{
		Initial: 20, Min: 1, Max: 1000, Algorithm: bulkhead.Knee,
		Knee: bulkhead.KneeConfig{Tolerance: 0.04, Window: 500 * time.Millisecond, Remeasure: 45 * time.Second},
		AIMD: bulkhead.AIMDConfig{Backoff: 0.9, Timeout: 5 * time.Second, Window: time.Second},
		Queue: bulkhead.Queue{
			Limit: 20, MaxWait: time.Second, Order: bulkhead.FIFO, Target: 5 * time.Millisecond, Interval: 100 * time.Millisecond,
		},
		Shares: bulkhead.Shares{
			CriticalPlus: bulkhead.NoShare, Critical: 0.2, SheddablePlus: 0.05, Sheddable: 0.01,
		},
		Shedding: bulkhead.ByArrival,
	}
	a := newAdaptive(bulkhead.AdaptiveConfig{})
	got := a.Config()
	if text, wanted := asJSON(t, got), asJSON(t, want); text != wanted {
		t.Errorf("resolved to %s, want %s", text, wanted)
	}
	if !got.Equal(want) || !got.Equal(bulkhead.AdaptiveConfig{}) {
		t.Error("the defaults do not equal the zero configuration")
	}
	if s := a.Stats(); s.Limit != 20 || s.Learned != 20 {
		t.Errorf("it begins with a limit of %d", s.Limit)
	}
	for _, tc := range []struct {
		cfg  bulkhead.AdaptiveConfig
		want int
	}{
		{bulkhead.AdaptiveConfig{Max: 7}, 7},
		{bulkhead.AdaptiveConfig{Min: 30}, 30},
		{bulkhead.AdaptiveConfig{Min: 2000}, 2000},
		{bulkhead.AdaptiveConfig{Initial: 50, Max: 40}, 40},
	} {
		if got := newAdaptive(tc.cfg).Stats().Limit; got != tc.want {
			t.Errorf("%+v begins with %d, want %d", tc.cfg, got, tc.want)
		}
	}
}

func asJSON(t *testing.T, cfg bulkhead.AdaptiveConfig) string {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// T43, T78: impossible values are refused by Validate, New and Update alike, and the text names field, value and range.
func TestAdaptiveConfigRefusesImpossibleValues(t *testing.T) {
	type cfg = bulkhead.AdaptiveConfig
	for _, tc := range []struct {
		cfg  cfg
		want string
	}{
		{cfg{Max: -1}, "bulkhead: AdaptiveConfig.Max is -1, want 1 to 1000000"},
		{cfg{Max: math.MaxInt}, "AdaptiveConfig.Max is"},
		{cfg{Min: -1}, "bulkhead: AdaptiveConfig.Min is -1, want 1 to Max, which is 1000"},
		{cfg{Min: 5, Max: 4}, "bulkhead: AdaptiveConfig.Min is 5, want 1 to Max, which is 4"},
		{cfg{Min: math.MaxInt}, "AdaptiveConfig.Max is"},
		{cfg{Initial: -1}, "bulkhead: AdaptiveConfig.Initial is -1, want 1 to 1000000"},
		{cfg{Initial: math.MaxInt}, "AdaptiveConfig.Initial is"},
		{cfg{Algorithm: 9}, "bulkhead: AdaptiveConfig.Algorithm is Algorithm(9), want knee or aimd"},
		{cfg{Knee: bulkhead.KneeConfig{Tolerance: math.NaN()}}, "AdaptiveConfig.Knee.Tolerance is NaN, want 0.01 to 0.5"},
		{cfg{Knee: bulkhead.KneeConfig{Tolerance: -0.1}}, "AdaptiveConfig.Knee.Tolerance is -0.1"},
		{cfg{Knee: bulkhead.KneeConfig{Tolerance: math.Inf(1)}}, "AdaptiveConfig.Knee.Tolerance is +Inf"},
		{cfg{Knee: bulkhead.KneeConfig{Window: -1}}, "AdaptiveConfig.Knee.Window is -1ns, want 10ms to 1m"},
		{cfg{Knee: bulkhead.KneeConfig{Window: math.MaxInt64}}, "AdaptiveConfig.Knee.Window"},
		{cfg{Knee: bulkhead.KneeConfig{Remeasure: 1}}, "AdaptiveConfig.Knee.Remeasure is 1ns, want 1s to 1h"},
		{cfg{AIMD: bulkhead.AIMDConfig{Backoff: 1}}, "AdaptiveConfig.AIMD.Backoff is 1, want 0.1 to 0.99"},
		{cfg{AIMD: bulkhead.AIMDConfig{Backoff: math.NaN()}}, "AdaptiveConfig.AIMD.Backoff is NaN"},
		{cfg{AIMD: bulkhead.AIMDConfig{Timeout: 2 * time.Hour}}, "AdaptiveConfig.AIMD.Timeout is 2h0m0s, want 1ms to 1h"},
		{cfg{AIMD: bulkhead.AIMDConfig{Window: time.Millisecond}}, "AdaptiveConfig.AIMD.Window is 1ms, want 10ms to 1m"},
		{cfg{Queue: bulkhead.Queue{Limit: -2}}, "bulkhead: AdaptiveConfig.Queue.Limit is -2, want 1 to 1000000, or NoQueue"},
		{cfg{Shares: bulkhead.Shares{Critical: 2}}, "bulkhead: AdaptiveConfig.Shares.Critical is 2"},
		{cfg{Shedding: 9}, "bulkhead: AdaptiveConfig.Shedding is Shedding(9)"},
		{cfg{Mode: 9}, "bulkhead: AdaptiveConfig.Mode is Mode(9)"},
	} {
		err := tc.cfg.Validate()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error is %v, want %q", tc.cfg, err, tc.want)
			continue
		}
		a := newAdaptive(cfg{})
		if got := a.Update(tc.cfg); got == nil || got.Error() != err.Error() || !a.Config().Equal(cfg{}) {
			t.Errorf("%+v: Update says %v, and leaves %+v", tc.cfg, got, a.Config())
		}
		func() {
			defer func() {
				if got := recover(); got != err.Error() {
					t.Errorf("%+v: NewAdaptive panics with %v, want %q", tc.cfg, got, err)
				}
			}()
			newAdaptive(tc.cfg)
		}()
	}
}

// T78: what is written to a file comes back, and files may name the algorithm.
func TestAdaptiveConfigSurvivesAFile(t *testing.T) {
	want := bulkhead.AdaptiveConfig{
		Initial: 3, Min: 2, Max: 9, Algorithm: bulkhead.AIMD, Mode: seawall.Shadow,
		Knee:  bulkhead.KneeConfig{Tolerance: 0.1, Window: time.Second, Remeasure: time.Minute},
		AIMD:  bulkhead.AIMDConfig{Backoff: 0.5, Timeout: time.Second, Window: 2 * time.Second},
		Queue: bulkhead.Queue{Limit: bulkhead.NoQueue},
	}
	text := asJSON(t, want)
	if !strings.Contains(text, `"algorithm":"aimd"`) || strings.Contains(text, "OnLimitChange") {
		t.Errorf("written as %s", text)
	}
	var got bulkhead.AdaptiveConfig
	if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(want) {
		t.Errorf("read back as %+v, %v", got, err)
	}
	var a bulkhead.Algorithm
	if a.UnmarshalText([]byte("vegas")) == nil || a != 0 {
		t.Error("there is no algorithm of that name")
	}
	if _, err := bulkhead.Algorithm(9).MarshalText(); err == nil {
		t.Error("algorithm 9 was written")
	}
	for name, change := range map[string]func(*bulkhead.AdaptiveConfig){
		"initial": func(c *bulkhead.AdaptiveConfig) { c.Initial = 4 }, "min": func(c *bulkhead.AdaptiveConfig) { c.Min = 1 },
		"max": func(c *bulkhead.AdaptiveConfig) { c.Max = 10 }, "algorithm": func(c *bulkhead.AdaptiveConfig) { c.Algorithm = 0 },
		"knee": func(c *bulkhead.AdaptiveConfig) { c.Knee.Tolerance = 0 }, "aimd": func(c *bulkhead.AdaptiveConfig) { c.AIMD.Backoff = 0 },
		"queue": func(c *bulkhead.AdaptiveConfig) { c.Queue.Limit = 5 }, "mode": func(c *bulkhead.AdaptiveConfig) { c.Mode = seawall.Off },
	} {
		other := want
		if change(&other); other.Equal(want) {
			t.Errorf("another %s is taken for the same", name)
		}
	}
}

// FuzzAdaptiveConfig reads any JSON: what Validate lets through, NewAdaptive takes, and Config gives back.
func FuzzAdaptiveConfig(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"initial":3,"min":1,"max":4,"algorithm":"aimd","mode":"shadow"}`))
	f.Add([]byte(`{"max":-9223372036854775808,"min":9223372036854775807,"knee":{"tolerance":1e308,"window":-1}}`))
	f.Add([]byte(`{"aimd":{"backoff":0.5,"timeout":1000000,"window":1},"queue":{"limit":-1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var cfg bulkhead.AdaptiveConfig
		if json.Unmarshal(text, &cfg) != nil || cfg.Validate() != nil {
			return
		}
		if a := newAdaptive(cfg); !a.Config().Equal(cfg) || a.Config().Validate() != nil {
			t.Errorf("%+v has become %+v", cfg, a.Config())
		}
	})
}
