package httpcache_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/httpx"
)

// chromium returns where the browser is.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("chromium is not installed")
	}
	t.Skip("chromium is not installed")
	return ""
}

// visits counts requests by path.
type visits struct {
	mu sync.Mutex
	n  map[string]int
}

func (v *visits) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		v.n[r.URL.Path]++
		v.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (v *visits) of(path string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.n[path]
}

// What the policies of httpx mean to a real browser, with our shared cache between it and the server: the browser keeps
// assets, and asks for pages, which the cache then answers.
func TestBrowserAndSharedCacheGoByThePoliciesOfHTTPX(t *testing.T) {
	path := chromium(t)
	mux := http.NewServeMux()
	for path, policy := range map[string]httpx.CachePolicy{
		"/": httpx.CacheNever(), "/asset.5d41.txt": httpx.CacheAsset(), "/page": httpx.CachePage(),
		"/account": httpx.CachePrivate(), "/secret": httpx.CacheNever(),
	} {
		mux.Handle("GET "+path, policy.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, "this is "+r.URL.Path)
		})))
	}
	atOrigin, atCDN := &visits{n: map[string]int{}}, &visits{n: map[string]int{}}
	origin := httptest.NewServer(atOrigin.count(httpx.ETags(httpx.ETagConfig{})(mux)))
	defer origin.Close()
	target, err := url.Parse(origin.URL)
	if err != nil {
		t.Fatal(err)
	}
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	front := httptest.NewServer(atCDN.count(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: cache(t, "cdn", httpcache.Config{Shared: true}, base),
	}))
	defer front.Close()

	allocator, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox)...)
	defer stop()
	browser, end := chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(browser, chromedp.Navigate(front.URL+"/")); err != nil { // also starts it
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(browser, time.Minute)
	defer cancel()
	for _, row := range []struct {
		path        string
		cdn, origin int // requests for three visits
	}{
		{"/asset.5d41.txt", 1, 1}, {"/page", 3, 1}, {"/account", 3, 3}, {"/secret", 3, 3},
	} {
		for range 3 {
			text, err := chromedp.Run(ctx, chromedp.Evaluate[string](
				fmt.Sprintf(`fetch(%q).then(r => r.text())`, row.path), chromedp.EvalAwaitPromise))
			if err != nil || text != "this is "+row.path {
				t.Fatalf("%s: the browser sees %q, %v", row.path, text, err)
			}
		}
		if cdn, origin := atCDN.of(row.path), atOrigin.of(row.path); cdn != row.cdn || origin != row.origin {
			t.Errorf("%s: %d requests to the CDN and %d to the origin, want %d and %d", row.path, cdn, origin, row.cdn, row.origin)
		}
	}
}
