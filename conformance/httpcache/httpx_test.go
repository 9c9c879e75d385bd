package httpcache_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// cached is a client with the cache outside of httpx's transport, and how often that dials.
func cached(t *testing.T, cfg httpcache.Config, client httpx.ClientConfig) (c *http.Client, t2 *httpx.Transport, dials *atomic.Int64) {
	t.Helper()
	dials = &atomic.Int64{}
	base := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	registry := &seawall.Registry{}
	cfg.Registry, client.Registry = registry, registry
	t2 = httpx.NewTransport("origin", client, base)
	cache := httpcache.New("catalog", cfg, t2)
	t.Cleanup(func() {
		cache.Close()
		base.CloseIdleConnections()
	})
	return &http.Client{Transport: cache}, t2, dials
}

func fetch(t *testing.T, c *http.Client, url string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// The origin is gone. The breaker of httpx opens, and from then on the stale answer comes without a dial, marked.
func TestOpenBreakerOfHTTPXGivesTheStaleAnswerWithoutADial(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=0, stale-if-error=3600")
		_, _ = io.WriteString(w, "hello")
	}))
	client, transport, dials := cached(t, httpcache.Config{}, httpx.ClientConfig{Retry: retry.Config{MaxAttempts: 1}})
	if _, body, err := fetch(t, client, origin.URL); body != "hello" || err != nil {
		t.Fatal(body, err)
	}
	origin.Close()
	open := false
	for range 200 {
		resp, body, err := fetch(t, client, origin.URL)
		if body != "hello" || err != nil {
			t.Fatalf("got %q, %v", body, err)
		}
		if open = strings.HasSuffix(resp.Header.Get("Cache-Status"), "detail=open"); open {
			break
		}
	}
	for _, b := range transport.Breakers() {
		if b.Stats().State != breaker.Open {
			t.Errorf("the breaker is %v", b.Stats().State)
		}
	}
	before := dials.Load()
	ctx, record := seawall.WithRecord(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	status := resp.Header.Get("Cache-Status")
	if !open || !strings.HasPrefix(status, "catalog; hit; ttl=-") || !strings.HasSuffix(status, "; detail=open") || dials.Load() != before {
		t.Errorf("Cache-Status is %q after %d more dials", status, dials.Load()-before)
	}
	if f := record.Facts(); !f.Replaced || f.Stale <= 0 || f.Reason != seawall.ReasonOpen || f.DecidedBy != `httpcache "catalog"` {
		t.Errorf("the record is %+v", f)
	}
}

// A hit costs no attempt; a miss is repeated like any request, and the caller sees none of it.
func TestRetriesAreInsideOfTheCache(t *testing.T) {
	var calls atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "hello")
	}))
	defer origin.Close()
	client, transport, _ := cached(t, httpcache.Config{}, httpx.ClientConfig{Retry: retry.Config{Backoff: retry.Backoff{Base: time.Millisecond}}})
	for range 5 {
		if _, body, err := fetch(t, client, origin.URL); body != "hello" || err != nil {
			t.Fatal(body, err)
		}
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	if s := transport.Retry().Stats(); s.Attempts != 2 || s.Recovered != 1 {
		t.Errorf("the retries are %+v", s)
	}
}

// The first caller leaves while others wait: the attempt of httpx, which hangs on the fetch, goes on, and its body too.
func TestAttemptOutlivesTheCallerWhoBeganIt(t *testing.T) {
	let, asked := make(chan struct{}), make(chan struct{}, 1)
	var calls atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		asked <- struct{}{}
		select {
		case <-let:
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	}))
	defer origin.Close()
	client, _, _ := cached(t, httpcache.Config{}, httpx.ClientConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	var first, others sync.WaitGroup
	first.Go(func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin.URL, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			t.Error("the first caller got an answer")
		}
	})
	<-asked
	others.Go(func() {
		if _, body, err := fetch(t, client, origin.URL); len(body) != 1<<20 || err != nil {
			t.Errorf("another got %d bytes, %v", len(body), err)
		}
	})
	cache := client.Transport.(*httpcache.Cache)
	for deadline := time.Now().Add(5 * time.Second); cache.Stats().Waiting < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // real connections leave no other way to see that it waits
	}
	cancel()
	first.Wait()
	close(let)
	others.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}
