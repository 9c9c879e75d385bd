// Command httpclient shows what an ordinary *http.Client does about a flaky server when it is made by httpx: it repeats
// what may be repeated, says so in a record, and stops asking a server that is down.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
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

// flaky is a server that fails as many of the next requests as it is told.
type flaky struct{ requests, failures atomic.Int64 }

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	if f.failures.Add(-1) >= 0 {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprint(w, r.Method, " done")
}

func run(ctx context.Context, out io.Writer) error {
	server := &flaky{}
	site := httptest.NewServer(server)
	defer site.Close()

	// httpx.ClientConfig{} would do. The program is to be over in a second, so it waits less, and its breaker sees enough
	// in ten calls.
	client := httpx.NewClient("catalog", httpx.ClientConfig{
		Retry:   retry.Config{Backoff: retry.Backoff{Base: 10 * time.Millisecond}},
		Breaker: breaker.Config{MinCalls: 10},
	})
	defer client.CloseIdleConnections()

	// show sends a request while the server fails some, and tells what has come of it.
	show := func(what, method, key string, failures int64) error {
		server.failures.Store(failures)
		before := server.requests.Load()
		ctx, record := seawall.WithRecord(ctx)
		req, err := http.NewRequestWithContext(ctx, method, site.URL, strings.NewReader("an order"))
		if err != nil {
			return err
		}
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		_, err = fmt.Fprintf(out, "%-44s %d after %d request(s), %d of them repeats\n",
			what, resp.StatusCode, server.requests.Load()-before, record.Facts().Retries)
		return err
	}
	if err := errors.Join(
		show("a GET, nothing is wrong:", http.MethodGet, "", 0),
		show("a GET, two failures:", http.MethodGet, "", 2),
		show("a POST, one failure, which may have acted:", http.MethodPost, "", 1),
		show("a POST with a key, one failure:", http.MethodPost, `"8e03978e"`, 1),
	); err != nil {
		return err
	}

	// A server that is down: after some failures the breaker answers in its place, at once.
	server.failures.Store(1_000_000)
	before, refused := server.requests.Load(), 0
	var rejection error
	for range 100 {
		resp, err := get(ctx, client, site.URL)
		switch {
		case errors.Is(err, breaker.ErrOpen):
			refused++
			rejection = err
		case err != nil:
			return err
		default:
			_ = resp.Body.Close()
		}
	}
	requests := server.requests.Load() - before
	var who *seawall.RejectedError
	if !errors.As(rejection, &who) {
		return errors.New("the breaker has not opened")
	}
	_, err := fmt.Fprintf(out, "100 calls of a server that is down:          %d requests reached it, %d calls were refused\n"+
		"why, and until when:                         %s, retry in %v\n",
		requests, refused, who.Reason, who.RetryAfter().Round(time.Millisecond))
	return err
}

func get(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}
