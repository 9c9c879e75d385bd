package httpcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/httpx"
)

// world is a server with httpx's helpers, a CDN before it, and browsers before that: a shared and private caches, all in
// one process, so that days pass at once.
type world struct {
	origin, cdn int // requests that reached them
	text        string
	down        bool
	edge        http.RoundTripper
}

var errDown = errors.New("the origin is down")

func newWorld(t *testing.T) *world {
	w := &world{text: "one"}
	policies := map[string]httpx.CachePolicy{
		"/asset.5d41.js": httpx.CacheAsset(), "/page": httpx.CachePage(), "/one-field": httpx.CachePageOneField(),
		"/account": httpx.CachePrivate(), "/secret": httpx.CacheNever(),
	}
	mux := http.NewServeMux()
	for path, policy := range policies {
		mux.Handle("GET "+path, policy.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			text := w.text
			if path == "/account" {
				user, err := r.Cookie("user")
				if err != nil {
					http.Error(rw, "who are you?", http.StatusUnauthorized)
					return
				}
				text = user.Value + ": " + text
			}
			_, _ = io.WriteString(rw, text)
		})))
	}
	mux.HandleFunc("POST /page", func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.text = string(b)
		rw.WriteHeader(http.StatusNoContent)
	})
	server := httpx.ETags(httpx.ETagConfig{})(mux)
	origin := transport(func(r *http.Request) (*http.Response, error) {
		w.origin++
		if w.down {
			return nil, errDown
		}
		return serve(server, r), nil
	})
	target := &url.URL{Scheme: "http", Host: "origin.internal"}
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:    cache(t, "cdn", httpcache.Config{Shared: true}, origin),
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
	}
	w.edge = transport(func(r *http.Request) (*http.Response, error) {
		w.cdn++
		return serve(proxy, r), nil
	})
	return w
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// serve has a handler answer a client's request.
func serve(h http.Handler, r *http.Request) *http.Response {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rw := httptest.NewRecorder()
	h.ServeHTTP(rw, in)
	resp := rw.Result()
	resp.Request = r
	if resp.Header.Get("Date") == "" {
		resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return resp
}

func cache(t *testing.T, name string, cfg httpcache.Config, base http.RoundTripper) *httpcache.Cache {
	cfg.Registry = &seawall.Registry{}
	cfg.Registry.SetLogger(slog.New(slog.DiscardHandler))
	c := httpcache.New(name, cfg, base)
	t.Cleanup(c.Close)
	return c
}

// browser is a client with a private cache and cookies of one user.
type browser struct {
	*http.Client
	w *world
}

func (w *world) browser(t *testing.T, user string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		jar.SetCookies(&url.URL{Scheme: "http", Host: "shop.example"}, []*http.Cookie{{Name: "user", Value: user}})
	}
	return &browser{&http.Client{Transport: cache(t, "browser", httpcache.Config{}, w.edge), Jar: jar}, w}
}

// sees visits a page and says what is seen, and how many requests reached the CDN and the origin.
func (b *browser) sees(t *testing.T, path, want string, wantCDN, wantOrigin int) {
	t.Helper()
	cdn, origin := b.w.cdn, b.w.origin
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://shop.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	synctest.Wait() // refreshes
	cdn, origin = b.w.cdn-cdn, b.w.origin-origin
	if err != nil || string(text) != want || cdn != wantCDN || origin != wantOrigin {
		t.Errorf("%s is %q (%d, %v) with %d requests to the CDN and %d to the origin, want %q with %d and %d; Cache-Status %q", path,
			text, resp.StatusCode, err, cdn, origin, want, wantCDN, wantOrigin, resp.Header["Cache-Status"])
	}
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func TestAssetsAreAskedForOnceByEachBrowser(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		anna, ben := w.browser(t, "anna"), w.browser(t, "ben")
		anna.sees(t, "/asset.5d41.js", "one", 1, 1)
		w.text = "never seen"
		time.Sleep(300 * 24 * time.Hour)
		anna.sees(t, "/asset.5d41.js", "one", 0, 0)
		ben.sees(t, "/asset.5d41.js", "one", 1, 0)
	})
}

func TestPagesAreTheCDNs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		anna, ben := w.browser(t, "anna"), w.browser(t, "")
		anna.sees(t, "/page", "one", 1, 1)
		ben.sees(t, "/page", "one", 1, 0)
		anna.sees(t, "/page", "one", 1, 0) // asks the CDN each time, which answers
		w.text = "two"
		time.Sleep(70 * time.Second)
		anna.sees(t, "/page", "one", 1, 1) // the stale one, while the CDN asks
		anna.sees(t, "/page", "two", 1, 0)
		w.text, w.down = "three", true
		time.Sleep(23 * time.Hour)
		anna.sees(t, "/page", "two", 1, 1) // as long as the origin is down
		ben.sees(t, "/page", "two", 1, 1)
		w.down = false
		anna.sees(t, "/page", "three", 1, 1)
	})
}

// By RFC 9111, section 4.2.4, s-maxage forbids what stale-if-error allows, so the form with one field gives up here.
func TestPageWithOneFieldIsNotUsedStale(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		anna := w.browser(t, "")
		anna.sees(t, "/one-field", "one", 1, 1)
		w.text = "two"
		time.Sleep(59 * time.Second)
		w.browser(t, "").sees(t, "/one-field", "one", 1, 0)
		time.Sleep(2 * time.Second)
		w.browser(t, "").sees(t, "/one-field", "two", 1, 1)
	})
}

func TestPrivatePagesAreTheBrowsersAlone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		anna, ben := w.browser(t, "anna"), w.browser(t, "ben")
		for range 2 { // the second time without a body from the origin
			anna.sees(t, "/account", "anna: one", 1, 1)
			ben.sees(t, "/account", "ben: one", 1, 1)
		}
		w.browser(t, "").sees(t, "/account", "who are you?\n", 1, 1)
		w.text = "two"
		anna.sees(t, "/account", "anna: two", 1, 1)
		w.text = "one" // which is what ben has
		ben.sees(t, "/account", "ben: one", 1, 1)
	})
}

func TestSecretsAreNobodys(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		anna := w.browser(t, "anna")
		for i := range 3 {
			w.text = fmt.Sprint(i)
			anna.sees(t, "/secret", w.text, 1, 1)
		}
	})
}

func TestChangesAreSeenAtOnceWhereTheyPass(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		anna, ben := w.browser(t, "anna"), w.browser(t, "ben")
		anna.sees(t, "/page", "one", 1, 1)
		ben.sees(t, "/page", "one", 1, 0)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://shop.example/page", strings.NewReader("two"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := anna.Do(req)
		if err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
		ben.sees(t, "/page", "two", 1, 1)
		anna.sees(t, "/page", "two", 1, 0)
	})
}
