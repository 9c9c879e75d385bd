package retry_test

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

// T78
func TestZeroConfigIsTheDocumentedTable(t *testing.T) {
	r, _ := newRetry(t, retry.Config{})
	got := r.Config()
	want := retry.Config{
		MaxAttempts: 3,
		Backoff: retry.Backoff{
			Kind: retry.FullJitter, Base: 50 * time.Millisecond, Max: 5 * time.Second, Factor: 2,
		},
		MaxRetryAfter: 30 * time.Second,
		OverloadDelay: time.Second,
		Funding:       retry.FromBudget,
		BudgetConfig:  seawall.BudgetConfig{Ratio: 0.1, Burst: 10},
	}
	if got.Classify == nil || got.Registry == nil {
		t.Error("the classifier or the registry is missing")
	}
	got.Classify, got.Registry = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !want.Equal(retry.Config{}) || want.Equal(retry.Config{MaxAttempts: 4}) {
		t.Error("Equal does not see through the defaults")
	}
}

// T78
func TestImpossibleValuesAreRefused(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	shared, tenth := seawall.NewBudget(seawall.BudgetConfig{}), seawall.BudgetConfig{Ratio: 0.1}
	for want, cfg := range map[string]retry.Config{
		"":                                                       {},
		"Config.MaxAttempts is -2":                               {MaxAttempts: -2},
		"Config.MaxAttempts is -2147483648":                      {MaxAttempts: math.MinInt32},
		"Config.MaxRetryAfter is -1ns":                           {MaxRetryAfter: -1},
		"Config.OverloadDelay is -2ns":                           {OverloadDelay: -2},
		"Config.Funding is Funding(2)":                           {Funding: 2},
		"Config.Budget is set, want nil with NoBudget":           {Funding: retry.NoBudget, Budget: shared},
		"{Ratio:0.1 Burst:0}, want zero with NoBudget":           {Funding: retry.NoBudget, BudgetConfig: tenth},
		"{Ratio:0.1 Burst:0}, want zero with a shared Budget":    {Budget: shared, BudgetConfig: tenth},
		"Config.BudgetConfig: seawall: BudgetConfig.Ratio is N":  {BudgetConfig: seawall.BudgetConfig{Ratio: nan}},
		"Config.BudgetConfig: seawall: BudgetConfig.Burst is -":  {BudgetConfig: seawall.BudgetConfig{Burst: -1}},
		"Config.Backoff: retry: Backoff.Kind is Kind(6)":         {Backoff: retry.Backoff{Kind: 6}},
		"Backoff.Base is -1ns":                                   {Backoff: retry.Backoff{Base: -1}},
		"Backoff.Max is -1ns, want at least Base, which is 50ms": {Backoff: retry.Backoff{Max: -1}},
		"Backoff.Max is 1s, want at least Base, which is 2s":     {Backoff: retry.Backoff{Base: 2e9, Max: 1e9}},
		"Backoff.Factor is 0.5, want 1 to 100":                   {Backoff: retry.Backoff{Factor: 0.5}},
		"Backoff.Factor is -1":                                   {Backoff: retry.Backoff{Factor: -1}},
		"Backoff.Factor is 101":                                  {Backoff: retry.Backoff{Factor: 101}},
		"Backoff.Factor is NaN":                                  {Backoff: retry.Backoff{Factor: nan}},
		"Backoff.Factor is +Inf":                                 {Backoff: retry.Backoff{Factor: inf}},
	} {
		err := cfg.Validate()
		if want == "" {
			if err != nil {
				t.Errorf("the zero Config is refused: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "retry: ") {
			t.Errorf("error is %v, want one with %q", err, want)
			continue
		}
		func() {
			defer func() {
				if got := recover(); got != err.Error() {
					t.Errorf("New panicked with %v, want %v", got, err)
				}
			}()
			cfg.Registry = &seawall.Registry{}
			retry.New("refused", cfg)
		}()
		r, _ := newRetry(t, retry.Config{MaxAttempts: 7})
		if r.Update(cfg) == nil || r.Config().MaxAttempts != 7 {
			t.Errorf("Update took %+v", cfg)
		}
		_ = cfg.Equal(retry.Config{}) // does not panic
	}
}

// T78
func TestHugeValuesAreLegal(t *testing.T) {
	r, _ := newRetry(t, retry.Config{
		MaxAttempts: math.MaxInt, MaxRetryAfter: math.MaxInt64, OverloadDelay: math.MaxInt64,
		Backoff: retry.Backoff{Base: math.MaxInt64},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, err := range []error{
		errDown, overloaded(0), overloaded(math.MaxInt64), overloaded(math.MaxInt64 - time.Second),
	} {
		e := asError(t, r.Do(ctx, func(context.Context) error { return err }))
		if e.Attempts != 1 || e.Why != retry.ErrOutOfTime { //nolint:errorlint // it is set bare
			t.Errorf("%v: %v", err, e)
		}
	}
}

// T78
func TestConfigSurvivesJSON(t *testing.T) {
	for _, cfg := range []retry.Config{
		{},
		{MaxAttempts: retry.Unlimited, OverloadDelay: retry.NoDelay, Funding: retry.NoBudget},
		{
			MaxAttempts: 5, MaxRetryAfter: time.Minute, BudgetConfig: seawall.BudgetConfig{Ratio: 0.2, Burst: 3},
			Backoff: retry.Backoff{Kind: retry.DecorrelatedJitter, Base: time.Second, Max: time.Minute, Factor: 1.5},
		},
	} {
		text, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var back retry.Config
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, cfg) {
			t.Errorf("%s came back as %+v, %v", text, back, err)
		}
	}
	var cfg retry.Config
	file := `{"max_attempts": 4, "backoff": {"kind": "equal_jitter", "base": 1000000}, "funding": "none"}`
	if err := json.Unmarshal([]byte(file), &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.MaxAttempts != 4 || cfg.Backoff != (retry.Backoff{Kind: retry.EqualJitter, Base: time.Millisecond}) ||
		cfg.Funding != retry.NoBudget {
		t.Errorf("read %+v", cfg)
	}
	if err := json.Unmarshal([]byte(`{"backoff": {"kind": "jitter"}}`), &cfg); err == nil {
		t.Error("an unknown kind was read")
	}
	if _, err := json.Marshal(retry.Backoff{Kind: 99}); err == nil {
		t.Error("an unknown kind was written")
	}
}

// T19: but for the shared budget, the registry and functions, which are shared on purpose, nothing in a Config points
// to anything, so a copy is a copy.
func TestConfigSharesNothing(t *testing.T) {
	var check func(path string, typ reflect.Type)
	check = func(path string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Struct:
			for f := range typ.Fields() {
				check(path+"."+f.Name, f.Type)
			}
		case reflect.Func:
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Chan:
			if path != "Config.Budget" && path != "Config.Registry" {
				t.Errorf("%s is a %v", path, typ)
			}
		}
	}
	check("Config", reflect.TypeFor[retry.Config]())
}

// A schedule is asked for only when there is something to wait for.
func TestScheduleIsMadeForFailedCallsOnly(t *testing.T) {
	made := 0
	r, _ := newRetry(t, retry.Config{Schedule: func() backoff.BackOff { made++; return &backoff.ZeroBackOff{} }})
	_ = r.Do(t.Context(), succeed)
	_ = r.Do(t.Context(), func(context.Context) error { return seawall.Permanent(errDown) })
	if made != 0 {
		t.Errorf("%d schedules were made for calls without a retry", made)
	}
	_ = r.Do(t.Context(), down)
	if made != 1 {
		t.Errorf("%d schedules were made for one call", made)
	}
}
