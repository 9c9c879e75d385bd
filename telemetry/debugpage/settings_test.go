package debugpage_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/policyfile"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry/debugpage"
	"github.com/seawall-go/seawall/timeout"
)

// settings returns the fields of a policy's configuration as the page shows them: those with their default, and others.
func settings(t *testing.T, p *debugpage.Page, kind, name string) (byDefault, set map[string]string) {
	t.Helper()
	_, text := get(p, "/?format=json&kind="+kind+"&name="+name)
	var facts struct {
		Settings []struct {
			Field, Value string
			Default      bool
		}
	}
	if err := json.Unmarshal([]byte(text), &facts); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	byDefault, set = map[string]string{}, map[string]string{}
	for _, s := range facts.Settings {
		if s.Default {
			byDefault[s.Field] = s.Value
		} else {
			set[s.Field] = s.Value
		}
	}
	return byDefault, set
}

func TestDefaultsAreMarkedForEveryKind(t *testing.T) {
	r := silent()
	chains, err := policyfile.Parse([]byte(`
chains:
  tenants:
    per_key: {max_keys: 10}
    policies: [{breaker: {min_calls: 7}}]
`), policyfile.Options{Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	prices := cache.New("x", cache.Config[string, int]{LoadTimeout: 5 * time.Second, Registry: r})
	defer func() { _ = prices.Close(t.Context()) }()
	pages := httpcache.New("x", httpcache.Config{MaxBytes: 1 << 20, Registry: r}, nil)
	defer pages.Close()
	drill := fault.New("x", fault.Config{Registry: r, Plan: fault.Plan{Seed: 7}})
	all := []any{
		chains, prices, pages, drill,
		breaker.New("x", breaker.Config{MinCalls: 5, OpenFor: time.Second, Registry: r}), // which is the default
		breaker.NewGroup("group", breaker.GroupConfig[[2]int]{MaxKeys: 5, Breaker: breaker.Config{FailureRate: 0.7}, Registry: r}),
		bulkhead.New("x", bulkhead.Config{Limit: 5, Registry: r}),
		bulkhead.NewGroup("group", bulkhead.GroupConfig[string]{Bulkhead: bulkhead.Config{Limit: 5}, Registry: r}),
		bulkhead.NewAdaptive("adaptive", bulkhead.AdaptiveConfig{Max: 50, Registry: r}),
		retry.New("x", retry.Config{MaxAttempts: 5, Registry: r}),
		hedge.New("x", hedge.Config{Delay: time.Second, Registry: r}),
		timeout.New("x", timeout.Config{Limit: time.Minute, Registry: r}),
		ratelimit.New("x", ratelimit.Config{Rate: 5, Registry: r}),
		ratelimit.NewGroup("group", ratelimit.GroupConfig[int]{Limiter: ratelimit.Config{Rate: 5}, Registry: r}),
		ratelimit.NewThrottle("x", ratelimit.ThrottleConfig{K: 3, Registry: r}),
		degrade.NewFallback("x", degrade.FallbackConfig{Func: degrade.Value(1), AlwaysExercise: 0.5, Registry: r}),
		degrade.NewGather("x", degrade.GatherConfig{Parallel: 5, Registry: r}),
		degrade.NewBrownout("x", degrade.BrownoutConfig{Signal: func() float64 { return 0 }, Hold: time.Minute, Registry: r}),
		health.New("x", health.Config{Fall: 5, FailWhenFull: []string{"stock"}, Registry: r}),
	}
	p := debugpage.New(debugpage.Config{Registry: r})
	defer p.Close()
	for policy, want := range map[[2]string]map[string]string{
		{"breaker", "x"}:         {"min_calls": "5"},
		{"breaker", "group"}:     {"max_keys": "5", "breaker.failure_rate": "0.7"},
		{"breaker", "tenants"}:   {"min_calls": "7"},
		{"bulkhead", "x"}:        {"limit": "5"},
		{"bulkhead", "group"}:    {"bulkhead.limit": "5"},
		{"bulkhead", "adaptive"}: {"max": "50"},
		{"retry", "x"}:           {"max_attempts": "5"},
		{"hedge", "x"}:           {"delay": "1s"},
		{"timeout", "x"}:         {"limit": "1m0s"},
		{"ratelimit", "x"}:       {"rate": "5"},
		{"ratelimit", "group"}:   {"limiter.rate": "5"},
		{"throttle", "x"}:        {"k": "3"},
		{"fallback", "x"}:        {"always_exercise": "0.5"},
		{"gather", "x"}:          {"parallel": "5"},
		{"brownout", "x"}:        {"hold": "1m0s"},
		{"cache", "x"}:           {"load_timeout": "5s"}, // that hard is 5s as well follows from it
		{"httpcache", "x"}:       {"max_bytes": "1048576"},
		{"fault", "x"}:           {"plan": "seed 7, 0 faults in 0s"},
		{"health", "x"}:          {"fall": "5", "fail_when_full": "[stock]"},
	} {
		byDefault, set := settings(t, p, policy[0], policy[1])
		if !maps.Equal(set, want) || len(byDefault) == 0 && policy[0] != "fallback" && policy[0] != "gather" {
			t.Errorf("%v: set are %v, want %v; defaults are %v", policy, set, want, byDefault)
		}
	}
	kinds := map[string]bool{}
	for _, s := range r.Snapshots() {
		kinds[s.Kind] = true
	}
	if len(kinds) != 14 {
		t.Errorf("the kinds are %v", slices.Sorted(maps.Keys(kinds)))
	}
	runtime.KeepAlive(all)
}

// own is a member of a program of its own, with a configuration that has everything.
type own struct {
	name string
	cfg  ownConfig
}

type ownConfig struct {
	Deep *struct {
		N int `json:"n"`
	} `json:"deep,omitempty"`
	Absent *struct {
		N int `json:"n"`
	} `json:"absent,omitempty"`
	List   []string       `json:"list"`
	Table  map[string]int `json:"table"`
	Off    time.Duration  `json:"off"`
	Hidden string         `json:"-"`
	None   string
}

func (o *own) Snapshot() seawall.Snapshot { return seawall.Snapshot{Kind: "own", Name: o.name} }
func (o *own) Config() ownConfig          { return o.cfg }
func (c ownConfig) Equal(other ownConfig) bool {
	return fmt.Sprint(c.deep()) == fmt.Sprint(other.deep())
}
func (c ownConfig) deep() (n int, list []string) { return c.Deep.N, c.List }

func TestSettingsOfAnyShapeAreShownAndLeftAlone(t *testing.T) {
	r := silent()
	o := &own{name: "x", cfg: ownConfig{Off: -1, List: []string{"a"}, Hidden: "secret", None: "secret"}}
	o.cfg.Deep = &struct {
		N int `json:"n"`
	}{5}
	seawall.Register(r, "own", &o.name, o)
	p := debugpage.New(debugpage.Config{Registry: r})
	defer p.Close()
	byDefault, set := settings(t, p, "own", "x")
	if !maps.Equal(set, map[string]string{"deep.n": "5", "list": "[a]"}) ||
		!maps.Equal(byDefault, map[string]string{"absent": "none", "table": "none", "off": "off"}) {
		t.Errorf("set are %v, defaults are %v", set, byDefault)
	}
	if o.cfg.Deep.N != 5 {
		t.Error("looking has changed the configuration")
	}
	o.cfg.Deep = nil // Equal panics then
	if code, _ := get(p, "/?kind=own&name=x"); code != 200 {
		t.Errorf("a configuration that panics: %d", code)
	}
	runtime.KeepAlive(o)
}
