package benchmarks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	retrygo "github.com/avast/retry-go/v5"
	"github.com/cenkalti/backoff/v4"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/seawall-go/seawall/retry"
)

// What the retries have in common. None of it matters while nothing fails, but setting it up may cost.
const (
	attempts  = 3
	baseDelay = 100 * time.Millisecond
	maxDelay  = time.Second
)

// retries make up to three attempts with jittered exponential waits and no budget, except seawalldefault, which is
// whatever the zero Config is.
var retries = []subject{
	{"seawall", func(w work) func() error { return seawallRetry(w, unfundedRetry()) }},
	{"seawalldefault", func(w work) func() error { return seawallRetry(w, retry.Config{Registry: registry()}) }},
	{"failsafe", func(w work) func() error {
		executor := failsafe.With(failsafeRetry())
		return func() error { return executor.Run(w.plain) }
	}},
	{"backoff", func(w work) func() error {
		// One schedule for all calls, which is right for one goroutine only, and the cheapest way.
		schedule := backoff.WithMaxRetries(backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(baseDelay), backoff.WithMaxInterval(maxDelay),
		), attempts-1)
		return func() error { return backoff.Retry(w.plain, schedule) }
	}},
	{"retrygo", func(w work) func() error {
		r := retrygo.New(
			retrygo.Attempts(attempts), retrygo.Delay(baseDelay), retrygo.MaxDelay(maxDelay),
			retrygo.DelayType(retrygo.FullJitterBackoffDelay), retrygo.LastErrorOnly(true),
		)
		return func() error { return r.Do(w.plain) }
	}},
}

func seawallRetry(w work, cfg retry.Config) func() error {
	ctx, r := context.Background(), retry.New("benchmark", cfg)
	return func() error { return r.Do(ctx, w.ctx) }
}

// unfundedRetry is what the peers do.
func unfundedRetry() retry.Config {
	return retry.Config{
		MaxAttempts: attempts,
		Backoff:     retry.Backoff{Base: baseDelay, Max: maxDelay},
		Funding:     retry.NoBudget,
		Registry:    registry(),
	}
}

func failsafeRetry() retrypolicy.RetryPolicy[struct{}] {
	return retrypolicy.NewBuilder[struct{}]().
		WithMaxAttempts(attempts).WithBackoff(baseDelay, maxDelay).WithJitterFactor(0.5).Build()
}

func BenchmarkRetry(b *testing.B) {
	for _, s := range retries {
		b.Run(s.library, func(b *testing.B) {
			call := s.build(static)
			b.Run("success", func(b *testing.B) { serial(b, call) })
		})
	}
}

func TestBenchmarkedRetriesAreNotEmptyPaths(t *testing.T) {
	down := errors.New("down")
	for _, s := range retries {
		t.Run(s.library, func(t *testing.T) {
			for _, c := range []struct {
				failures, wantRuns int
				want               error
			}{{0, 1, nil}, {2, 3, nil}, {5, 3, down}} {
				synctest.Test(t, func(t *testing.T) {
					ran, start := 0, time.Now()
					call := s.build(doing(func() error {
						ran++
						if ran <= c.failures {
							return down
						}
						return nil
					}))
					if err := call(); !errors.Is(err, c.want) || ran != c.wantRuns {
						t.Errorf("%d failures: error %v after %d runs, want %v after %d", c.failures, err, ran, c.want, c.wantRuns)
					}
					if waited := time.Since(start) > 0; waited != (c.wantRuns > 1) {
						t.Errorf("%d failures: took %v", c.failures, time.Since(start))
					}
				})
			}
		})
	}
}
