// Package faulttest shows how a program's own tests can hurt its HTTP client on purpose, by a seeded plan: the faults are
// the same in each run, and the client is the one that the program uses. There is no program to run: see the test, and
// go test ./examples/faulttest.
package faulttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// Shop is the client of a service that sells tickets.
type Shop struct {
	url    string
	client *http.Client
}

// NewShop returns a client of the service at a URL. base is what the requests go to in the end: nil in the program, and a
// point for faults in its tests.
func NewShop(url string, base http.RoundTripper) *Shop {
	return &Shop{url, &http.Client{Transport: httpx.NewTransport("shop", httpx.ClientConfig{
		Retry: retry.Config{Backoff: retry.Backoff{Base: 10 * time.Millisecond}},
	}, base)}}
}

// Seats returns which seats are free.
func (s *Shop) Seats(ctx context.Context) (string, error) {
	return s.send(ctx, http.MethodGet, "/seats", "", "")
}

// Buy buys a seat. The key names the purchase, however often it is asked for.
func (s *Shop) Buy(ctx context.Context, seat, key string) (string, error) {
	return s.send(ctx, http.MethodPost, "/orders", seat, key)
}

func (s *Shop) send(ctx context.Context, method, path, body, key string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return "", fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return string(answer), nil
}
