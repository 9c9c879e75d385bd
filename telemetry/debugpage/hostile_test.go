package debugpage_test

import (
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/telemetry/debugpage"
)

// fake is a member that says what it is told to.
type fake struct {
	name string
	say  func() seawall.Snapshot
}

func (f *fake) Snapshot() seawall.Snapshot { return f.say() }

func enter(r *seawall.Registry, kind, name string) *fake {
	f := &fake{name: name}
	f.say = func() seawall.Snapshot { return seawall.Snapshot{Kind: kind, Name: f.name} }
	seawall.Register(r, kind, &f.name, f)
	return f
}

func TestLinksOfAllNamesLead(t *testing.T) {
	registry := silent()
	names := []string{"front page", "a+b", "50%", "x&kind=y", "psp[eu]", `"'<>`, "ü", "a/b?c#d", ""}
	var all []any
	for _, name := range names {
		all = append(all, enter(registry, "test", name))
	}
	p := debugpage.New(debugpage.Config{Registry: registry})
	defer p.Close()
	_, page := get(p, "/")
	links := regexp.MustCompile(`<a href="(\?kind=test[^"]*)">`).FindAllStringSubmatch(page, -1)
	if len(links) != len(names) {
		t.Fatalf("%d links in\n%s", len(links), page)
	}
	led := map[string]bool{}
	for _, link := range links {
		code, one := get(p, "/"+html.UnescapeString(link[1]))
		title := regexp.MustCompile(`<title>Seawall: test (.*)</title>`).FindStringSubmatch(one)
		if code != http.StatusOK || title == nil {
			t.Errorf("%s: %d", link[1], code)
			continue
		}
		led[html.UnescapeString(title[1])] = true
	}
	for _, name := range names {
		if !led[name] {
			t.Errorf("no link leads to %q, but to %v", name, led)
		}
	}
	runtime.KeepAlive(all)
}

// one returns the facts of a member as JSON.
func one(t *testing.T, p http.Handler, kind, name string) (facts struct {
	Events []struct{ Event, Facts string }
	Last   string `json:"last_warning"`
	Values []struct {
		Name  string
		Value *float64
	}
	Minute []struct{ Good float64 }
},
) {
	t.Helper()
	code, text := get(p, "/?format=json&kind="+kind+"&name="+url.QueryEscape(name))
	if err := json.Unmarshal([]byte(text), &facts); err != nil || code != http.StatusOK {
		t.Fatalf("%d, %v: %s", code, err, text)
	}
	return facts
}

func TestEventIsShownByWhoeverItIsAbout(t *testing.T) {
	registry := silent()
	kinds := map[string]string{
		"brownout": "seawall.degrade.level_changed", "httpcache": "seawall.cache.load_failed", "fault": "seawall.fault.started",
		"handler": "seawall.httpx.panic", "server": "seawall.grpcx.panic", "breaker": "seawall.breaker.state_changed",
		"retry": "seawall.config.updated",
	}
	var all []any
	for kind := range kinds {
		all = append(all, enter(registry, kind, "x"))
	}
	p := debugpage.New(debugpage.Config{Registry: registry})
	defer p.Close()
	for kind, event := range kinds {
		attrs := []slog.Attr{slog.String("name", "x"), slog.String("error", strings.Repeat("ü", 1000)), slog.String("stack", "secret"), slog.Int("n", 1)}
		switch kind {
		case "fault":
			attrs = append(attrs, slog.String("kind", "latency"))
		case "retry":
			attrs = append(attrs, slog.String("kind", kind))
		}
		registry.Log(t.Context(), slog.LevelWarn, event, attrs...)
	}
	for kind, event := range kinds {
		facts := one(t, p, kind, "x")
		if len(facts.Events) != 1 || facts.Events[0].Event != event || facts.Last != event {
			t.Errorf("%s shows %v, want %s", kind, facts.Events, event)
			continue
		}
		if text := facts.Events[0].Facts; len(text) > 520 || !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) ||
			strings.Contains(text, "secret") {
			t.Errorf("%s: %d bytes: %s", kind, len(text), text)
		}
	}
	runtime.KeepAlive(all)
}

// Names come and go: what is remembered is bounded, and it is the latest.
func TestEventsOfNamesThatAreGoneMakeRoom(t *testing.T) {
	registry := silent()
	p := debugpage.New(debugpage.Config{Registry: registry})
	defer p.Close()
	for i := range 2000 {
		registry.Log(t.Context(), slog.LevelWarn, "seawall.test.happened", slog.String("name", fmt.Sprint("n", i)))
	}
	last, first := enter(registry, "test", "n1999"), enter(registry, "test", "n0")
	if n := len(one(t, p, "test", "n1999").Events); n != 1 {
		t.Errorf("the latest has %d events", n)
	}
	if n := len(one(t, p, "test", "n0").Events); n != 0 {
		t.Errorf("the oldest has %d events", n)
	}
	runtime.KeepAlive([]any{last, first})
}

func TestNumbersThatJSONHasNoWordsForAreNull(t *testing.T) {
	registry := silent()
	f := enter(registry, "test", "x")
	f.say = func() seawall.Snapshot {
		return seawall.Snapshot{Kind: "test", Name: "x", Values: []seawall.Value{
			{Name: "nan", V: math.NaN()}, {Name: "inf", V: math.Inf(1)}, {Name: "half", V: 0.5}, {Name: "large", V: 1e300},
		}}
	}
	bad := enter(registry, "test", "bad")
	bad.say = func() seawall.Snapshot { panic("ouch") }
	p := debugpage.New(debugpage.Config{Registry: registry})
	defer p.Close()
	v := one(t, p, "test", "x").Values
	if len(v) != 4 || v[0].Value != nil || v[1].Value != nil || v[2].Value == nil || *v[2].Value != 0.5 || *v[3].Value != 1e300 {
		t.Errorf("%+v", v)
	}
	_, page := get(p, "/?kind=test&name=x")
	contains(t, page, ">NaN<", ">&#43;Inf<", ">0.5<", ">1e&#43;300<")
	if code, _ := get(p, "/?format=json"); code != http.StatusOK {
		t.Errorf("with a member that panics: %d", code)
	}
	runtime.KeepAlive([]any{f, bad})
}

func TestPageUnderAPrefixLeadsBackToItself(t *testing.T) {
	registry := silent()
	stock := bulkhead.New("stock", bulkhead.Config{Registry: registry})
	p := debugpage.New(debugpage.Config{Registry: registry, Authorize: func(*http.Request) (string, bool) { return "ada", true }})
	defer p.Close()
	h := http.StripPrefix("/internal", p)
	_, page := get(p, "/?kind=bulkhead&name=stock")
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)[1]
	form := url.Values{"kind": {"bulkhead"}, "name": {"stock"}, "mode": {"shadow"}, "token": {token}}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/internal/debug/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(w, r)
	if at := w.Header().Get("Location"); w.Code != http.StatusSeeOther || at != "?kind=bulkhead&name=stock" {
		t.Errorf("%d to %q", w.Code, at)
	}
	// A token in the URL, which logs and referrers have, is none.
	w = httptest.NewRecorder()
	r = httptest.NewRequest(http.MethodPost, "/internal/debug/?"+form.Encode(), http.NoBody)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("by the URL: %d", w.Code)
	}
	runtime.KeepAlive(stock)
}

func TestHEADAndOtherMethods(t *testing.T) {
	p := debugpage.New(debugpage.Config{Registry: silent()})
	defer p.Close()
	server := httptest.NewServer(p)
	defer server.Close()
	for method, want := range map[string]int{http.MethodHead: 200, http.MethodGet: 200, http.MethodPut: 405, http.MethodDelete: 405} {
		for _, query := range []string{"", "?format=json"} {
			req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/"+query, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want || resp.Header.Get("Cache-Control") != "no-store" || (want == 405) != (resp.Header.Get("Allow") != "") {
				t.Errorf("%s %s: %d %v", method, query, resp.StatusCode, resp.Header)
			}
		}
	}
}

func TestThousandsOfMembersAreShownAndTheirSamplesBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := silent()
		var asked atomic.Int64
		var all []any
		for i := range 5000 {
			f := enter(registry, "retry", fmt.Sprintf("r%04d", i))
			f.say = func() seawall.Snapshot {
				return seawall.Snapshot{Kind: "retry", Name: f.name, Values: []seawall.Value{{Name: "calls.first_try", V: float64(asked.Add(1))}}}
			}
			all = append(all, f)
		}
		p := debugpage.New(debugpage.Config{Registry: registry})
		time.Sleep(time.Minute)
		if _, page := get(p, "/"); strings.Count(page, "<tr>") < 5000 {
			t.Error("not all are shown")
		}
		if n := len(one(t, p, "retry", "r0000").Minute); n < 11 {
			t.Errorf("the first has %d samples", n)
		}
		if n := len(one(t, p, "retry", "r4999").Minute); n != 0 {
			t.Errorf("the last has %d samples", n)
		}
		p.Close()
		runtime.KeepAlive(all)
	})
}
