package debugpage_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/telemetry/debugpage"
)

func label(key string) string { return key }

// hosts is a family with keys h0 to h39, of which h7 is open.
func hosts(t *testing.T, r *seawall.Registry) *breaker.Group[string] {
	g := breaker.NewGroup("catalog", breaker.GroupConfig[string]{
		Registry: r, Label: label, Breaker: breaker.Config{MinCalls: 4, OpenFor: time.Hour, MaxOpenFor: time.Hour},
	})
	for i := range 40 {
		for range 4 {
			_ = g.For(fmt.Sprint("h", i)).Do(t.Context(), func(context.Context) error {
				if i == 7 {
					return errDown
				}
				return nil
			})
		}
	}
	return g
}

// The breaker of a client is one of a family, and what people come to this page for.
func TestOpenKeyDoesNotHideInAFamilyThatLooksWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := silent()
		family := hosts(t, registry)
		tenants := bulkhead.NewGroup("tenants", bulkhead.GroupConfig[string]{Registry: registry, Label: label})
		well := breaker.NewGroup("well", breaker.GroupConfig[string]{Registry: registry, Label: label})
		_, _ = well.For("a"), tenants.For("acme")
		p := debugpage.New(debugpage.Config{Registry: registry})
		defer p.Close()
		_, page := get(p, "/")
		odd, rest, found := strings.Cut(page, "<h2>Policies")
		if !found || !strings.Contains(odd, "Out of order") {
			t.Fatalf("nothing is out of order in\n%s", page)
		}
		contains(t, odd, `name=catalog">catalog</a></td><td><span class="state odd open">1 open</span>`)
		contains(t, rest, `<span class="state odd open">1 open</span>`)
		for _, name := range []string{"well", "tenants"} {
			if strings.Contains(odd, name) {
				t.Errorf("%s is out of order", name)
			}
		}
		if err := tenants.For("acme").SetMode(seawall.ForcedOpen); err != nil {
			t.Fatal(err)
		}
		_, page = get(p, "/")
		if odd, _, _ := strings.Cut(page, "<h2>Policies"); !strings.Contains(odd, "tenants") {
			t.Error("a family with a key that was forced open is in order")
		}

		_, one := get(p, "/?kind=breaker&name=catalog")
		contains(t, one, `<a href="?kind=breaker&amp;name=catalog%5bh7%5d">catalog[h7]</a></td><td><span class="state odd open">open</span>`,
			`32 of 40`)
		for _, key := range []string{"h7", "h0", "h39"} { // not all of them are listed
			code, page := get(p, "/?kind=breaker&name="+url.QueryEscape("catalog["+key+"]"))
			if code != http.StatusOK {
				t.Fatalf("the page of %s: %d", key, code)
			}
			contains(t, page, "catalog["+key+"]", `<a href="?kind=breaker&amp;name=catalog">catalog</a>`, `/family_test.go:`,
				`<td>min_calls</td><td class="wrap">4</td>`)
		}
		for _, name := range []string{"catalog[nobody]", "catalog[", "other[h7]"} {
			if code, _ := get(p, "/?kind=breaker&name="+url.QueryEscape(name)); code != http.StatusNotFound {
				t.Errorf("%s: %d", name, code)
			}
		}
		runtime.KeepAlive([]any{family, tenants, well})
	})
}

func TestFamilyWithoutLabelsSaysHowManyOfItsKeysAreOpen(t *testing.T) {
	registry := silent()
	g := breaker.NewGroup("users", breaker.GroupConfig[int]{Registry: registry, Breaker: breaker.Config{MinCalls: 2, OpenFor: time.Hour, MaxOpenFor: time.Hour}})
	for key := range 3 {
		for range 2 {
			_ = g.For(key).Do(t.Context(), func(context.Context) error {
				if key < 2 {
					return errDown
				}
				return nil
			})
		}
	}
	p := debugpage.New(debugpage.Config{Registry: registry})
	defer p.Close()
	_, page := get(p, "/")
	contains(t, page, "Out of order", "2 open")
	runtime.KeepAlive(g)
}

func TestModesOfAFamilyAndOfItsKeysAreSetByTheirPages(t *testing.T) {
	registry := silent()
	breakers := hosts(t, registry)
	tenants := bulkhead.NewGroup("tenants", bulkhead.GroupConfig[string]{Registry: registry, Label: label})
	_, _ = tenants.For("acme"), tenants.For("other")
	p := debugpage.New(debugpage.Config{Registry: registry, Authorize: func(*http.Request) (string, bool) { return "ann", true }})
	defer p.Close()
	post := func(kind, name, mode string) {
		t.Helper()
		_, page := get(p, "/?kind="+kind+"&name="+url.QueryEscape(name))
		token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
		if token == nil {
			t.Fatalf("the page of %s has no form:\n%s", name, page)
		}
		form := url.Values{"token": {token[1]}, "kind": {kind}, "name": {name}, "mode": {mode}}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	want := func(of seawall.Member, mode seawall.Mode) {
		t.Helper()
		if s := of.Snapshot(); s.Mode != mode {
			t.Errorf("%s is in mode %v, want %v", s.Name, s.Mode, mode)
		}
	}
	post("breaker", "catalog[h7]", "forced_closed")
	want(breakers.For("h7"), seawall.ForcedClosed)
	want(breakers.For("h8"), seawall.Enforce)
	want(breakers, seawall.Enforce)
	post("breaker", "catalog", "shadow")
	want(breakers.For("h7"), seawall.Shadow)
	want(breakers.For("new"), seawall.Shadow)
	want(breakers, seawall.Shadow)
	post("bulkhead", "tenants[acme]", "forced_open")
	want(tenants.For("acme"), seawall.ForcedOpen)
	want(tenants.For("other"), seawall.Enforce)
	post("bulkhead", "tenants", "enforce")
	want(tenants.For("acme"), seawall.Enforce)

	users := ratelimit.NewGroup("users", ratelimit.GroupConfig[string]{
		Registry: registry, Label: label, Limiter: ratelimit.Config{Rate: 1},
	})
	for _, key := range []string{"ann", "bob"} {
		_ = users.Do(t.Context(), key, func(context.Context) error { return nil })
	}
	post("ratelimit", "users[ann]", "forced_open")
	want(users.For("ann"), seawall.ForcedOpen)
	want(users.For("bob"), seawall.Enforce)
	_, page := get(p, "/?kind=ratelimit&name="+url.QueryEscape("users[ann]"))
	contains(t, page, `<a href="?kind=ratelimit&amp;name=users">users</a>`, `<td>rate</td><td class="wrap">1</td>`)
	_, page = get(p, "/")
	if odd, _, _ := strings.Cut(page, "<h2>Policies"); !strings.Contains(odd, "users") {
		t.Error("a family with a key that was forced open is in order")
	}
	post("ratelimit", "users", "enforce")
	want(users.For("ann"), seawall.Enforce)
}

// What the three families by key have in common is called the same.
var _ = []interface {
	seawall.Member
	Member(name string) seawall.Member
	SetMode(m seawall.Mode) error
	Len() int
	Name() string
	String() string
}{(*breaker.Group[int])(nil), (*bulkhead.Group[int])(nil), (*ratelimit.Group[int])(nil)}

// And so is what a key has.
var _ = []interface {
	seawall.Member
	seawall.Gate
	SetMode(m seawall.Mode) error
	Name() string
	String() string
}{(*breaker.Breaker)(nil), (*bulkhead.Bulkhead)(nil), (*ratelimit.KeyLimiter[int])(nil)}

// What is out of order by itself is on the page: a fault that is injected, and which gate has taken the instance out.
func TestPageShowsInjectedFaultsAndWhyTheInstanceIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := silent()
		drill := fault.New("drill", fault.Config{Registry: registry, Plan: fault.Plan{Faults: []fault.Fault{
			{For: time.Hour, Kind: fault.Error, Target: "mail", Rate: 0.5},
		}}})
		if err := drill.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer drill.Stop()
		h := health.New("shop", health.Config{Registry: registry, FailWhenFull: []string{"stock"}, MaxHold: health.NoHold})
		h.Start()
		stock := bulkhead.New("stock", bulkhead.Config{Limit: 1, Registry: registry})
		permit, err := stock.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p := debugpage.New(debugpage.Config{Registry: registry, Health: h})
		defer p.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		_, page := get(p, "/")
		contains(t, page, "Faults are injected: drill: error",
			`<td class="kind">gate</td><td class="name">bulkhead stock</td><td><span class="state fail">fail</span></td>`, "<td class=\"wrap\">full for ")
		permit.Done(nil)
		drill.Stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, page := get(p, "/"); strings.Contains(page, "Out of order") || !strings.Contains(page, ">ended<") {
			t.Errorf("a drill that has ended is in order:\n%s", page)
		}
		if err := h.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
