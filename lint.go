package seawall

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Finding is something in a [Pipeline] that hurts: an order of policies, or numbers that do not go together.
type Finding struct {
	Rule     string   // stable, such as "retry_inside_hedge"; the list is at Lint
	Policies []string // the members that it is about, the outermost first, as their String has them
	Problem  string   // what goes wrong
	Remedy   string   // what to do
}

// String returns such as: retry_inside_hedge: hedge "psp", retry "psp": attempts multiply: put the retry outside.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s: %s", f.Rule, strings.Join(f.Policies, ", "), f.Problem, f.Remedy)
}

// Lint returns what hurts in the chain, nil if nothing is found. It looks at the roles of the policies and at the traits
// of those that tell them ([Describer]), with the configuration in force, so it is worth asking again after an Update.
// The rules are, with the outer policy first:
//
//   - same_policy_twice: one call takes two slots and is counted twice
//   - nested_retry, nested_hedge: attempts multiply
//   - retry_inside_hedge: each raced attempt is a loop of its own
//   - breaker_outside_retry: a breaker outside of a retry or hedge counts once for all attempts, and stops none of them
//   - fallback_inside: a fallback inside of a retry, hedge or breaker hides the failures that they act on
//   - limit_never_reached: a limit of time inside of one that is not longer
//   - total_too_short: a limit of time that has no room for the attempts inside of it, waits not counted
//   - hedge_never_starts: its delay is not shorter than a limit of the attempt or the call
//   - window_too_short: a breaker's window is shorter than a call may take
//   - queue_inside_limit: inside of a breaker, a limit of an attempt that also counts the wait in our own queue
//   - two_budgets: a retry and a hedge with a budget each, which add up
func (p *Pipeline) Lint() []Finding {
	members := make([]lintMember, len(p.stages))
	for i := range p.stages {
		members[i] = newLintMember(&p.stages[i])
	}
	var found []Finding
	for i, outer := range members {
		for j, inner := range members[i+1:] {
			between := members[i+1 : i+1+j]
			for _, rule := range lintRules {
				if problem, remedy := rule.hurts(outer, between, inner); problem != "" {
					found = append(found, Finding{rule.name, []string{outer.text, inner.text}, problem, remedy})
				}
			}
		}
	}
	return found
}

// lintMember is a policy as the rules see it.
type lintMember struct {
	Traits
	policy Policy
	role   role
	text   string
}

func newLintMember(s *stage) lintMember {
	m := lintMember{policy: s.policy, role: s.role, text: memberText(s.policy)}
	if d, ok := s.policy.(Describer); ok {
		m.Traits = d.Traits()
	}
	return m
}

func (m lintMember) repeats() bool { return m.role == repeaterRole || m.role == racerRole }
func (m lintMember) breaker() bool { return m.Kind == "breaker" }

// queues reports whether calls may wait in it.
func (m lintMember) queues() bool { return m.Wait > 0 }

// lintRules look at each pair of policies, and at what lies between them. An empty problem is none.
var lintRules = []struct {
	name  string
	hurts func(outer lintMember, between []lintMember, inner lintMember) (problem, remedy string)
}{
	{"same_policy_twice", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if !same(outer.policy, inner.policy) {
			return "", ""
		}
		return "each call goes through it twice", "leave one of them out"
	}},
	{"nested_retry", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if outer.role != repeaterRole || inner.role != repeaterRole || same(outer.policy, inner.policy) {
			return "", ""
		}
		return "attempts multiply" + product(outer, inner), "keep the inner one"
	}},
	{"nested_hedge", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if outer.role != racerRole || inner.role != racerRole || same(outer.policy, inner.policy) {
			return "", ""
		}
		return "attempts multiply" + product(outer, inner), "keep the inner one"
	}},
	{"retry_inside_hedge", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if outer.role != racerRole || inner.role != repeaterRole {
			return "", ""
		}
		return "each raced attempt is a loop of retries, and attempts multiply" + product(outer, inner),
			"put the retry outside of the hedge"
	}},
	{"breaker_outside_retry", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if !outer.breaker() || !inner.repeats() {
			return "", ""
		}
		return "the breaker counts once for all attempts, and an open one stops none of those under way",
			"put the breaker inside, so that each attempt asks it"
	}},
	{"fallback_inside", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if inner.role != replacerRole || !outer.repeats() && !outer.breaker() {
			return "", ""
		}
		return "what is outside sees a success instead of the failure that it should act on",
			"put the fallback outermost"
	}},
	{"limit_never_reached", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if outer.Limit <= 0 || inner.Limit <= 0 || inner.Limit < outer.Limit || same(outer.policy, inner.policy) {
			return "", ""
		}
		return fmt.Sprintf("the inner limit of %v never comes first, the outer one is %v", inner.Limit, outer.Limit),
			"shorten the inner limit, or leave it out"
	}},
	{"total_too_short", func(outer lintMember, between []lintMember, inner lintMember) (string, string) {
		attempts := 1
		for _, m := range between {
			if m.role == repeaterRole && m.Attempts > 1 && attempts <= maxLinted/m.Attempts {
				attempts *= m.Attempts
			}
		}
		if outer.Limit <= 0 || inner.Limit <= 0 || inner.Limit >= outer.Limit || attempts == 1 ||
			inner.Limit <= outer.Limit/time.Duration(attempts) {
			return "", ""
		}
		return fmt.Sprintf("%d attempts of up to %v each do not fit into %v", attempts, inner.Limit, outer.Limit),
			"shorten the inner limit, lengthen the outer one, or make fewer attempts"
	}},
	{"hedge_never_starts", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		hedge, limit := outer, inner.Limit
		if inner.role == racerRole {
			hedge, limit = inner, outer.Limit
		}
		if hedge.role != racerRole || limit <= 0 || hedge.Delay < limit {
			return "", ""
		}
		return fmt.Sprintf("after the hedge's delay of %v the limit of %v is over", hedge.Delay, limit),
			"shorten the delay, or lengthen the limit"
	}},
	{"window_too_short", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if !outer.breaker() || outer.Window <= 0 || inner.Limit <= outer.Window {
			return "", ""
		}
		return fmt.Sprintf("a call may take %v, longer than the breaker's window of %v", inner.Limit, outer.Window),
			"lengthen the window, or shorten the limit"
	}},
	{"queue_inside_limit", func(outer lintMember, between []lintMember, inner lintMember) (string, string) {
		if !outer.breaker() || !inner.queues() {
			return "", ""
		}
		for _, m := range between {
			if m.role == scopeRole && m.Kind == "timeout" {
				return "a call that has waited for us has less time left, and counts as the dependency's failure when " + m.text + " is over",
					"put the limit of time inside"
			}
		}
		return "", ""
	}},
	{"two_budgets", func(outer lintMember, _ []lintMember, inner lintMember) (string, string) {
		if outer.role == inner.role || !outer.repeats() || !inner.repeats() ||
			outer.Budget == nil || inner.Budget == nil || outer.Budget == inner.Budget {
			return "", ""
		}
		return "their budgets add up at the same dependency", "share one budget"
	}},
}

// maxLinted bounds a product of attempts.
const maxLinted = 1_000_000

// product says how many attempts two repeating policies make, if that is known.
func product(outer, inner lintMember) string {
	if outer.Attempts < 1 || inner.Attempts < 1 || outer.Attempts > maxLinted/inner.Attempts {
		return ""
	}
	return fmt.Sprintf(", up to %d × %d = %d", outer.Attempts, inner.Attempts, outer.Attempts*inner.Attempts)
}

// same reports whether two policies are one. What does not compare, or holds something that does not, is taken for two.
func same(a, b Policy) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
