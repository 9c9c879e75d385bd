package storetest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/httpx/storetest"
)

// waiting is a store whose database does not answer, and what can be wrong with it.
type waiting struct{ bug string }

func (s waiting) wait(ctx context.Context, call string) error {
	switch s.bug {
	case "ignores the context of " + call:
		time.Sleep(time.Hour)
		return errors.New("the database is gone")
	case "sees no deadline in " + call:
		if <-ctx.Done(); errors.Is(ctx.Err(), context.DeadlineExceeded) {
			time.Sleep(time.Hour)
		}
	case "says that it did " + call:
		<-ctx.Done()
		return nil
	case "answers " + call:
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s waiting) Begin(ctx context.Context, _ httpx.Lease) (httpx.Claim, error) {
	return httpx.Claim{State: httpx.ClaimNew}, s.wait(ctx, "begin")
}

func (s waiting) Finish(ctx context.Context, _ httpx.Lease, _ httpx.StoredAnswer, _ time.Duration) error {
	return s.wait(ctx, "finish")
}

func (s waiting) Release(ctx context.Context, _ httpx.Lease) error { return s.wait(ctx, "release") }

func TestStuckStoreThatGivesUpWithItsContextIsGood(t *testing.T) {
	storetest.RunStuck(t, func(*testing.T) httpx.IdempotencyStore { return waiting{} })
}

// As with TestSuiteFindsEveryWrongStore.
func TestSuiteFindsEveryStuckStoreThatDoesNotGiveUp(t *testing.T) {
	for _, call := range []string{"begin", "finish", "release"} {
		for _, bug := range []string{"ignores the context of ", "sees no deadline in ", "says that it did ", "answers "} {
			synctest.Test(t, func(t *testing.T) {
				failed := storetest.StuckFailures(t.Context(), func() httpx.IdempotencyStore { return waiting{bug + call} })
				if want := []string{"a " + call + " that waits ends with its context"}; !slices.Equal(failed, want) {
					t.Errorf("a store that %s%s: fails %q, want %q", bug, call, failed, want)
				}
				time.Sleep(2 * time.Hour) // until its calls have ended
			})
		}
	}
}
