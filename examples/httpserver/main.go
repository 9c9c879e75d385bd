// Command httpserver shows what a server does when more comes than it can handle: important requests go before others, each
// client has its quota, and a repeated order is not a second one.
package main

import (
	"context"
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
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
)

func main() {
	seawall.DefaultRegistry().SetLogger(slog.New(slog.DiscardHandler)) // the program tells what happens by itself
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// shop is a server with one worker, room for two that wait, and five orders for each customer.
type shop struct {
	*httptest.Server
	handler *httpx.Handler
	work    chan struct{} // lets a slow page end
	orders  atomic.Int64
}

func newShop() *shop {
	s := &shop{work: make(chan struct{})}
	customer := func(r *http.Request) string { return r.Header.Get("X-Customer") } // once it is authenticated
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: customer, Required: httpx.KeyRequired})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		<-s.work
		_, _ = io.WriteString(w, "page")
	})
	mux.Handle("POST /orders", keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, "order %d", s.orders.Add(1))
	})))
	s.handler = httpx.NewHandler("shop", httpx.ServerConfig{
		// Fixed, so that the program can say what happens. By default the limit finds itself.
		Admission: httpx.AdmissionConfig{Fixed: bulkhead.Config{
			Limit: 1, Queue: bulkhead.Queue{Limit: 2, MaxWait: 10 * time.Second},
		}},
		Quotas: []httpx.QuotaConfig{{
			Name: "orders", Limit: ratelimit.Config{Rate: 0.01, Burst: 5},
			Routes: []string{"POST /orders"}, Key: httpx.KeyByField("X-Customer"),
		}},
		Inbound: httpx.InboundConfig{TrustPeer: httpx.TrustLoopback}, // who may say how important a request is
	}, mux)
	s.Server = httptest.NewServer(s.handler)
	return s
}

func run(ctx context.Context, out io.Writer) error {
	s := newShop()
	defer s.Close()
	if err := s.priorities(ctx, out); err != nil {
		return err
	}
	return s.repeats(ctx, out)
}

// priorities sends four requests to the one worker.
func (s *shop) priorities(ctx context.Context, out io.Writer) error {
	replies := make(chan string, 4)
	page := func(who, priority string, waiting int) {
		go func() {
			a, err := s.send(ctx, http.MethodGet, "/page", map[string]string{"Seawall-Priority": priority})
			switch {
			case err != nil:
				replies <- who + ": " + err.Error()
			case a.status == http.StatusServiceUnavailable:
				replies <- fmt.Sprintf("%s: %d, %s, with a Retry-After: %v", who, a.status,
					a.header.Get("Seawall-Pushback"), a.header.Get("Retry-After") != "")
			default:
				replies <- fmt.Sprintf("%s: %d", who, a.status)
			}
		}()
		for stats := s.handler.Stats().Admission; stats.InUse < 1 || stats.Waiting < waiting; stats = s.handler.Stats().Admission {
			time.Sleep(time.Millisecond) // until it is where it should be
		}
	}
	page("the one that is served", "critical", 0)
	page("a report", "sheddable", 1)
	page("a prefetch", "sheddable-plus", 2)
	page("a checkout", "critical-plus", 2) // there is no room, so the least important one goes
	for i := range 4 {
		if i > 0 { // the first reply is that of the one who has to go
			s.work <- struct{}{}
		}
		if _, err := fmt.Fprintln(out, <-replies); err != nil {
			return err
		}
	}
	return nil
}

// repeats sends orders until the quota says no.
func (s *shop) repeats(ctx context.Context, out io.Writer) error {
	for _, key := range []string{`"k1"`, `"k1"`, `"k2"`, "", `"k3"`, `"k4"`} {
		a, err := s.send(ctx, http.MethodPost, "/orders", map[string]string{"X-Customer": "ann", "Idempotency-Key": key})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "an order with the key %s: %d %s, replayed: %v\n",
			key, a.status, strings.TrimSpace(a.body), a.header.Get("Idempotent-Replayed") == "true")
		if err != nil {
			return err
		}
	}
	a, err := s.send(ctx, http.MethodPost, "/orders", map[string]string{"X-Customer": "bob", "Idempotency-Key": `"k1"`})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "another customer with the key \"k1\": %d %s\n", a.status, a.body)
	return err
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *shop) send(ctx context.Context, method, path string, fields map[string]string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, nil)
	if err != nil {
		return answer{}, err
	}
	for name, value := range fields {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}
