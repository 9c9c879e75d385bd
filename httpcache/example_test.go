package httpcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/httpcache"
)

// prices is an origin for the examples.
func prices(fields ...string) *httptest.Server {
	n := 0
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			n++
		}
		setFields(w.Header(), fields)
		fmt.Fprintf(w, "price list %d", n)
	}))
}

var ttl = regexp.MustCompile("; ttl=-?[0-9]+")

// show prints an answer and what the cache says of it, but for the time that is left, which depends on the clock.
func show(resp *http.Response, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err, ttl.ReplaceAllString(resp.Header.Get("Cache-Status"), ""))
}

func Example() {
	origin := prices("Cache-Control: max-age=60")
	defer origin.Close()

	cache := httpcache.New("prices", httpcache.Config{}, nil)
	defer cache.Close()
	client := &http.Client{Transport: cache}

	for range 2 {
		show(client.Get(origin.URL))
	}
	cache.CloseIdleConnections()
	// Output:
	// price list 1 <nil> prices; fwd=uri-miss; stored
	// price list 1 <nil> prices; hit
}

func ExampleNew_reverseProxy() {
	origin := prices("Cache-Control: max-age=0", "CDN-Cache-Control: max-age=60")
	defer origin.Close()
	target, err := url.Parse(origin.URL)
	if err != nil {
		panic(err)
	}

	cache := httpcache.New("edge", httpcache.Config{Shared: true}, nil)
	defer cache.Close()
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: cache,
	})
	defer front.Close()

	for range 2 {
		resp, err := front.Client().Get(front.URL)
		show(resp, err)
	}
	cache.CloseIdleConnections()
	// Output:
	// price list 1 <nil> edge; fwd=uri-miss; stored
	// price list 1 <nil> edge; hit
}

// An open breaker: the stale answer, marked, and nothing is sent.
func ExampleCache_RoundTrip_openBreaker() {
	guard := breaker.New("prices", breaker.Config{Registry: quiet()})
	origin := &origin{handle: answers("price list 1", "Cache-Control: max-age=0, stale-if-error=3600")}
	cache := httpcache.New("prices", httpcache.Config{Registry: quiet()}, gated(guard, origin))
	defer cache.Close()

	ctx, record := seawall.WithRecord(context.Background())
	req := request(ctx, http.MethodGet, "http://origin.example/prices")
	resp, err := cache.RoundTrip(req)
	show(resp, err)

	if err := guard.SetMode(seawall.ForcedOpen); err != nil {
		panic(err)
	}
	time.Sleep(2 * time.Millisecond)
	resp, err = cache.RoundTrip(req)
	show(resp, err)
	facts := record.Facts()
	fmt.Println(facts.Replaced, facts.DecidedBy, facts.Reason, facts.Stale > 0)

	// Without a stored answer the rejection is the caller's.
	_, err = cache.RoundTrip(request(ctx, http.MethodGet, "http://origin.example/other"))
	fmt.Println(err, errors.Is(err, seawall.ErrRejected))
	// Output:
	// price list 1 <nil> prices; fwd=uri-miss; stored
	// price list 1 <nil> prices; hit; detail=forced
	// true httpcache "prices" forced true
	// breaker "prices": forced true
}

func ExampleCache_Invalidate() {
	origin := prices("Cache-Control: max-age=60")
	defer origin.Close()
	cache := httpcache.New("catalog", httpcache.Config{}, nil)
	defer cache.Close()
	client := &http.Client{Transport: cache}

	show(client.Get(origin.URL + "/list"))
	if err := cache.Invalidate(origin.URL + "/list"); err != nil {
		panic(err)
	}
	show(client.Get(origin.URL + "/list"))
	cache.CloseIdleConnections()
	// Output:
	// price list 1 <nil> catalog; fwd=uri-miss; stored
	// price list 2 <nil> catalog; fwd=uri-miss; stored
}

func ExampleConfig_Validate() {
	err := httpcache.Config{MaxBytes: 1 << 20, MaxObject: 1 << 20}.Validate()
	fmt.Println(err)
	// Output:
	// httpcache: Config.MaxObject is 1048576, want 1 to 262144, a quarter of MaxBytes or 256 MiB
}

func ExampleCache_Stats() {
	cache := httpcache.New("prices", httpcache.Config{Registry: quiet()}, &origin{handle: answers("x", "Cache-Control: max-age=60")})
	defer cache.Close()
	for range 3 {
		do(cache, request(context.Background(), http.MethodGet, "http://origin.example/prices"))
	}
	s := cache.Stats()
	fmt.Println(s.Fresh, s.Miss, s.Answers)
	// Output: 2 1 1
}
