package retry_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

func TestRetryTellsOfEveryChangeOfItsConfiguration(t *testing.T) {
	r, log := newRetry(t, retry.Config{})
	shared := seawall.NewBudget(seawall.BudgetConfig{})
	for _, row := range []struct {
		fields string // "" is no event
		edit   func(cfg *retry.Config)
	}{
		{"", func(*retry.Config) {}},
		{"", func(cfg *retry.Config) { cfg.OnRetry = func(retry.Event) {} }},
		{"", func(cfg *retry.Config) { cfg.MaxAttempts = -7 }}, // is refused
		{"max_attempts", func(cfg *retry.Config) { cfg.MaxAttempts = 5 }},
		{"", func(cfg *retry.Config) { cfg.MaxAttempts = 5 }},
		{"backoff.kind", func(cfg *retry.Config) { cfg.Backoff.Kind = retry.EqualJitter }},
		{"backoff.base backoff.max", func(cfg *retry.Config) { cfg.Backoff.Base, cfg.Backoff.Max = 1, 2 }},
		{"backoff.factor", func(cfg *retry.Config) { cfg.Backoff.Factor = 3 }},
		{"max_retry_after overload_delay", func(cfg *retry.Config) {
			cfg.MaxRetryAfter, cfg.OverloadDelay = time.Hour, retry.NoDelay
		}},
		{"budget", func(cfg *retry.Config) { cfg.BudgetConfig.Burst = 3 }},
		{"budget", func(cfg *retry.Config) { cfg.BudgetConfig, cfg.Budget = seawall.BudgetConfig{}, shared }},
		{"funding budget", func(cfg *retry.Config) { cfg.Budget, cfg.Funding = nil, retry.NoBudget }},
	} {
		before := len(log.named("seawall.config.updated"))
		cfg := r.Config()
		row.edit(&cfg)
		_ = r.Update(cfg)
		events := log.named("seawall.config.updated")[before:]
		switch {
		case row.fields == "":
			if len(events) != 0 {
				t.Errorf("events of what is no change are %v", events)
			}
		case len(events) != 1 || events[0]["fields"] != row.fields:
			t.Errorf("events are %v, want one of %q", events, row.fields)
		case events[0]["kind"] != "retry" || events[0]["name"] != "test" || events[0]["level"] != "INFO":
			t.Errorf("event is %v", events[0])
		}
	}
}

// T75
func TestUpdateKeepsTheBudgetWhoseNumbersStay(t *testing.T) {
	r, _ := newRetry(t, retry.Config{})
	first := r.Budget()
	first.Take()
	cfg := r.Config()
	cfg.MaxAttempts = 5
	if err := r.Update(cfg); err != nil || r.Budget() != first || r.Config().MaxAttempts != 5 {
		t.Errorf("after %v the budget is another one, or the config is %+v", err, r.Config())
	}
	if err := r.Update(retry.Config{BudgetConfig: seawall.BudgetConfig{Burst: 20}}); err != nil ||
		r.Budget() == first || r.Budget().Available() != 20 {
		t.Errorf("after %v the budget has %v", err, r.Budget().Available())
	}
	if err := r.Update(retry.Config{Funding: retry.NoBudget}); err != nil || r.Budget() != nil {
		t.Errorf("after %v there is a budget", err)
	}
	shared := seawall.NewBudget(seawall.BudgetConfig{})
	if err := r.Update(retry.Config{Budget: shared}); err != nil || r.Budget() != shared {
		t.Errorf("after %v the budget is not the shared one", err)
	}
	cfg = r.Config()
	if err := r.Update(cfg); err != nil || r.Budget() != shared {
		t.Errorf("a Config that was read back is refused: %v", err)
	}
	if err := r.Update(retry.Config{}); err != nil || r.Budget() == shared {
		t.Errorf("after %v the shared budget is still there", err)
	}
}

func TestUpdateKeepsTheRegistryOfNew(t *testing.T) {
	r, log := newRetry(t, retry.Config{})
	cfg := r.Config()
	cfg.Registry = nil
	if err := r.Update(cfg); err != nil {
		t.Fatal(err)
	}
	for r.Budget().Take() {
	}
	_ = r.Do(t.Context(), down)
	if r.Config().Registry == nil || len(log.named("seawall.retry.budget_empty")) != 1 {
		t.Error("its events go elsewhere")
	}
}

// T46
func TestCallKeepsTheConfigThatItMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tagged := func(tag int64, attempts int) (retry.Config, *atomic.Int64) {
			var told atomic.Int64
			return retry.Config{
				MaxAttempts: attempts,
				Funding:     retry.NoBudget,
				Backoff:     retry.Backoff{Kind: retry.Constant, Base: time.Duration(tag) * time.Microsecond},
				OnRetry: func(e retry.Event) {
					told.Add(1)
					if e.Wait != time.Duration(tag)*time.Microsecond || e.Attempt > attempts {
						t.Errorf("config %d is told of %+v", tag, e)
					}
				},
			}, &told
		}
		short, _ := tagged(1, 2)
		long, _ := tagged(7, 6)
		r, _ := newRetry(t, short)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 1000 {
				cfg := short
				if i%2 == 0 {
					cfg = long
				}
				if err := r.Update(cfg); err != nil {
					t.Error(err)
				}
				time.Sleep(3 * time.Microsecond)
			}
		})
		var met [7]atomic.Int64
		for range 20 {
			wg.Go(func() {
				for range 100 {
					start, runs := time.Now(), 0
					_ = r.Do(t.Context(), counting(&runs, down))
					met[runs].Add(1)
					took := time.Since(start)
					if !(runs == 2 && took == time.Microsecond || runs == 6 && took == 35*time.Microsecond) {
						t.Errorf("%d attempts in %v: a mix of two configs", runs, took)
					}
				}
			})
		}
		wg.Wait()
		if met[2].Load() == 0 || met[6].Load() == 0 {
			t.Error("only one of the two configs was met")
		}
	})
}
