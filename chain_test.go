package seawall_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/timeout"
)

func TestChainAsksItsPoliciesFromTheOutermostOn(t *testing.T) {
	tr := &trace{}
	chain := seawall.Chain(
		&replacer{name: "fallback", trace: tr, value: "copy"},
		&scope{name: "total", trace: tr},
		&repeater{name: "retry", trace: tr, attempts: 2},
		&racer{name: "hedge", trace: tr, attempts: 1},
		policy(func(ctx context.Context, op func(context.Context) error) error {
			tr.add("custom begins")
			defer tr.add("custom ends")
			return op(ctx)
		}),
		&gate{name: "breaker", trace: tr},
		&scope{name: "attempt", trace: tr},
	)
	value, err := seawall.Call(t.Context(), chain, func(context.Context) (string, error) {
		tr.add("op")
		return "", errDown
	})
	if value != "copy" || err != nil {
		t.Errorf("got %q, %v", value, err)
	}
	first := []string{
		"custom begins", "breaker acquires", "attempt enters",
		"op",
		"attempt leaves: connection refused", "breaker releases: connection refused", "custom ends",
		"hedge: 1 ended: connection refused", "hedge: ends with 1: connection refused",
	}
	tr.want(t, slices.Concat(
		[]string{"total enters", "hedge: starts 1"}, first,
		[]string{"retry: first ended: connection refused", "retry: starts 2", "hedge: starts 1"}, first,
		[]string{"retry: ends: connection refused", "total leaves: connection refused", "fallback replaces: connection refused"},
	)...)
}

func TestEmptyChainJustRunsOp(t *testing.T) {
	for _, p := range []*seawall.Pipeline{seawall.Chain(), {}, seawall.Chain(seawall.Chain(), seawall.Chain())} {
		if err := p.Do(t.Context(), fail); err != errDown { //nolint:errorlint // untouched is the point
			t.Errorf("got %v", err)
		}
		if len(p.Policies()) != 0 || p.String() != "" {
			t.Errorf("it has policies: %v", p)
		}
	}
}

func TestChainOfChainsIsOneChain(t *testing.T) {
	a, b, c, d := &gate{name: "a"}, &gate{name: "b"}, &gate{name: "c"}, policy(func(ctx context.Context, op func(context.Context) error) error {
		return op(ctx)
	})
	inner := seawall.Chain(b, seawall.Chain(c))
	chain := seawall.Chain(a, inner, seawall.Chain(), d)
	members := chain.Policies()
	if len(members) != 4 || members[0] != a || members[1] != b || members[2] != c {
		t.Errorf("the members are %v", members)
	}
	if got := chain.String(); got != "gate a → gate b → gate c → seawall_test.policy" {
		t.Errorf("it prints as %q", got)
	}
	if got := len(inner.Policies()); got != 2 {
		t.Errorf("the inner chain has %d members now", got)
	}
}

// T19
func TestChainDoesNotShareTheSliceItWasMadeOf(t *testing.T) {
	a, b := &gate{name: "a"}, &gate{name: "b"}
	policies := []seawall.Policy{a, b}
	chain := seawall.Chain(policies...)
	policies[0], policies[1] = b, nil
	members := chain.Policies()
	members[0] = nil
	derived := seawall.Chain(chain, &gate{name: "c"})
	other := seawall.Chain(chain, &gate{name: "d"})
	for got, want := range map[string]string{
		chain.String(): "gate a → gate b", derived.String(): "gate a → gate b → gate c",
		other.String(): "gate a → gate b → gate d",
	} {
		if got != want {
			t.Errorf("the chain is %q, want %q", got, want)
		}
	}
	if err := chain.Do(t.Context(), succeed); err != nil || a.ended() != 1 || b.ended() != 1 {
		t.Errorf("%v; a was asked %d times, b %d times", err, a.ended(), b.ended())
	}
}

func TestChainRefusesANilPolicy(t *testing.T) {
	panicked, _ := attempt(func() { seawall.Chain(&gate{}, nil) })
	if panicked != "seawall: Chain: policy 1 is nil" {
		t.Errorf("panicked with %v", panicked)
	}
}

// wrapped embeds a gate, and so is one, whatever its own Do says.
type wrapped struct{ *gate }

func (wrapped) Do(context.Context, func(context.Context) error) error { return errors.New("own Do") }

// Documented at Chain: a role that is embedded is a role.
func TestChainAsksAPolicyByItsRoleEvenIfThatIsEmbedded(t *testing.T) {
	g := &gate{name: "embedded"}
	if err := seawall.Chain(wrapped{g}).Do(t.Context(), succeed); err != nil || g.ended() != 1 {
		t.Errorf("%v; the gate was asked %d times", err, g.ended())
	}
}

func TestScopeThatRefusesIsNotLeft(t *testing.T) {
	tr, g := &trace{}, &gate{}
	err := seawall.Chain(g, &scope{name: "total", trace: tr, refuse: errFull}).Do(t.Context(), func(context.Context) error {
		tr.add("op")
		return nil
	})
	if err != errFull || g.count(seawall.Failure) != 1 { //nolint:errorlint // the very error
		t.Errorf("got %v", err)
	}
	tr.want(t)
}

// Alone, by its own Do, in a chain and in a chain of chains: a policy does the same everywhere.
func TestPolicyDoesTheSameAloneAndInAChain(t *testing.T) {
	for name, build := range map[string]func(*trace) seawall.Policy{
		"gate":     func(tr *trace) seawall.Policy { return &gate{name: "p", trace: tr} },
		"scope":    func(tr *trace) seawall.Policy { return &scope{name: "p", trace: tr} },
		"repeater": func(tr *trace) seawall.Policy { return &repeater{name: "p", trace: tr, attempts: 3} },
		"racer":    func(tr *trace) seawall.Policy { return &racer{name: "p", trace: tr, attempts: 3, delay: time.Hour} },
		"replacer": func(tr *trace) seawall.Policy { return &replacer{name: "p", trace: tr} },
		"custom": func(tr *trace) seawall.Policy {
			return policy(func(ctx context.Context, op func(context.Context) error) error {
				tr.add("custom")
				return op(ctx)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var results []string
			for _, do := range []func(seawall.Policy, func(context.Context) error) error{
				func(p seawall.Policy, op func(context.Context) error) error { return p.Do(t.Context(), op) },
				func(p seawall.Policy, op func(context.Context) error) error { return seawall.Do(t.Context(), p, op) },
				func(p seawall.Policy, op func(context.Context) error) error {
					return seawall.Chain(p).Do(t.Context(), op)
				},
				func(p seawall.Policy, op func(context.Context) error) error {
					return seawall.Chain(seawall.Chain(p), seawall.Chain()).Do(t.Context(), op)
				},
				func(p seawall.Policy, op func(context.Context) error) error {
					_, err := seawall.Call(t.Context(), p, func(ctx context.Context) (struct{}, error) { return struct{}{}, op(ctx) })
					return err
				},
			} {
				tr := &trace{}
				p := build(tr)
				if r, ok := p.(*replacer); ok {
					r.value = struct{}{}
				}
				err := do(p, func(context.Context) error {
					tr.add("op")
					return errDown
				})
				results = append(results, strings.Join(tr.list(), "; ")+"; returned: "+text(err))
			}
			for _, r := range results {
				if r != results[0] || !strings.Contains(r, "op") {
					t.Errorf("%s\nbut alone\n%s", r, results[0])
				}
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return "nil"
	}
	return err.Error()
}

// live is a chain that is exchanged.
type live struct {
	now atomic.Pointer[seawall.Pipeline]
}

func (l *live) Current() *seawall.Pipeline { return l.now.Load() }
func (l *live) Do(context.Context, func(context.Context) error) error {
	panic("a live chain is walked, not called")
}

func TestLiveChainIsWalkedAsItIsAtTheBeginningOfACall(t *testing.T) {
	l, tr := &live{}, &trace{}
	l.now.Store(seawall.Chain(&gate{name: "old", trace: tr}))
	for range 2 {
		v, err := seawall.Call(t.Context(), l, func(context.Context) (int, error) {
			l.now.Store(seawall.Chain(&gate{name: "new", trace: tr}))
			return 7, nil
		})
		if v != 7 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
	}
	tr.want(t, "old acquires", "old releases: <nil>", "new acquires", "new releases: <nil>")
}

// T70: a call that waited for a slot until a limit of time was over never reached the dependency. It was taken for a
// failure of it, and twenty such calls opened the breaker.
func TestOurOwnQueueDoesNotOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New("db", breaker.Config{Registry: silentRegistry()})
		gate := bulkhead.New("db", bulkhead.Config{Limit: 1, Registry: silentRegistry()})
		limit := timeout.New("db", timeout.Config{Limit: 100 * time.Millisecond, Registry: silentRegistry()})
		permit, err := gate.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer permit.Done(nil)
		chain := seawall.Chain(b, limit, gate)
		for range 50 {
			err := chain.Do(t.Context(), func(context.Context) error { t.Error("it ran"); return nil })
			if v := seawall.Classify(err); err == nil || v.Outcome != seawall.Ignored || v.Repeat != seawall.RepeatNever {
				t.Errorf("%v is judged %+v", err, v)
			}
		}
		if s := b.Stats(); s.State != breaker.Closed || s.Calls.Failures != 0 {
			t.Errorf("the breaker is %v: %+v", s.State, s.Calls)
		}
	})
}

// A chain within another was a nil-pointer panic without a word.
func TestChainSaysWhichPipelineIsNil(t *testing.T) {
	const want = "seawall: Chain: policy 1 is a nil Pipeline"
	if panicked, _ := attempt(func() { seawall.Chain(seawall.Chain(), (*seawall.Pipeline)(nil)) }); panicked != want {
		t.Errorf("panic %v, want %v", panicked, want)
	}
}

func TestGroupSaysThatItsBuildReturnedNil(t *testing.T) {
	g := seawall.NewGroup(1, func(string) *seawall.Pipeline { return nil })
	if panicked, _ := attempt(func() { g.For("a") }); panicked != "seawall: Group: build returned nil, want a chain" {
		t.Errorf("panic %v", panicked)
	}
}
