// Command reverseproxy shows httputil.ReverseProxy between a Seawall handler and a Seawall transport: it repeats what the
// origin drops, hands the deadline on, and refuses at once while the origin is down.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

func main() {
	seawall.DefaultRegistry().SetLogger(slog.New(slog.DiscardHandler)) // the program tells what happens by itself
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// newProxy returns a reverse proxy to an origin.
func newProxy(origin *url.URL) http.Handler {
	transport := httpx.NewTransport("origin", httpx.ClientConfig{
		Retry:   retry.Config{Backoff: retry.Backoff{Base: 10 * time.Millisecond}},
		Breaker: breaker.Config{MinCalls: 10, OpenFor: 5 * time.Second},
	}, nil)
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(origin)
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			// A policy has refused, before anything was sent, or before a repeat. Refuse tells the one from the other: in the
			// first case the client may try again whatever it was, and in both it is told when.
			if errors.Is(err, seawall.ErrRejected) {
				httpx.Refuse(w, err)
				return
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return httpx.NewHandler("proxy", httpx.ServerConfig{
		Inbound: httpx.InboundConfig{TrustPeer: httpx.TrustLoopback}, // whose deadlines are believed
	}, proxy)
}

func run(ctx context.Context, out io.Writer) error {
	var requests, failures, left atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if ms, err := strconv.ParseInt(r.Header.Get("X-Request-Timeout-Ms"), 10, 64); err == nil {
			left.Store(ms)
		}
		if failures.Add(-1) >= 0 {
			panic(http.ErrAbortHandler) // drops the connection
		}
		_, _ = io.WriteString(w, "from the origin")
	}))
	defer origin.Close()
	where, err := url.Parse(origin.URL)
	if err != nil {
		return err
	}
	proxy := httptest.NewServer(newProxy(where))
	defer proxy.Close()

	get := func() (status int, header http.Header, body string, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, proxy.URL, nil)
		if err != nil {
			return 0, nil, "", err
		}
		req.Header.Set("X-Request-Timeout-Ms", "2000")
		resp, err := proxy.Client().Do(req)
		if err != nil {
			return 0, nil, "", err
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header, string(b), err
	}

	failures.Store(1)
	status, header, body, err := get()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "the origin drops a connection: %d %q after %d requests\n"+
		"of the client's 2000 ms the origin has some left, and less: %v\n",
		status, body, requests.Load(), left.Load() > 0 && left.Load() < 2000)
	if err != nil {
		return err
	}

	failures.Store(1_000_000)
	refused := 0
	for range 50 {
		if status, header, _, err = get(); err != nil {
			return err
		}
		if status == http.StatusServiceUnavailable {
			refused++
		}
	}
	_, err = fmt.Fprintf(out, "the origin is down: of 50 requests %d are refused at once\n"+
		"with a 503 that says when to come back: %v, and that nothing was started: %s\n",
		refused, header.Get("Retry-After") != "", header.Get("Seawall-Pushback"))
	return err
}
