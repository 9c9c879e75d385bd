package ratelimit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// T78: the zero Config equals the documented table, but for the rate, which has no default.
func TestConfigDefaultsAreTheDocumentedOnes(t *testing.T) {
	for rate, burst := range map[float64]int{
		0.001: 1, 1: 1, 10: 1, 11: 2, 50: 5, 1000: 100, 1e9: 1_000_000, ratelimit.Unlimited: 1,
	} {
		got := newLimiter(ratelimit.Config{Rate: rate}).Config()
		got.Registry = nil
		want := ratelimit.Config{Rate: rate, Burst: burst, MaxWait: ratelimit.NoWait, MaxWaiting: 1000}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("resolved to %+v, want %+v", got, want)
		}
	}
	throttle := newThrottle(ratelimit.ThrottleConfig{}).Config()
	throttle.Registry = nil
	if want := (ratelimit.ThrottleConfig{K: 2, Window: 2 * time.Minute, MinRequests: 20, MaxReject: 0.9}); !reflect.DeepEqual(throttle, want) {
		t.Errorf("resolved to %+v, want %+v", throttle, want)
	}
	group := newGroup(ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 1}}).Config()
	if group.MaxKeys != 10_000 || group.Limiter.MaxWait != ratelimit.NoWait {
		t.Errorf("resolved to %+v", group)
	}
}

// config is what the three kinds of configuration have in common.
type config interface{ Validate() error }

// T43, T78: impossible values are refused by Validate and New alike, and the text names field, value and range.
func TestConfigRefusesImpossibleValues(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	limiter := func(cfg ratelimit.Config) ratelimit.Config {
		if cfg.Rate == 0 {
			cfg.Rate = 1
		}
		return cfg
	}
	for _, tc := range []struct {
		cfg  config
		want string
	}{
		{ratelimit.Config{}, "ratelimit: Config.Rate is 0, want 0.00001 to 1000000000 per second, or Unlimited; it has no default"},
		{ratelimit.Config{Rate: nan}, "Config.Rate is NaN"},
		{ratelimit.Config{Rate: inf}, "Config.Rate is +Inf"},
		{ratelimit.Config{Rate: -2}, "Config.Rate is -2"},
		{ratelimit.Config{Rate: 1e-6}, "Config.Rate"},
		{ratelimit.Config{Rate: 1e10}, "Config.Rate"},
		{limiter(ratelimit.Config{Burst: -1}), "ratelimit: Config.Burst is -1, want 1 to 1000000"},
		{limiter(ratelimit.Config{Burst: math.MaxInt}), "Config.Burst"},
		{limiter(ratelimit.Config{MaxWait: time.Microsecond}), "ratelimit: Config.MaxWait is 1µs, want 1ms to 1h, or NoWait"},
		{limiter(ratelimit.Config{MaxWait: -2}), "Config.MaxWait"},
		{limiter(ratelimit.Config{MaxWait: math.MaxInt64}), "Config.MaxWait"},
		{limiter(ratelimit.Config{MaxWaiting: -1}), "ratelimit: Config.MaxWaiting is -1, want 1 to 1000000"},
		{limiter(ratelimit.Config{MaxWaiting: 1_000_001}), "Config.MaxWaiting"},
		{limiter(ratelimit.Config{Mode: 99}), "ratelimit: Config.Mode is Mode(99), want one of the modes of package seawall"},
		{ratelimit.ThrottleConfig{K: 1}, "ratelimit: ThrottleConfig.K is 1, want 1.1 to 10"},
		{ratelimit.ThrottleConfig{K: nan}, "ThrottleConfig.K"},
		{ratelimit.ThrottleConfig{K: inf}, "ThrottleConfig.K"},
		{ratelimit.ThrottleConfig{Window: time.Millisecond}, "ratelimit: ThrottleConfig.Window is 1ms, want 1s to 10m"},
		{ratelimit.ThrottleConfig{Window: time.Hour}, "ThrottleConfig.Window"},
		{ratelimit.ThrottleConfig{MinRequests: -1}, "ratelimit: ThrottleConfig.MinRequests is -1, want 1 to 1000000"},
		{ratelimit.ThrottleConfig{MaxReject: 1.01}, "ratelimit: ThrottleConfig.MaxReject is 1.01, want 0.1 to 1"},
		{ratelimit.ThrottleConfig{MaxReject: nan}, "ThrottleConfig.MaxReject"},
		{ratelimit.ThrottleConfig{Evidence: 7}, "ratelimit: ThrottleConfig.Evidence is Evidence(7), want OverloadAndFailure or OverloadOnly"},
		{ratelimit.ThrottleConfig{Mode: 99}, "ThrottleConfig.Mode"},
		{ratelimit.GroupConfig[int]{}, "ratelimit: GroupConfig.Limiter: ratelimit: Config.Rate is 0"},
		{ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 1}, MaxKeys: -1}, "ratelimit: GroupConfig.MaxKeys is -1, want 1 to 10000000"},
		{
			ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 1, Registry: quietRegistry()}},
			"ratelimit: GroupConfig.Limiter.Registry is set",
		},
	} {
		err := tc.cfg.Validate()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: Validate says %v, want %q", tc.cfg, err, tc.want)
			continue
		}
		func() {
			defer func() {
				if value := recover(); value != err.Error() {
					t.Errorf("%+v: New panicked with %v, want %v", tc.cfg, value, err)
				}
			}()
			switch cfg := tc.cfg.(type) {
			case ratelimit.Config:
				ratelimit.New("impossible", cfg)
			case ratelimit.ThrottleConfig:
				ratelimit.NewThrottle("impossible", cfg)
			case ratelimit.GroupConfig[int]:
				ratelimit.NewGroup("impossible", cfg)
			}
		}()
	}
}

// T75: a refused Update changes nothing.
func TestRefusedUpdateChangesNothing(t *testing.T) {
	l := newLimiter(ratelimit.Config{Rate: 5})
	take(t, l, 1)
	before := l.Stats()
	if l.Update(ratelimit.Config{Rate: 50, Burst: -1}) == nil || l.Stats().Rate != before.Rate || l.Stats().Burst != before.Burst {
		t.Errorf("the configuration is %+v", l.Config())
	}
	th := newThrottle(ratelimit.ThrottleConfig{})
	if th.Update(ratelimit.ThrottleConfig{K: 3, MaxReject: -1}) == nil || th.Config().K != 2 {
		t.Errorf("the configuration is %+v", th.Config())
	}
}

// T78
func TestConfigSurvivesJSON(t *testing.T) {
	for _, cfg := range []ratelimit.Config{
		{Rate: 0.5},
		{Rate: ratelimit.Unlimited, MaxWait: ratelimit.NoWait, Mode: seawall.Shadow},
		{Rate: 1e6, Burst: 3, MaxWait: time.Second, MaxWaiting: 7},
	} {
		text, err := json.Marshal(cfg)
		var back ratelimit.Config
		if err != nil || json.Unmarshal(text, &back) != nil || !reflect.DeepEqual(back, cfg) {
			t.Errorf("%s came back as %+v, %v", text, back, err)
		}
	}
	for text, cfg := range map[string]any{
		`{"rate":3,"burst":0,"max_wait":0,"max_waiting":0,"mode":"enforce"}`: ratelimit.Config{
			Rate: 3, Registry: quietRegistry(), Weight: func(context.Context) int { return 1 },
		},
		`{"k":0,"window":0,"min_requests":0,"max_reject":0,"evidence":"overload_only","mode":"off"}`: ratelimit.ThrottleConfig{
			Evidence: ratelimit.OverloadOnly, Mode: seawall.Off, Classify: seawall.Classify,
		},
		`{"limiter":{"rate":3,"burst":0,"max_wait":0,"max_waiting":0,"mode":"enforce"},"max_keys":5}`: ratelimit.GroupConfig[int]{
			Limiter: ratelimit.Config{Rate: 3}, MaxKeys: 5, Label: func(int) string { return "" },
		},
	} {
		if got, err := json.Marshal(cfg); err != nil || string(got) != text {
			t.Errorf("JSON is %s, %v, want %s", got, err, text)
		}
	}
	var cfg ratelimit.ThrottleConfig
	if err := json.Unmarshal([]byte(`{"evidence":"overload_only"}`), &cfg); err != nil || cfg.Evidence != ratelimit.OverloadOnly {
		t.Errorf("%+v, %v", cfg, err)
	}
	if err := json.Unmarshal([]byte(`{"evidence":"hearsay"}`), &cfg); err == nil {
		t.Error("there is no such evidence")
	}
	if _, err := json.Marshal(ratelimit.ThrottleConfig{Evidence: 9}); err == nil {
		t.Error("there is no such evidence")
	}
}

func TestConfigEqualComparesTheMeaning(t *testing.T) {
	base := ratelimit.Config{Rate: 50, Burst: 5, MaxWait: ratelimit.NoWait, MaxWaiting: 1000, Registry: quietRegistry()}
	if !base.Equal(ratelimit.Config{Rate: 50}) {
		t.Error("a Config differs from its defaults filled in")
	}
	for _, other := range []ratelimit.Config{
		{Rate: 51, Burst: 5},
		{Rate: 50, Burst: 6},
		{Rate: 50, MaxWait: time.Second},
		{Rate: 50, MaxWaiting: 1},
		{Rate: 50, Mode: seawall.Off},
		{Rate: 50, Weight: func(context.Context) int { return 1 }},
	} {
		if base.Equal(other) || other.Equal(base) {
			t.Errorf("%+v equals the base", other)
		}
	}
	throttle := ratelimit.ThrottleConfig{K: 2}
	if !throttle.Equal(ratelimit.ThrottleConfig{MaxReject: 0.9}) {
		t.Error("a ThrottleConfig differs from its defaults filled in")
	}
	for _, other := range []ratelimit.ThrottleConfig{
		{K: 3},
		{Window: time.Minute},
		{MinRequests: 1},
		{MaxReject: 1},
		{Evidence: ratelimit.OverloadOnly},
		{Mode: seawall.Shadow},
		{Classify: seawall.Classify},
	} {
		if throttle.Equal(other) {
			t.Errorf("%+v equals the default", other)
		}
	}
	group := ratelimit.GroupConfig[int]{Limiter: base}
	if !group.Equal(ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 50}, MaxKeys: 10_000}) {
		t.Error("a GroupConfig differs from its defaults filled in")
	}
	for _, other := range []ratelimit.GroupConfig[int]{
		{Limiter: ratelimit.Config{Rate: 1}}, {Limiter: base, MaxKeys: 1}, {Limiter: base, Label: func(int) string { return "" }},
	} {
		if group.Equal(other) {
			t.Errorf("%+v equals the base", other)
		}
	}
}

func TestChangesAreLogged(t *testing.T) {
	var log bytes.Buffer
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	l := ratelimit.New("geocoder", ratelimit.Config{Rate: 10, Registry: registry})
	th := ratelimit.NewThrottle("geocoder", ratelimit.ThrottleConfig{Registry: registry})
	g := ratelimit.NewGroup("tenants", ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 10}, Registry: registry})
	take(t, g.For(1), 1)
	for _, err := range []error{
		l.Update(ratelimit.Config{Rate: 10, Burst: 1}), // changes nothing
		l.SetMode(seawall.Shadow),
		l.Update(ratelimit.Config{Rate: 20, MaxWait: time.Second}),
		th.SetMode(seawall.ForcedClosed),
		th.Update(ratelimit.ThrottleConfig{K: 3, Evidence: ratelimit.OverloadOnly}),
		g.SetMode(seawall.Off),
		g.Update(ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 20}, MaxKeys: 7}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if l.SetMode(99) == nil || th.SetMode(99) == nil {
		t.Error("there is no such mode")
	}
	want := strings.TrimPrefix(`
level=WARN msg=seawall.gate.mode_changed kind=ratelimit name=geocoder from=enforce to=shadow
level=WARN msg=seawall.gate.mode_changed kind=ratelimit name=geocoder from=shadow to=enforce
level=INFO msg=seawall.config.updated kind=ratelimit name=geocoder fields="rate burst max_wait"
level=WARN msg=seawall.gate.mode_changed kind=throttle name=geocoder from=enforce to=forced_closed
level=WARN msg=seawall.gate.mode_changed kind=throttle name=geocoder from=forced_closed to=enforce
level=INFO msg=seawall.config.updated kind=throttle name=geocoder fields="k evidence"
level=WARN msg=seawall.gate.mode_changed kind=ratelimit name=tenants from=enforce to=off
level=WARN msg=seawall.gate.mode_changed kind=ratelimit name=tenants from=off to=enforce
level=INFO msg=seawall.config.updated kind=ratelimit name=tenants fields="limiter.rate limiter.burst max_keys"
`, "\n")
	if log.String() != want {
		t.Errorf("logged:\n%swant:\n%s", &log, want)
	}
}

// T46: a call whose weight was told by one configuration is not judged by the next one: it is weighed again.
func TestLimiterNeverMixesTwoConfigs(t *testing.T) {
	var l *ratelimit.Limiter
	l = newLimiter(ratelimit.Config{Rate: 0.01, Burst: 100, Weight: func(context.Context) int {
		update(t, l, ratelimit.Config{Rate: 0.01, Burst: 1}) // somebody does, at this very moment
		return 100
	}})
	if _, err := l.Acquire(t.Context()); err != nil {
		t.Errorf("a call of weight 1, by the new configuration, got %v", err)
	}
	update(t, l, ratelimit.Config{Rate: 0.01, Burst: 5, Weight: func(context.Context) int {
		_ = l.SetMode(seawall.Off)
		return 1
	}})
	if _, err := l.Acquire(t.Context()); err != nil {
		t.Errorf("the limiter is off, but %v", err)
	}
	if s := l.Stats(); s.Allowed != 1 || s.Rejected.Total() != 0 {
		t.Errorf("stats are %+v", s)
	}
}
