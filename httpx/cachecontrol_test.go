package httpx_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/seawall-go/seawall/httpx"
)

func TestReadyPoliciesAreWhatTheirDocumentationSays(t *testing.T) {
	for _, row := range []struct {
		name         string
		policy       httpx.CachePolicy
		browser, cdn string
	}{
		{"asset", httpx.CacheAsset(), "public, max-age=31536000, immutable", ""},
		{"private", httpx.CachePrivate(), "private, no-cache", ""},
		{"never", httpx.CacheNever(), "no-store", ""},
		{"page", httpx.CachePage(), "max-age=0", "max-age=60, stale-while-revalidate=30, stale-if-error=86400"},
		{
			"page, one field", httpx.CachePageOneField(),
			"max-age=0, s-maxage=60, stale-while-revalidate=30, stale-if-error=86400", "",
		},
		{"nothing", httpx.CachePolicy{}, "", ""},
	} {
		h := http.Header{"Cache-Control": {"old"}, "Cdn-Cache-Control": {"old"}}
		if err := row.policy.Apply(h); err != nil || h.Get("Cache-Control") != row.browser || h.Get("CDN-Cache-Control") != row.cdn {
			t.Errorf("%s: %v, %v", row.name, h, err)
		}
	}
}

func TestNonsenseIsRefusedWithTheReason(t *testing.T) {
	minute := time.Minute
	for _, row := range []struct {
		why string
		c   httpx.CacheControl
	}{
		{"no-store with max-age: what is not kept has no time", httpx.CacheControl{NoStore: true, MaxAge: minute}},
		{"no-store with max-age", httpx.CacheControl{NoStore: true, MaxAge: httpx.AtOnce}},
		{"no-store with s-maxage", httpx.CacheControl{NoStore: true, SharedMaxAge: minute}},
		{"no-store with stale-if-error", httpx.CacheControl{NoStore: true, StaleIfError: minute}},
		{"no-store with stale-while-revalidate", httpx.CacheControl{NoStore: true, StaleWhileRevalidate: minute}},
		{"no-store with other directives", httpx.CacheControl{NoStore: true, Scope: httpx.ScopePublic}},
		{"no-store with other directives", httpx.CacheControl{NoStore: true, MustRevalidate: true}},
		{"private with s-maxage", httpx.CacheControl{Scope: httpx.ScopePrivate, SharedMaxAge: minute}},
		{"private with proxy-revalidate", httpx.CacheControl{Scope: httpx.ScopePrivate, ProxyRevalidate: true}},
		{"immutable without max-age", httpx.CacheControl{Immutable: true}},
		{"immutable without max-age", httpx.CacheControl{Immutable: true, MaxAge: httpx.AtOnce}},
		{"immutable without max-age", httpx.CacheControl{Immutable: true, SharedMaxAge: minute}},
		{"immutable with no-cache", httpx.CacheControl{Immutable: true, MaxAge: minute, NoCache: true}},
		{"must-revalidate with stale-while-revalidate", httpx.CacheControl{MustRevalidate: true, MaxAge: minute, StaleWhileRevalidate: minute}},
		{"must-revalidate with stale-while-revalidate or stale-if-error", httpx.CacheControl{MustRevalidate: true, MaxAge: minute, StaleIfError: minute}},
		{"proxy-revalidate with", httpx.CacheControl{ProxyRevalidate: true, MaxAge: minute, StaleIfError: minute}},
		{"no-cache with stale-while-revalidate", httpx.CacheControl{NoCache: true, StaleWhileRevalidate: minute}},
		{"no-cache with a lifetime", httpx.CacheControl{NoCache: true, MaxAge: minute}},
		{"stale-if-error without max-age", httpx.CacheControl{StaleIfError: minute}},
		{"max-age of 1.5s: want whole seconds", httpx.CacheControl{MaxAge: 1500 * time.Millisecond}},
		{"max-age of -1s: want whole seconds", httpx.CacheControl{MaxAge: -time.Second}},
		{"s-maxage of 876000h0m0s: want whole seconds from 1s to", httpx.CacheControl{SharedMaxAge: 876000 * time.Hour}},
		{"CacheControl.Scope is 3", httpx.CacheControl{Scope: 3}},
	} {
		for _, p := range []httpx.CachePolicy{{Browser: row.c}, {CDN: row.c}} {
			h := http.Header{"Cdn-Cache-Control": {"max-age=60"}}
			err := p.Apply(h)
			if err == nil || !strings.Contains(err.Error(), row.why) || !strings.HasPrefix(err.Error(), "httpx: ") {
				t.Errorf("%+v: %v, want %q", p, err, row.why)
			}
			if h.Get("Cache-Control") != "no-store" || h["Cdn-Cache-Control"] != nil {
				t.Errorf("%+v: refused, and yet %v", p, h)
			}
		}
	}
	for why, p := range map[string]httpx.CachePolicy{
		"s-maxage for CDNs":           {CDN: httpx.CacheControl{SharedMaxAge: minute}},
		"immutable for CDNs":          {CDN: httpx.CacheControl{MaxAge: minute, Immutable: true}},
		"s-maxage beside a field":     {Browser: httpx.CacheControl{SharedMaxAge: minute}, CDN: httpx.CacheControl{MaxAge: minute}},
		"private for browsers, and k": {Browser: httpx.CacheControl{Scope: httpx.ScopePrivate}, CDN: httpx.CacheControl{MaxAge: minute}},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%+v: %v, want %q", p, err, why)
		}
	}
}

func TestCookieOfOneUserIsNotGivenToAll(t *testing.T) {
	for _, row := range []struct {
		policy httpx.CachePolicy
		ok     bool
	}{
		{httpx.CacheAsset(), false},
		{httpx.CachePage(), false},
		{httpx.CachePageOneField(), false},
		{httpx.CachePolicy{Browser: httpx.CacheControl{MaxAge: time.Minute}}, false},
		{httpx.CachePolicy{Browser: httpx.CacheControl{Scope: httpx.ScopePublic}}, false},
		{httpx.CachePrivate(), true},
		{httpx.CacheNever(), true},
		// A cache may keep these, asks, hears 304, and sends what it has kept.
		{httpx.CachePolicy{Browser: httpx.CacheControl{MaxAge: httpx.AtOnce}}, false},
		{httpx.CachePolicy{Browser: httpx.CacheControl{NoCache: true}}, false},
		{httpx.CachePolicy{Browser: httpx.CacheControl{MustRevalidate: true}}, false},
		{httpx.CachePolicy{}, true}, // says nothing, so it changes nothing
		{httpx.CachePolicy{Browser: httpx.CacheControl{Scope: httpx.ScopePrivate, MaxAge: httpx.AtOnce}}, true},
		{httpx.CachePolicy{Browser: httpx.CacheControl{Scope: httpx.ScopePrivate, MaxAge: time.Minute}}, true},
	} {
		h := http.Header{"Set-Cookie": {"session=1"}}
		err := row.policy.Apply(h)
		if (err == nil) != row.ok || !row.ok && (h.Get("Cache-Control") != "no-store" || h["Cdn-Cache-Control"] != nil) {
			t.Errorf("%+v: %v, %v", row.policy, h, err)
		}
	}
}

// Each combination of directives that is valid prints as a dictionary of structured fields, with each directive once.
func TestEveryValidPolicyIsADictionary(t *testing.T) {
	durations := []time.Duration{0, httpx.AtOnce, time.Second, 86400 * time.Second}
	valid := 0
	for bits := range 1 << 6 {
		for scope := range httpx.CacheScope(3) {
			for times := range 256 {
				c := httpx.CacheControl{
					Scope: scope, NoStore: bits&1 > 0, NoCache: bits&2 > 0, Immutable: bits&4 > 0, MustRevalidate: bits&8 > 0,
					ProxyRevalidate: bits&16 > 0, NoTransform: bits&32 > 0,
					MaxAge: durations[times&3], SharedMaxAge: durations[times>>2&3],
					StaleWhileRevalidate: durations[times>>4&3], StaleIfError: durations[times>>6&3],
				}
				if c.Validate() != nil {
					continue
				}
				valid++
				dict, err := httpsfv.UnmarshalDictionary([]string{c.String()})
				if err != nil {
					t.Fatalf("%s: %v", c, err)
				}
				if want := strings.Count(c.String(), ",") + 1; c.String() != "" && len(dict.Names()) != want {
					t.Fatalf("%s: %d members", c, len(dict.Names()))
				}
				if again, _ := httpsfv.Marshal(dict); again != c.String() {
					t.Fatalf("%s is read as %s", c, again)
				}
			}
		}
	}
	if valid < 500 {
		t.Errorf("only %d are valid", valid)
	}
}

var policyRules = []struct {
	name         string
	method       string
	do           act
	browser, cdn string
}{
	{"an answer gets the policy", "GET", answering(200, "x"), "max-age=0", httpx.CachePage().CDN.String()},
	{"a HEAD as well", "HEAD", answering(200, "x"), "max-age=0", httpx.CachePage().CDN.String()},
	{"what the handler only returns from, too", "GET", func(http.ResponseWriter, *http.Request) {}, "max-age=0", httpx.CachePage().CDN.String()},
	{"a 304 as the 200 would", "GET", answering(304, ""), "max-age=0", httpx.CachePage().CDN.String()},
	{"an error is not kept", "GET", answering(404, "x"), "no-store", ""},
	{"nor is one of the server", "GET", answering(503, "x"), "no-store", ""},
	{"nor is one of a POST", "POST", answering(400, "x"), "no-store", ""},
	{"an answer to a POST is left alone", "POST", answering(200, "x"), "", ""},
	{"a cookie is not given to all", "GET", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		_, _ = io.WriteString(w, "x")
	}, "no-store", ""},
	{"what the handler says counts", "GET", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=5")
		w.WriteHeader(404)
	}, "max-age=5", ""},
	{"an inner policy counts", "GET", httpx.CacheNever().Handler(http.HandlerFunc(answering(200, "x"))).ServeHTTP, "no-store", ""},
	{"a stream gets it at its start", "GET", func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		w.Header().Set("Cache-Control", "too late")
	}, "max-age=0", httpx.CachePage().CDN.String()},
}

func TestPoliciesKeepTheirRulesOverTheNetwork(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		for _, rule := range policyRules {
			t.Run(string(p)+"/"+rule.name, func(t *testing.T) {
				srv := httptest.NewUnstartedServer(httpx.NewHandler("pages", httpx.ServerConfig{Registry: quiet()},
					httpx.CachePage().Handler(http.HandlerFunc(rule.do))))
				srv.EnableHTTP2 = p == http2
				srv.StartTLS()
				defer srv.Close()
				resp, err := srv.Client().Do(conditional(t, rule.method, srv.URL, nil, ""))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got, cdn := resp.Header.Get("Cache-Control"), resp.Header.Get("CDN-Cache-Control"); got != rule.browser || cdn != rule.cdn {
					t.Errorf("Cache-Control: %s; CDN-Cache-Control: %s", got, cdn)
				}
			})
		}
	}
}

func TestHandlerOfAPolicyThatIsNonsensePanics(t *testing.T) {
	defer func() {
		if v := fmt.Sprint(recover()); !strings.HasPrefix(v, "httpx: no-store with") {
			t.Errorf("panics with %v", v)
		}
	}()
	httpx.CachePolicy{Browser: httpx.CacheControl{NoStore: true, NoCache: true}}.Handler(http.NotFoundHandler())
}

func TestVaryIsAddedToAndNeverReplaced(t *testing.T) {
	for _, row := range []struct {
		lines, add []string
		want       string
	}{
		{nil, []string{"Accept"}, "Accept"},
		{nil, []string{"accept", "ACCEPT"}, "Accept"},
		{[]string{"Origin"}, []string{"Accept"}, "Origin|Accept"},
		{[]string{"Origin, accept"}, []string{"Accept"}, "Origin, accept"},
		{[]string{"Origin", "X"}, []string{"x", "y"}, "Origin|X|Y"},
		{[]string{"*"}, []string{"Accept"}, "*"},
		{[]string{"Origin, *"}, []string{"Accept"}, "Origin, *"},
		{[]string{"Origin"}, nil, "Origin"},
	} {
		h := http.Header{}
		if row.lines != nil {
			h["Vary"] = row.lines
		}
		httpx.AddVary(h, row.add...)
		if got := strings.Join(h["Vary"], "|"); got != row.want {
			t.Errorf("%q and %q make %q, want %q", row.lines, row.add, got, row.want)
		}
	}
	shared := append(make([]string, 0, 4), "Origin")
	a, b := http.Header{"Vary": shared}, http.Header{"Vary": shared}
	httpx.AddVary(a, "A")
	httpx.AddVary(b, "B")
	if a["Vary"][1] != "A" {
		t.Error("two headers write into one list")
	}
}

func ExampleCachePolicy() {
	news := httpx.CachePolicy{
		Browser: httpx.CacheControl{MaxAge: httpx.AtOnce},
		CDN:     httpx.CacheControl{MaxAge: 10 * time.Second, StaleIfError: time.Hour},
	}
	h := http.Header{}
	if err := news.Apply(h); err != nil {
		fmt.Println(err)
	}
	httpx.AddVary(h, "Accept-Encoding")
	fmt.Println("Cache-Control:", h.Get("Cache-Control"))
	fmt.Println("CDN-Cache-Control:", h.Get("CDN-Cache-Control"))

	nonsense := httpx.CachePolicy{Browser: httpx.CacheControl{NoStore: true, MaxAge: time.Minute}}
	fmt.Println(nonsense.Validate())
	// Output:
	// Cache-Control: max-age=0
	// CDN-Cache-Control: max-age=10, stale-if-error=3600
	// httpx: no-store with max-age: what is not kept has no time (for browsers)
}

func ExampleCachePolicy_Handler() {
	assets := httpx.CacheAsset().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/app.3f2a.css" {
			http.NotFound(w, r)
		}
	}))
	for _, path := range []string{"/app.3f2a.css", "/missing.css"} {
		w := httptest.NewRecorder()
		assets.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(w.Code, w.Header().Get("Cache-Control"))
	}
	// Output:
	// 200 public, max-age=31536000, immutable
	// 404 no-store
}
