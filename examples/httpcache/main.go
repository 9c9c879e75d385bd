// Command httpcache shows a client that stays useful while its origin is gone: a hit without a request, a validation
// without a body, one request for twenty callers, and at last stale answers from behind an open breaker.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpcache"
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

func run(ctx context.Context, out io.Writer) error {
	var requests atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/prices" {
			// Fresh for two seconds, and good for an hour when there is trouble. Date has whole seconds: of one second a moment
			// may be left.
			w.Header().Set("Cache-Control", "max-age=2, stale-if-error=3600")
		} else {
			w.Header().Set("Cache-Control", "no-cache") // to be validated each time
		}
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		time.Sleep(20 * time.Millisecond)
		_, _ = fmt.Fprintf(w, "the %s of today", r.URL.Path[1:])
	}))
	defer origin.Close()

	// The cache is outside of retries and breaker: a hit costs neither, and a refusal becomes a stale answer.
	inner := httpx.NewTransport("catalog", httpx.ClientConfig{Retry: retry.Config{MaxAttempts: 1}}, nil)
	cache := httpcache.New("catalog", httpcache.Config{}, inner)
	defer cache.Close()
	defer cache.CloseIdleConnections()
	client := &http.Client{Transport: cache}

	show := func(what, path string) error {
		before := requests.Load()
		body, status, err := get(ctx, client, origin.URL+path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%-22s %-20q %d request(s), %s\n", what, body, requests.Load()-before, status)
		return err
	}
	if err := show("first", "/prices"); err != nil {
		return err
	}
	if err := show("again", "/prices"); err != nil {
		return err
	}
	for range 2 {
		if err := show("to be validated", "/seats"); err != nil {
			return err
		}
	}

	before := requests.Load()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _, _, _ = get(ctx, client, origin.URL+"/halls") })
	}
	all.Wait()
	// What must be validated is nobody else's: those who wait for the first then ask for themselves.
	if _, err := fmt.Fprintf(out, "%-22s %d request(s)\n", "20 that may not share", requests.Load()-before); err != nil {
		return err
	}

	time.Sleep(2100 * time.Millisecond) // prices are stale now
	before = requests.Load()
	for range 20 {
		all.Go(func() { _, _, _ = get(ctx, client, origin.URL+"/prices") })
	}
	all.Wait()
	if _, err := fmt.Fprintf(out, "%-22s %d request(s)\n", "20 that may", requests.Load()-before); err != nil {
		return err
	}

	time.Sleep(2100 * time.Millisecond)
	origin.Close()
	for range 100 { // until the breaker has seen enough
		if _, _, err := get(ctx, client, origin.URL+"/prices"); err != nil {
			return err
		}
	}
	if err := show("the origin is gone", "/prices"); err != nil {
		return err
	}
	ctx, record := seawall.WithRecord(ctx)
	if _, _, err := get(ctx, client, origin.URL+"/prices"); err != nil {
		return err
	}
	facts := record.Facts()
	_, err := fmt.Fprintf(out, "the record of a call:  replaced by %s: %s\n", facts.DecidedBy, facts.Reason)
	return err
}

var ttl = regexp.MustCompile("; ttl=-?[0-9]+") // depends on the clock

func get(ctx context.Context, client *http.Client, url string) (body, status string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), ttl.ReplaceAllString(resp.Header.Get("Cache-Status"), ""), err
}
