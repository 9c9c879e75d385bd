package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/httpcache"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/policyfile"
	"github.com/seawall-go/seawall/ratelimit"
)

//go:embed policies.yaml
var files embed.FS

// service sells what a catalog has at what a price service says.
type service struct {
	catalogURL, pricesURL string

	pages   *httpcache.Cache  // what the catalog has said
	catalog *http.Client      // through pages, and behind them retries, a breaker and a bulkhead
	prices  *policyfile.Chain // what guards a call of the price service
	health  *health.Health
	handler *httpx.Handler
	orders  atomic.Int64
}

func newService(catalogURL, pricesURL string) (*service, error) {
	s := &service{catalogURL: catalogURL, pricesURL: pricesURL}

	// A cache outside of the policies: a hit costs no attempt, and an open breaker is answered by a stale page.
	s.pages = httpcache.New("catalog", httpcache.Config{StaleIfError: time.Hour},
		httpx.NewTransport("catalog", httpx.ClientConfig{}, nil))
	s.catalog = &http.Client{Transport: s.pages}

	// A chain whose numbers are in a file. Load, and Watch in a goroutine, follow one that changes while the program runs.
	set, err := policyfile.LoadFS(files, "policies.yaml", policyfile.Options{Require: []string{"prices"}})
	if err != nil {
		return nil, err
	}
	s.prices = set.Chain("prices")

	// Two checks that other instances share: when they fail, that is a warning, and the instance stays in service.
	s.health = health.New("shop", health.Config{})
	err = s.health.Add(
		health.Check{Name: "catalog", Severity: health.Optional, Run: health.HTTP(nil, catalogURL)},
		health.Check{Name: "prices", Run: health.HTTP(nil, pricesURL)},
	)
	if err != nil {
		return nil, err
	}

	customer := func(r *http.Request) string { return r.Header.Get("X-Customer") } // once it is authenticated
	keys := httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: customer, Required: httpx.KeyRequired})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products/{sku}", s.product)
	mux.Handle("POST /orders/{sku}", keys.Handler(http.HandlerFunc(s.order)))
	mux.Handle("GET /readyz", s.health.Handler())
	mux.Handle("GET /livez", s.health.Handler())
	s.handler = httpx.NewHandler("shop", httpx.ServerConfig{
		Quotas: []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 50, Burst: 100}, Key: httpx.KeyByField("X-Customer")}},
	}, mux)
	return s, nil
}

func (s *service) product(w http.ResponseWriter, r *http.Request) {
	ctx, record := seawall.WithRecord(r.Context())
	body, err := get(ctx, s.catalog, s.catalogURL+"/"+url.PathEscape(r.PathValue("sku")))
	if err != nil {
		refuse(w, err)
		return
	}
	_, _ = fmt.Fprintf(w, "%s, stale: %t", body, record.Facts().Stale > 0)
}

func (s *service) order(w http.ResponseWriter, r *http.Request) {
	cents, err := seawall.Call(r.Context(), s.prices, func(ctx context.Context) (int, error) {
		body, err := get(ctx, http.DefaultClient, s.pricesURL+"/"+url.PathEscape(r.PathValue("sku")))
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(body)
	})
	if err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, "order %d for %d cents", s.orders.Add(1), cents)
}

// refuse answers for a dependency that has not answered. Where a policy has refused to ask it, the client is told when to
// come back.
func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, seawall.ErrRejected) {
		httpx.Refuse(w, err)
		return
	}
	http.Error(w, http.StatusText(http.StatusBadGateway), http.StatusBadGateway)
}

// get returns the body of what is at a URL. The context of the chain is the request's, so that its limits end it.
func get(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil {
		err = httpx.CheckStatus(resp) // by which the chain knows what is a failure, and what is only not there
	}
	return strings.TrimSpace(string(body)), err
}
