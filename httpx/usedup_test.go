package httpx_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// down counts the requests that it answers by a 503.
func down(asked *atomic.Int64) http.RoundTripper {
	return roundTripper(func(*http.Request) (*http.Response, error) {
		asked.Add(1)
		return response(http.StatusServiceUnavailable, "down"), nil
	})
}

func getBy(t *testing.T, rt http.RoundTripper) (status int, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.example/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// T71: a client around a client made 9 requests of one: the inner's last answer came back as any other.
func TestLayersOfTransportsDoNotMultiplyOneCall(t *testing.T) {
	dead := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for name, base := range map[string]func(asked *atomic.Int64) http.RoundTripper{
		"503": down,
		"no connection": func(asked *atomic.Int64) http.RoundTripper {
			return roundTripper(func(*http.Request) (*http.Response, error) {
				asked.Add(1)
				return nil, dead
			})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := httpx.ClientConfig{Registry: quiet()}
			var asked atomic.Int64
			rt := base(&asked)
			for range 3 {
				inner := rt
				between := roundTripper(func(r *http.Request) (*http.Response, error) { // as what traces
					return inner.RoundTrip(r.WithContext(context.WithValue(r.Context(), t, t)))
				})
				rt = httpx.NewTransport("layer", cfg, between)
			}
			status, err := getBy(t, rt)
			if name == "503" && (err != nil || status != http.StatusServiceUnavailable) {
				t.Errorf("%s: %d, %v", name, status, err)
			}
			if name != "503" && !errors.Is(err, dead) {
				t.Errorf("%s: %v", name, err)
			}
			if n := asked.Load(); n != 3 {
				t.Errorf("%s: one call came to %d requests, want 3", name, n)
			}
		})
	}
}

// What the inner was not able to repeat, or not told to, is left to the outer one.
func TestALayerThatRepeatsNothingLeavesItToTheOuterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, row := range map[string]struct {
			inner retry.Config
			want  int64
		}{
			"one attempt": {retry.Config{MaxAttempts: 1}, 3},
			"no budget":   {retry.Config{Funding: retry.NoBudget}, 9},
		} {
			var asked atomic.Int64
			inner := httpx.NewTransport("inner", httpx.ClientConfig{Retry: row.inner, Registry: quiet()}, down(&asked))
			outer := httpx.NewTransport("outer", httpx.ClientConfig{Registry: quiet()}, inner)
			if _, err := getBy(t, outer); err != nil {
				t.Error(err)
			}
			if n := asked.Load(); n != row.want {
				t.Errorf("%s: one call came to %d requests, want %d", name, n, row.want)
			}
		}
	})
}

// tier is a service in the hands of this module that asks the one below.
func tier(t *testing.T, name string, cfg httpx.ServerConfig, below string, serve func(http.ResponseWriter, *http.Request, *http.Client, string)) string {
	t.Helper()
	client := httpx.NewClient(name, httpx.ClientConfig{TrustPeer: httpx.TrustAll, Registry: quiet()})
	t.Cleanup(client.CloseIdleConnections)
	cfg.Registry = quiet()
	server := httptest.NewServer(httpx.NewHandler(name, cfg, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthy" {
				serve(w, r, client, below)
			}
		})))
	t.Cleanup(server.Close)
	return server.URL
}

// T71: front, a, b, and what they ask: one call came to 19 requests at the end, because a handler's answer does not tell
// that its client has repeated already.
func TestOneCallDownAStackOfServicesIsRepeatedAtTheEndOnly(t *testing.T) {
	asks := func(w http.ResponseWriter, r *http.Request, c *http.Client, below string, answer func(int, error)) {
		status, _, err := ask(r.Context(), c, below)
		answer(status, err)
	}
	kinds := map[string]func(http.ResponseWriter, *http.Request, *http.Client, string){
		"passes the status on": func(w http.ResponseWriter, r *http.Request, c *http.Client, below string) {
			asks(w, r, c, below, func(status int, _ error) { w.WriteHeader(status) })
		},
		"makes a 502": func(w http.ResponseWriter, r *http.Request, c *http.Client, below string) {
			asks(w, r, c, below, func(int, error) { http.Error(w, "bad gateway", http.StatusBadGateway) })
		},
		"makes a 500": func(w http.ResponseWriter, r *http.Request, c *http.Client, below string) {
			asks(w, r, c, below, func(int, error) { http.Error(w, "sorry", http.StatusInternalServerError) })
		},
		"asks with a context of its own": func(w http.ResponseWriter, r *http.Request, c *http.Client, below string) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			asks(w, r.WithContext(ctx), c, below, func(status int, _ error) { w.WriteHeader(status) })
		},
		"asks several at once": func(w http.ResponseWriter, r *http.Request, c *http.Client, below string) {
			var all sync.WaitGroup
			for _, path := range []string{"/healthy", "/healthy", "/", "/healthy"} {
				all.Go(func() { _, _, _ = ask(r.Context(), c, below+path) })
			}
			all.Wait()
			w.WriteHeader(http.StatusBadGateway)
		},
		"is a proxy": func(w http.ResponseWriter, r *http.Request, c *http.Client, below string) {
			to, err := url.Parse(below)
			if err != nil {
				t.Error(err)
			}
			(&httputil.ReverseProxy{Transport: c.Transport, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }}).ServeHTTP(w, r)
		},
	}
	trusting := httpx.InboundConfig{TrustPeer: httpx.TrustAll}
	for name, serve := range kinds {
		for at, cfg := range map[string]httpx.ServerConfig{
			"all defaults": {}, "trusted peers": {Inbound: trusting},
			"no limit of time": {Inbound: trusting, TimeLimit: httpx.TimeLimitConfig{FirstByte: httpx.Off}},
		} {
			t.Run(name+", "+at, func(t *testing.T) {
				t.Parallel()
				var asked atomic.Int64
				leaf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/healthy" {
						return
					}
					asked.Add(1)
					w.WriteHeader(http.StatusServiceUnavailable)
				}))
				t.Cleanup(leaf.Close)
				front := httpx.NewClient("front", httpx.ClientConfig{TrustPeer: httpx.TrustAll, Registry: quiet()})
				t.Cleanup(front.CloseIdleConnections)
				top := tier(t, "a", cfg, tier(t, "b", cfg, leaf.URL, serve), serve)
				status, pushback, err := ask(t.Context(), front, top)
				if err != nil || status < 500 || pushback != "final" {
					t.Errorf("%d, %q, %v", status, pushback, err)
				}
				if n := asked.Load(); n != 3 {
					t.Errorf("one call came to %d requests at the end, want 3", n)
				}
			})
		}
	}
}

// T71: "final" is about the answer, not about what went before: a fallback is an answer, and what no client has repeated
// may be repeated.
func TestOnlyAnAnswerThatIsNoGoodAfterRepeatsSaysFinal(t *testing.T) {
	var asked atomic.Int64
	var client *http.Client
	once := httpx.WithAttempts
	for name, row := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"a fallback": {func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = ask(r.Context(), client, "http://api.example")
			_, _ = io.WriteString(w, "yesterday's")
		}, ""},
		"an answer that says no": {func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = ask(r.Context(), client, "http://api.example")
			w.WriteHeader(http.StatusNotFound)
		}, ""},
		"nothing was repeated": {func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = ask(once(r.Context(), 1), client, "http://api.example")
			w.WriteHeader(http.StatusBadGateway)
		}, ""},
		"another request's client": {func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = ask(context.Background(), client, "http://api.example")
			w.WriteHeader(http.StatusBadGateway)
		}, ""},
		"its own failure": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, ""},
		"what it asked is of no use": {func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = ask(r.Context(), client, "http://api.example")
			w.WriteHeader(http.StatusBadGateway)
		}, "final"},
		"the time limit's answer": {func(_ http.ResponseWriter, r *http.Request) {
			_, _, _ = ask(r.Context(), client, "http://api.example")
			<-r.Context().Done()
		}, "final"},
		"a refusal that was asked for": {func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = ask(r.Context(), client, "http://api.example")
			httpx.Refuse(w, errors.New("no")) // which would have the caller begin all over
		}, "final"},
	} {
		h := httpx.NewHandler("test", httpx.ServerConfig{Registry: quiet()}, row.serve)
		synctest.Test(t, func(t *testing.T) {
			// Of its own: what others have failed at neither opens its breaker nor takes from its budget.
			client = &http.Client{Transport: httpx.NewTransport("test", httpx.ClientConfig{Registry: quiet()}, down(&asked))}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if got := w.Header().Get("Seawall-Pushback"); got != row.want {
				t.Errorf("%s: told %q, want %q", name, got, row.want)
			}
		})
	}
}

// Inbound alone tells it to the peers that it believes.
func TestInboundAloneSaysFinalToTrustedPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		client := &http.Client{Transport: httpx.NewTransport("test", httpx.ClientConfig{Registry: quiet()}, down(&asked))}
		inbound := httpx.Inbound("test", httpx.InboundConfig{TrustPeer: httpx.TrustAll, Registry: quiet()})
		h := inbound(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _, _ = ask(r.Context(), client, "http://api.example")
			w.WriteHeader(http.StatusBadGateway)
		}))
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("X-Request-Timeout-Ms", "30000")
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Seawall-Pushback"); got != "final" {
			t.Errorf("told %q, want final", got)
		}
	})
}

// The middlewares of a request share one place for the note: the contexts that lead to it do not lead around in a circle.
func TestPartsInsideOfPartsNoteInOnePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		client := httpx.NewTransport("shop", httpx.ClientConfig{Registry: quiet()}, down(&asked))
		type key struct{}
		var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Value(key{}) != nil {
				t.Error("a value from nowhere")
			}
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			req := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://api.example/", http.NoBody)
			resp, err := client.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
		})
		cfg := httpx.ServerConfig{Inbound: httpx.InboundConfig{TrustPeer: httpx.TrustAll}, Registry: quiet()}
		cfg.TimeLimit.FirstByte = httpx.Off
		h = httpx.NewHandler("inside", cfg, h)
		for range 3 {
			h = httpx.Inbound("outside", httpx.InboundConfig{TrustPeer: httpx.TrustAll, Registry: quiet()})(h)
		}
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set("Seawall-Priority", "sheddable")
		w := serveOne(h, r)
		if got := w.Header().Get("Seawall-Pushback"); w.Code != http.StatusServiceUnavailable || got != "final" {
			t.Errorf("%d, Seawall-Pushback: %q", w.Code, got)
		}
	})
}

// T25, T71: two requests whose handlers ask for the same wait for one answer in the cache of the client; both say final.
func TestAllThatWaitInACacheForOneAnswerSayThatItsAttemptsAreUsedUp(t *testing.T) {
	var asked atomic.Int64
	let := make(chan struct{})
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		<-let
		asked.Add(1)
		resp := response(http.StatusServiceUnavailable, "down")
		resp.Header = http.Header{"Cache-Control": {"max-age=60"}}
		return resp, nil
	})
	cached := httpcache.New("prices", httpcache.Config{Registry: quiet()}, httpx.NewTransport("prices", httpx.ClientConfig{
		Retry: retry.Config{Backoff: retry.Backoff{Base: time.Millisecond, Max: time.Millisecond}}, Registry: quiet(),
	}, base))
	defer cached.Close()
	x := newRig(t, http1, httpx.ServerConfig{}, func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://api.example/prices", http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := cached.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
	})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			resp, _, err := x.get(t, "/")
			if err != nil {
				t.Error(err)
				return
			}
			if got := resp.Header.Get("Seawall-Pushback"); resp.StatusCode != http.StatusServiceUnavailable || got != "final" {
				t.Errorf("%d, Seawall-Pushback: %q", resp.StatusCode, got)
			}
		})
	}
	waitFor(t, "all to wait", func() bool { return cached.Stats().Waiting == 5 })
	close(let)
	all.Wait()
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
}
