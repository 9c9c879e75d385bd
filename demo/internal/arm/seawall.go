package arm

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/ops"
	"github.com/seawall-go/seawall/demo/internal/runner"
	"github.com/seawall-go/seawall/demo/internal/scene"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// seawallStyle puts package httpx where plain Go has an http.Client and a bare handler.
type seawallStyle struct {
	registries *runner.Registries
	onClose    func(func(context.Context) error)

	servers  []*httpx.Handler
	holds    *httpx.Idempotency
	gateway  *gateway.Seawall
	customer *httpx.Transport
}

// What the inventory takes in follows from what customers are promised, and from nothing that is known of its capacity:
// less when an answer takes more than half of the time that a hold may take. Who does not fit waits as long as a refusal
// may take.
const (
	tooLong = 250 * time.Millisecond
	waits   = 40 * time.Millisecond
)

func (s *seawallStyle) inventoryServer(h http.Handler) http.Handler {
	return s.server(scene.Inventory, h, httpx.ServerConfig{Admission: httpx.AdmissionConfig{Adaptive: bulkhead.AdaptiveConfig{
		Initial:   20, // the default of package bulkhead; from the 64 of httpx a storm takes two seconds more to tame
		Algorithm: bulkhead.AIMD,
		AIMD:      bulkhead.AIMDConfig{Timeout: tooLong, Window: tooLong},
		Queue:     bulkhead.Queue{MaxWait: waits},
	}}})
}

// A customer who clicks all the time is not refused, but a script is. The answer to a hold is kept for a shorter time than
// the hold lasts: no repeat is told of seats that have gone back.
const (
	clicks     = 10 // in a second
	clickBurst = 20
	keeps      = 5 * time.Second
)

func (s *seawallStyle) gatewayServer(h http.Handler) http.Handler {
	customer := httpx.KeyByField(gateway.CustomerHeader)
	s.holds = httpx.NewIdempotency("holds", httpx.IdempotencyConfig{
		Field: gateway.KeyHeader, Keep: keeps, Registry: s.registries.Of(front),
		Tenant: func(r *http.Request) string { who, _ := customer(r); return who },
	})
	return s.server(front, h, httpx.ServerConfig{
		Quotas: []httpx.QuotaConfig{{
			Name: "customer", Key: customer, Limit: ratelimit.Config{Rate: clicks, Burst: clickBurst},
		}},
		Admission: httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 256}},
		Inner:     []func(http.Handler) http.Handler{s.holds.Handler},
	})
}

// server puts around a handler what both services have, and what is its own.
func (s *seawallStyle) server(name string, h http.Handler, own httpx.ServerConfig) http.Handler {
	own.Inbound = httpx.InboundConfig{TrustPeer: httpx.TrustAll}
	own.TimeLimit = httpx.TimeLimitConfig{FirstByte: 2 * time.Second}
	own.Registry = s.registries.Of(name)
	handler := httpx.NewHandler(name, own, h)
	s.servers = append(s.servers, handler)
	return handler
}

func (s *seawallStyle) operate(name string, checks ...health.Check) (*ops.Service, error) {
	chains := map[string]seawall.Policy{}
	for _, h := range s.servers {
		if h.Name() == name {
			chains["requests"] = h.Admission()
		}
	}
	if name == front {
		maps.Copy(chains, s.gateway.Chains())
	}
	return ops.New(name, ops.Config{Registry: s.registries.Of(name), Chains: chains, Checks: checks})
}

func (s *seawallStyle) inventoryClient(url string, transport http.RoundTripper) gateway.Inventory {
	s.gateway = gateway.NewSeawall(url, transport, s.registries.Of(front))
	s.onClose(s.gateway.Close)
	return s.gateway
}

func (s *seawallStyle) customers(transport http.RoundTripper) *http.Client {
	s.customer = httpx.NewTransport("boxoffice", httpx.ClientConfig{
		Timeout: patience, AttemptTimeout: httpx.Off,
		Retry:     retry.Config{MaxAttempts: 1}, // the gateway repeats, next to what fails; two layers would multiply
		Bulkhead:  bulkhead.Config{Limit: 1024},
		TrustPeer: httpx.TrustAll,
		Registry:  s.registries.Of(sdk),
	}, transport)
	return &http.Client{Transport: s.customer}
}

func (s *seawallStyle) status(m *measure.Status) {
	budget := s.gateway.Transport().Retry().Budget().Config()
	m.Budget, m.Floor = budget.Ratio, budget.Burst
	for _, h := range s.servers {
		stats := h.Stats()
		b := stats.Admission
		m.Gates = append(m.Gates, measure.Gate{Name: h.Name(), InFlight: b.InUse, Limit: b.Limit})
		m.Shed += uint64(b.Rejected.Total() + stats.Limited)
	}
	for _, t := range []*httpx.Transport{s.gateway.Transport(), s.customer} {
		for _, b := range t.Breakers() {
			stats := b.Stats()
			m.Shed += uint64(stats.Rejected.Total())
			if stats.State != breaker.Closed {
				m.Open++
			}
		}
		for _, b := range t.Bulkheads() {
			m.Shed += uint64(b.Stats().Rejected.Total())
		}
	}
}
