package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall/retry"
)

func TestOneCallCanHaveMoreOrFewerAttemptsThanOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Funding: retry.NoBudget})
		for _, row := range []struct{ asked, want int }{{0, 1}, {1, 1}, {2, 2}, {7, 7}} {
			attempts := 0
			err := r.Do(retry.WithMaxAttempts(t.Context(), row.asked), func(context.Context) error {
				attempts++
				return errDown
			})
			if attempts != row.want || !errors.Is(err, errDown) || errors.Is(err, retry.ErrExhausted) != (row.want > 1) {
				t.Errorf("asked for %d: %d attempts, %v", row.asked, attempts, err)
			}
		}
	})
}

// It was a WARN for each such call, and counted as exhausted.
func TestCallThatMayBeMadeOnlyOnceExhaustsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cfg := range []retry.Config{{}, {MaxAttempts: 1}} {
			r, log := newRetry(t, cfg)
			ctx := t.Context()
			if cfg.MaxAttempts == 0 {
				ctx = retry.WithMaxAttempts(ctx, 1)
			}
			if err := r.Do(ctx, func(context.Context) error { return errDown }); !errors.Is(err, errDown) || errors.Is(err, retry.ErrExhausted) {
				t.Errorf("error %v, want that of the call, and nothing of attempts that were used up", err)
			}
			if s := r.Stats(); s.Exhausted != 0 || s.NotRetryable != 1 {
				t.Errorf("stats are %+v, want one call that was not retried, and none exhausted", s)
			}
			if events := log.named("seawall.retry.exhausted"); len(events) != 0 {
				t.Errorf("%d events that retries are exhausted, want none", len(events))
			}
		}
	})
}
