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
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/retry"
)

// Seawall asks the inventory service through package httpx, a second time where a seat map is late, and answers for one from
// its last good copy when there is no other answer in time. While the service is in trouble it does not even ask
// for what it has a young copy of.
type Seawall struct {
	remote    remote
	transport *httpx.Transport
	seats     *cache.Cache[int64, copied]
	brownout  *degrade.Brownout
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
	// YoungFor is how old a copy may be that is taken in a brownout without asking. What is saved is for the holds.
	YoungFor = 3 * time.Second
)

// NewSeawall makes a Seawall on a transport.
func NewSeawall(base string, transport http.RoundTripper, registry *seawall.Registry) *Seawall {
	s := &Seawall{}
	s.transport = httpx.NewTransport("inventory", httpx.ClientConfig{
		// An attempt has no limit of its own: a read has ReadWithin, and a hold that was cut off after a third of the second
		// would be refused late.
		Timeout: time.Second, AttemptTimeout: httpx.Off,
		Retry: retry.Config{Backoff: retry.Backoff{Base: 20 * time.Millisecond, Max: 200 * time.Millisecond}},
		// A copy may be 15 s old, and a fault of 12 s leaves three seconds for the way back to fresh ones: so it asks again
		// every second, also if it is told to come back later. There is no ramp: the inventory takes in what it can serve,
		// whoever comes back.
		Breaker: breaker.Config{
			Window:  breaker.Window{Time: time.Second},
			OpenFor: 500 * time.Millisecond, OpenGrowth: 2, MaxOpenFor: time.Second, MaxRetryAfter: time.Second,
			Ramp: breaker.Ramp{Start: breaker.NoRamp},
		},
		// Within the budget of the retries. Seat maps only: a hold changes something, and is not sent twice to be quicker.
		Hedge:     &hedge.Config{},
		HedgeIf:   func(r *http.Request) bool { return r.Method == http.MethodGet },
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
	s.brownout = degrade.NewBrownout("seats", degrade.BrownoutConfig{
		Sheddable: degrade.Threshold{Enter: 0.25}, SheddablePlus: degrade.Threshold{Enter: degrade.Never},
		Interval: time.Second, Signal: (&strain{transport: s.transport}).read, Registry: registry,
	})
	return s
}

// SeatMap asks for a seat map, once for all who want it at the time, or takes the last good copy.
func (s *Seawall) SeatMap(ctx context.Context, performance int64) (SeatMap, error) {
	if !s.brownout.Allows(ctx, seawall.Sheddable) { // to ask for what is hardly out of date
		if r, ok := s.seats.Peek(performance); ok {
			if m := r.Value.aged(); m.Age < YoungFor {
				return m, nil
			}
		}
	}
	r, err := s.seats.Lookup(ctx, performance, nil)
	if r.State != cache.Stale {
		return r.Value.SeatMap, err
	}
	m := r.Value.aged()
	if m.Age > StaleFor {
		return SeatMap{}, cmp.Or(r.Cause, errNoCopy)
	}
	return m, err
}

// aged is the copy with its age, which counts from the question. The cache counts from the answer.
func (c copied) aged() SeatMap {
	c.Age = time.Since(c.asked)
	return c.SeatMap
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

// Brownout returns what decides whether a young copy will do.
func (s *Seawall) Brownout() *degrade.Brownout { return s.brownout }

// Transport returns the policies that requests go through.
func (s *Seawall) Transport() *httpx.Transport { return s.transport }
