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
			if attempts != row.want || !errors.Is(err, errDown) || !errors.Is(err, retry.ErrExhausted) {
				t.Errorf("asked for %d: %d attempts, %v", row.asked, attempts, err)
			}
		}
	})
}
