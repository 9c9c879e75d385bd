package seawall_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
)

type callKey struct{}

// T68
func TestCallsOfAChainDoNotSeeEachOthersContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := seawall.Chain(
			&replacer{err: func(err error) error { return err }}, &scope{name: "total"}, &repeater{attempts: 3, wait: time.Millisecond},
			&racer{attempts: 2, delay: time.Millisecond}, &gate{},
			policy(func(ctx context.Context, op func(context.Context) error) error { return op(ctx) }), &scope{name: "attempt"},
		)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				errMine := errors.New("mine")
				deadline := time.Now().Add(time.Hour + time.Duration(i)*time.Second)
				ctx, stop := context.WithDeadline(context.WithValue(t.Context(), callKey{}, i), deadline)
				defer stop()
				ctx, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				leaves := i%3 == 0
				if leaves {
					time.AfterFunc(time.Duration(i)*time.Microsecond, func() { cancel(errMine) })
				}
				got, err := seawall.Call(ctx, chain, func(ctx context.Context) (int, error) {
					if at, ok := ctx.Deadline(); !ok || !at.Equal(deadline) || ctx.Value(callKey{}) != i {
						t.Errorf("call %d has the value %v and the deadline %v", i, ctx.Value(callKey{}), at)
					}
					if leaves {
						<-ctx.Done()
						if cause := context.Cause(ctx); !errors.Is(cause, errMine) && !errors.Is(cause, seawall.ErrLost) {
							t.Errorf("call %d has the cause %v", i, cause)
						}
						return 0, ctx.Err()
					}
					select {
					case <-ctx.Done():
						if !errors.Is(context.Cause(ctx), seawall.ErrLost) {
							t.Errorf("call %d is canceled: %v", i, context.Cause(ctx))
						}
					case <-time.After(2 * time.Millisecond):
					}
					return i, nil
				})
				if leaves != errors.Is(err, errMine) || !leaves && (got != i || err != nil) {
					t.Errorf("call %d got %d, %v", i, got, err)
				}
			})
		}
		all.Wait()
	})
}

// T13
func TestDeadContextRunsNothing(t *testing.T) {
	errLeft := errors.New("left")
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(errLeft)
	expired, stop := context.WithTimeout(t.Context(), -1)
	defer stop()
	policies := passing()
	policies["many"] = seawall.Chain(&replacer{value: 1}, &repeater{attempts: 3}, &racer{attempts: 2}, &gate{})
	for name, p := range policies {
		for want, ctx := range map[error]context.Context{errLeft: canceled, context.DeadlineExceeded: expired} {
			op := func(context.Context) (int, error) {
				t.Errorf("%s: op ran", name)
				return 0, nil
			}
			if _, err := seawall.Call(ctx, p, op); err != want { //nolint:errorlint // the very cause
				t.Errorf("%s: Call returned %v, want %v", name, err, want)
			}
			if _, err := seawall.CallDiscard(ctx, p, op, func(int) { t.Error("discarded") }); err != want { //nolint:errorlint // as above
				t.Errorf("%s: CallDiscard returned %v, want %v", name, err, want)
			}
			if err := seawall.Do(ctx, p, func(ctx context.Context) error { _, err := op(ctx); return err }); err != want { //nolint:errorlint // as above
				t.Errorf("%s: Do returned %v, want %v", name, err, want)
			}
			if g, ok := p.(*gate); ok && g.ended() != 0 {
				t.Error("the gate was asked")
			}
		}
	}
}
