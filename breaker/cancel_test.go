package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T13: as with an errgroup, one failing call cancels its siblings.
func TestCanceledSiblingsAreNoFailures(t *testing.T) {
	for _, cause := range []error{nil, errDown} { // an errgroup gives the first error as the cause
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(breaker.Config{MinCalls: 2, FailureRate: 0.01})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					err := b.Do(ctx, func(ctx context.Context) error {
						if i == 50 {
							time.Sleep(time.Second)
							return errDown
						}
						<-ctx.Done()
						return fmt.Errorf("sibling %d: %w", i, ctx.Err())
					})
					if err == nil {
						t.Error("no error")
					}
					if i == 50 {
						cancel(cause)
					}
				})
			}
			all.Wait()
			s := b.Stats()
			if s.Calls != (breaker.Counts{Failures: 1}) || s.Ignored != 99 {
				t.Errorf("counted %+v", s)
			}
			wantState(t, b, breaker.Closed)
		})
	}
}

// T13
func TestContextDecidesWhoCanceled(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, b *breaker.Breaker)
		want breaker.Totals
	}{
		{"context.Canceled under a live context", func(t *testing.T, b *breaker.Breaker) {
			_ = b.Do(t.Context(), func(context.Context) error { return context.Canceled })
		}, breaker.Totals{Calls: breaker.Counts{Failures: 1}}},
		{"a context of op's own is canceled", func(t *testing.T, b *breaker.Breaker) {
			_ = b.Do(t.Context(), func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				return ctx.Err()
			})
		}, breaker.Totals{Calls: breaker.Counts{Failures: 1}}},
		{"a limit of op's own passes", func(t *testing.T, b *breaker.Breaker) {
			_ = b.Do(t.Context(), func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				<-ctx.Done()
				return ctx.Err()
			})
		}, breaker.Totals{Calls: breaker.Counts{Failures: 1}}},
		{"the caller's deadline passes during the call", func(t *testing.T, b *breaker.Breaker) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := b.Do(ctx, func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the caller got %v", err)
			}
		}, breaker.Totals{Calls: breaker.Counts{Failures: 1}}},
		{"the caller leaves, and op fails otherwise", func(t *testing.T, b *breaker.Breaker) {
			ctx, cancel := context.WithCancel(t.Context())
			_ = b.Do(ctx, func(context.Context) error {
				cancel()
				return errDown
			})
		}, breaker.Totals{Ignored: 1}},
		{"the caller leaves, and op succeeds", func(t *testing.T, b *breaker.Breaker) {
			ctx, cancel := context.WithCancel(t.Context())
			_ = b.Do(ctx, func(context.Context) error {
				cancel()
				return nil
			})
		}, breaker.Totals{Calls: breaker.Counts{Successes: 1}}},
		{"by permit", func(t *testing.T, b *breaker.Breaker) {
			ctx, cancel := context.WithCancel(t.Context())
			p := acquire(t, b)
			cancel()
			p.Done(seawall.Settle(ctx, ctx.Err()))
		}, breaker.Totals{Ignored: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				strict := func(error) seawall.Verdict { return seawall.Verdict{Outcome: seawall.Failure} }
				for _, cfg := range []breaker.Config{{}, {Classify: strict}} { // which is not asked who has left
					b := newBreaker(cfg)
					c.do(t, b)
					got := b.Stats()
					if got.Calls != c.want.Calls || got.Ignored != c.want.Ignored {
						t.Errorf("counted %+v, want %+v", got, c.want)
					}
				}
			})
		})
	}
}

// T13
func TestDeadContextRunsNothingAndCountsNowhere(t *testing.T) {
	for _, state := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen} {
		t.Run(state.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(breaker.Config{MinCalls: 2, Probes: breaker.Probes{Calls: 2}})
				switch state {
				case breaker.Closed:
				case breaker.Open:
					trip(t, b)
				case breaker.HalfOpen:
					halfOpen(t, b)
					acquire(t, b)
				}
				before := b.Stats()
				ctx, cancel := context.WithCancelCause(t.Context())
				errLeft := errors.New("left")
				cancel(errLeft)
				op := func(context.Context) error {
					t.Error("op ran")
					return nil
				}
				if err := b.Do(ctx, op); err != errLeft { //nolint:errorlint // the very cause
					t.Errorf("Do returned %v", err)
				}
				if _, err := b.Acquire(ctx); err != errLeft { //nolint:errorlint // the very cause
					t.Errorf("Acquire returned %v", err)
				}
				if err := seawall.Chain(b).Do(ctx, op); err != errLeft { //nolint:errorlint // the very cause
					t.Errorf("the chain returned %v", err)
				}
				if after := b.Stats(); after != before {
					t.Errorf("counted %+v, had %+v", after, before)
				}
				if state == breaker.HalfOpen { // the other slot is still there
					acquire(t, b)
				}
			})
		})
	}
}
