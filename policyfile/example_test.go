package policyfile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/policyfile"
)

// silent keeps the events of examples out of their output.
func silent() *seawall.Registry {
	r := &seawall.Registry{}
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func charge(context.Context) (string, error) { return "receipt 1", nil }

func ExampleLoad() {
	set, err := policyfile.Load("testdata/policies.yaml", policyfile.Options{
		Registry: silent(),
		Require:  []string{"payments", "tenants"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	payments, tenants := set.Chain("payments"), set.Keyed("tenants")

	ctx := context.Background()
	receipt, err := seawall.Call(ctx, payments, charge)
	fmt.Println(receipt, err)
	receipt, err = seawall.Call(ctx, tenants.For("acme"), charge)
	fmt.Println(receipt, err)
	fmt.Println(payments)
	fmt.Println(tenants.For("acme"))
	// Output:
	// receipt 1 <nil>
	// receipt 1 <nil>
	// timeout "payments.total" → retry "payments" → breaker "payments" → bulkhead "payments" → timeout "payments.attempt"
	// breaker "tenants[acme]" → bulkhead "tenants[acme]"
}

func ExampleLoadFS() {
	files := fstest.MapFS{"policies.json": {Data: []byte(`{"chains": {"search": [{"timeout": {"limit": "300ms"}}]}}`)}}
	set, err := policyfile.LoadFS(files, "policies.json", policyfile.Options{Registry: silent()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Names(), set.Chain("search"))
	// Output: [search] timeout "search"
}

func ExampleParse() {
	set, err := policyfile.Parse([]byte("chains: {search: [retry: {max_attempts: 2}, breaker]}"), policyfile.Options{Registry: silent()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Chain("search"))
	// Output: retry "search" → breaker "search"
}

func ExampleChain_Do() {
	set, err := policyfile.Parse([]byte("chains: {search: [timeout: {limit: 1s}]}"), policyfile.Options{Registry: silent()})
	if err != nil {
		fmt.Println(err)
		return
	}
	search := set.Chain("search")
	fmt.Println(search.Do(context.Background(), func(ctx context.Context) error {
		_, limited := ctx.Deadline()
		fmt.Println("limited:", limited)
		return nil
	}))
	// Output:
	// limited: true
	// <nil>
}

func ExampleReference() {
	var text strings.Builder
	if err := policyfile.Reference(&text); err != nil {
		fmt.Println(err)
	}
	_, section, _ := strings.Cut(text.String(), "ratelimit\n")
	for _, line := range strings.Split(section, "\n")[:2] {
		fmt.Println(strings.Join(strings.Fields(line), " "))
	}
	// Output:
	// name the chain's name text
	// rate required 0.00001 to 1000000000 per second, or unlimited; it has no default
}

// All that is wrong is told at once.
func ExampleError() {
	_, err := policyfile.LoadFS(fstest.MapFS{"policies.yaml": {Data: []byte(`chains:
  payments:
    - timeout: {limit: 5}
    - breaker:
        failure_rate: 1.5
    - breaker: {name: psp, window: {cals: 5}}
    - retry: {budget: psp}
    - bulkhead: {queue: {limit: 0}}
`)}}, "policies.yaml", policyfile.Options{Registry: silent()})
	fmt.Println(err)

	if e, ok := errors.AsType[*policyfile.Error](err); ok {
		fmt.Println(len(e.Problems), "problems, the second one is in line", e.Problems[1].Line)
	}
	// Output:
	// policies.yaml:3: chains.payments[0].timeout.limit is 5, want a duration such as 500ms, or off
	// policies.yaml:5: chains.payments[1].breaker.failure_rate is 1.5, want 0.000001 to 1
	// policies.yaml:6: chains.payments[2].breaker.window.cals is unknown: did you mean calls? (time, calls)
	// policies.yaml:7: chains.payments[3].retry.budget names the budget "psp", which is unknown: there is none
	// policies.yaml:8: chains.payments[4].bulkhead.queue.limit is 0, want 1 to 1000000, or none; leave it out for the default
	// 5 problems, the second one is in line 5
}

func ExampleBind() {
	set, err := policyfile.Parse([]byte(`
chains:
  seats:
    - fallback
    - breaker: {min_calls: 1}
`), policyfile.Options{Registry: silent(), Bind: []policyfile.Binding{
		policyfile.Bind("seats", func(cfg *degrade.FallbackConfig) { cfg.Func = degrade.Value("an old plan") }),
		policyfile.BindAll(func(cfg *breaker.Config) {
			cfg.OnStateChange = func(e breaker.Event) { fmt.Println(e.From, "to", e.To) }
		}),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := seawall.Call(context.Background(), set.Chain("seats"), func(context.Context) (string, error) {
		return "", errDown
	})
	fmt.Println(plan, err)
	// Output:
	// closed to open
	// an old plan <nil>
}

func ExampleSet_Reload() {
	dir, err := os.MkdirTemp("", "policies")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "policies.yaml")
	write := func(text string) { _ = os.WriteFile(file, []byte(text), 0o600) }

	write("chains: {payments: [breaker: {min_calls: 1}]}")
	set, err := policyfile.Load(file, policyfile.Options{Registry: silent()})
	if err != nil {
		fmt.Println(err)
		return
	}
	payments := set.Chain("payments")
	_ = payments.Do(context.Background(), func(context.Context) error { return errDown }) // opens the breaker

	write("chains: {payments: [timeout: {limit: 2s}, breaker: {failure_rate: 0.9, min_calls: 1}]}")
	fmt.Println(set.Reload())
	fmt.Println(payments)
	err = payments.Do(context.Background(), func(context.Context) error { return nil })
	fmt.Println(errors.Is(err, breaker.ErrOpen)) // it stays open

	write("chains: {payments: [breaker: {failure_rate: 9}]}")
	_, err = set.Reload()
	fmt.Println(strings.TrimPrefix(err.Error(), dir+string(filepath.Separator)))
	fmt.Println(payments) // as it was
	// Output:
	// true <nil>
	// timeout "payments" → breaker "payments"
	// true
	// policies.yaml:1: chains.payments[0].breaker.failure_rate is 9, want 0.000001 to 1
	// timeout "payments" → breaker "payments"
}

func ExampleSet_Text() {
	set, err := policyfile.Parse([]byte("chains: {search: [timeout, retry: {max_attempts: unlimited}]}"),
		policyfile.Options{Registry: silent()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(set.Text())
	// Output:
	// chains:
	//   search:
	//     - timeout:
	//         name: search
	//         limit: 10s # default
	//     - retry:
	//         name: search
	//         max_attempts: unlimited
	//         backoff:
	//           kind: full_jitter # default
	//           base: 50ms # default
	//           max: 5s # default
	//           factor: 2 # default
	//         max_retry_after: 30s # default
	//         overload_delay: 1s # default
	//         funding: budget # default
	//         budget:
	//           ratio: 0.1 # default
	//           burst: 10 # default
}

func ExampleSet_Watch() {
	dir, err := os.MkdirTemp("", "policies")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "policies.yaml")
	_ = os.WriteFile(file, []byte("chains: {search: [timeout: {limit: 1s}]}"), 0o600)

	ctx, cancel := context.WithCancel(context.Background())
	set, err := policyfile.Load(file, policyfile.Options{
		Registry: silent(),
		OnReload: func(r policyfile.Reloaded) {
			fmt.Println("updated:", r.Updated, r.Err)
			cancel()
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = os.WriteFile(file, []byte("chains: {search: [timeout: {limit: 2s}]}"), 0o600)
	set.Watch(ctx, time.Millisecond) // in a program: go set.Watch(ctx, 5*time.Second)
	// Output: updated: [timeout "search"] <nil>
}

func ExampleSet_Update() {
	set, err := policyfile.Parse([]byte("chains: {search: [timeout: {limit: 1s}]}"), policyfile.Options{Registry: silent()})
	if err != nil {
		fmt.Println(err)
		return
	}
	search := set.Chain("search")

	fmt.Println(set.Update([]byte("chains: {search: [timeout: {limit: 1s}, bulkhead: {limit: 8}]}")))
	fmt.Println(search)
	fmt.Println(set.Update([]byte("chains: {found: [timeout: {limit: 1s}]}")))
	// Output:
	// true <nil>
	// timeout "search" → bulkhead "search"
	// false policyfile: chains.search is missing, the program uses it as a chain
}

func ExampleKeyed_For() {
	set, err := policyfile.Parse([]byte(`
chains:
  tenants:
    per_key: {max_keys: 1000}
    policies: [breaker: {min_calls: 1}]
`), policyfile.Options{Registry: silent()})
	if err != nil {
		fmt.Println(err)
		return
	}
	tenants := set.Keyed("tenants")

	ctx := context.Background()
	_ = tenants.For("acme").Do(ctx, func(context.Context) error { return errDown }) // opens the breaker of acme
	for _, tenant := range []string{"acme", "globex"} {
		_, err := seawall.Call(ctx, tenants.For(tenant), charge)
		fmt.Println(tenant, errors.Is(err, breaker.ErrOpen))
	}
	// Output:
	// acme true
	// globex false
}

func ExampleSet_Findings() {
	set, err := policyfile.Parse([]byte("chains: {search: [retry: {name: outer}, timeout, retry: {name: inner}]}"),
		policyfile.Options{Registry: silent()})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range set.Findings() {
		fmt.Println(f.Chain, f.Rule, f.Policies)
	}
	// Output: search nested_retry [retry "outer" retry "inner"]
}

func ExampleDecode() {
	file := []byte(`
health:
  interval: 2s
  jitter: none
`)
	cfg, err := policyfile.Decode(file, "health", health.Config{Registry: silent()})
	fmt.Println(cfg.Interval, cfg.Jitter == health.NoJitter, err)

	_, err = policyfile.Decode([]byte("health:\n  intervall: 2s\n  timeout: 5"), "health", health.Config{})
	if e, ok := errors.AsType[*policyfile.Error](err); ok {
		for _, p := range e.Problems {
			text, _, _ := strings.Cut(p.Text, " (")
			fmt.Println(p.Line, p.Path, text)
		}
	}
	// Output:
	// 2s true <nil>
	// 2 health.intervall is unknown: did you mean interval?
	// 3 health.timeout is 5, want a duration such as 500ms
}
