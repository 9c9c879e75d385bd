package httpx_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/telemetry/debugpage"
)

// T69
func TestTheChainOfAClientIsWhatARequestMeetsInItsOrder(t *testing.T) {
	all := httpx.ClientConfig{Hedge: &hedge.Config{}, RateLimit: &ratelimit.Config{Rate: 5}}
	adaptive := all
	adaptive.Adaptive = &bulkhead.AdaptiveConfig{}
	for _, row := range []struct {
		name string
		cfg  httpx.ClientConfig
		want string
	}{
		{"the defaults", httpx.ClientConfig{}, `timeout "api.total" → retry "api" → breaker "api" → bulkhead "api" → timeout "api.attempt"`},
		{"all", all, `timeout "api.total" → retry "api" → hedge "api" → breaker "api" → bulkhead "api" → ratelimit "api" → timeout "api.attempt"`},
		{"adaptive", adaptive, `timeout "api.total" → retry "api" → hedge "api" → breaker "api" → bulkhead "api" → ratelimit "api" → timeout "api.attempt"`},
		{"no limits of time", httpx.ClientConfig{Timeout: httpx.Off, AttemptTimeout: httpx.Off}, `retry "api" → breaker "api" → bulkhead "api"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := row.cfg
			cfg.Registry = quiet()
			tr := httpx.NewTransport("api", cfg, idle{})
			before := len(cfg.Registry.Members())
			if got := tr.Chain().Current().String(); got != row.want {
				t.Errorf("the chain is\n%s, want\n%s", got, row.want)
			}
			if n := len(cfg.Registry.Members()); n != before {
				t.Errorf("to look at the chain has made %d policies of %d", n, before)
			}
			if found := tr.Chain().Current().Lint(); len(found) != 0 || len(tr.Lint()) != 0 {
				t.Errorf("Lint finds %v", found)
			}
			runtime.KeepAlive(tr)
		})
	}
}

// What the chain shows is what happens: a gate that is shut has let nothing through to those behind it, and those before
// it know of the call.
func TestTheGatesOfAHostAreAskedInTheOrderOfTheChain(t *testing.T) {
	for _, row := range []struct {
		name string
		shut func(*httpx.ClientConfig)
		want string // the breaker's verdicts, slots that were given, tokens that are left, requests
	}{
		{"none", func(*httpx.ClientConfig) {}, "1 0 0 0 0, 1 slots, 4 tokens, 1 requests"},
		{"the breaker", func(c *httpx.ClientConfig) { c.Breaker.Mode = seawall.ForcedOpen }, "0 0 0 0 0, 0 slots, 5 tokens, 0 requests"},
		{"the bulkhead", func(c *httpx.ClientConfig) { c.Bulkhead.Mode = seawall.ForcedOpen }, "0 0 0 1 0, 0 slots, 5 tokens, 0 requests"},
		{"the rate limit", func(c *httpx.ClientConfig) { c.RateLimit.Mode = seawall.ForcedOpen }, "0 0 0 1 0, 1 slots, 5 tokens, 0 requests"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				cfg.RateLimit = &ratelimit.Config{Rate: 0.001, Burst: 5}
				row.shut(&cfg)
				requests := 0
				tr := httpx.NewTransport("api", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
					requests++
					return response(200, ""), nil
				}))
				if _, err := getBy(t, tr); (err == nil) != (row.name == "none") || err != nil && !errors.Is(err, seawall.ErrRejected) {
					t.Error(err)
				}
				slots, tokens := int64(0), 5.0
				for _, b := range tr.Bulkheads() {
					slots += b.Stats().Admitted
				}
				for _, s := range cfg.Registry.Snapshots() {
					for _, v := range s.Values {
						if s.Kind == "ratelimit" && v.Name == "calls.allowed" {
							tokens -= v.V
						}
					}
				}
				if got := fmt.Sprintf("%s, %d slots, %v tokens, %d requests", judged(tr), slots, tokens, requests); got != row.want {
					t.Errorf("%s; want %s", got, row.want)
				}
			})
		})
	}
}

// The page links what has one, and shows what is in force.
func TestTheChainOfAClientIsOnTheDebugPage(t *testing.T) {
	registry := quiet()
	taken := breaker.New("api", breaker.Config{Registry: registry}) // so that the family of breakers has a number
	tr := httpx.NewTransport("api", httpx.ClientConfig{
		Hedge: &hedge.Config{}, RateLimit: &ratelimit.Config{Rate: 5}, Registry: registry,
	}, idle{})
	page := debugpage.New(debugpage.Config{Registry: registry, Chains: map[string]seawall.Policy{"api": tr.Chain()}})
	defer page.Close()
	look := func() (links, findings string) {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest("GET", "/?format=json", http.NoBody))
		var facts struct {
			Chains []struct {
				Members  []struct{ Text, Kind, Name string }
				Findings []struct{ Rule string }
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &facts); err != nil || len(facts.Chains) != 1 {
			t.Fatalf("%v in %s", err, w.Body)
		}
		for _, l := range facts.Chains[0].Members {
			if l.Kind == "" {
				links += l.Text + "; "
			} else {
				links += l.Kind + " " + l.Name + "; "
			}
		}
		for _, f := range facts.Chains[0].Findings {
			findings += f.Rule
		}
		return links, findings
	}
	want := `timeout api.total; retry api; hedge api; breaker api#2; bulkhead api; ratelimit api; timeout "api.attempt"; op; `
	if links, findings := look(); links != want || findings != "" {
		t.Errorf("the page links %s, want %s; it finds %s", links, want, findings)
	}
	cfg := tr.Config()
	cfg.Timeout = 11 * time.Second
	if err := tr.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if links, findings := look(); links != want || !strings.Contains(findings, "total_too_short") {
		t.Errorf("after an Update the page links %s, and finds %q", links, findings)
	}
	runtime.KeepAlive(taken)
}

func TestEachHostHasAPageForEachOfItsPolicies(t *testing.T) {
	cfg := full()
	tr := httpx.NewTransport("api", cfg, roundTripper(func(*http.Request) (*http.Response, error) { return response(200, ""), nil }))
	if _, err := to(t, tr, "http://a.example/"); err != nil {
		t.Fatal(err)
	}
	page := debugpage.New(debugpage.Config{Registry: cfg.Registry})
	defer page.Close()
	for _, kind := range []string{"breaker", "bulkhead", "hedge", "ratelimit"} {
		for host, want := range map[string]int{"http://a.example": 200, "http://b.example": 404} {
			w := httptest.NewRecorder()
			page.ServeHTTP(w, httptest.NewRequest("GET", "/?kind="+kind+"&name="+url.QueryEscape("api["+host+"]"), http.NoBody))
			if w.Code != want {
				t.Errorf("the page of %s for %s: %d, want %d", kind, host, w.Code, want)
			}
		}
	}
	runtime.KeepAlive(tr)
}
