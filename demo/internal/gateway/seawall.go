package gateway

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// Seawall asks the inventory service through package httpx, and answers a seat map from its last good copy when there is
// no other answer in time.
type Seawall struct {
	remote    remote
	transport *httpx.Transport
	seats     *cache.Cache[int64, copied]
}

// copied is a seat map, and when it was asked for.
type copied struct {
	SeatMap
	asked time.Time
}

const (
	// ReadWithin leaves time for the answer from the copy: one that comes after 250 ms is no longer a good one.
	ReadWithin = 150 * time.Millisecond
	// StaleFor is how old a copy may be.
	StaleFor = 15 * time.Second
)

// NewSeawall makes a Seawall on a transport.
func NewSeawall(base string, transport http.RoundTripper, registry *seawall.Registry) *Seawall {
	s := &Seawall{}
	s.transport = httpx.NewTransport("inventory", httpx.ClientConfig{
		Timeout: time.Second,
		Retry:   retry.Config{Backoff: retry.Backoff{Base: 20 * time.Millisecond, Max: 200 * time.Millisecond}},
		// A copy may be 15 s old, and a fault of 12 s leaves three seconds for the way back to fresh ones: so it asks again
		// every second, also if it is told to come back later. There is no ramp: the inventory takes in what it can serve,
		// whoever comes back.
		Breaker: breaker.Config{
			Window:  breaker.Window{Time: time.Second},
			OpenFor: 500 * time.Millisecond, OpenGrowth: 2, MaxOpenFor: time.Second, MaxRetryAfter: time.Second,
			Ramp: breaker.Ramp{Start: breaker.NoRamp},
		},
		Bulkhead:  bulkhead.Config{Limit: 64, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}},
		TrustPeer: httpx.TrustLoopback,
		Registry:  registry,
	}, transport)
	s.remote = remote{&http.Client{Transport: s.transport}, base}
	s.seats = cache.New("seats", cache.Config[int64, copied]{
		// A copy is for when there is no answer, and whether one is asked for is up to the breaker.
		TTL: time.Millisecond, RetryEvery: time.Millisecond, Jitter: cache.NoJitter, EarlyRefresh: cache.NoEarlyRefresh,
		LoadTimeout: ReadWithin, MaxStale: StaleFor,
		Load: s.load, Registry: registry,
	})
	return s
}

// SeatMap asks for a seat map, once for all who want it at the time, or takes the last good copy.
func (s *Seawall) SeatMap(ctx context.Context, performance int64) (SeatMap, error) {
	r, err := s.seats.Lookup(ctx, performance, nil)
	m := r.Value.SeatMap
	if r.State == cache.Stale {
		m.Age = time.Since(r.Value.asked) // r.Age and MaxStale count from the answer
		if m.Age > StaleFor {
			return SeatMap{}, cmp.Or(r.Cause, errNoCopy)
		}
	}
	return m, err
}

func (s *Seawall) load(ctx context.Context, performance int64) (copied, error) {
	asked := time.Now()
	m, err := s.remote.seatMap(ctx, performance)
	return copied{m, asked}, err
}

var errNoCopy = errors.New("no copy that is young enough")

// Close waits for the answers that nobody waits for any more.
func (s *Seawall) Close(ctx context.Context) error { return s.seats.Close(ctx) }

// Hold holds seats. It may be repeated, because the order's id makes it idempotent.
func (s *Seawall) Hold(ctx context.Context, order string, request []byte) (Answer, error) {
	return s.remote.hold(ctx, order, request)
}

// Transport returns the policies that requests go through.
func (s *Seawall) Transport() *httpx.Transport { return s.transport }
