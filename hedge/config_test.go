package hedge_test

import (
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

var shared = seawall.NewBudget(seawall.BudgetConfig{})

// T78
var configs = []struct {
	cfg  hedge.Config
	want string // the error; empty if there is none
}{
	{hedge.Config{}, ""},
	{hedge.Config{Delay: 1}, ""},
	{hedge.Config{Delay: hedge.OnFailure}, ""},
	{hedge.Config{Delay: math.MaxInt64}, ""},
	{hedge.Config{Delay: -2}, "hedge: Config.Delay is -2ns, want at least 1ns, or OnFailure"},
	{hedge.Config{MaxAttempts: 1}, ""},
	{hedge.Config{MaxAttempts: 10}, ""},
	{hedge.Config{MaxAttempts: 11}, "hedge: Config.MaxAttempts is 11, want 1 to 10"},
	{hedge.Config{MaxAttempts: -1}, "hedge: Config.MaxAttempts is -1, want 1 to 10"},
	{hedge.Config{Cap: hedge.Cap{Ratio: 9, Burst: 1_000_000}}, ""},
	{hedge.Config{Cap: hedge.Cap{Ratio: 9.1}}, "hedge: Config.Cap.Ratio is 9.1, want 0.000001 to 9"},
	{hedge.Config{Cap: hedge.Cap{Ratio: 1e-7}}, "hedge: Config.Cap.Ratio is 1e-07, want 0.000001 to 9"},
	{hedge.Config{Cap: hedge.Cap{Ratio: math.NaN()}}, "hedge: Config.Cap.Ratio is NaN, want 0.000001 to 9"},
	{hedge.Config{Cap: hedge.Cap{Burst: -1}}, "hedge: Config.Cap.Burst is -1, want 1 to 1000000"},
	{hedge.Config{Funding: 3}, "hedge: Config.Funding is Funding(3), want FromBudget, Contribute or NoBudget"},
	{hedge.Config{Funding: hedge.NoBudget}, ""},
	{hedge.Config{Budget: shared}, ""},
	{hedge.Config{Budget: shared, Funding: hedge.Contribute}, ""},
	{hedge.Config{Budget: shared, Funding: hedge.NoBudget}, "hedge: Config.Budget is set, want nil with NoBudget"},
	{hedge.Config{Funding: hedge.Contribute}, "hedge: Config.Budget is nil, want a shared one with Contribute"},
	{
		hedge.Config{Budget: shared, BudgetConfig: seawall.BudgetConfig{Burst: 1}},
		"hedge: Config.BudgetConfig is {Ratio:0 Burst:1}, want zero with a shared Budget",
	},
	{
		hedge.Config{Funding: hedge.NoBudget, BudgetConfig: seawall.BudgetConfig{Burst: 1}},
		"hedge: Config.BudgetConfig is {Ratio:0 Burst:1}, want zero with NoBudget",
	},
	{
		hedge.Config{BudgetConfig: seawall.BudgetConfig{Ratio: -1}},
		"hedge: Config.BudgetConfig: seawall: BudgetConfig.Ratio is -1, want 0.000001 to 10",
	},
	{hedge.Config{Latency: hedge.Latency{Percentile: 0.5}}, ""},
	{hedge.Config{Latency: hedge.Latency{Percentile: 0.49}}, "hedge: Config.Latency.Percentile is 0.49, want 0.5 to 0.999"},
	{hedge.Config{Latency: hedge.Latency{Percentile: 99}}, "hedge: Config.Latency.Percentile is 99, want 0.5 to 0.999"},
	{hedge.Config{Latency: hedge.Latency{Percentile: math.NaN()}}, "hedge: Config.Latency.Percentile is NaN, want 0.5 to 0.999"},
	{hedge.Config{Latency: hedge.Latency{Min: -1}}, "hedge: Config.Latency.Min is -1ns, want at least 1ns"},
	{hedge.Config{Latency: hedge.Latency{Min: time.Hour}}, ""},
	{hedge.Config{Latency: hedge.Latency{Max: 1}}, ""},
	{hedge.Config{Latency: hedge.Latency{Min: 2, Max: 1}}, "hedge: Config.Latency.Max is 1ns, want at least Min, which is 2ns"},
	{hedge.Config{Latency: hedge.Latency{Max: -1}}, "hedge: Config.Latency.Max is -1ns, want at least Min, which is 1ns"},
	{hedge.Config{Latency: hedge.Latency{Initial: hedge.OnFailure}}, ""},
	{hedge.Config{Latency: hedge.Latency{Initial: -2}}, "hedge: Config.Latency.Initial is -2ns, want at least 1ns, or OnFailure"},
	{hedge.Config{Latency: hedge.Latency{Window: ms}}, "hedge: Config.Latency.Window is 1ms, want 1s to 24h0m0s"},
	{hedge.Config{Latency: hedge.Latency{Window: 25 * time.Hour}}, "hedge: Config.Latency.Window is 25h0m0s, want 1s to 24h0m0s"},
	{hedge.Config{Latency: hedge.Latency{MinCalls: -1}}, "hedge: Config.Latency.MinCalls is -1, want 1 to 1000000"},
}

// T78
func TestConfigTable(t *testing.T) {
	for _, c := range configs {
		text := ""
		if err := c.cfg.Validate(); err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%+v: error is %q, want %q", c.cfg, text, c.want)
		}
		func() {
			defer func() {
				if got, _ := recover().(string); got != c.want {
					t.Errorf("%+v: New panicked with %q", c.cfg, got)
				}
			}()
			h, _ := newHedge(t, c.cfg)
			if err := h.Do(t.Context(), succeed); err != nil {
				t.Error(err)
			}
			if again := h.Config(); again.Validate() != nil || !again.Equal(c.cfg) {
				t.Errorf("%+v reads back as %+v", c.cfg, again)
			}
		}()
		h, _ := newHedge(t, hedge.Config{Delay: 77})
		if err := h.Update(c.cfg); (err == nil) != (c.want == "") || err != nil && h.Config().Delay != 77 {
			t.Errorf("%+v: Update gave %v, and left %+v", c.cfg, err, h.Config())
		}
	}
}

// T78
func TestZeroConfigIsTheDocumentedOne(t *testing.T) {
	h, _ := newHedge(t, hedge.Config{})
	want := hedge.Config{
		Latency: hedge.Latency{
			Percentile: 0.95, Min: ms, Max: time.Minute, Initial: hedge.OnFailure, Window: 30 * time.Second, MinCalls: 100,
		},
		MaxAttempts: 2, Cap: hedge.Cap{Ratio: 0.1, Burst: 10}, BudgetConfig: seawall.BudgetConfig{Ratio: 0.1, Burst: 10},
	}
	if got := h.Config(); !got.Equal(want) || got.Latency != want.Latency || got.MaxAttempts != 2 || got.Cap != want.Cap ||
		got.BudgetConfig != want.BudgetConfig {
		t.Errorf("it is %+v", got)
	}
	for _, other := range []hedge.Config{
		{Delay: 1},
		{Latency: hedge.Latency{Percentile: 0.9}},
		{MaxAttempts: 3},
		{Cap: hedge.Cap{Burst: 1}},
		{Funding: hedge.NoBudget},
		{BudgetConfig: seawall.BudgetConfig{Burst: 1}},
		{Budget: shared},
	} {
		if other.Equal(want) || !other.Equal(other) {
			t.Errorf("Equal confuses %+v", other)
		}
	}
}

// T78
func TestConfigSurvivesJSON(t *testing.T) {
	for _, c := range configs {
		if c.want != "" || c.cfg.Budget != nil {
			continue
		}
		h, _ := newHedge(t, c.cfg)
		for _, cfg := range []hedge.Config{c.cfg, h.Config()} {
			text, err := json.Marshal(cfg)
			if err != nil {
				t.Fatal(err)
			}
			var back hedge.Config
			if err := json.Unmarshal(text, &back); err != nil || !back.Equal(cfg) {
				t.Errorf("%s came back as %+v, %v", text, back, err)
			}
		}
	}
	for _, f := range []hedge.Funding{hedge.FromBudget, hedge.Contribute, hedge.NoBudget} {
		text, err := f.MarshalText()
		var back hedge.Funding
		if err != nil || string(text) != f.String() || back.UnmarshalText(text) != nil || back != f {
			t.Errorf("%v: %q, %v, %v", f, text, err, back)
		}
	}
	f := hedge.Contribute
	if err := f.UnmarshalText([]byte("Budget")); err == nil || f != hedge.Contribute ||
		err.Error() != `hedge: no such funding: "Budget", want one of [budget contribute none]` {
		t.Errorf("got %v, and left %v", err, f)
	}
	if _, err := hedge.Funding(9).MarshalText(); err == nil || err.Error() != "hedge: no such funding: 9" {
		t.Errorf("got %v", err)
	}
}

// What is known and what is at hand stays where its numbers stay.
func TestUpdateKeepsWhatItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := hedge.Config{Cap: hedge.Cap{Burst: 3}, BudgetConfig: seawall.BudgetConfig{Burst: 5}}
		for _, c := range []struct {
			name     string
			change   func(*hedge.Config)
			knows    bool
			attempts int64 // extra ones after the change: what the Cap has left, or a full one
			budget   float64
			fields   string
		}{
			{"nothing", func(*hedge.Config) {}, true, 1, 3, ""},
			{"percentile", func(c *hedge.Config) { c.Latency.Percentile = 0.5 }, true, 1, 3, "latency"},
			{"window", func(c *hedge.Config) { c.Latency.Window = time.Hour }, false, 0, 3, "latency"},
			{"cap", func(c *hedge.Config) { c.Cap.Burst = 2 }, true, 2, 3, "cap"},
			{"budget", func(c *hedge.Config) { c.BudgetConfig.Burst = 4 }, true, 1, 4, "budget"},
			{"delay", func(c *hedge.Config) { c.Delay, c.MaxAttempts = 2*ms, 3 }, true, 1, 3, "delay max_attempts"},
			{"funding", func(c *hedge.Config) {
				c.Funding, c.BudgetConfig = hedge.NoBudget, seawall.BudgetConfig{}
			}, true, 1, 0, "funding budget"},
		} {
			h, log := newHedge(t, base)
			registry := h.Config().Registry
			ctx := seawall.NotIdempotent(t.Context())
			for range 200 {
				_ = h.Do(ctx, newEnds(end{10 * ms, nil}).op)
			}
			slowly(t, h)
			slowly(t, h)
			cfg := h.Config()
			c.change(&cfg)
			cfg.Registry = nil
			if err := h.Update(cfg); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if h.Config().Registry != registry {
				t.Errorf("%s: the registry is another one", c.name)
			}
			if _, ok := h.Delay(); ok != c.knows {
				t.Errorf("%s: the delay is known: %v", c.name, ok)
			}
			if got := h.Stats().Budget; math.Abs(got-c.budget) > 0.25 {
				t.Errorf("%s: the budget has %v, want %v", c.name, got, c.budget)
			}
			before := h.Stats().Attempts
			for range 4 {
				_ = h.Do(t.Context(), newEnds(end{60 * ms, nil}, end{time.Minute, nil}, end{time.Minute, nil}).op)
			}
			if got := h.Stats().Attempts - before - 4; got != c.attempts {
				t.Errorf("%s: %d extra attempts, want %d", c.name, got, c.attempts)
			}
			logged := log.list()
			if c.fields == "" && len(logged) == 0 {
				continue
			}
			if len(logged) != 1 || logged[0]["msg"] != "seawall.config.updated" || logged[0]["fields"] != c.fields ||
				logged[0]["kind"] != "hedge" || logged[0]["name"] != "test" {
				t.Errorf("%s: logged %v", c.name, logged)
			}
		}
	})
}

// T46
func TestCallKeepsTheConfigurationThatItMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, MaxAttempts: 3})
		time.AfterFunc(5*ms, func() {
			if err := h.Update(hedge.Config{Delay: time.Hour}); err != nil {
				t.Error(err)
			}
		})
		e := newEnds(end{50 * ms, nil}, end{50 * ms, nil}, end{50 * ms, nil})
		_ = h.Do(t.Context(), e.op)
		if got := len(e.started()); got != 3 {
			t.Errorf("%d attempts, want 3", got)
		}
	})
}

func FuzzConfigFromJSONIsValidOrRefused(f *testing.F) {
	f.Add(`{}`)
	f.Add(`{"delay": 5000000, "max_attempts": 3, "cap": {"ratio": 0.05, "burst": 2}, "funding": "none"}`)
	f.Add(`{"latency": {"percentile": 0.99, "min": 1000, "max": 1, "initial": -1, "window": 1e9, "min_calls": -5}}`)
	f.Add(`{"budget": {"ratio": 11}, "funding": "contribute"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var cfg hedge.Config
		if json.Unmarshal([]byte(text), &cfg) != nil {
			return
		}
		if err := cfg.Validate(); err != nil {
			if !strings.HasPrefix(err.Error(), "hedge: Config.") {
				t.Errorf("refused by %q", err)
			}
			return
		}
		cfg.Registry = (&seawall.Registry{}).Detached()
		h := hedge.New("fuzz", cfg)
		if err := h.Do(t.Context(), succeed); err != nil || !h.Config().Equal(cfg) || h.Config().Validate() != nil {
			t.Errorf("%s: %v, %+v", text, err, h.Config())
		}
	})
}

// T41
func TestReadersAndUpdatesRaceWithCalls(t *testing.T) {
	quiet := (&seawall.Registry{}).Detached()
	quiet.SetLogger(slog.New(slog.DiscardHandler))
	h := hedge.New("test", hedge.Config{Registry: quiet})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	for _, cfg := range []hedge.Config{
		{},
		{Delay: time.Microsecond, MaxAttempts: 3, Funding: hedge.NoBudget, Cap: hedge.Cap{Ratio: 9}},
		{Latency: hedge.Latency{MinCalls: 1, Percentile: 0.5, Min: 1, Window: time.Second}, Cap: hedge.Cap{Ratio: 1}},
	} {
		loop(func() {
			if err := h.Update(cfg); err != nil {
				t.Error(err)
			}
		})
	}
	for range 4 {
		loop(func() {
			if err := h.Do(t.Context(), succeed); err != nil {
				t.Error(err)
			}
		})
	}
	loop(func() { _, _, _ = h.Stats(), h.Snapshot(), h.Traits() })
	loop(func() { _, _ = h.Config(), h.Budget() })
	time.Sleep(100 * time.Millisecond)
	close(stop)
	wg.Wait()
	if s := h.Stats(); s.Calls() != s.Primary+s.Hedge {
		t.Errorf("counted as %+v", s)
	}
}
