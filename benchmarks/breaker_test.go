package benchmarks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/go-kratos/aegis/circuitbreaker/sre"
	"github.com/sony/gobreaker/v2"
	gozero "github.com/zeromicro/go-zero/core/breaker"
	"github.com/zeromicro/go-zero/core/logx"

	"github.com/seawall-go/seawall/breaker"
)

// What the breakers with a window have in common: they open at half of at least 20 calls in 10 s, kept in ten buckets.
const (
	windowTime  = 10 * time.Second
	failureRate = 0.5
	minCalls    = 20
)

// breakers guard calls by a failure rate over 10 s, except seawalldefault, which is whatever the zero Config is. The
// throttles of go-zero and aegis have a law of their own, Google's client-side throttling, and go-zero's is fixed.
var breakers = []subject{
	{"seawall", func(w work) func() error {
		return seawallBreaker(w, breaker.Config{
			FailureRate: failureRate,
			MinCalls:    minCalls,
			Window:      breaker.Window{Time: windowTime},
			Slow:        breaker.SlowCalls{Over: breaker.NoSlowCalls}, // of which the peers know nothing
			Registry:    registry(),
		})
	}},
	{"seawalldefault", func(w work) func() error { return seawallBreaker(w, breaker.Config{Registry: registry()}) }},
	{"gobreaker", func(w work) func() error {
		cb := gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Interval:     windowTime,
			BucketPeriod: windowTime / 10,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				return c.Requests >= minCalls && float64(c.TotalFailures) >= failureRate*float64(c.Requests)
			},
		})
		return func() error {
			_, err := cb.Execute(w.value)
			return err
		}
	}},
	{"failsafe", func(w work) func() error {
		executor := failsafe.With(failsafeBreaker())
		return func() error { return executor.Run(w.plain) }
	}},
	{"gozero", func(w work) func() error {
		cb := gozero.NewBreaker(gozero.WithName("benchmark"))
		return func() error { return cb.Do(w.plain) }
	}},
	{"aegis", func(w work) func() error {
		cb := sre.NewBreaker(
			sre.WithWindow(windowTime), sre.WithBucket(10), sre.WithSuccess(failureRate), sre.WithRequest(minCalls),
		)
		return func() error {
			if err := cb.Allow(); err != nil {
				cb.MarkFailed()
				return err
			}
			err := w.plain()
			if err != nil {
				cb.MarkFailed()
			} else {
				cb.MarkSuccess()
			}
			return err
		}
	}},
}

func seawallBreaker(w work, cfg breaker.Config) func() error {
	ctx, b := context.Background(), breaker.New("benchmark", cfg)
	return func() error { return b.Do(ctx, w.ctx) }
}

// failsafeBreaker keeps ten buckets of its own accord.
func failsafeBreaker() circuitbreaker.CircuitBreaker[struct{}] {
	return circuitbreaker.NewBuilder[struct{}]().WithFailureRateThreshold(failureRate, minCalls, windowTime).Build()
}

func BenchmarkBreaker(b *testing.B) { compare(b, breakers) }

func TestBenchmarkedBreakersAreNotEmptyPaths(t *testing.T) {
	logx.Disable() // go-zero reports each rejection as an alert
	for _, s := range breakers {
		t.Run(s.library, func(t *testing.T) {
			const calls = 1000
			ran, answer := 0, error(nil)
			call := s.build(doing(func() error { ran++; return answer }))

			for range calls {
				if err := call(); err != nil {
					t.Fatalf("a call that succeeds: %v", err)
				}
			}
			if ran != calls {
				t.Fatalf("%d of %d calls ran while nothing failed", ran, calls)
			}

			// Enough failures to drown the successes. The throttles reject a share that grows towards all.
			answer = errors.New("down")
			for range 20 * calls {
				_ = call() // its error is either the answer or a rejection, and the count of runs tells
			}
			ran = 0
			for range calls {
				_ = call()
			}
			if ran > calls/4 {
				t.Errorf("%d of %d calls still ran after all had failed for long", ran, calls)
			}
		})
	}
}
