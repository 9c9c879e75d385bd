package seawall_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// T69: the chains of our own documents and adapters, made of the real policies as they come.
func TestLintIsSilentOnOurOwnChains(t *testing.T) {
	r := silentRegistry()
	total := func(limit time.Duration) seawall.Policy {
		return timeout.New("total", timeout.Config{Limit: limit, Registry: r})
	}
	attempt := func(limit time.Duration) seawall.Policy {
		return timeout.New("attempt", timeout.Config{Limit: limit, Registry: r})
	}
	again := retry.New("payments", retry.Config{Registry: r})
	for name, chain := range map[string]*seawall.Pipeline{
		"README": seawall.Chain(
			total(2*time.Second), again, breaker.New("payments", breaker.Config{Registry: r}),
			bulkhead.New("payments", bulkhead.Config{Limit: 64, Registry: r}), attempt(500*time.Millisecond),
		),
		"with everything": seawall.Chain(
			degrade.NewFallback("payments", degrade.FallbackConfig{Func: degrade.Value(0), Registry: r}),
			total(2*time.Second), again,
			hedge.New("payments", hedge.Config{Budget: again.Budget(), Registry: r}),
			breaker.New("payments", breaker.Config{Registry: r}),
			ratelimit.New("payments", ratelimit.Config{Rate: 100, Registry: r}),
			bulkhead.NewAdaptive("payments", bulkhead.AdaptiveConfig{Registry: r}),
			attempt(500*time.Millisecond),
		),
		"httpx, whose attempt limit is none of the chain": seawall.Chain(
			total(30*time.Second), again, breaker.New("host", breaker.Config{Registry: r}),
			bulkhead.New("host", bulkhead.Config{Registry: r}),
		),
		"all as they come": seawall.Chain(
			again, breaker.New("host", breaker.Config{Registry: r}), bulkhead.New("host", bulkhead.Config{Registry: r}),
			timeout.New("attempt", timeout.Config{Registry: r}),
		),
		"a limit of the attempt around slots without a queue": seawall.Chain(
			breaker.New("host", breaker.Config{Registry: r}), attempt(time.Second),
			bulkhead.New("host", bulkhead.Config{Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Registry: r}),
		),
	} {
		if found := chain.Lint(); found != nil {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// T69: and the real policies tell enough of themselves that each bad order of them is found.
func TestLintKnowsTheRealPolicies(t *testing.T) {
	r := silentRegistry()
	again := retry.New("r", retry.Config{Registry: r})
	second := hedge.New("h", hedge.Config{Delay: 2 * time.Second, Registry: r})
	circuit := breaker.New("b", breaker.Config{Window: breaker.Window{Time: time.Second}, Registry: r})
	slots := bulkhead.New("s", bulkhead.Config{Registry: r})
	copied := degrade.NewFallback("f", degrade.FallbackConfig{Func: degrade.Value(0), Registry: r})
	limit := timeout.New("t", timeout.Config{Limit: 2 * time.Second, Registry: r})
	for want, chain := range map[string]*seawall.Pipeline{
		"same_policy_twice":     seawall.Chain(slots, slots),
		"nested_retry":          seawall.Chain(again, retry.New("r2", retry.Config{Registry: r})),
		"retry_inside_hedge":    seawall.Chain(second, again),
		"breaker_outside_retry": seawall.Chain(circuit, again),
		"fallback_inside":       seawall.Chain(again, copied),
		"limit_never_reached":   seawall.Chain(limit, timeout.New("t2", timeout.Config{Limit: time.Minute, Registry: r})),
		"total_too_short":       seawall.Chain(limit, again, timeout.New("t2", timeout.Config{Limit: time.Second, Registry: r})),
		"hedge_never_starts":    seawall.Chain(second, limit),
		"window_too_short":      seawall.Chain(circuit, limit),
		"queue_inside_limit":    seawall.Chain(circuit, limit, slots),
		"two_budgets":           seawall.Chain(again, second),
	} {
		found := false
		for _, f := range chain.Lint() {
			found = found || f.Rule == want
		}
		if !found {
			t.Errorf("%s is not found: %v", want, chain.Lint())
		}
	}
}
