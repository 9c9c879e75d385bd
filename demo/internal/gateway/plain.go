package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// Plain asks the inventory service the way a careful developer does without a resilience library: a timeout on every
// attempt, some retries with exponential backoff and full jitter when there was no answer or one that says "not now", and
// it stops when its caller has gone.
type Plain struct {
	remote  remote
	retries int
}

const plainBackoff = 50 * time.Millisecond

// NewPlain makes a Plain on a transport. Each attempt gets the timeout; up to so many retries follow the first one.
func NewPlain(base string, transport http.RoundTripper, timeout time.Duration, retries int) *Plain {
	return &Plain{remote{&http.Client{Transport: transport, Timeout: timeout}, base}, retries}
}

// SeatMap asks for a seat map.
func (p *Plain) SeatMap(ctx context.Context, performance int64) (m SeatMap, err error) {
	err = p.retry(ctx, func(ctx context.Context) error {
		m, err = p.remote.seatMap(ctx, performance)
		return err
	})
	return m, err
}

// Hold holds seats. It may be repeated, because the order's id makes it idempotent.
func (p *Plain) Hold(ctx context.Context, order string, request []byte) (a Answer, err error) {
	err = p.retry(ctx, func(ctx context.Context) error {
		a, err = p.remote.hold(ctx, order, request)
		return err
	})
	return a, err
}

// retry repeats what failed with no answer, or with one that says "not now". It waits at least as long as the service
// asks for.
func (p *Plain) retry(ctx context.Context, attempt func(context.Context) error) error {
	for n := 0; ; n++ {
		err := attempt(context.WithValue(ctx, attemptKey{}, n+1))
		if err == nil || n == p.retries || ctx.Err() != nil {
			return err
		}
		wait := rand.N(plainBackoff << n)
		unavailable, refused := errors.AsType[*unavailableError](err)
		if _, lost := errors.AsType[*url.Error](err); !lost && !refused {
			return err // an answer, and the next one would say the same
		}
		if refused {
			wait = max(wait, unavailable.after)
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
