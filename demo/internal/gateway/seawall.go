package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// Seawall asks the inventory service through package httpx, and answers a seat map from its last good copy when there is
// no other answer in time.
type Seawall struct {
	remote    remote
	transport *httpx.Transport
	seats     *seawall.Pipeline
	copies    copies
}

const (
	// ReadWithin leaves time for the answer from the copy: one that comes after 250 ms is no longer a good one.
	ReadWithin = 150 * time.Millisecond
	// StaleFor is how old a copy may be.
	StaleFor = 15 * time.Second
)

// NewSeawall makes a Seawall on a transport.
func NewSeawall(base string, transport http.RoundTripper, registry *seawall.Registry) *Seawall {
	s := &Seawall{copies: copies{m: map[int64]SeatMap{}}}
	s.transport = httpx.NewTransport("inventory", httpx.ClientConfig{
		Timeout: time.Second,
		Retry:   retry.Config{Backoff: retry.Backoff{Base: 20 * time.Millisecond, Max: 200 * time.Millisecond}},
		// A copy may be 15 s old, and a fault of 12 s leaves three seconds for the way back to fresh ones. There is no ramp:
		// the inventory takes in what it can serve, whoever comes back.
		Breaker: breaker.Config{
			Window:  breaker.Window{Time: time.Second},
			OpenFor: 500 * time.Millisecond, OpenGrowth: 2, MaxOpenFor: 2 * time.Second,
			Ramp: breaker.Ramp{Start: breaker.NoRamp},
		},
		Bulkhead:  bulkhead.Config{Limit: 64, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}},
		TrustPeer: httpx.TrustLoopback,
		Registry:  registry,
	}, transport)
	s.remote = remote{&http.Client{Transport: s.transport}, base}
	s.seats = seawall.Chain(
		degrade.NewFallback("seats.copy", degrade.FallbackConfig{Func: degrade.Func(s.copy), Registry: registry}),
		timeout.New("seats", timeout.Config{Limit: ReadWithin, Registry: registry}),
	)
	return s
}

// SeatMap asks for a seat map, or takes the last good copy.
func (s *Seawall) SeatMap(ctx context.Context, performance int64) (SeatMap, error) {
	ctx = context.WithValue(ctx, performanceKey{}, performance)
	return seawall.Call(ctx, s.seats, s.fresh)
}

type performanceKey struct{}

func (s *Seawall) fresh(ctx context.Context) (SeatMap, error) {
	performance, _ := ctx.Value(performanceKey{}).(int64)
	begun := time.Now()
	m, err := s.remote.seatMap(ctx, performance)
	if err == nil {
		s.copies.put(m, begun)
	}
	return m, err
}

var errNoCopy = errors.New("no copy that is young enough")

func (s *Seawall) copy(ctx context.Context, _ error) (SeatMap, error) {
	performance, _ := ctx.Value(performanceKey{}).(int64)
	if m, ok := s.copies.get(performance, StaleFor); ok {
		return m, nil
	}
	return SeatMap{}, errNoCopy
}

// Hold holds seats. It may be repeated, because the order's id makes it idempotent.
func (s *Seawall) Hold(ctx context.Context, order string, request []byte) (Answer, error) {
	return s.remote.hold(ctx, order, request)
}

// Transport returns the policies that requests go through.
func (s *Seawall) Transport() *httpx.Transport { return s.transport }

// copies are the last good answers: one for each performance that is on sale.
type copies struct {
	mu   sync.Mutex // guards the fields below
	m    map[int64]SeatMap
	made map[int64]time.Time
}

// put keeps an answer to a question that was asked at begun, unless a younger one is there.
func (c *copies) put(m SeatMap, begun time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made = map[int64]time.Time{}
	}
	if !begun.Before(c.made[m.Performance]) {
		c.m[m.Performance], c.made[m.Performance] = m, begun
	}
}

// get returns the copy with its age, if it is not older than allowed.
func (c *copies) get(performance int64, allowed time.Duration) (SeatMap, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.m[performance]
	m.Age = time.Since(c.made[performance])
	return m, ok && m.Age <= allowed
}
