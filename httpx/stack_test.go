package httpx_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// hop is a service that asks the one below, and passes on how it answers. Its breaker stays closed, so that only the
// retries decide how often it asks.
func hop(t *testing.T, name, below string, asked *atomic.Int64) *httptest.Server {
	t.Helper()
	client := hopClient(t, name)
	server := httptest.NewServer(httpx.NewHandler(name, httpx.ServerConfig{
		Inbound: httpx.InboundConfig{TrustPeer: httpx.TrustLoopback}, Registry: quiet(),
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		status, pushback, err := ask(r.Context(), client, below)
		if err != nil {
			t.Error(err)
		}
		if pushback != "" {
			w.Header().Set("Seawall-Pushback", pushback)
		}
		w.WriteHeader(status)
	})))
	t.Cleanup(server.Close)
	return server
}

func hopClient(t *testing.T, name string) *http.Client {
	t.Helper()
	client := httpx.NewClient(name, httpx.ClientConfig{
		Retry:     retry.Config{MaxAttempts: 3, Backoff: retry.Backoff{Base: time.Millisecond, Max: 2 * time.Millisecond}},
		Breaker:   breaker.Config{Mode: seawall.Shadow},
		TrustPeer: httpx.TrustLoopback,
		Registry:  quiet(),
	})
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func ask(ctx context.Context, client *http.Client, url string) (status int, pushback string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return http.StatusBadGateway, "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Seawall-Pushback"), err
}

// T71: three services with three attempts each, and the last one fails. Without budgets it would be asked 27 times as often
// as the first.
func TestRetriesDoNotMultiplyDownAStackOfServices(t *testing.T) {
	var top, middle, bottom atomic.Int64
	last := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		bottom.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(last.Close)
	second := hop(t, "second", last.URL, &middle)
	first := hop(t, "first", second.URL, &top)
	client := hopClient(t, "customer")
	const calls = 100
	for range calls {
		status, _, err := ask(t.Context(), client, first.URL)
		if err != nil || status != http.StatusServiceUnavailable {
			t.Fatalf("%d, %v", status, err)
		}
	}
	t.Logf("%d calls: %d, %d, %d", calls, top.Load(), middle.Load(), bottom.Load())
	if bottom.Load() <= calls {
		t.Error("nobody has repeated anything: the test shows nothing")
	}
	if top.Load() != calls || middle.Load() != calls {
		t.Error("who is not next to the failure has repeated something")
	}
	if n := bottom.Load(); float64(n) > 1.4*calls {
		t.Errorf("%d calls became %d at the bottom, want at most 1.4 times as many", calls, n)
	}
}

// A server that goes away says so (GOAWAY): what it has begun is answered, and the rest goes over a new connection.
func TestServerThatGoesAwayLosesAndRepeatsNothing(t *testing.T) {
	var handled, conns atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := handled.Add(1); n%5 == 0 {
			w.Header().Set("Connection", "close") // which is GOAWAY over HTTP/2
		}
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	transport := httpx.NewTransport("shop", httpx.ClientConfig{Registry: quiet()}, server.Client().Transport)
	client := &http.Client{Transport: transport}
	t.Cleanup(client.CloseIdleConnections)
	const calls = 50
	for range calls {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("order"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "order" || resp.ProtoMajor != 2 {
			t.Fatalf("%s: %q, %v", resp.Proto, body, err)
		}
	}
	if handled.Load() != calls {
		t.Errorf("%d orders were handled %d times", calls, handled.Load())
	}
	if conns.Load() < 2 {
		t.Error("the server never went away")
	}
	for host, b := range transport.Breakers() {
		if s := b.Stats(); s.Calls.Failures != 0 || s.Calls.Successes != calls {
			t.Errorf("%s: %+v", host, s.Calls)
		}
	}
}
