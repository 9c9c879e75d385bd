package benchmarks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	failsafebulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
)

// openFor is how long the breakers stay open: longer than any benchmark runs.
const openFor = time.Hour

// rejector is one library's way to turn a call away. build makes a gate that lets calls pass until it is shut, as it is
// shut in life: a breaker by failures, a bulkhead by calls that stay inside.
type rejector struct {
	library   string
	gate      string
	rejection error // what a rejected call ends with
	build     func(w work) (call func() error, shut func() error)
}

var errNoSlot = errors.New("no slot")

var rejectors = []rejector{
	{"seawall", "breaker", breaker.ErrOpen, func(w work) (call, shut func() error) {
		ctx, b := context.Background(), breaker.New("benchmark", breaker.Config{
			FailureRate: failureRate,
			MinCalls:    minCalls,
			Window:      breaker.Window{Time: windowTime},
			OpenFor:     openFor,
			Registry:    registry(),
		})
		fail := func(context.Context) error { return errDown }
		return func() error { return b.Do(ctx, w.ctx) }, untilRejected(func() error { return b.Do(ctx, fail) })
	}},
	{"gobreaker", "breaker", gobreaker.ErrOpenState, func(w work) (call, shut func() error) {
		cb := gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Interval:     windowTime,
			BucketPeriod: windowTime / 10,
			Timeout:      openFor,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				return c.Requests >= minCalls && float64(c.TotalFailures) >= failureRate*float64(c.Requests)
			},
		})
		do := func(op func() (struct{}, error)) func() error {
			return func() error {
				_, err := cb.Execute(op)
				return err
			}
		}
		return do(w.value), untilRejected(do(func() (struct{}, error) { return struct{}{}, errDown }))
	}},
	{"failsafe", "breaker", circuitbreaker.ErrOpen, func(w work) (call, shut func() error) {
		executor := failsafe.With(circuitbreaker.NewBuilder[struct{}]().
			WithFailureRateThreshold(failureRate, minCalls, windowTime).WithDelay(openFor).Build())
		fail := func() error { return errDown }
		return func() error { return executor.Run(w.plain) }, untilRejected(func() error { return executor.Run(fail) })
	}},
	{"seawall", "bulkhead", bulkhead.ErrFull, func(w work) (call, shut func() error) {
		ctx, b := context.Background(), bulkhead.New("benchmark", bulkhead.Config{
			Limit:    slots,
			Queue:    bulkhead.Queue{Limit: bulkhead.NoQueue},
			Registry: registry(),
		})
		call = func() error {
			permit, err := b.Acquire(ctx)
			if err != nil {
				return err
			}
			err = w.plain()
			permit.Done(err)
			return err
		}
		inside := make([]seawall.Permit, slots)
		shut = func() (err error) {
			for i := range inside {
				if inside[i], err = b.Acquire(ctx); err != nil {
					return err
				}
			}
			return nil
		}
		return call, shut
	}},
	{"failsafe", "bulkhead", failsafebulkhead.ErrFull, func(w work) (call, shut func() error) {
		ctx, b := context.Background(), failsafebulkhead.New[struct{}](slots)
		call = func() error {
			if err := b.AcquirePermitWithMaxWait(ctx, 0); err != nil {
				return err
			}
			err := w.plain()
			b.ReleasePermit()
			return err
		}
		return call, repeated(slots, func() error { return b.AcquirePermit(ctx) })
	}},
	{"xsync", "bulkhead", errNoSlot, func(w work) (call, shut func() error) {
		s := semaphore.NewWeighted(slots)
		call = func() error {
			if !s.TryAcquire(1) {
				return errNoSlot
			}
			err := w.plain()
			s.Release(1)
			return err
		}
		return call, repeated(slots, func() error { return s.Acquire(context.Background(), 1) })
	}},
}

// untilRejected makes calls that fail until one ends with something else than their failure.
func untilRejected(call func() error) (shut func() error) {
	return func() error {
		for range 1000 {
			if err := call(); !errors.Is(err, errDown) {
				return nil
			}
		}
		return errors.New("1000 failures did not open the breaker")
	}
}

func repeated(n int, f func() error) func() error {
	return func() error {
		for range n {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	}
}

var errAdmitted = errors.New("the call was let in")

// BenchmarkRejected is the price of a call that is turned away, which in an outage is what nearly all calls are.
func BenchmarkRejected(b *testing.B) {
	for _, r := range rejectors {
		b.Run(r.library+"/"+r.gate, func(b *testing.B) {
			call, shut := r.build(static)
			if err := shut(); err != nil {
				b.Fatal(err)
			}
			rejected := func() error {
				if call() == nil {
					return errAdmitted
				}
				return nil
			}
			b.Run("serial", func(b *testing.B) { serial(b, rejected) })
			b.Run("parallel", func(b *testing.B) { parallel(b, rejected) })
		})
	}
}

func TestBenchmarkedRejectionsAreNotEmptyPaths(t *testing.T) {
	for _, r := range rejectors {
		t.Run(r.library+"/"+r.gate, func(t *testing.T) {
			ran := 0
			call, shut := r.build(doing(func() error { ran++; return nil }))
			for range 3 {
				if err := call(); err != nil {
					t.Fatalf("a call through a gate that is not shut: %v", err)
				}
			}
			if ran != 3 {
				t.Fatalf("%d of 3 calls ran before the gate was shut", ran)
			}
			if err := shut(); err != nil {
				t.Fatal(err)
			}
			for range 1000 {
				if err := call(); !errors.Is(err, r.rejection) {
					t.Fatalf("a call through a shut gate ended with %v, want %v", err, r.rejection)
				}
			}
			if ran != 3 {
				t.Errorf("%d calls ran although the gate was shut", ran-3)
			}
		})
	}
}
