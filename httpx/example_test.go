package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// A server that fails once is not seen to fail.
func ExampleNewClient() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "42 seats")
	}))
	defer server.Close()
	url := server.URL

	client := httpx.NewClient("catalog", httpx.ClientConfig{})
	resp, err := client.Get(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body), err, "after", requests, "requests")
	client.CloseIdleConnections()
	// Output: 200 OK 42 seats <nil> after 2 requests
}

// The record of a call tells what its response does not.
func ExampleNewTransport() {
	flaky := 0
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		if flaky++; flaky < 3 {
			return nil, errors.New("connection reset by peer")
		}
		return response(http.StatusOK, "hello"), nil
	})
	client := &http.Client{Transport: httpx.NewTransport("greeter", httpx.ClientConfig{}, base)}

	ctx, record := seawall.WithRecord(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://greeter.example/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, record.Facts().Retries)
	// Output: 200 2
}

// The breaker of each host can be looked at, and switched.
func ExampleTransport_Breakers() {
	base := roundTripper(func(*http.Request) (*http.Response, error) { return response(http.StatusOK, ""), nil })
	client := &http.Client{Transport: httpx.NewTransport("api", httpx.ClientConfig{}, base)}
	resp, err := client.Get("https://api.example/v1/things")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()

	t := client.Transport.(*httpx.Transport)
	for host, b := range t.Breakers() {
		fmt.Println(host, b.State())
		if err := b.SetMode(seawall.ForcedOpen); err != nil {
			fmt.Println(err)
		}
	}
	_, err = client.Get("https://api.example/v1/things")
	fmt.Println(errors.Is(err, seawall.ErrRejected))
	// Output:
	// https://api.example closed
	// true
}

// A debug page takes the chain as it is, and shows what is in force; Lint looks at the same.
func ExampleTransport_Chain() {
	t := httpx.NewTransport("geo", httpx.ClientConfig{Timeout: 15 * time.Second, Registry: new(seawall.Registry)}, nil)
	chain := t.Chain().Current()
	fmt.Println(chain)
	for _, f := range chain.Lint() {
		fmt.Println(f.Rule)
	}
	// Output:
	// timeout "geo.total" → retry "geo" → breaker "geo" → bulkhead "geo" → timeout "geo.attempt"
	// total_too_short
}

// A chain of one's own around a plain client sees which answers are failures: what is not there opens no breaker.
func ExampleCheckStatus() {
	status := http.StatusNotFound
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	b := breaker.New("catalog", breaker.Config{MinCalls: 2})
	ask := func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return httpx.CheckStatus(resp)
	}

	for range 2 {
		err := b.Do(context.Background(), ask)
		e, ok := errors.AsType[*httpx.StatusError](err)
		fmt.Println(ok && e.Code == http.StatusNotFound, b.State())
	}
	status = http.StatusServiceUnavailable
	for range 5 {
		_ = b.Do(context.Background(), ask)
	}
	fmt.Println(b.State())
	// Output:
	// true closed
	// true closed
	// open
}

// A POST is repeated only if it says that it may be.
func ExampleIdempotent() {
	attempts := 0
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		attempts++
		return response(http.StatusServiceUnavailable, ""), nil
	})
	client := &http.Client{Transport: httpx.NewTransport("search", httpx.ClientConfig{}, base)}
	search := func(ctx context.Context) {
		attempts = 0
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://search.example/", strings.NewReader("q"))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode, "after", attempts)
	}
	search(context.Background())
	search(httpx.Idempotent(context.Background()))
	// Output:
	// 503 after 1
	// 503 after 3
}

// An SDK that wants a client of go-retryablehttp gets one with the same policies.
func ExampleRetryable() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	client := httpx.Retryable("vault", httpx.ClientConfig{})
	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status, "after", requests, "requests")
	// Output: 200 OK after 2 requests
}

// One call may have fewer attempts than others.
func ExampleWithAttempts() {
	attempts := 0
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		attempts++
		return response(http.StatusServiceUnavailable, ""), nil
	})
	client := &http.Client{Transport: httpx.NewTransport("once", httpx.ClientConfig{}, base)}
	ctx := httpx.WithAttempts(context.Background(), 1)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://once.example/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", attempts)
	// Output: 503 after 1
}

// Reads are hedged and writes are not. One read is told to wait.
func ExampleWithoutHedges() {
	var asked atomic.Int64
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		if asked.Add(1) == 1 { // the first attempt is late
			select {
			case <-time.After(200 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		return response(http.StatusOK, ""), nil
	})
	client := &http.Client{Transport: httpx.NewTransport("seats", httpx.ClientConfig{
		Hedge:   &hedge.Config{Delay: time.Millisecond},
		HedgeIf: func(r *http.Request) bool { return r.Method == http.MethodGet },
	}, base)}
	ask := func(ctx context.Context, method string) {
		asked.Store(0)
		req, err := http.NewRequestWithContext(ctx, method, "http://seats.example/", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(method, "sent", asked.Load(), "times")
	}
	ask(context.Background(), http.MethodGet)
	ask(context.Background(), http.MethodPut)
	ask(httpx.WithoutHedges(context.Background()), http.MethodGet)
	// Output:
	// GET sent 2 times
	// PUT sent 1 times
	// GET sent 1 times
}

// WithTimeout is a limit for one call, longer or shorter than the client's.
func ExampleWithTimeout() {
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	client := &http.Client{Transport: httpx.NewTransport("report", httpx.ClientConfig{}, base)}
	ctx := httpx.WithTimeout(context.Background(), 20*time.Millisecond)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://report.example/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Do(req)
	var exceeded *timeout.ExceededError
	fmt.Println(errors.As(err, &exceeded), exceeded.Limit)
	// Output: true 20ms
}

// WithAttemptTimeout is for one call that answers late by its nature.
func ExampleWithAttemptTimeout() {
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	client := &http.Client{Transport: httpx.NewTransport("poll", httpx.ClientConfig{}, base)}
	ctx := httpx.WithAttempts(httpx.WithAttemptTimeout(context.Background(), 20*time.Millisecond), 1)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://poll.example/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Do(req)
	fmt.Println(errors.Is(err, timeout.ErrExceeded))
	// Output: true
}

// A host that fails is left alone for a while; the error says until when.
func ExampleNewTransport_rejection() {
	base := roundTripper(func(*http.Request) (*http.Response, error) { return response(http.StatusInternalServerError, ""), nil })
	cfg := httpx.ClientConfig{Breaker: breaker.Config{MinCalls: 1}, Retry: retry.Config{MaxAttempts: 1}}
	client := &http.Client{Transport: httpx.NewTransport("shop", cfg, base)}
	for range 2 {
		resp, err := client.Get("http://shop.example/")
		var rejected *seawall.RejectedError
		switch {
		case errors.As(err, &rejected):
			fmt.Println(rejected.Kind, rejected.Reason, rejected.RetryAfter() > 0)
		case err != nil:
			fmt.Println(err)
		default:
			resp.Body.Close()
			fmt.Println(resp.StatusCode)
		}
	}
	// Output:
	// 500
	// breaker open true
}

// A limit of ours is not the caller's deadline.
func ExampleNewTransport_limits() {
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	cfg := httpx.ClientConfig{Timeout: 20 * time.Millisecond}
	client := &http.Client{Transport: httpx.NewTransport("slow", cfg, base)}
	_, err := client.Get("http://slow.example/")
	fmt.Println(errors.Is(err, timeout.ErrExceeded), errors.Is(err, context.DeadlineExceeded))
	// Output: true false
}

// A server that is full says so before it reads anything.
func ExampleNewHandler() {
	busy, done := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /seats", func(http.ResponseWriter, *http.Request) {
		close(busy)
		<-done
	})
	cfg := httpx.ServerConfig{Admission: httpx.AdmissionConfig{
		Fixed: bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}},
	}}
	handler := httpx.NewHandler("seats", cfg, mux)

	go handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/seats", nil))
	<-busy
	refused := httptest.NewRecorder()
	handler.ServeHTTP(refused, httptest.NewRequest(http.MethodGet, "/seats", nil))
	close(done)
	fmt.Println(refused.Code, refused.Header().Get("Seawall-Pushback"), refused.Header().Get("Retry-After") != "")
	// Output: 503 refused true
}

// TrustLoopback believes the programs on the same machine.
func ExampleTrustLoopback() {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "127.0.0.1:40000"
	fmt.Println(httpx.TrustLoopback(r))
	r.RemoteAddr = "203.0.113.7:40000"
	fmt.Println(httpx.TrustLoopback(r))
	// Output:
	// true
	// false
}
