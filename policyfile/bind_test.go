package policyfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/policyfile"
	"github.com/seawall-go/seawall/retry"
)

func TestBindingsReachTheirPoliciesOnly(t *testing.T) {
	var order []string
	note := func(text string) func(*breaker.Config) {
		return func(cfg *breaker.Config) { order = append(order, text) }
	}
	set := parse(t, "chains: {a: [breaker, retry], b: [breaker], k: {per_key: , policies: [breaker]}}", policyfile.Options{
		Bind: []policyfile.Binding{
			policyfile.Bind("b", note("named b")),
			policyfile.BindAll(note("all")),
			policyfile.Bind("k", func(cfg *breaker.Config) {
				cfg.Classify = func(error) seawall.Verdict { return seawall.Verdict{Outcome: seawall.Ignored} }
			}),
			policyfile.Bind("a", func(cfg *retry.Config) { order = append(order, "retry a") }),
		},
	})
	if got := strings.Join(order, ", "); got != "all, retry a, all, named b, all" {
		t.Errorf("bindings ran as %s", got)
	}
	for _, key := range []string{"x", "y"} {
		_ = set.Keyed("k").For(key).Do(t.Context(), fail)
		if s := member[*breaker.Breaker](t, set.Keyed("k").For(key), 0).Stats(); s.Ignored != 1 {
			t.Errorf("key %s has %+v", key, s)
		}
	}
}

func TestBindingsStayThroughAReload(t *testing.T) {
	retried := 0
	set := parse(t, "chains: {a: [retry: {backoff: {kind: immediate}}]}", policyfile.Options{
		Bind: []policyfile.Binding{policyfile.Bind("a", func(cfg *retry.Config) {
			cfg.OnRetry = func(retry.Event) { retried++ }
		})},
	})
	update(t, set, "chains: {a: [retry: {max_attempts: 4, backoff: {kind: immediate}}]}")
	_ = set.Chain("a").Do(t.Context(), fail)
	if retried != 3 {
		t.Errorf("%d retries were told, want 3", retried)
	}
}

func TestABindingMustNotChangeWhatTheFileSays(t *testing.T) {
	got := refusal(t, "chains:\n  a:\n    - bulkhead: {limit: 5}", policyfile.Options{Bind: []policyfile.Binding{
		policyfile.Bind("a", func(cfg *bulkhead.Config) { cfg.Limit, cfg.Queue.Limit = -6, bulkhead.NoQueue }),
	}})
	want := `line 3: chains.a[0].bulkhead.limit is changed by a binding from 5 to -6, want what is in the file
line 3: chains.a[0].bulkhead.queue.limit is changed by a binding from 0 to -1, want what is in the file`
	if got != want {
		t.Errorf("error is %s\nwant %s", got, want)
	}
}

func TestABindingMayNameTheRegistry(t *testing.T) {
	own := quiet()
	parse(t, "chains: {a: [breaker, bulkhead]}", policyfile.Options{Bind: []policyfile.Binding{
		policyfile.Bind("a", func(cfg *breaker.Config) { cfg.Registry = own }),
	}})
	if s := own.Snapshots(); len(s) != 1 || s[0].Kind != "breaker" {
		t.Errorf("it has %+v", s)
	}
}

func TestABindingCanRefuseByItsConfig(t *testing.T) {
	budget := seawall.NewBudget(seawall.BudgetConfig{})
	got := refusal(t, "chains: {a: [retry: {funding: none}]}", policyfile.Options{Bind: []policyfile.Binding{
		policyfile.Bind("a", func(cfg *retry.Config) { cfg.Budget = budget }),
	}})
	if want := "line 1: chains.a[0].retry.budget is set, want nothing with funding: none"; got != want {
		t.Errorf("error is %s, want %s", got, want)
	}
}

func TestBindRefusesWhatCannotBe(t *testing.T) {
	for want, bind := range map[string]func(){
		"policyfile: Bind: the name is empty":                        func() { policyfile.Bind("", func(*breaker.Config) {}) },
		"policyfile: Bind: the function is nil":                      func() { policyfile.BindAll[breaker.Config](nil) },
		"policyfile: Bind: no policy of a file has a breaker.Window": func() { policyfile.BindAll(func(*breaker.Window) {}) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic is %v, want %s", got, want)
				}
			}()
			bind()
		}()
	}
}

// A panic of a binding is the caller's, and changes nothing.
func TestABindingThatPanicsChangesNothing(t *testing.T) {
	broken := false
	set := parse(t, "chains: {a: [breaker]}", policyfile.Options{Bind: []policyfile.Binding{
		policyfile.Bind("a", func(*breaker.Config) {
			if broken {
				panic(errDown)
			}
		}),
	}})
	broken = true
	func() {
		defer func() {
			if err, ok := recover().(error); !ok || !errors.Is(err, errDown) {
				t.Errorf("recovered %v", err)
			}
		}()
		_, _ = set.Update([]byte("chains: {a: [breaker: {min_calls: 5}]}"))
	}()
	broken = false
	if !update(t, set, "chains: {a: [breaker: {min_calls: 5}]}") { // nor holds a lock
		t.Error("the file was taken over by half")
	}
}
