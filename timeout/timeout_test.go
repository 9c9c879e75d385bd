package timeout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// T58
func TestOnlyTheCallersDeadlineYieldsDeadlineExceeded(t *testing.T) {
	gone := errors.New("user closed the page")
	for _, row := range []struct {
		name    string
		caller  func(context.Context) (context.Context, context.CancelFunc)
		ours    bool
		err     error // of the context, if not ours
		cause   error // of the context, if not ours
		counted timeout.Stats
	}{
		{
			name: "our limit", ours: true, counted: timeout.Stats{Expired: 1},
			caller: func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
		},
		{
			name: "our limit, the caller's deadline later", ours: true, counted: timeout.Stats{Expired: 1},
			caller: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second+1)
			},
		},
		{
			name: "the caller's deadline", counted: timeout.Stats{CallerExpired: 1},
			err: context.DeadlineExceeded, cause: context.DeadlineExceeded,
			caller: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second-1)
			},
		},
		{
			name: "both at the same instant", counted: timeout.Stats{CallerExpired: 1},
			err: context.DeadlineExceeded, cause: context.DeadlineExceeded,
			caller: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			},
		},
		{
			name: "the caller's deadline, with a cause", counted: timeout.Stats{CallerExpired: 1},
			err: context.DeadlineExceeded, cause: gone,
			caller: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeoutCause(ctx, time.Second/2, gone)
			},
		},
		{
			name: "the caller leaves", counted: timeout.Stats{Canceled: 1},
			err: context.Canceled, cause: gone,
			caller: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(time.Second/2, func() { cancel(gone) })
				return ctx, func() { cancel(nil) }
			},
		},
	} {
		for how, op := range waitingOps {
			t.Run(row.name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					limit := newTimeout(t, time.Second)
					ctx, cancel := row.caller(t.Context())
					defer cancel()
					var inner context.Context
					var returned error
					err := limit.Do(ctx, func(ctx context.Context) error {
						inner = ctx
						returned = op(ctx)
						cause := context.Cause(ctx)
						if row.ours && !isOurs(cause, "test") || !row.ours && !errors.Is(cause, row.cause) {
							t.Errorf("cause is %v", cause)
						}
						return returned
					})
					if row.ours {
						checkExceeded(t, err, returned)
					} else if err != returned { //nolint:errorlint // bare
						t.Errorf("got %v, want %v untouched", err, returned)
					} else if !errors.Is(err, row.err) && !errors.Is(err, row.cause) {
						t.Errorf("error is %v", err)
					}
					if inner.Err() == nil || !isClosed(inner.Done()) {
						t.Error("the context lives on")
					}
					if s := limit.Stats(); s != row.counted {
						t.Errorf("stats are %+v, want %+v", s, row.counted)
					}
				})
			})
		}
	}
}

// waitingOps end when their context does, each in its own way.
var waitingOps = map[string]func(context.Context) error{
	"Err": func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	},
	"Err without Done": func(ctx context.Context) error {
		for ctx.Err() == nil {
			time.Sleep(time.Second / 2)
			synctest.Wait()
		}
		return ctx.Err()
	},
	"wrapped Err": func(ctx context.Context) error {
		<-ctx.Done()
		return fmt.Errorf("reading: %w", ctx.Err())
	},
	"joined Err": func(ctx context.Context) error {
		<-ctx.Done()
		return errors.Join(errDown, ctx.Err())
	},
	"Cause": func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	},
	"Cause of a child": func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(context.WithValue(ctx, childKey{}, 1))
		defer cancel()
		<-ctx.Done()
		return fmt.Errorf("reading: %w", context.Cause(ctx))
	},
}

type childKey struct{}

// checkExceeded checks the error of a call that exceeded its limit and returned op.
func checkExceeded(t *testing.T, err, op error) {
	t.Helper()
	if !isOurs(err, "test") || !errors.Is(err, timeout.ErrExceeded) {
		t.Errorf("error is %v", err)
	}
	for _, foreign := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, foreign) || errors.Is(fmt.Errorf("wrapped: %w", err), foreign) {
			t.Errorf("%v matches %v", err, foreign)
		}
	}
	if errors.Is(op, errDown) != errors.Is(err, errDown) {
		t.Errorf("%v lost what is in %v", err, op)
	}
	want := seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent}
	if v := seawall.Classify(err); v != want { // T13: our timeout is a failure
		t.Errorf("verdict is %+v", v)
	}
}

// T13
func TestDeadContextRunsNothing(t *testing.T) {
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	limit := newTimeout(t, time.Second)
	runs := 0
	op := func(context.Context) error { runs++; return nil }
	if err := limit.Do(ctx, op); err != gone { //nolint:errorlint // bare
		t.Errorf("error is %v", err)
	}
	if inner, err := limit.Enter(ctx); inner != nil || err != gone { //nolint:errorlint // bare
		t.Errorf("Enter gave %v, %v", inner, err)
	}
	if s := limit.Stats(); runs != 0 || s.Calls() != 0 {
		t.Errorf("op ran %d times, stats are %+v", runs, s)
	}
}

// T59
func TestOpRunsOnTheCallersGoroutineAndIsNeverAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		start, returned := time.Now(), false
		caller, before := goroutine(), runtime.NumGoroutine()
		err := limit.Do(t.Context(), func(ctx context.Context) error {
			if goroutine() != caller {
				t.Error("op runs on another goroutine")
			}
			time.Sleep(time.Hour) // ignores its context
			returned = true
			return errDown
		})
		if !returned || time.Since(start) != time.Hour || runtime.NumGoroutine() != before {
			t.Error("Do did not wait for op, or left something running")
		}
		if !errors.Is(err, timeout.ErrExceeded) || !errors.Is(err, errDown) {
			t.Errorf("error is %v", err)
		}
		if want := `timeout "test": limit of 1s exceeded: connection refused`; err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	})
}

// goroutine returns the first line of a stack, which has the goroutine's number.
func goroutine() string {
	buf := make([]byte, 64)
	line, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte("["))
	return string(line)
}

// T59: late success is success.
func TestSuccessAfterTheLimitIsSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		for _, look := range []func(context.Context) error{
			func(context.Context) error { return nil },
			context.Context.Err,
			func(ctx context.Context) error { <-ctx.Done(); return nil },
		} {
			got, err := seawall.Call(t.Context(), limit, func(ctx context.Context) (string, error) {
				time.Sleep(time.Minute)
				_ = look(ctx)
				return "value", nil
			})
			if got != "value" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		}
		if s := limit.Stats(); s != (timeout.Stats{Ended: 3}) {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestErrorBeforeTheLimitPassesUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		for _, err := range []error{errDown, context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded} {
			got := limit.Do(t.Context(), func(ctx context.Context) error {
				time.Sleep(time.Second - 1)
				return err
			})
			if got != err { //nolint:errorlint // untouched
				t.Errorf("got %v, want %v", got, err)
			}
		}
		if s := limit.Stats(); s != (timeout.Stats{Ended: 4}) {
			t.Errorf("stats are %+v", s)
		}
	})
}

// T2
func TestPanicAndGoexitEndTheContextAndAreCounted(t *testing.T) {
	limit := newTimeout(t, time.Hour)
	var inner []context.Context
	for _, look := range []func(context.Context){
		func(context.Context) {},
		func(ctx context.Context) { _ = ctx.Done() },
	} {
		func() {
			defer func() {
				if value := recover(); value != errDown { //nolint:errorlint // the very value
					t.Errorf("recovered %v", value)
				}
			}()
			_ = limit.Do(t.Context(), func(ctx context.Context) error {
				look(ctx)
				inner = append(inner, ctx)
				panic(errDown)
			})
		}()
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = limit.Do(t.Context(), func(ctx context.Context) error {
				look(ctx)
				inner = append(inner, ctx)
				runtime.Goexit()
				return nil
			})
		})
		wg.Wait()
	}
	for _, ctx := range inner {
		if ctx.Err() != context.Canceled || !isClosed(ctx.Done()) {
			t.Errorf("the context lives on: %v", ctx.Err())
		}
	}
	if s := limit.Stats(); s != (timeout.Stats{Aborted: 4}) || s.Calls() != 4 {
		t.Errorf("stats are %+v", s)
	}
}

func TestRecordNamesTheTimeoutThatEndedTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Second)
		ctx, record := seawall.WithRecord(t.Context())
		_ = limit.Do(ctx, func(context.Context) error { return errDown })
		if f := record.Facts(); f != (seawall.Facts{}) {
			t.Errorf("facts of an ordinary failure are %+v", f)
		}
		_ = limit.Do(ctx, waitingOps["Err"])
		if f := record.Facts(); f != (seawall.Facts{DecidedBy: `timeout "test"`}) {
			t.Errorf("facts are %+v", f)
		}
	})
}

func TestOffSetsNoLimitAndCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := newTimeout(t, timeout.Off)
		around := newTimeout(t, time.Hour)
		err := seawall.Chain(around, off).Do(t.Context(), func(ctx context.Context) error {
			time.Sleep(time.Minute)
			return off.Do(ctx, func(inner context.Context) error {
				if inner != ctx {
					t.Error("it made a context")
				}
				return errDown
			})
		})
		if err != errDown { //nolint:errorlint // untouched
			t.Errorf("error is %v", err)
		}
		// The scope of the Timeout around it belongs to that one, and is not ended by the Leave of the other.
		ctx, leave := enter(t, around, t.Context())
		inner, leaveInner := enter(t, off, ctx)
		_ = leaveInner(nil)
		if inner.Err() != nil || ctx.Err() != nil {
			t.Error("the Leave of the one ended the scope of the other")
		}
		_ = leave(nil)
		if s := off.Stats(); s != (timeout.Stats{Ended: 3}) {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestOffStillTellsHowTheCallerEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := newTimeout(t, timeout.Off)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = off.Do(ctx, waitingOps["Err"])
		ctx, cancel = context.WithCancel(t.Context())
		_ = off.Do(ctx, func(context.Context) error { cancel(); return errDown })
		if s := off.Stats(); s != (timeout.Stats{CallerExpired: 1, Canceled: 1}) {
			t.Errorf("stats are %+v", s)
		}
	})
}
