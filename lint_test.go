package seawall_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
)

// Policies with traits, one for each role.
type (
	lintGate struct {
		*gate
		traits seawall.Traits
	}
	lintScope struct {
		*scope
		traits seawall.Traits
	}
	lintRepeater struct {
		*repeater
		traits seawall.Traits
	}
	lintRacer struct {
		*racer
		traits seawall.Traits
	}
)

func (p lintGate) Traits() seawall.Traits     { return p.traits }
func (p lintScope) Traits() seawall.Traits    { return p.traits }
func (p lintRepeater) Traits() seawall.Traits { return p.traits }
func (p lintRacer) Traits() seawall.Traits    { return p.traits }
func (p lintGate) String() string             { return p.traits.Kind }
func (p lintScope) String() string            { return fmt.Sprint("timeout ", p.traits.Limit) }
func (p lintRepeater) String() string         { return "retry" }
func (p lintRacer) String() string            { return "hedge" }

func lintBreaker(window time.Duration) seawall.Policy {
	return lintGate{&gate{}, seawall.Traits{Kind: "breaker", Window: window}}
}

func lintKind(kind string) seawall.Policy { return lintGate{&gate{}, seawall.Traits{Kind: kind}} }

func lintRate(wait time.Duration) seawall.Policy {
	return lintGate{&gate{}, seawall.Traits{Kind: "ratelimit", Wait: wait}}
}

func lintTimeout(limit time.Duration) seawall.Policy {
	return lintScope{&scope{}, seawall.Traits{Kind: "timeout", Limit: limit}}
}

func lintRetry(attempts int, b *seawall.Budget) seawall.Policy {
	return lintRepeater{&repeater{}, seawall.Traits{Kind: "retry", Attempts: attempts, Budget: b}}
}

func lintHedge(delay time.Duration, b *seawall.Budget) seawall.Policy {
	return lintRacer{&racer{}, seawall.Traits{Kind: "hedge", Attempts: 2, Delay: delay, Budget: b}}
}

// T69
func TestLintNamesTheOrdersThatHurt(t *testing.T) {
	budget, other := seawall.NewBudget(seawall.BudgetConfig{}), seawall.NewBudget(seawall.BudgetConfig{})
	fallback := &replacer{name: "fallback"}
	twice := lintKind("bulkhead")
	for _, c := range []struct {
		name  string
		chain []seawall.Policy
		want  []string
	}{
		{"one policy twice", []seawall.Policy{twice, lintTimeout(time.Second), twice}, []string{"same_policy_twice"}},
		{"retry in retry", []seawall.Policy{lintRetry(3, nil), lintRetry(3, nil)}, []string{"nested_retry"}},
		{"hedge in hedge", []seawall.Policy{lintHedge(1, nil), lintHedge(1, nil)}, []string{"nested_hedge"}},
		{"retry in hedge", []seawall.Policy{lintHedge(1, nil), lintRetry(3, nil)}, []string{"retry_inside_hedge"}},
		{"retry in breaker", []seawall.Policy{lintBreaker(0), lintRetry(3, nil)}, []string{"breaker_outside_retry"}},
		{"hedge in breaker", []seawall.Policy{lintBreaker(0), lintHedge(1, nil)}, []string{"breaker_outside_retry"}},
		{"fallback in retry", []seawall.Policy{lintRetry(3, nil), fallback}, []string{"fallback_inside"}},
		{"fallback in breaker", []seawall.Policy{lintBreaker(0), fallback}, []string{"fallback_inside"}},
		{
			"long attempt",
			[]seawall.Policy{lintTimeout(time.Second), lintTimeout(2 * time.Second)},
			[]string{"limit_never_reached"},
		},
		{
			"no room",
			[]seawall.Policy{lintTimeout(time.Second), lintRetry(3, nil), lintTimeout(400 * time.Millisecond)},
			[]string{"total_too_short"},
		},
		{
			"late hedge in a limit",
			[]seawall.Policy{lintTimeout(time.Second), lintHedge(time.Second, nil)},
			[]string{"hedge_never_starts"},
		},
		{
			"late hedge around a limit",
			[]seawall.Policy{lintHedge(2*time.Second, nil), lintTimeout(time.Second)},
			[]string{"hedge_never_starts"},
		},
		{
			"short window",
			[]seawall.Policy{lintBreaker(time.Second), lintTimeout(2 * time.Second)},
			[]string{"window_too_short"},
		},
		{
			"queue in a limit",
			[]seawall.Policy{lintBreaker(0), lintTimeout(time.Second), lintRate(time.Second)},
			[]string{"queue_inside_limit"},
		},
		{"two budgets", []seawall.Policy{lintRetry(3, budget), lintHedge(1, other)}, []string{"two_budgets"}},
		{
			"all at once",
			[]seawall.Policy{lintHedge(1, budget), lintRetry(3, other), fallback},
			[]string{"retry_inside_hedge", "two_budgets", "fallback_inside", "fallback_inside"},
		},
	} {
		found := seawall.Chain(c.chain...).Lint()
		var rules []string
		for _, f := range found {
			rules = append(rules, f.Rule)
			if f.Problem == "" || f.Remedy == "" || len(f.Policies) != 2 {
				t.Errorf("%s: the finding lacks something: %+v", c.name, f)
			}
		}
		if !slices.Equal(rules, c.want) {
			t.Errorf("%s: found %q, want %q", c.name, rules, c.want)
		}
	}
}

// T69
func TestLintIsSilentOnOrdersThatAreRight(t *testing.T) {
	budget := seawall.NewBudget(seawall.BudgetConfig{})
	for _, chain := range [][]seawall.Policy{
		{},
		{policy(nil), policy(nil)},
		{
			&replacer{}, lintTimeout(2 * time.Second), lintRetry(3, budget), lintHedge(10*time.Millisecond, budget),
			lintBreaker(10 * time.Second), lintKind("bulkhead"), lintRate(time.Second), lintTimeout(500 * time.Millisecond),
		},
		{lintKind("bulkhead"), lintTimeout(2 * time.Second), lintRetry(3, nil), lintTimeout(500 * time.Millisecond)},
		{lintBreaker(0), lintTimeout(time.Second), lintRate(0)}, // nobody waits
		{&gate{}, &scope{}, &repeater{}, &racer{}},              // they tell no traits
		{lintTimeout(0), lintRetry(0, nil), lintTimeout(-1)},    // without limits
		{lintTimeout(time.Second), lintRetry(math.MaxInt, nil), lintTimeout(time.Millisecond)},
	} {
		if found := seawall.Chain(chain...).Lint(); found != nil {
			t.Errorf("%v: %v", seawall.Chain(chain...), found)
		}
	}
}

// holder is a user's policy whose type compares, though what it holds may not.
type holder struct{ what any }

func (holder) Do(ctx context.Context, op func(context.Context) error) error { return op(ctx) }

// The comparison of two such policies panicked.
func TestLintTakesPoliciesThatDoNotCompareForTwo(t *testing.T) {
	p := holder{map[string]int{}}
	if found := seawall.Chain(p, p).Lint(); found != nil {
		t.Errorf("found %v", found)
	}
	p = holder{"a text"}
	if found := seawall.Chain(p, p).Lint(); len(found) != 1 || found[0].Rule != "same_policy_twice" {
		t.Errorf("found %v", found)
	}
}

func TestFindingSaysWhoWhatAndWhatToDo(t *testing.T) {
	found := seawall.Chain(lintHedge(1, nil), lintRetry(3, nil)).Lint()
	want := "retry_inside_hedge: hedge, retry: each raced attempt is a loop of retries, and attempts multiply, up to 2 × 3 = 6: " +
		"put the retry outside of the hedge"
	if got := fmt.Sprint(found[0]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.HasPrefix(found[0].String(), found[0].Rule) {
		t.Error("the text does not begin with the rule")
	}
}
