package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

func to(t *testing.T, tr *httpx.Transport, url string) (int, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}

// T76
func TestOneHostsTroubleDoesNotTouchAnother(t *testing.T) {
	cfg := quick()
	cfg.Breaker = breaker.Config{MinCalls: 3}
	tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "bad.example" {
			return response(500, ""), nil
		}
		return response(200, ""), nil
	}))
	if code, err := to(t, tr, "http://bad.example/"); code != 500 || err != nil {
		t.Fatalf("%d, %v", code, err)
	}
	if _, err := to(t, tr, "http://bad.example/"); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("after three failures: %v", err)
	}
	for _, u := range []string{"http://good.example/", "https://bad.example.com/", "http://bad.example:8080/"} {
		if code, err := to(t, tr, u); code != 200 || err != nil {
			t.Errorf("%s: %d, %v", u, code, err)
		}
	}
	states := map[string]breaker.State{}
	for host, b := range tr.Breakers() {
		states[host] = b.State()
	}
	bad, good := states["http://bad.example"], states["http://good.example"]
	if len(states) != 4 || bad != breaker.Open || good != breaker.Closed {
		t.Errorf("the breakers are %v", states)
	}
	for range tr.Breakers() {
		break
	}
	for range tr.Bulkheads() {
		break
	}
}

// T76
func TestHostsAreForgottenUnlessTheirBreakerHasSomethingToSay(t *testing.T) {
	cfg := quick()
	cfg.MaxHosts = 20
	cfg.Breaker = breaker.Config{MinCalls: 3, OpenFor: time.Hour}
	working, release := make(chan struct{}), make(chan struct{})
	tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
		switch r.URL.Host {
		case "bad.example":
			return response(500, ""), nil
		case "slow.example":
			close(working)
			<-release
		}
		return response(200, ""), nil
	}))
	_, _ = to(t, tr, "http://bad.example/")
	_, _ = to(t, tr, "http://forced.example/")
	for host, b := range tr.Breakers() {
		if strings.Contains(host, "forced") {
			if err := b.SetMode(seawall.ForcedOpen); err != nil {
				t.Fatal(err)
			}
		}
	}
	var slow sync.WaitGroup
	slow.Go(func() { _, _ = to(t, tr, "http://slow.example/") })
	<-working
	for n := range 5000 {
		if code, err := to(t, tr, fmt.Sprintf("http://host%d.example/", n)); code != 200 || err != nil {
			t.Fatal(code, err)
		}
	}
	if n := tr.Hosts(); n > 20+3 {
		t.Errorf("%d hosts are remembered, want at most 20 and the 3 protected ones", n)
	}
	var kept []string
	for host := range tr.Breakers() {
		if !strings.Contains(host, "host") {
			kept = append(kept, host)
		}
	}
	slices.Sort(kept)
	if strings.Join(kept, " ") != "http://bad.example http://forced.example http://slow.example" {
		t.Errorf("kept: %v", kept)
	}
	if _, err := to(t, tr, "http://bad.example/"); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("the open breaker was forgotten: %v", err)
	}
	close(release)
	slow.Wait()
}

// The limit of a host is held until the headers of its responses.
func TestTheBulkheadOfAHostBoundsItsConcurrentRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick()
		cfg.Bulkhead = bulkhead.Config{Limit: 3, Queue: bulkhead.Queue{Limit: 100, MaxWait: time.Minute}}
		var running, most atomic.Int64
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second)
			running.Add(-1)
			return response(200, ""), nil
		}))
		start := time.Now()
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if code, err := to(t, tr, "http://a.example/"); code != 200 || err != nil {
					t.Error(code, err)
				}
			})
		}
		wg.Wait()
		if most.Load() != 3 || time.Since(start) != 4*time.Second {
			t.Errorf("%d at once, %v in all; want 3 and 4s", most.Load(), time.Since(start))
		}
	})
}

// All hosts of a client share one budget: an outage costs at most its burst in extra requests.
func TestTheBudgetOfAClientBoundsItsExtraRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		cfg := httpx.ClientConfig{Breaker: breaker.Config{Mode: seawall.Off}, Registry: quiet()}
		tr := httpx.NewTransport("test", cfg, roundTripper(func(*http.Request) (*http.Response, error) {
			attempts.Add(1)
			return response(503, ""), nil
		}))
		const calls = 200
		for n := range calls {
			if code, err := to(t, tr, fmt.Sprintf("http://host%d.example/", n%4)); code != 503 || err != nil {
				t.Fatal(code, err)
			}
		}
		if extra := attempts.Load() - calls; extra != 10 {
			t.Errorf("%d extra requests, want the 10 of the default burst", extra)
		}
		if got := tr.Retry().Stats().BudgetDenied; got == 0 {
			t.Error("the retry does not say that it was out of budget")
		}
	})
}

func TestNothingIsSentForACallerThatHasLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n, _, resp, err := tried(t, quick(), nil, newRequest(t, "GET", "").WithContext(ctx))
	if n != 0 || resp != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%d attempts, %v, %v", n, resp, err)
	}
}

func TestABaseThatReturnsBothIsNotLeftWithAnOpenBody(t *testing.T) {
	body := newCountedBody("x")
	_, _, resp, err := tried(t, quick(), func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body}, errors.New("boom")
	}, newRequest(t, "POST", "x"))
	if resp != nil || err == nil || body.closes.Load() != 1 {
		t.Errorf("%v, %v, closed %d times", resp, err, body.closes.Load())
	}
}

func TestIdleConnectionsAreClosedWhereThereAreAny(t *testing.T) {
	closed := 0
	for _, base := range []http.RoundTripper{
		idle{func() { closed++ }}, roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil }),
	} {
		(&http.Client{Transport: httpx.NewTransport("test", quick(), base)}).CloseIdleConnections()
	}
	if closed != 1 {
		t.Errorf("closed %d times", closed)
	}
}

type idle struct{ close func() }

func (i idle) CloseIdleConnections()                         { i.close() }
func (idle) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("idle") }

// Without a base it is http.DefaultTransport, or what a program has put in that place.
func TestTheDefaultBaseIsTheProgramsOwn(t *testing.T) {
	std := http.DefaultTransport.(*http.Transport)
	idle := std.MaxIdleConnsPerHost
	for limit, want := range map[int]int{0: 64, 7: 7} {
		base, ok := httpx.NewTransport("test", httpx.ClientConfig{
			Bulkhead: bulkhead.Config{Limit: limit}, Registry: quiet(),
		}, nil).Base().(*http.Transport)
		if !ok || base == std || base.MaxIdleConnsPerHost != want || std.MaxIdleConnsPerHost != idle {
			t.Errorf("with a limit of %d: %+v", limit, base)
		}
	}
	defer func() { http.DefaultTransport = std }()
	http.DefaultTransport = roundTripper(func(*http.Request) (*http.Response, error) { return response(299, ""), nil })
	if code, err := to(t, httpx.NewTransport("test", quick(), nil), "http://a.example/"); code != 299 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
}

// TestNothingIsLostUnderLoad mixes all kinds of ends from many goroutines. Whatever happens, every response body is
// closed, every context ends, every slot comes back, and each call has one end.
func TestNothingIsLostUnderLoad(t *testing.T) {
	calls := 3000
	if testing.Short() {
		calls = 500
	}
	var open, alive, base atomic.Int64
	cfg := quick()
	cfg.Timeout, cfg.AttemptTimeout = 40*time.Millisecond, 15*time.Millisecond
	cfg.Retry.Backoff = retry.Backoff{Kind: retry.FullJitter, Base: time.Millisecond, Max: time.Millisecond}
	cfg.Bulkhead = bulkhead.Config{Limit: 4, Queue: bulkhead.Queue{Limit: 8, MaxWait: 10 * time.Millisecond}}
	cfg.Breaker = breaker.Config{MinCalls: 20, OpenFor: 5 * time.Millisecond}
	tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
		base.Add(1)
		alive.Add(1)
		context.AfterFunc(r.Context(), func() { alive.Add(-1) })
		if r.Body != nil && rand.IntN(2) == 0 {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		switch rand.IntN(10) {
		case 0:
			return nil, errors.New("boom")
		case 1:
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		case 2:
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		}
		resp := response([]int{200, 200, 200, 404, 503, 429, 500}[rand.IntN(7)], "")
		if rand.IntN(3) > 0 {
			open.Add(1)
			body := newCountedBody(strings.Repeat("x", rand.IntN(100)))
			resp.Body, resp.ContentLength = &watchedBody{ReadCloser: body, open: &open}, -1
		}
		return resp, nil
	}))
	var ends atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for n := g; n < calls; n += 16 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+rand.IntN(60))*time.Millisecond)
				body := newCountedBody("seat")
				req, err := http.NewRequestWithContext(ctx, []string{"GET", "POST", "PUT"}[n%3],
					fmt.Sprintf("http://host%d.example/", n%3), nil)
				if err != nil {
					t.Error(err)
				}
				if n%3 > 0 {
					req.Body = body
				}
				resp, err := tr.RoundTrip(req)
				if (resp == nil) == (err == nil) {
					t.Errorf("ended with %v, %v", resp, err)
				}
				if resp != nil {
					if n%2 == 0 {
						_, _ = io.Copy(io.Discard, resp.Body)
					}
					resp.Body.Close()
				}
				if n%3 > 0 && body.closes.Load() != 1 {
					t.Errorf("a request's body was closed %d times", body.closes.Load())
				}
				ends.Add(1)
				cancel()
			}
		})
	}
	wg.Wait()
	waitFor(t, "the contexts to end", func() bool { return alive.Load() == 0 })
	if open.Load() != 0 {
		t.Errorf("%d bodies are open", open.Load())
	}
	for host, b := range tr.Bulkheads() {
		if s := b.Stats(); s.InUse != 0 || s.Waiting != 0 {
			t.Errorf("%s: %+v", host, s)
		}
	}
	if s := tr.Retry().Stats(); ends.Load() != int64(calls) || base.Load() > s.Attempts {
		t.Errorf("%d ends of %d calls; the base was asked %d times, attempts %d", ends.Load(), calls, base.Load(), s.Attempts)
	}
}
