package grpcx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/grpcx"
)

// A call that has only just begun does not look at the clock. Who waits is told the truth all the same.
func TestALimitThatPassesInAWaitIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := errors.New("the limit")
		within, cancel := context.WithTimeoutCause(t.Context(), time.Second, limit)
		defer cancel()
		ctx, _ := grpcx.Fresh(within, t.Context())
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != time.Second || ctx.Err() != nil {
			t.Errorf("ends at %v, %v, %v", deadline, ok, ctx.Err())
		}
		<-ctx.Done()
		if ctx.Err() != context.DeadlineExceeded || context.Cause(ctx) != limit { //nolint:errorlint // neither is wrapped
			t.Errorf("%v because of %v", ctx.Err(), context.Cause(ctx))
		}
	})
}

func TestALimitThatPassesInAnAttemptIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		within, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ctx, age := grpcx.Fresh(within, t.Context())
		time.Sleep(2 * time.Second)
		if age(); ctx.Err() != context.DeadlineExceeded {
			t.Errorf("got %v", ctx.Err())
		}
	})
}

func TestACallerWhoHasLeftIsSeenAtOnce(t *testing.T) {
	caller, leave := context.WithCancel(t.Context())
	within, cancel := context.WithTimeout(caller, time.Minute)
	defer cancel()
	ctx, _ := grpcx.Fresh(within, caller)
	if leave(); ctx.Err() != context.Canceled {
		t.Errorf("got %v", ctx.Err())
	}
}

// Package context knows what the context is derived from, so that it starts no goroutine for those derived from it.
func TestWhatIsDerivedFromAFreshContextEndsWithIt(t *testing.T) {
	caller, leave := context.WithCancelCause(t.Context())
	within, cancel := context.WithTimeout(caller, time.Minute)
	defer cancel()
	ctx, _ := grpcx.Fresh(within, caller)
	derived, stop := context.WithCancel(ctx)
	defer stop()
	why := errors.New("left")
	leave(why)
	if derived.Err() != context.Canceled || context.Cause(derived) != why { //nolint:errorlint // neither is wrapped
		t.Errorf("%v because of %v", derived.Err(), context.Cause(derived))
	}
}
