package papers_test

import (
	"context"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/seawall-go/seawall/bulkhead"
)

// ours is the adaptive bulkhead as it comes, but for the queue: without one, as the others come.
type ours struct{ *bulkhead.Adaptive }

func defaultLimiter() limiter { return adaptiveBulkhead(0) }
func aimdLimiter() limiter    { return adaptiveBulkhead(bulkhead.AIMD) }

func adaptiveBulkhead(a bulkhead.Algorithm) limiter {
	return ours{bulkhead.NewAdaptive("adaptive", bulkhead.AdaptiveConfig{
		Algorithm: a, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Registry: silent(),
	})}
}

func (o ours) enter() (func(error), bool) {
	permit, err := o.Acquire(context.Background())
	if err != nil {
		return nil, false
	}
	return func(err error) { permit.Done(err) }, true
}

func (o ours) limit() int { return o.Stats().Limit }

// failsafeLimiter is failsafe-go's adaptive limiter with its defaults. As in its own executor, the end of a call counts
// whatever its error is.
type failsafeLimiter struct {
	adaptivelimiter.AdaptiveLimiter[any]
}

func newFailsafeLimiter() limiter {
	return failsafeLimiter{adaptivelimiter.NewWithDefaults[any]()}
}

func (f failsafeLimiter) enter() (func(error), bool) {
	permit, ok := f.TryAcquirePermit()
	if !ok {
		return nil, false
	}
	return func(error) { permit.Record() }, true
}

func (f failsafeLimiter) limit() int { return f.Limit() }

// restated is a limiter around the algorithm of a system that is not written in Go, restated from its description.
type restated struct {
	algorithm
	inFlight int
}

// algorithm learns from samples.
type algorithm interface {
	limit() int
	// sample is told of a call that has ended; inFlight counts it and those that were in when it came.
	sample(began, took time.Duration, inFlight int, dropped bool)
}

func (r *restated) enter() (func(error), bool) {
	if r.inFlight >= r.limit() {
		return nil, false
	}
	r.inFlight++
	began, inFlight := clock(), r.inFlight
	return func(err error) {
		r.inFlight--
		r.sample(began, clock()-began, inFlight, err != nil)
	}, true
}

// clock is the time of the bubble.
func clock() time.Duration { return time.Since(bubbleBegins) }

var bubbleBegins = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
