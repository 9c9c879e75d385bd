package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry"
	"github.com/seawall-go/seawall/telemetry/debugpage"
	"github.com/seawall-go/seawall/timeout"
)

var errDown = errors.New("down")

// shop is a program that uses everything, and its server for the program's own people.
type shop struct {
	registry *seawall.Registry
	payments *seawall.Pipeline
	prices   *http.Client
	mail     seawall.Policy
	printer  *bulkhead.Bulkhead // calls to it have to wait
	api      *httptest.Server
	admin    *httptest.Server
	members  []any
}

// open starts the shop.
func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{registry: new(seawall.Registry)}
	s.registry.SetLogger(slog.New(slog.DiscardHandler))
	r := s.registry

	prometheusRegistry := client.NewRegistry()
	exporter, err := prometheus.New(prometheus.WithRegisterer(prometheusRegistry))
	if err != nil {
		t.Fatal(err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(exporter))
	registration, err := telemetry.Register(provider, telemetry.Config{Registry: r, Histograms: telemetry.AllHistograms()})
	if err != nil {
		t.Fatal(err)
	}

	s.payments = seawall.Chain(
		degrade.NewFallback("payments.later", degrade.FallbackConfig{Registry: r, Func: degrade.StaleFunc(
			func(context.Context, error) (string, time.Duration, error) { return "later", time.Minute, nil },
		)}),
		timeout.New("payments.total", timeout.Config{Limit: time.Second, Registry: r}),
		retry.New("payments", retry.Config{MaxAttempts: 2, Registry: r}),
		breaker.New("payments", breaker.Config{MinCalls: 4, Registry: r}),
		ratelimit.New("payments", ratelimit.Config{Rate: 1000, Registry: r}),
		bulkhead.New("payments", bulkhead.Config{Limit: 8, Registry: r}),
	)
	drill := fault.New("drill", fault.Config{Registry: r, Plan: fault.Plan{Faults: []fault.Fault{
		{For: time.Hour, Kind: fault.Error, Target: "mail", Rate: 0.5},
	}}})
	if err := drill.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(drill.Stop)
	s.mail = drill.Point("mail")
	s.printer = bulkhead.New("printer", bulkhead.Config{Limit: 1, Registry: r})
	s.members = append(s.members,
		hedge.New("reads", hedge.Config{Delay: 50 * time.Millisecond, Registry: r}),
		bulkhead.NewAdaptive("stock", bulkhead.AdaptiveConfig{Registry: r}),
		ratelimit.NewThrottle("mail", ratelimit.ThrottleConfig{Registry: r}),
		degrade.NewBrownout("recommendations", degrade.BrownoutConfig{Signal: func() float64 { return 0.85 }, Registry: r}),
		degrade.NewGather("front page", degrade.GatherConfig{Registry: r}),
		drill,
	)
	mux := http.NewServeMux()
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: r})
	mux.Handle("POST /orders", keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
	})))
	mux.HandleFunc("GET /price", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, "9.80")
	})
	s.api = httptest.NewServer(httpx.NewHandler("api", httpx.ServerConfig{Registry: r}, mux))
	s.prices = &http.Client{Transport: httpcache.New("prices", httpcache.Config{Registry: r},
		httpx.NewTransport("prices", httpx.ClientConfig{Registry: r}, http.DefaultTransport))}
	ready := health.New("shop", health.Config{Registry: r})
	err = ready.Add(
		health.Check{Name: "database", Run: func(context.Context) error { return nil }},
		health.Check{Name: "mail", Severity: health.Optional, Run: func(context.Context) error { return errDown }})
	if err != nil {
		t.Fatal(err)
	}
	ready.Start()
	page := debugpage.New(debugpage.Config{Registry: r, Health: ready, Chains: map[string]seawall.Policy{"payments": s.payments}})
	admin := http.NewServeMux()
	admin.Handle("/metrics", promhttp.HandlerFor(prometheusRegistry, promhttp.HandlerOpts{}))
	admin.Handle("/debug/seawall/", page)
	admin.Handle("/readyz", ready.AdminHandler())
	s.admin = httptest.NewServer(admin)
	t.Cleanup(func() {
		s.admin.Close()
		s.api.Close()
		s.prices.CloseIdleConnections()
		page.Close()
		if err := errors.Join(ready.Stop(context.Background()), registration.Unregister(), provider.Shutdown(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serve is a few customers.
func (s *shop) serve(t *testing.T) {
	t.Helper()
	for i := range 8 {
		_, err := seawall.Call(t.Context(), s.payments, func(context.Context) (string, error) {
			if i%2 == 0 {
				return "", errDown
			}
			return "paid", nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, m := range s.members {
		if p, ok := m.(seawall.Policy); ok {
			_ = p.Do(t.Context(), func(context.Context) error { return nil })
		}
	}
	_ = s.mail.Do(t.Context(), func(context.Context) error { return nil })
	var prints sync.WaitGroup
	_ = s.printer.Do(t.Context(), func(ctx context.Context) error {
		prints.Go(func() { _ = s.printer.Do(ctx, func(context.Context) error { return nil }) })
		for end := time.Now().Add(10 * time.Second); s.printer.Stats().Waiting == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Error("nobody waits for the printer")
				break
			}
		}
		return nil
	})
	prints.Wait()
	for range 3 {
		fetch(t, s.prices, http.MethodGet, s.api.URL+"/price")
	}
	fetch(t, s.prices, http.MethodPost, s.api.URL+"/orders")
}

func fetch(t *testing.T, c *http.Client, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", `"order-1"`)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
