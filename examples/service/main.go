// Command service shows how the parts go together in one service: a client behind an HTTP cache, a chain whose numbers are
// in a file, orders that are made once however often they are sent, health, and an end in which no request is lost. What
// it depends on breaks while customers come. The service is in service.go, its numbers are in policies.yaml.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/lifecycle"
)

func main() {
	seawall.DefaultRegistry().SetLogger(slog.New(slog.DiscardHandler)) // the program tells what happens by itself
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// dependency is another service, which counts its requests and can be down.
type dependency struct {
	*httptest.Server
	asked atomic.Int64
	down  atomic.Bool
}

func newDependency(says string) *dependency {
	d := &dependency{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" { // a check of health
			return
		}
		d.asked.Add(1)
		if d.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "max-age=2") // Date has whole seconds: of one second a moment may be left
		_, _ = io.WriteString(w, says)
	}))
	return d
}

func run(ctx context.Context, out io.Writer) error {
	catalog, prices := newDependency("a mug"), newDependency("995")
	defer catalog.Close()
	defer prices.Close()
	shop, err := newService(catalog.URL, prices.URL)
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0") // a fixed address, in a program
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx) // in a program the end comes by a signal
	defer end()
	report, err := lifecycle.Run(ctx, lifecycle.Config{Health: shop.health, DrainDelay: lifecycle.NoDelay},
		lifecycle.HTTP("shop", &http.Server{Handler: shop.handler, ReadHeaderTimeout: 5 * time.Second}, listener, shop.handler.Drain),
		lifecycle.Worker("customers", func(ctx context.Context) error {
			defer end()
			return customers{out, "http://" + listener.Addr().String()}.come(ctx, catalog, prices)
		}),
		lifecycle.Flush("pages", func(context.Context) error { // refreshes in the background
			shop.pages.Close()
			return nil
		}),
	)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "the end: cut off: %d\n", len(report.Cut))
	return err
}

// customers ask the shop, and say what they got.
type customers struct {
	out  io.Writer
	shop string
}

func (c customers) come(ctx context.Context, catalog, prices *dependency) error {
	for range 2 {
		if err := c.ask(ctx, http.MethodGet, "/products/mug", ""); err != nil {
			return err
		}
	}
	for _, key := range []string{`"k1"`, `"k1"`} {
		if err := c.ask(ctx, http.MethodPost, "/orders/mug", key); err != nil {
			return err
		}
	}
	c.say("requests: catalog %d, prices %d\n", catalog.asked.Load(), prices.asked.Load())
	catalog.down.Store(true)
	prices.down.Store(true)
	time.Sleep(2100 * time.Millisecond) // until the page is stale
	c.say("both are down\n")
	for _, q := range []struct{ method, path, key string }{
		{http.MethodGet, "/products/mug", ""},
		{http.MethodPost, "/orders/mug", `"k2"`},
		{http.MethodPost, "/orders/mug", `"k2"`},
		{http.MethodPost, "/orders/mug", `"k1"`}, // made before
		{http.MethodGet, "/readyz", ""},
	} {
		if err := c.ask(ctx, q.method, q.path, q.key); err != nil {
			return err
		}
	}
	return nil
}

func (c customers) ask(ctx context.Context, method, path, key string) error {
	req, err := http.NewRequestWithContext(ctx, method, c.shop+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("X-Customer", "ann")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	c.say("%-4s %s %s: %d %s\n", method, path, key, resp.StatusCode, strings.TrimSpace(string(body)))
	return err
}

func (c customers) say(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }
