package benchmarks_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	gregjones "github.com/gregjones/httpcache"

	"github.com/seawall-go/seawall/httpcache"
)

// cachedBody is what is fetched: a page of JSON.
var cachedBody = strings.Repeat(`{"seat":"A1","price":42}`, 170)

// caches answer a GET from their store. Bare is the same request over a kept connection on the loopback, which is what a
// hit saves at the least.
var caches = []struct {
	library string
	around  func(base http.RoundTripper) (rt http.RoundTripper, stop func())
}{
	{"seawall", func(base http.RoundTripper) (http.RoundTripper, func()) {
		c := httpcache.New("benchmark", httpcache.Config{Registry: registry()}, base)
		return c, c.Close
	}},
	{"gregjones", func(base http.RoundTripper) (http.RoundTripper, func()) {
		t := gregjones.NewMemoryCacheTransport()
		t.Transport = base
		return t, func() {}
	}},
	{"bare", func(base http.RoundTripper) (http.RoundTripper, func()) { return base, func() {} }},
}

// cachePage starts an origin, and makes a call that gets its page and reads it.
func cachePage(tb testing.TB, around func(http.RoundTripper) (http.RoundTripper, func())) (call func() error, calls *atomic.Int64) {
	tb.Helper()
	calls = &atomic.Int64{}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, cachedBody)
	}))
	base := &http.Transport{MaxIdleConnsPerHost: 64}
	rt, stop := around(base)
	tb.Cleanup(func() {
		stop()
		base.CloseIdleConnections()
		origin.Close()
	})
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, origin.URL+"/seats?row=A", nil)
	if err != nil {
		tb.Fatal(err)
	}
	call = func() error {
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err == nil && n != int64(len(cachedBody)) {
			err = fmt.Errorf("read %d bytes", n)
		}
		_ = resp.Body.Close()
		return err
	}
	if err := call(); err != nil {
		tb.Fatal(err)
	}
	return call, calls
}

func BenchmarkHTTPCacheHit(b *testing.B) {
	for _, s := range caches {
		b.Run(s.library, func(b *testing.B) {
			call, _ := cachePage(b, s.around)
			b.Run("serial", func(b *testing.B) { serial(b, call) })
			b.Run("parallel", func(b *testing.B) { parallel(b, call) })
		})
	}
}

func TestBenchmarkedCachesAnswerFromTheirStore(t *testing.T) {
	for _, s := range caches {
		t.Run(s.library, func(t *testing.T) {
			call, calls := cachePage(t, s.around)
			for range 10 {
				if err := call(); err != nil {
					t.Fatal(err)
				}
			}
			want := int64(1)
			if s.library == "bare" {
				want = 11
			}
			if n := calls.Load(); n != want {
				t.Errorf("%d requests to the origin, want %d", n, want)
			}
		})
	}
}
