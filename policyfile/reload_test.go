package policyfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/policyfile"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

func fail(context.Context) error    { return errDown }
func succeed(context.Context) error { return nil }

// T75
func TestAnOpenBreakerStaysOpenThroughANewThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := parse(t, "chains: {a: [breaker: {min_calls: 1}]}", policyfile.Options{})
		a := set.Chain("a")
		_ = a.Do(t.Context(), fail)
		b := member[*breaker.Breaker](t, a.Current(), 0)
		update(t, set, "chains: {a: [timeout: {limit: 1s}, breaker: {min_calls: 30, failure_rate: 0.9}]}")
		if err := a.Do(t.Context(), succeed); !errors.Is(err, breaker.ErrOpen) {
			t.Errorf("error is %v, want that the breaker is still open", err)
		}
		if got := member[*breaker.Breaker](t, a.Current(), 0); got != b || got.Config().MinCalls != 30 {
			t.Errorf("it is another breaker, or has %+v", got.Config())
		}
	})
}

// T75
func TestPermitsEndCorrectlyAfterTheLimitShrinks(t *testing.T) {
	set := parse(t, "chains: {a: [bulkhead: {limit: 3, queue: {limit: none}}]}", policyfile.Options{})
	b := member[*bulkhead.Bulkhead](t, set.Chain("a").Current(), 0)
	var permits []*seawall.Permit
	for range 3 {
		p, err := b.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		permits = append(permits, &p)
	}
	update(t, set, "chains: {b: [retry], a: [bulkhead: {limit: 1, queue: {limit: none}}]}")
	for i := range permits {
		if err := set.Chain("a").Do(t.Context(), succeed); !errors.Is(err, bulkhead.ErrFull) {
			t.Errorf("with %d calls in, error is %v", 3-i, err)
		}
		if !permits[i].Done(nil) || permits[i].Done(nil) {
			t.Errorf("permit %d does not end once", i)
		}
	}
	if err := set.Chain("a").Do(t.Context(), succeed); err != nil || b.Stats().InUse != 0 {
		t.Errorf("error is %v, %d in use", err, b.Stats().InUse)
	}
}

// T75
func TestARefusedFileLeavesEverything(t *testing.T) {
	registry, log := logged()
	var told []policyfile.Reloaded
	file := "budgets: {psp: {burst: 3}}\nchains: {a: [retry: {budget: psp}, timeout: {limit: 1s}], k: {per_key: , policies: [bulkhead]}}"
	set := parse(t, file, policyfile.Options{
		Registry: registry,
		OnReload: func(r policyfile.Reloaded) { told = append(told, r) },
	})
	a, k := set.Chain("a"), set.Keyed("k").For("x")
	text, pipeline := set.Text(), a.Current()
	for _, bad := range []string{
		strings.Replace(file, "1s}]", "2s}, breaker: {min_calls: -1}]", 1),
		strings.Replace(file, "1s", "2", 1),
		strings.Replace(file, "burst: 3", "burst: -3", 1),
		"chains: {a: [retry]}",                           // k is in use
		"chains: {k: {per_key: , policies: [bulkhead]}}", // a is
		"chains: {a: {per_key: , policies: [retry]}, k: {per_key: , policies: [bulkhead]}}",
		"chains: {a: [retry], k: [bulkhead]}",
		"", "{",
	} {
		changed, err := set.Update([]byte(bad))
		if changed || err == nil {
			t.Errorf("changed %t, error %v:\n%s", changed, err, bad)
		}
		if len(told) == 0 || !errors.Is(told[len(told)-1].Err, err) {
			t.Errorf("told of %v, want %v", told, err)
		}
	}
	if set.Text() != text || a.Current() != pipeline || set.Keyed("k").For("x") != k {
		t.Errorf("something has changed:\n%s", set.Text())
	}
	if got := member[*timeout.Timeout](t, a.Current(), 0).Config().Limit; got != time.Second {
		t.Errorf("the limit is %v", got)
	}
	if events := log.named("seawall.config.refused"); len(events) != len(told) || len(log.named("seawall.config.updated")) > 0 {
		t.Errorf("events are %v", events)
	}
	if update(t, set, file) {
		t.Error("the same file is a change")
	}
}

func TestReloadTellsWhatHasChanged(t *testing.T) {
	registry, log := logged()
	var told []policyfile.Reloaded
	set := parse(t, "chains: {a: [timeout, retry], b: [breaker]}", policyfile.Options{
		Registry: registry,
		OnReload: func(r policyfile.Reloaded) { told = append(told, r) },
	})
	for _, c := range []struct {
		file string
		want string // of Reloaded, empty if nothing has changed
	}{
		{"chains: {b: [breaker], a: [timeout: {limit: 10s}, retry]}", ""},
		{"x-a: 1\nbudgets: {unused: }\nchains: {b: [breaker], a: [timeout, retry]}", ""},
		{"chains: {a: [timeout: {limit: 1s}, retry], b: [breaker]}", `{[] [timeout "a"] [] [] <nil>}`},
		{"chains: {a: [retry, timeout: {limit: 1s}], b: [breaker]}", `{[] [] [] [a] <nil>}`},
		{"chains: {a: [retry, timeout: {limit: 1s}], c: [breaker: {name: b}]}", `{[] [] [] [c b] <nil>}`},
		{"chains: {a: [retry], c: [breaker: {name: d}]}", `{[breaker "d"] [] [timeout "a" breaker "b"] [a c] <nil>}`},
		{"chains: {a: [retry], k: {per_key: , policies: [breaker]}}", `{[breaker "k"] [] [breaker "d"] [k c] <nil>}`},
		{"chains: {a: [retry], k: {per_key: {max_keys: 5}, policies: [breaker]}}", `{[] [] [] [k] <nil>}`},
		{"chains: {a: [retry], k: {per_key: {max_keys: 5}, policies: [breaker: {min_calls: 5}]}}", `{[] [breaker "k"] [] [] <nil>}`},
		{
			"budgets: {s: }\nchains: {a: [retry: {budget: s}], k: {per_key: {max_keys: 5}, policies: [breaker: {min_calls: 5}]}}",
			`{[] [retry "a"] [] [] <nil>}`,
		},
		{
			"budgets: {s: {burst: 5}}\nchains: {a: [retry: {budget: s}], k: {per_key: {max_keys: 5}, policies: [breaker: {min_calls: 5}]}}",
			`{[] [retry "a"] [] [] <nil>}`,
		},
		{"budgets: {s: {burst: 5, ratio: 0.1}}\nchains: {a: [retry: {budget: s}], k: {per_key: {max_keys: 5}, policies: [breaker: {min_calls: 5}]}}", ""},
	} {
		told = nil
		log.clear()
		changed := update(t, set, c.file)
		got := ""
		if len(told) > 0 {
			got = fmt.Sprint(told[0])
		}
		if got != c.want || changed != (c.want != "") || len(told) > 1 {
			t.Errorf("%s:\ntold of %s, changed %t, want %s", c.file, got, changed, c.want)
		}
		own := 0
		for _, e := range log.named("seawall.config.updated") {
			if strings.HasPrefix(e, "INFO kind=policyfile name= ") {
				own++
			}
		}
		if own != len(told) {
			t.Errorf("%s: %d events, want %d", c.file, own, len(told))
		}
		if fresh := parse(t, c.file, policyfile.Options{}); set.Text() != fresh.Text() || !slices.Equal(set.Names(), fresh.Names()) {
			t.Errorf("%s: the text in force is\n%s", c.file, set.Text())
		}
	}
}

func TestPolicyThatMovesToAnotherChainIsTheSame(t *testing.T) {
	set := parse(t, "chains: {a: [breaker: {name: psp, min_calls: 1}, retry], b: [timeout]}", policyfile.Options{})
	a, b := set.Chain("a"), set.Chain("b")
	psp := member[*breaker.Breaker](t, a.Current(), 0)
	update(t, set, "chains: {a: [retry], b: [timeout, breaker: {name: psp, min_calls: 1}]}")
	if member[*breaker.Breaker](t, b.Current(), 0) != psp || psp.Name() != "psp" {
		t.Errorf("b has another one: %v", b)
	}
	if a.String() != `retry "a"` || b.String() != `timeout "b" → breaker "psp"` {
		t.Errorf("chains are %v and %v", a, b)
	}
}

// A mode set by hand stays, but what the file says of the mode is done.
func TestAModeSetByHandStaysUntilTheFileHasAnother(t *testing.T) {
	set := parse(t, "chains: {a: [breaker]}", policyfile.Options{})
	b := member[*breaker.Breaker](t, set.Chain("a").Current(), 0)
	if err := b.SetMode(seawall.ForcedOpen); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file string
		want seawall.Mode
	}{
		{"chains: {a: [breaker: {min_calls: 5}]}", seawall.ForcedOpen},
		{"chains: {a: [timeout, breaker: {min_calls: 5, mode: enforce}]}", seawall.ForcedOpen},
		{"chains: {a: [breaker: {min_calls: 6, mode: shadow}]}", seawall.Shadow},
		{"chains: {a: [breaker: {min_calls: 6}]}", seawall.Enforce},
	} {
		update(t, set, c.file)
		if got := b.Config().Mode; got != c.want {
			t.Errorf("%s: the mode is %v, want %v", c.file, got, c.want)
		}
	}
}

func TestABudgetKeepsItsTokensWhileItsNumbersStay(t *testing.T) {
	file := "budgets: {s: {burst: 5}}\nchains: {a: [retry: {budget: s}], b: [retry: {budget: s}]}"
	set := parse(t, file, policyfile.Options{})
	a, b := member[*retry.Retry](t, set.Chain("a").Current(), 0), member[*retry.Retry](t, set.Chain("b").Current(), 0)
	budget := a.Budget()
	if budget != b.Budget() || !budget.Take() || budget.Available() != 4 {
		t.Fatalf("the budget is not shared, or has %v", budget.Available())
	}
	update(t, set, strings.Replace(file, "a: [retry: {", "a: [retry: {max_attempts: 5, ", 1))
	if a.Budget() != budget || a.Budget().Available() != 4 || a.Config().MaxAttempts != 5 {
		t.Errorf("the budget is another one, or has %v", a.Budget().Available())
	}
	update(t, set, strings.Replace(file, "burst: 5", "burst: 6", 1))
	if a.Budget() == budget || a.Budget() != b.Budget() || a.Budget().Available() != 6 {
		t.Errorf("the budget has %v", a.Budget().Available())
	}
}

func TestAMissingChainIsToldWithAllElseThatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{
			"a bad value", "chains:\n  a: [breaker: {failure_rate: 7}]",
			"policyfile: chains.b is missing, the program requires it\nline 2: chains.a[0].breaker.failure_rate is 7, want 0.000001 to 1",
		},
		{
			"a chain that is there, but wrong", "chains:\n  a: [retry]\n  b: {per_key: }",
			"line 3: chains.b has no policies",
		},
		{"no chains at all", "chains:", "line 1: chains is empty, want a mapping from names to chains"},
		{"a syntax error", "chains:\n  a: [retry", "line 3: did not find expected"},
	} {
		got := refusal(t, c.file, policyfile.Options{Require: []string{"a", "b"}})
		if !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") != strings.Count(c.want, "\n") {
			t.Errorf("%s: error is\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	set := parse(t, "chains: {a: [retry], c: [retry]}", policyfile.Options{})
	set.Chain("c")
	_, err := set.Update([]byte("chains: {a: [retry: {max_attempts: x}]}"))
	want := "policyfile: chains.c is missing, the program uses it as a chain\n" +
		`line 1: chains.a[0].retry.max_attempts is "x", want a whole number, or unlimited`
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

func TestARequiredChainMustBeThere(t *testing.T) {
	opts := policyfile.Options{Require: []string{"a", "b"}}
	got := refusal(t, "chains: {a: [retry], c: [retry]}", opts)
	if got != "policyfile: chains.b is missing, the program requires it" {
		t.Errorf("error is %s", got)
	}
	set := parse(t, "chains: {a: [retry], b: {policies: [breaker]}, k: {per_key: , policies: [breaker]}}", opts)
	if _, err := set.Update([]byte("chains: {a: [retry], k: {per_key: , policies: [breaker]}}")); err == nil {
		t.Error("a reload without it was taken")
	}
	for want, ask := range map[string]func(){
		`policyfile: the file has no chain "x", only a, b, k (keyed)`:       func() { set.Chain("x") },
		`policyfile: the file has no chain "k", only a, b, k (keyed)`:       func() { set.Chain("k") },
		`policyfile: the file has no keyed chain "a", only a, b, k (keyed)`: func() { set.Keyed("a") },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic is %v, want %v", got, want)
				}
			}()
			ask()
		}()
	}
}

func TestReloadReadsTheFileAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("chains: {a: [timeout: {limit: 1s}]}")
	set, err := policyfile.Load(file, policyfile.Options{Registry: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	write("chains: {a: [timeout: {limit: 2s}]}")
	if changed, err := set.Reload(); !changed || err != nil {
		t.Errorf("changed %t, %v", changed, err)
	}
	if changed, err := set.Reload(); changed || err != nil {
		t.Errorf("changed %t, %v", changed, err)
	}
	write("chains: {a: [timeout: {limit: 2}]}")
	want := file + ":1: chains.a[0].timeout.limit is 2, want a duration such as 500ms, or off"
	if changed, err := set.Reload(); changed || err == nil || err.Error() != want {
		t.Errorf("changed %t, error is %v", changed, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if changed, err := set.Reload(); changed || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("changed %t, error is %v", changed, err)
	}
	if got := member[*timeout.Timeout](t, set.Chain("a").Current(), 0).Config().Limit; got != 2*time.Second {
		t.Errorf("the limit is %v", got)
	}
	if _, err := parse(t, "chains: {a: [retry]}", policyfile.Options{}).Reload(); err == nil {
		t.Error("a set without a file was reloaded")
	}
}

// T19
func TestOptionsAndBytesAreTheCallersToChange(t *testing.T) {
	opts := policyfile.Options{Require: []string{"a"}, Bind: slices.Clone(bindings), Registry: quiet()}
	data := []byte("chains: {a: [fallback]}")
	set, err := policyfile.Parse(data, opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.Require[0], opts.Bind[0] = "b", policyfile.BindAll(func(*breaker.Config) { t.Error("another binding ran") })
	clear(data)
	update(t, set, "chains: {a: [fallback, timeout]}")
	names := set.Names()
	names[0] = "x"
	if set.Names()[0] != "a" {
		t.Error("the names were changed")
	}
}

// A Chain within another chain, or asked by its own Do, stays live as well.
func TestAChainWithinAChainIsLive(t *testing.T) {
	set := parse(t, "chains: {a: [retry: {max_attempts: 2, backoff: {kind: immediate}}]}", policyfile.Options{})
	a := set.Chain("a")
	around := seawall.Chain(timeout.New("around", timeout.Config{Registry: quiet()}), a)
	runs := 0
	count := func(context.Context) (string, error) {
		runs++
		if runs%10 == 0 {
			return "tenth", nil
		}
		return "", errDown
	}
	for _, want := range []struct{ attempts, runs int }{{2, 2}, {4, 6}, {9, 10}} {
		update(t, set, fmt.Sprintf("chains: {a: [retry: {name: r%d, max_attempts: %[1]d, backoff: {kind: immediate}}]}", want.attempts))
		got, err := seawall.Call(t.Context(), around, count)
		if runs != want.runs || (got == "tenth") != (runs == 10) || (err == nil) != (runs == 10) {
			t.Errorf("%q, %v after %d runs, want %d", got, err, runs, want.runs)
		}
	}
	if a.Name() != "a" || a.String() != `retry "r9"` || a.Keep() {
		t.Errorf("%s is %v, kept %t", a.Name(), a, a.Keep())
	}
}

func TestLabelsHideKeys(t *testing.T) {
	set := parse(t, "chains: {k: {per_key: , policies: [bulkhead]}}", policyfile.Options{
		Label: func(key string) string { return fmt.Sprint(len(key)) },
	})
	if got := set.Keyed("k").For("secret").String(); got != `bulkhead "k[6]"` {
		t.Errorf("chain is %s", got)
	}
	long := strings.Repeat("é", 100)
	set = parse(t, "chains: {k: {per_key: , policies: [bulkhead]}}", policyfile.Options{})
	if got := set.Keyed("k").For(long).String(); got != `bulkhead "k[`+long[:128]+`]"` {
		t.Errorf("chain is %s", got)
	}
	if set.Keyed("k").Len() != 1 || set.Keyed("k").Name() != "k" {
		t.Error("there are more")
	}
}

func TestMarksAndLineEndsOfWindowsAreRead(t *testing.T) {
	set := parse(t, "\ufeffchains:\r\n  a:\r\n    - retry\r\n", policyfile.Options{})
	if got := set.Chain("a").String(); got != `retry "a"` {
		t.Errorf("chain is %s", got)
	}
}
