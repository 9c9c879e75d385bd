package debugpage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry/debugpage"
	"github.com/seawall-go/seawall/timeout"
)

var errDown = errors.New("down")

func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func get(h http.Handler, target string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, http.NoBody))
	return w.Code, w.Body.String()
}

func contains(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("%q is missing in\n%s", part, page)
		}
	}
}

func TestPageShowsWhatThePoliciesAreDoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := silent()
		psp := breaker.New("psp", breaker.Config{MinCalls: 4, OpenFor: time.Minute, MaxOpenFor: time.Minute, Registry: registry})
		again := retry.New("psp", retry.Config{Registry: registry})
		slots := bulkhead.New("slots", bulkhead.Config{Registry: registry})
		h := health.New("shop", health.Config{Registry: registry})
		err := h.Add(health.Check{Name: "db", Severity: health.Optional, Run: func(context.Context) error { return errDown }})
		if err != nil {
			t.Fatal(err)
		}
		h.Start()
		p := debugpage.New(debugpage.Config{Registry: registry, Health: h, Chains: map[string]seawall.Policy{
			"payments": seawall.Chain(again, psp, slots), "wrong": seawall.Chain(psp, again),
		}})
		defer p.Close()
		for range 4 {
			_ = psp.Do(t.Context(), func(context.Context) error { return errDown })
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()

		code, page := get(p, "/debug/seawall/")
		if code != http.StatusOK {
			t.Fatal(code)
		}
		contains(t, page,
			`<a href="?kind=breaker&amp;name=psp">psp</a></td><td><span class="state odd open">open</span> <span class="dim">6s</span></td><td><span class="mode enforce">enforce</span></td>`,
			`breaker.state_changed`, `0 of 64`, `<td class="name">db</td><td><span class="state warn">warn</span></td>`, `running`,
			`aria-label="the last minute"`, `<title>0 good, 4 bad, 0 turned away</title>`, `Out of order`,
			`<b>payments</b><span class="link"><a href="?kind=retry&amp;name=psp">retry &#34;psp&#34;</a></span><span class="to">&rarr;</span>`+
				`<span class="link"><a href="?kind=breaker&amp;name=psp">breaker &#34;psp&#34;</a></span>`,
			`<span class="to">&rarr;</span><span class="link">op</span>`, `breaker_outside_retry`)
		if strings.Contains(page, "<form") || strings.Contains(page, "<script") {
			t.Error("there are forms, and nobody may use them, or scripts")
		}

		_, one := get(p, "/debug/seawall/?kind=breaker&name=psp")
		contains(t, one, `<tr class="default"><td>failure_rate</td><td class="wrap">0.5</td><td>default</td></tr>`,
			`<tr><td>min_calls</td><td class="wrap">4</td><td></td></tr>`,
			`from=closed to=open`, `/page_test.go:`, `<td>calls.failure</td><td class="n">4</td>`)

		_, text := get(p, "/debug/seawall/?format=json")
		var facts struct {
			Health struct {
				Status, Phase string
				Checks        []struct {
					Kind, Since string
					Fails       float64
				}
			}
			Members []struct {
				Kind, Name, State string
				MadeAt            string `json:"made_at"`
				Minute            []struct{ Good, Bad, Rejected float64 }
			}
			Chains []struct{ Findings []struct{ Rule string } }
		}
		if err := json.Unmarshal([]byte(text), &facts); err != nil {
			t.Fatal(err)
		}
		if m := facts.Members[0]; m.Kind != "breaker" || m.State != "open" || len(m.Minute) != 2 || m.Minute[0].Bad != 4 ||
			!regexp.MustCompile(`page_test\.go:\d+$`).MatchString(m.MadeAt) {
			t.Errorf("%+v", m)
		}
		if c := facts.Health.Checks; len(c) != 2 || c[1].Kind != "gate" || c[0].Kind != "check" || c[0].Since == "" || c[0].Fails < 1 {
			t.Errorf("the checks are %+v", c)
		}
		if facts.Health.Status != "warn" || facts.Health.Phase != "running" || len(facts.Chains) != 2 {
			t.Errorf("%+v", facts)
		}
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if code, _ := get(p, "/?kind=breaker&name=nobody"); code != http.StatusNotFound {
			t.Errorf("a policy that is not there: %d", code)
		}
		runtime.KeepAlive([]any{psp, again, slots})
	})
}

// New took a nil chain, and then each view of the page panicked.
func TestNilChainIsRefusedByNewAndNotByThePage(t *testing.T) {
	for _, chain := range []seawall.Policy{nil, (*seawall.Pipeline)(nil)} {
		func() {
			const want = `debugpage: Config.Chains["a"] is nil, want a chain`
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %v", got, want)
				}
			}()
			debugpage.New(debugpage.Config{Registry: silent(), Chains: map[string]seawall.Policy{"a": chain}}).Close()
		}()
	}
}

// live is a chain that is exchanged, as one from a policy file is by a reload.
type live struct {
	seawall.Policy
	current *seawall.Pipeline
}

func (l *live) Current() *seawall.Pipeline { return l.current }

// The page showed the chain that a file had when the page was made.
func TestChainThatWasExchangedIsNotShownAsItWas(t *testing.T) {
	registry := silent()
	one := bulkhead.New("one", bulkhead.Config{Registry: registry})
	two := bulkhead.New("two", bulkhead.Config{Registry: registry})
	l := &live{current: seawall.Chain(one)}
	p := debugpage.New(debugpage.Config{Registry: registry, Chains: map[string]seawall.Policy{"pay": l, "alone": one}})
	defer p.Close()
	l.current = seawall.Chain(two, one)
	var facts struct {
		Chains []struct {
			Name    string
			Members []struct{ Text string }
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/?format=json", http.NoBody)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &facts); err != nil {
		t.Fatal(err)
	}
	const want = `[{alone [{bulkhead "one"} {op}]} {pay [{bulkhead "two"} {bulkhead "one"} {op}]}]`
	if got := fmt.Sprint(facts.Chains); got != want {
		t.Errorf("chains %s, want %s", got, want)
	}
}

// T77: a name is the developer's constant, and still no way into the page.
func TestHostileNamesAreEscaped(t *testing.T) {
	registry := silent()
	name := `<script>alert(1)</script>"'&` + "\x00"
	stock := bulkhead.New(name, bulkhead.Config{Registry: registry})
	p := debugpage.New(debugpage.Config{Registry: registry, Chains: map[string]seawall.Policy{name: seawall.Chain(stock)}})
	defer p.Close()
	if err := stock.SetMode(seawall.Shadow); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/", "/?kind=bulkhead&name=" + url.QueryEscape(name)} {
		code, page := get(p, target)
		if code != http.StatusOK || strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;") {
			t.Errorf("%s: %d\n%s", target, code, page)
		}
	}
}

func post(h http.Handler, form url.Values) (int, string) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/debug/seawall/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestModesAreSetByPostWithAnAuthorizerAndATokenOnly(t *testing.T) {
	registry := silent()
	stock := bulkhead.New("stock", bulkhead.Config{Registry: registry})
	closed := debugpage.New(debugpage.Config{Registry: registry})
	defer closed.Close()
	allowed := true
	p := debugpage.New(debugpage.Config{Registry: registry, Authorize: func(*http.Request) (string, bool) { return "ada", allowed }})
	defer p.Close()
	var heard []string
	defer registry.Watch(func(e seawall.Event) { heard = append(heard, fmt.Sprint(e.Event, e.Attrs)) })()

	_, page := get(p, "/?kind=bulkhead&name=stock")
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
	if token == nil {
		t.Fatal("there is no form")
	}
	form := func(changes ...string) url.Values {
		v := url.Values{"kind": {"bulkhead"}, "name": {"stock"}, "mode": {"forced_open"}, "token": {token[1]}}
		for i := 0; i < len(changes); i += 2 {
			v.Set(changes[i], changes[i+1])
		}
		return v
	}
	for name, got := range map[string]func() (int, string){
		"no authorizer": func() (int, string) { return post(closed, form()) },
		"no token":      func() (int, string) { return post(p, form("token", "")) },
		"wrong token":   func() (int, string) { return post(p, form("token", strings.Repeat("A", len(token[1])))) },
		"not allowed": func() (int, string) {
			allowed = false
			defer func() { allowed = true }()
			return post(p, form())
		},
		"by GET": func() (int, string) {
			code, _ := get(p, "/?"+form().Encode())
			return map[int]int{http.StatusOK: http.StatusForbidden}[code], "" // shown, and nothing changed
		},
	} {
		if code, _ := got(); code != http.StatusForbidden || stock.Config().Mode != seawall.Enforce {
			t.Errorf("%s: %d, and the mode is %v", name, code, stock.Config().Mode)
		}
	}
	if code, _ := post(p, form("mode", "sideways")); code != http.StatusBadRequest {
		t.Errorf("a mode that is none: %d", code)
	}
	if code, _ := post(p, form("name", "other")); code != http.StatusNotFound {
		t.Errorf("a gate that is not there: %d", code)
	}
	if code, _ := post(p, form()); code != http.StatusSeeOther || stock.Config().Mode != seawall.ForcedOpen {
		t.Errorf("%d, and the mode is %v", code, stock.Config().Mode)
	}
	if got := strings.Join(heard, "\n"); !strings.Contains(got, "seawall.gate.forced[kind=bulkhead name=stock to=forced_open who=ada]") {
		t.Errorf("heard\n%s", got)
	}
	if _, page := get(p, "/?kind=bulkhead&name=stock"); !strings.Contains(page, "who=ada") {
		t.Error("the page does not say who")
	}
	allowed = false
	if _, page := get(p, "/?kind=bulkhead&name=stock"); strings.Contains(page, "<form") {
		t.Error("who is not allowed sees a form")
	}
}

// T41
func TestPageIsSafeBesideCallsUpdatesAndChangesOfMode(t *testing.T) {
	registry := silent()
	p := debugpage.New(debugpage.Config{Registry: registry})
	defer p.Close()
	hosts := breaker.NewGroup("hosts", breaker.GroupConfig[int]{
		Registry: registry, Breaker: breaker.Config{MinCalls: 2}, Label: func(k int) string { return fmt.Sprint(k) },
	})
	stock := bulkhead.New("stock", bulkhead.Config{Registry: registry})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 200 {
				_ = hosts.For(n%7).Do(t.Context(), func(context.Context) error { return errDown })
				_ = stock.SetMode([]seawall.Mode{seawall.Enforce, seawall.Shadow}[(n+i)%2])
			}
		})
		all.Go(func() {
			for range 20 {
				get(p, "/")
				get(p, "/?format=json")
				get(p, "/?kind=breaker&name=hosts")
			}
		})
	}
	all.Wait()
}

func TestPageKeepsABoundedPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := silent()
		stock := bulkhead.New("stock", bulkhead.Config{Registry: registry})
		p := debugpage.New(debugpage.Config{Registry: registry})
		for i := range 1000 {
			if err := stock.SetMode([]seawall.Mode{seawall.Shadow, seawall.Enforce}[i%2]); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		_, text := get(p, "/?kind=bulkhead&name=stock&format=json")
		var one struct{ Events, Minute []any }
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			t.Fatal(err)
		}
		if len(one.Events) != 64 || len(one.Minute) != 12 {
			t.Errorf("%d events and %d samples are kept, want 64 and 12", len(one.Events), len(one.Minute))
		}
		p.Close()
		p.Close()
		runtime.KeepAlive(stock)
	})
}

// A family's page has the events of its members, and what happens often to one kind of a name crowds out nothing of another.
func TestEventsOfMembersAreTheFamilysAndOtherKindsAreNotCrowdedOut(t *testing.T) {
	registry := silent()
	p := debugpage.New(debugpage.Config{Registry: registry})
	defer p.Close()
	hosts := breaker.NewGroup("psp", breaker.GroupConfig[string]{
		Registry: registry, Breaker: breaker.Config{MinCalls: 1}, Label: func(k string) string { return k },
	})
	slots := bulkhead.New("psp", bulkhead.Config{Registry: registry})
	lone := breaker.New("psp[eu]", breaker.Config{Registry: registry, MinCalls: 1})
	for _, b := range []*breaker.Breaker{hosts.For("a"), hosts.For("b"), lone} {
		_ = b.Do(t.Context(), func(context.Context) error { return errDown })
	}
	for range 200 {
		registry.Log(t.Context(), slog.LevelWarn, "seawall.retry.exhausted", slog.String("name", "psp"), slog.String("error_type", "timeout"))
	}
	again := retry.New("psp", retry.Config{Registry: registry})
	count := func(kind, name string) (names []string, last string) {
		_, text := get(p, "/?format=json&kind="+kind+"&name="+url.QueryEscape(name))
		var facts struct {
			Events []struct{ Event, Name string }
			Last   string `json:"last_warning_type"`
		}
		if err := json.Unmarshal([]byte(text), &facts); err != nil {
			t.Fatal(err)
		}
		for _, e := range facts.Events {
			names = append(names, e.Name)
		}
		return names, facts.Last
	}
	if names, _ := count("breaker", "psp"); !slices.Equal(names, []string{"psp[eu]", "psp[b]", "psp[a]"}) {
		t.Errorf("the family has events of %q, want those of its members, and of the one that is called like one, the latest first", names)
	}
	if names, _ := count("breaker", "psp[eu]"); !slices.Equal(names, []string{"psp[eu]"}) {
		t.Errorf("the lone breaker has events of %q", names)
	}
	if names, last := count("retry", "psp"); len(names) != 64 || last != "timeout" {
		t.Errorf("the retry has %d events, the last of type %q", len(names), last)
	}
	if names, _ := count("bulkhead", "psp"); len(names) != 0 {
		t.Errorf("the bulkhead has events of %q", names)
	}
	_, page := get(p, "/?kind=breaker&name=psp")
	contains(t, page, `<td class="wrap">psp[b]</td>`, "2 of 2")
	_, page = get(p, "/")
	contains(t, page, `<span class="state odd open">2 open</span>`, "Out of order")
	runtime.KeepAlive([]any{hosts, slots, lone, again})
}

// Each call ends in one way only, whatever else a kind counts of it.
func TestMinuteCountsEachCallOnce(t *testing.T) {
	registry := silent()
	one := ratelimit.Config{Rate: 0.001, Burst: 2}
	users := ratelimit.NewGroup("users", ratelimit.GroupConfig[int]{Registry: registry, MaxKeys: 1, Limiter: one})
	one.Registry = registry
	load := func(context.Context) error { return nil }
	chains := map[string]seawall.Policy{
		"breaker":   breaker.New("x", breaker.Config{Registry: registry}),
		"retry":     retry.New("x", retry.Config{Registry: registry, MaxAttempts: 1}),
		"hedge":     hedge.New("x", hedge.Config{Registry: registry, Delay: time.Hour}),
		"timeout":   timeout.New("x", timeout.Config{Registry: registry, Limit: time.Hour}),
		"bulkhead":  bulkhead.New("x", bulkhead.Config{Registry: registry}),
		"ratelimit": ratelimit.New("x", one),
		"throttle":  ratelimit.NewThrottle("x", ratelimit.ThrottleConfig{Registry: registry}),
		"fallback":  degrade.NewFallback("x", degrade.FallbackConfig{Registry: registry, Func: degrade.Value(1)}),
		"brownout":  degrade.NewBrownout("x", degrade.BrownoutConfig{Registry: registry, Signal: func() float64 { return 0 }}),
	}
	adaptive := bulkhead.NewAdaptive("adaptive", bulkhead.AdaptiveConfig{Registry: registry})
	p := debugpage.New(debugpage.Config{Registry: registry})
	defer p.Close()
	calls := func(policy seawall.Policy) {
		for i := range 10 {
			_, _ = seawall.Call(t.Context(), policy, func(ctx context.Context) (int, error) {
				if i%5 == 0 {
					return 0, errDown
				}
				return 1, load(ctx)
			})
		}
	}
	for _, policy := range chains {
		calls(policy)
	}
	calls(adaptive)
	for i := range 10 {
		_ = users.Do(t.Context(), i, load)
	}
	sum := func(kind, name string) (good, bad, rejected float64) {
		_, text := get(p, "/?format=json&kind="+kind+"&name="+name)
		var facts struct {
			Minute []struct{ Good, Bad, Rejected float64 }
		}
		if err := json.Unmarshal([]byte(text), &facts); err != nil {
			t.Fatal(err)
		}
		for _, c := range facts.Minute {
			good, bad, rejected = good+c.Good, bad+c.Bad, rejected+c.Rejected
		}
		return good, bad, rejected
	}
	type ends [3]float64
	for id, want := range map[[2]string]ends{
		{"breaker", "x"}: {8, 2, 0}, {"retry", "x"}: {8, 2, 0}, {"hedge", "x"}: {8, 2, 0}, {"timeout", "x"}: {10, 0, 0},
		{"bulkhead", "x"}: {10, 0, 0}, {"bulkhead", "adaptive"}: {8, 2, 0}, {"ratelimit", "x"}: {2, 0, 8}, {"ratelimit", "users"}: {1, 0, 9},
		{"throttle", "x"}: {8, 2, 0}, {"fallback", "x"}: {2, 0, 0}, {"brownout", "x"}: {10, 0, 0},
	} {
		if good, bad, rejected := sum(id[0], id[1]); (ends{good, bad, rejected}) != want {
			t.Errorf("%v: %v good, %v bad, %v turned away, want %v", id, good, bad, rejected, want)
		}
	}
	runtime.KeepAlive([]any{chains, users, adaptive})
}

func ExampleNew() {
	registry := new(seawall.Registry) // left out in a program
	stock := bulkhead.New("stock", bulkhead.Config{Registry: registry})
	page := debugpage.New(debugpage.Config{
		Registry: registry,
		Chains:   map[string]seawall.Policy{"stock": seawall.Chain(stock)},
	})
	defer page.Close()
	admin := http.NewServeMux()
	admin.Handle("/debug/seawall/", page)

	w := httptest.NewRecorder()
	admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/seawall/", http.NoBody))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "stock"))
	// Output: 200 true
}
