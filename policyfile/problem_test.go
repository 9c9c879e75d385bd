package policyfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/policyfile"
)

// refusal parses a file that must be refused.
func refusal(t *testing.T, file string, opts policyfile.Options) string {
	t.Helper()
	opts.Registry = quiet()
	_, err := policyfile.Parse([]byte(file), opts)
	if err == nil {
		t.Fatalf("taken:\n%s", file)
	}
	return err.Error()
}

func TestEveryProblemIsToldWithItsLinePathValueAndRange(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"nothing", "", "policyfile: is empty, want a mapping with chains"},
		{"a comment only", "# nothing\n", "policyfile: is empty, want a mapping with chains"},
		{"a scalar", "chains", `line 1: is "chains", want a mapping with chains`},
		{"a sequence", "- chains", `line 1: is a sequence, want a mapping with chains`},
		{"two documents", "chains: {a: [retry]}\n---\nchains: {}", "policyfile: expected single document, found multiple"},
		{"no chains", "budgets: {a: }", "line 1: has no chains"},
		{"empty chains", "\nchains: {}", "line 2: chains is empty"},
		{"null chains", "chains:", "line 1: chains is empty, want a mapping from names to chains"},
		{"a list of chains", "chains: [a]", "line 1: chains is a sequence, want a mapping from names to chains"},
		{
			"unknown at the top", "chain: {}\nchains: {a: [retry]}",
			"line 1: chain is unknown: did you mean chains? (budgets, chains, x-...)",
		},
		{"an empty chain", "chains:\n  a: []", "line 2: chains.a is empty"},
		{"a null chain", "chains:\n  a:", "line 2: chains.a is empty, want a sequence of policies, the outermost first"},
		{"a keyed chain without policies", "chains:\n  a: {per_key: }", "line 2: chains.a has no policies"},
		{"an empty keyed chain", "chains:\n  a:\n    policies: []", "line 3: chains.a.policies is empty"},
		{
			"unknown in a chain", "chains:\n  a: {perkey: , policies: [retry]}",
			"line 2: chains.a.perkey is unknown: did you mean per_key? (per_key, policies)",
		},
		{
			"unknown in per_key", "chains: {a: {per_key: {max: 5}, policies: [retry]}}",
			"line 1: chains.a.per_key.max is unknown: did you mean max_keys? (max_keys)",
		},
		{
			"max_keys of 0", "chains: {a: {per_key: {max_keys: 0}, policies: [retry]}}",
			"line 1: chains.a.per_key.max_keys is 0, want 1 to 1000000",
		},
		{
			"max_keys of text", "chains: {a: {per_key: {max_keys: many}, policies: [retry]}}",
			`line 1: chains.a.per_key.max_keys is "many", want 1 to 1000000`,
		},
		{
			"per_key of text", "chains: {a: {per_key: x, policies: [retry]}}",
			`line 1: chains.a.per_key is "x", want a mapping with max_keys`,
		},
		{"a number as a policy", "chains: {a: [5]}", "line 1: chains.a[0] is 5, want a policy such as retry: {max_attempts: 3}"},
		{
			"two kinds in one", "chains:\n  a:\n    - retry:\n      timeout:",
			"line 3: chains.a[0] has 2 keys, want one: the kind of a policy",
		},
		{
			"the name that another library has for a kind", "chains: {a: [circuit_breaker]}",
			"line 1: chains.a[0].circuit_breaker is unknown: did you mean breaker? (fallback, ",
		},
		{"half of a kind", "chains: {a: [adaptive]}", "line 1: chains.a[0].adaptive is unknown: did you mean adaptive_bulkhead? (fallback, "},
		{"half of a key", "chains: {a: [retry: {attempts: 3}]}", "line 1: chains.a[0].retry.attempts is unknown: did you mean max_attempts? (name, "},
		{
			"half of several keys", "chains: {a: [breaker: {max: 3s}]}",
			"line 1: chains.a[0].breaker.max is unknown (name, ",
		},
		{"an unknown kind", "chains: {a: [braker]}", "line 1: chains.a[0].braker is unknown: did you mean breaker? (fallback, "},
		{
			"settings of text", "chains: {a: [retry: often]}",
			`line 1: chains.a[0].retry is "often", want a mapping with the settings of a policy`,
		},
		{
			"an unknown key", "chains:\n  a:\n    - timeout:\n        limti: 5s",
			"line 4: chains.a[0].timeout.limti is unknown: did you mean limit? (name, limit",
		},
		{
			"an unknown key below", "chains: {a: [breaker: {probes: {call: 5}}]}",
			"line 1: chains.a[0].breaker.probes.call is unknown: did you mean calls? (calls, timeout)",
		},
		{"a key far from all", "chains: {a: [timeout: {x: 5}]}", "line 1: chains.a[0].timeout.x is unknown (name, limit"},
		{
			"a key twice", "chains:\n  a:\n    - timeout:\n        limit: 5s\n        limit: 6s",
			"line 5: chains.a[0].timeout.limit is there twice, see line 4",
		},
		{"a chain twice", "chains:\n  a: [retry]\n  a: [retry]", "line 3: chains.a is there twice, see line 2"},
		{"a mapping as a key", "chains: {a: [timeout: {? {b: c} : 1}]}", "line 1: chains.a[0].timeout has a mapping as a key, want a word"},

		{
			"a number for a duration", "chains: {a: [timeout: {limit: 5}]}",
			"line 1: chains.a[0].timeout.limit is 5, want a duration such as 500ms, or off",
		},
		{
			"a bad duration", "chains: {a: [timeout: {limit: 5 seconds}]}",
			`line 1: chains.a[0].timeout.limit is "5 seconds", want a duration such as 500ms, or off`,
		},
		{"a null", "chains: {a: [timeout: {limit: }]}", "line 1: chains.a[0].timeout.limit is empty, want a duration such as 500ms, or off"},
		{
			"a mapping for a duration", "chains: {a: [timeout: {limit: {s: 5}}]}",
			"line 1: chains.a[0].timeout.limit is a mapping, want a duration such as 500ms, or off",
		},
		{
			"a tagged value", "chains: {a: [timeout: {limit: !!str 5s}]}",
			"line 1: chains.a[0].timeout.limit is tagged !!str, want a duration such as 500ms, or off",
		},
		{"a text for a number", `chains: {a: [bulkhead: {limit: "5"}]}`, `line 1: chains.a[0].bulkhead.limit is "5", want a whole number`},
		{"a fraction for a count", "chains: {a: [bulkhead: {limit: 5.5}]}", "line 1: chains.a[0].bulkhead.limit is 5.5, want a whole number"},
		{"an octal number", "chains: {a: [bulkhead: {limit: 010}]}", "line 1: chains.a[0].bulkhead.limit is 010, want a whole number"},
		{"a hexadecimal number", "chains: {a: [bulkhead: {limit: 0x10}]}", "line 1: chains.a[0].bulkhead.limit is 0x10, want a whole number"},
		{
			"a huge number", "chains: {a: [bulkhead: {limit: 99999999999999999999}]}",
			"line 1: chains.a[0].bulkhead.limit is 99999999999999999999, want a whole number",
		},
		{"not a number", "chains: {a: [breaker: {failure_rate: .nan}]}", "line 1: chains.a[0].breaker.failure_rate is .nan, want a number"},
		{"infinity", "chains: {a: [breaker: {failure_rate: .inf}]}", "line 1: chains.a[0].breaker.failure_rate is .inf, want a number"},
		{"a struct of text", "chains: {a: [breaker: {window: 5s}]}", `line 1: chains.a[0].breaker.window is "5s", want a mapping`},
		{"a word for another key", "chains: {a: [bulkhead: {limit: none}]}", `line 1: chains.a[0].bulkhead.limit is "none", want a whole number`},
		{
			"the number behind a word", "chains: {a: [retry: {max_attempts: -1}]}",
			"line 1: chains.a[0].retry.max_attempts is -1, want at least 1, or unlimited",
		},
		{
			"a mode that is none", "chains: {a: [breaker: {mode: open}]}",
			`line 1: chains.a[0].breaker.mode is "open", want one of enforce, shadow, forced_open, forced_closed, off`,
		},
		{"a name that is a number", "chains: {a: [breaker: {name: 5}]}", "line 1: chains.a[0].breaker.name is 5, want text in quotes"},
		{"an empty name", `chains: {a: [breaker: {name: ""}]}`, "line 1: chains.a[0].breaker.name is a bad name, want 1 to 64 bytes that print"},
		{"a name with a newline", `chains: {"a\nb": [breaker]}`, `line 1: chains."a\nb" is a bad name, want 1 to 64 bytes that print`},

		{
			"out of range", "chains:\n  a:\n    - breaker:\n        failure_rate: 1.5",
			"line 4: chains.a[0].breaker.failure_rate is 1.5, want 0.000001 to 1",
		},
		{
			"out of range below", "chains:\n  a:\n    - retry:\n        backoff:\n          base: 2s\n          max: 1s",
			"line 6: chains.a[0].retry.backoff.max is 1s, want at least backoff.base, which is 2s",
		},
		{
			"a zero that is not one", "chains: {a: [bulkhead: {queue: {limit: 0}}]}",
			"line 1: chains.a[0].bulkhead.queue.limit is 0, want 1 to 1000000, or none; leave it out for the default",
		},
		{
			"a zero duration", "chains: {a: [timeout: {limit: 0s}]}",
			"line 1: chains.a[0].timeout.limit is 0s, want at least 1ns, or off; leave it out for the default",
		},
		{
			"two fields that exclude each other", "chains:\n  a:\n    - breaker:\n        window: {time: 5s, calls: 5}",
			"line 4: chains.a[0].breaker.window is ",
		},
		{
			"a requirement", "chains:\n  a:\n    - ratelimit: {burst: 5}",
			"line 3: chains.a[0].ratelimit.rate is 0, want 0.00001 to 1000000000 per second, or unlimited; it has no default",
		},
		{
			"a function that is missing", "chains:\n  a:\n    - fallback",
			"line 3: chains.a[0].fallback is refused: degrade: FallbackConfig.Func is nil, want a function (see policyfile.Bind)",
		},

		{
			"an unknown budget", "budgets: {psp: , shop: }\nchains: {a: [retry: {budget: pps}]}",
			`line 2: chains.a[0].retry.budget names the budget "pps", which is unknown: did you mean psp? (psp, shop)`,
		},
		{
			"a budget where there is none", "chains: {a: [retry: {budget: psp}]}",
			`line 1: chains.a[0].retry.budget names the budget "psp", which is unknown: there is none`,
		},
		{
			"a bad budget", "budgets:\n  psp:\n    ratio: 11\nchains: {a: [retry: {budget: psp}]}",
			"line 3: budgets.psp.ratio is 11, want 0.000001 to 10",
		},
		{
			"an unknown key of a budget", "budgets: {psp: {bust: 5}}\nchains: {a: [retry]}",
			"line 1: budgets.psp.bust is unknown: did you mean burst? (ratio, burst)",
		},
		{"a budget of text", "budgets: {psp: x}\nchains: {a: [retry]}", `line 1: budgets.psp is "x", want a mapping with ratio and burst`},
		{"budgets of text", "budgets: x\nchains: {a: [retry]}", `line 1: budgets is "x", want a mapping from names to budgets`},
		{
			"a budget that is not used", "budgets: {psp: }\nchains: {a: [retry: {budget: psp, funding: none}]}",
			"line 2: chains.a[0].retry.budget is set, want nothing with funding: none",
		},
		{
			"a budget of a number", "chains: {a: [retry: {budget: 5}]}",
			"line 1: chains.a[0].retry.budget is 5, want a mapping, or the name of a budget",
		},

		{
			"two of a name in a chain", "chains:\n  a:\n    - timeout\n    - retry\n    - timeout",
			`line 5: chains.a[2].timeout has the same name as chains.a[0].timeout, line 3, which is "a": give one of them another by name`,
		},
		{
			"two of a name in two chains", "chains:\n  a: [retry]\n  b: [retry: {name: a}]",
			`line 3: chains.b[0].retry has the same name as chains.a[0].retry, line 2, which is "a": give one of them another by name`,
		},
		{
			"two of a name that are one kind elsewhere", "chains: {a: [bulkhead, adaptive_bulkhead]}",
			`line 1: chains.a[1].adaptive_bulkhead has the same name as chains.a[0].bulkhead, line 1, which is "a": give one`,
		},
		{"a syntax error", "chains:\n  a: [retry\n  b: x", "line 3: did not find expected ',' or ']' while parsing a flow sequence"},
		{"an unknown alias", "chains:\n  a: *b", "line 2: unknown anchor 'b' referenced"},
		{"a tab", "chains:\n\ta: [retry]", "line 2: is indented with a tab, want spaces"},
		{"a tab behind spaces", "chains:\n  a:\n  - retry:\n  \tmax_attempts: 3", "line 4: is indented with a tab, want spaces"},
		{"a character that is none", "chains:\n  a: @x", "line 2: found character that cannot start any token while scanning for the next token"},
		{
			"a budget that is none", "chains: {a: [retry: {budget: none}]}",
			`line 1: chains.a[0].retry.budget names the budget "none", which is unknown: there is none; to have none, leave it out and give funding: none`,
		},
		{
			"a hedge's budget that is none", "budgets: {psp: }\nchains: {a: [hedge: {budget: none, funding: none}]}",
			`line 2: chains.a[0].hedge.budget names the budget "none", which is unknown (psp); to have none, leave it out and give funding: none`,
		},
		{
			"the numbers of a budget without use", "chains: {a: [retry: {budget: {ratio: 0.1, burst: 5}, funding: none}]}",
			"line 1: chains.a[0].retry.budget is set, want nothing with funding: none",
		},
		{
			"a requirement that cannot be read", "chains: {a: [ratelimit: {rate: 10/s}]}",
			`line 1: chains.a[0].ratelimit.rate is "10/s", want a number, or unlimited`,
		},
		{
			"a bound that cannot be read", "chains: {a: [retry: {backoff: {base: x, max: 1ms}}]}",
			`line 1: chains.a[0].retry.backoff.base is "x", want a duration such as 500ms`,
		},
	} {
		if got := refusal(t, c.file, policyfile.Options{}); !strings.HasPrefix(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%s:\n%s\nerror is %s\n    want %s", c.name, c.file, got, c.want)
		}
	}
}

func TestAllProblemsAreToldAtOnceInTheOrderOfTheirLines(t *testing.T) {
	got := refusal(t, `chains:
  a:
    - breaker:
        open_for: 48h
        failure_rate: 7
        min_calls: 50
        window: {calls: 10}
        max_open_for: 1s
        mode: ajar
        probes: {timeout: -1s, calls: x}
    - retry: {backoff: {factor: 0.5, kind: bad}, budget: {ratio: 50, burst: -1}}
    - timeout: {limit: -5s}
`, policyfile.Options{})
	want := `line 4: chains.a[0].breaker.open_for is 48h0m0s, want 1ms to 24h
line 5: chains.a[0].breaker.failure_rate is 7, want 0.000001 to 1
line 6: chains.a[0].breaker.min_calls is 50, want at most window.calls, which is 10
line 9: chains.a[0].breaker.mode is "ajar", want one of enforce, shadow, forced_open, forced_closed, off
line 10: chains.a[0].breaker.probes.calls is "x", want a whole number
line 10: chains.a[0].breaker.probes.timeout is -1s, want at least 1ms
line 11: chains.a[1].retry.backoff.kind is "bad", want one of full_jitter, equal_jitter, decorrelated_jitter, exponential, constant, immediate
line 11: chains.a[1].retry.budget.ratio is 50, want 0.000001 to 10
line 11: chains.a[1].retry.budget.burst is -1, want 1 to 1000000
line 11: chains.a[1].retry.backoff.factor is 0.5, want 1 to 100
line 12: chains.a[2].timeout.limit is -5s, want at least 1ns, or off`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAZeroThatIsAZeroIsTaken(t *testing.T) {
	set := parse(t, "chains: {a: [breaker: {window: {time: 5s, calls: 0}}, hedge: {delay: 0s}]}", policyfile.Options{})
	if p := member[*breaker.Breaker](t, set.Chain("a").Current(), 0); p.Config().Window.Calls != 0 {
		t.Errorf("window is %+v", p.Config().Window)
	}
}

func TestLongListsOfProblemsEnd(t *testing.T) {
	_, err := policyfile.Parse([]byte("chains: {a: ["+strings.Repeat("1, ", 5000)+"]}"), policyfile.Options{})
	e, ok := errors.AsType[*policyfile.Error](err)
	if !ok || len(e.Problems) != 100 || e.More != 4900 || !strings.HasSuffix(err.Error(), "\nand 4900 more") {
		t.Errorf("error is %v", err)
	}
	if p, ok := errors.AsType[*policyfile.Problem](err); !ok || p.Path != "chains.a[0]" {
		t.Errorf("the first problem is %v", p)
	}
}

func TestFilesThatWouldEatMemoryAreRefused(t *testing.T) {
	laughs := "x-a: &a {retry: }\n"
	for i := 'b'; i < 'l'; i++ {
		laughs += fmt.Sprintf("x-%c: &%c {<<: [%s]}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", i-1), 9), ", "))
	}
	many := "x-a: &a [" + strings.TrimSuffix(strings.Repeat("retry, ", 1000), ", ") + "]\nchains:\n"
	for i := range 1000 {
		many += fmt.Sprintf("  c%d: *a\n", i)
	}
	for _, c := range []struct{ name, file, want string }{
		{"long", "chains: {a: [retry]}" + strings.Repeat(" ", 1<<20), "policyfile: is longer than 1048576 bytes"},
		{"deep", "chains: " + strings.Repeat("[", 65), "nested deeper than 64 levels"},
		{"deep in blocks", strings.Repeat("- ", 65), "nested deeper than 64 levels"},
		{"merges of merges", laughs + "chains: {a: [{<<: *k}]}", "has more than 100000 nodes with its aliases"},
		{"aliases of a long chain", many, "has more than 100000 nodes with its aliases"},
		{"a merge of itself", "x-a: &a {<<: *a}\nchains: {a: [*a]}", "merges more than 64 levels by <<"},
		{"a sequence of itself", "chains: {a: &a [*a]}", "chains.a[0] is a sequence, want a policy"},
		{"a merge of a number", "chains: {a: [timeout: {<<: 5}]}", "chains.a[0].timeout merges 5 by <<, want a mapping"},
		{"a merge of numbers", "chains: {a: [timeout: {<<: [5]}]}", "chains.a[0].timeout merges 5 by <<, want mappings"},
	} {
		if got := refusal(t, c.file, policyfile.Options{}); !strings.Contains(got, c.want) {
			t.Errorf("%s: error is %.200s, want %s", c.name, got, c.want)
		}
	}
}

func TestAFileThatCannotBeReadIsTheSystemsError(t *testing.T) {
	_, err := policyfile.Load(filepath.Join(t.TempDir(), "none.yaml"), policyfile.Options{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "policyfile: open ") {
		t.Errorf("error is %v", err)
	}
	if _, err := policyfile.Load(t.TempDir(), policyfile.Options{}); err == nil {
		t.Error("a folder was read")
	}
	if _, err := policyfile.LoadFS(fstest.MapFS{}, "x.yaml", policyfile.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	if _, err := policyfile.LoadFS(endless{}, "x.yaml", policyfile.Options{}); err == nil ||
		err.Error() != "x.yaml: is longer than 1048576 bytes" {
		t.Errorf("error is %v", err)
	}
}

// endless is a file system whose files do not end.
type endless struct{ fs.File }

func (e endless) Open(string) (fs.File, error) { return e, nil }
func (endless) Close() error                   { return nil }

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// JSON goes the same way, with tabs and in one line.
func TestJSONIsReadAsYAMLIs(t *testing.T) {
	inYAML := parse(t, `
budgets: {psp: {burst: 5}}
chains:
  "pay ments é":
    - timeout: {limit: 1m30s}
    - retry: {budget: psp, max_attempts: unlimited}
    - breaker
  keyed: {per_key: {max_keys: 5}, policies: [bulkhead: {queue: {limit: none}}]}
`, policyfile.Options{})
	for _, file := range []string{
		"{\n\t\"budgets\": {\"psp\": {\"burst\": 5}},\n\t\"chains\": {\n\t\t\"pay ments \\u00e9\": [\n" +
			"\t\t\t{\"timeout\": {\"limit\": \"1m30s\"}},\n\t\t\t{\"retry\": {\"budget\": \"psp\", \"max_attempts\": \"unlimited\"}},\n" +
			"\t\t\t\"breaker\"\n\t\t],\n\t\t\"keyed\": {\"per_key\": {\"max_keys\": 5}, \"policies\": [{\"bulkhead\": " +
			"{\"queue\": {\"limit\": \"none\"}}}]}\n\t}\n}\n",
		`{"budgets":{"psp":{"burst":5}},"chains":{"pay ments é":[{"timeout":{"limit":"1m30s"}},{"retry":{"budget":"psp",` +
			`"max_attempts":"unlimited"}},{"breaker":null}],"keyed":{"per_key":{"max_keys":5},"policies":[{"bulkhead":{"queue":` +
			`{"limit":"none"}}}]}}}`,
	} {
		if inJSON := parse(t, file, policyfile.Options{}); !policyfile.Equal(inYAML, inJSON) {
			t.Errorf("another file:\n%s", inJSON.Text())
		}
	}
	got := refusal(t, "{\n\t\"chains\": {\n\t\t\"a\": [{\"timeout\": {\"limit\": 5}}]\n\t}\n}", policyfile.Options{})
	if want := "line 3: chains.a[0].timeout.limit is 5, want a duration such as 500ms, or off"; got != want {
		t.Errorf("error is %s, want %s", got, want)
	}
}

func TestAnchorsAndMergesWork(t *testing.T) {
	set := parse(t, `
x-defaults:
  breaker: &breaker {failure_rate: 0.25, min_calls: 7}
  more: &more {min_calls: 9, open_for: 3s}
chains:
  a:
    - breaker: {<<: [*breaker, *more], failure_rate: 0.75}
  b: &b
    - breaker: *breaker
`, policyfile.Options{})
	got := member[*breaker.Breaker](t, set.Chain("a").Current(), 0).Config()
	if got.FailureRate != 0.75 || got.MinCalls != 7 || got.OpenFor != 3e9 {
		t.Errorf("merged into %+v", got)
	}
	if got := member[*breaker.Breaker](t, set.Chain("b").Current(), 0).Config(); got.FailureRate != 0.25 {
		t.Errorf("aliased as %+v", got)
	}
}

func TestStrictRefusesFindingsAndUnusedBindings(t *testing.T) {
	file := "chains:\n  a: [retry]\n  b: [retry, retry: {name: inner}]"
	bind := []policyfile.Binding{policyfile.Bind("payment", func(cfg *breaker.Config) { cfg.Classify = seawall.Classify })}
	got := refusal(t, file, policyfile.Options{Strict: true, Bind: bind})
	for _, want := range []string{
		`policyfile: has no breaker "payment", for which there is a binding`,
		`line 3: chains.b has a finding: nested_retry: retry "b", retry "inner": `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("error is %s\nwant one with %s", got, want)
		}
	}
	registry, log := logged()
	set := parse(t, file, policyfile.Options{Bind: bind, Registry: registry})
	findings := set.Findings()
	if len(findings) == 0 || findings[0].Chain != "b" || !strings.HasPrefix(findings[0].String(), "chains.b: nested_retry: ") {
		t.Errorf("findings are %v", findings)
	}
	for _, event := range []string{"seawall.config.finding", "seawall.config.binding_unused"} {
		if len(log.named(event)) == 0 {
			t.Errorf("no event %s", event)
		}
	}
	log.clear()
	update(t, set, strings.Replace(file, "a: [retry]", "a: [retry: {max_attempts: 5}]", 1))
	if len(log.named("seawall.config.finding")) > 0 {
		t.Error("a finding that stays was logged again")
	}
}

// T69: what we show does not hurt.
func TestTheExampleHasNoFindings(t *testing.T) {
	file, err := os.ReadFile("testdata/policies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parse(t, string(file), policyfile.Options{}).Findings() {
		t.Error(f)
	}
}
