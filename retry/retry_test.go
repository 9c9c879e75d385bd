package retry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

func TestFirstSuccessEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{})
		for failures := range 3 {
			runs := 0
			errs := append(make([]error, 0, 3), []error{errDown, errDown}[:failures]...)
			if err := r.Do(t.Context(), script(&runs, append(errs, nil)...)); err != nil {
				t.Fatalf("after %d failures: %v", failures, err)
			}
			if runs != failures+1 {
				t.Errorf("%d failures: op ran %d times", failures, runs)
			}
		}
		want := retry.Stats{FirstTry: 1, Recovered: 2, Attempts: 6}
		got := r.Stats()
		got.Budget = 0
		if got != want {
			t.Errorf("stats are %+v, want %+v", got, want)
		}
	})
}

// T5
func TestNestedRetriesMultiply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer, _ := newRetry(t, retry.Config{Funding: retry.NoBudget})
		inner, _ := newRetry(t, retry.Config{Funding: retry.NoBudget})
		runs, numbers := 0, ""
		err := seawall.Chain(outer, inner).Do(t.Context(), func(ctx context.Context) error {
			runs++
			numbers += fmt.Sprint(seawall.Attempt(ctx))
			return errDown
		})
		if runs != 9 {
			t.Errorf("op ran %d times, want 9", runs)
		}
		if numbers != "123223323" {
			t.Errorf("attempts had the numbers %s, want 123223323", numbers)
		}
		if e := asError(t, err); e.Attempts != 3 || !errors.Is(err, errDown) {
			t.Errorf("error is %v with %d attempts", err, e.Attempts)
		}
		if o, i := outer.Stats(), inner.Stats(); o.Exhausted != 1 || i.Exhausted != 3 || i.Attempts != 9 {
			t.Errorf("outer is %+v, inner %+v", o, i)
		}
	})
}

// The same Retry twice in a chain: its calls share nothing, although one runs inside of the other (T5).
func TestOneRetryInsideOfItselfSharesNoCallState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Funding: retry.NoBudget})
		runs := 0
		_ = seawall.Chain(r, r).Do(t.Context(), counting(&runs, down))
		if runs != 9 {
			t.Errorf("op ran %d times, want 9", runs)
		}
	})
}

// twins is a Racer that starts two attempts at once, and waits for both.
type twins struct{}

func (p twins) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, p, op)
}
func (twins) Race(context.Context) seawall.Race { return &pair{} }

type pair struct{ started int }

func (p *pair) Next() (time.Duration, bool)     { return 0, p.started < 2 }
func (p *pair) Started(n int) bool              { p.started = n; return true }
func (p *pair) Ended(int, error) seawall.Finish { return seawall.KeepRunning }
func (p *pair) End(winner int, err error) error { return err }

// T5: attempts that race go through one Retry, each with a count of its own.
func TestRacingCallsShareNoCallState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Funding: retry.NoBudget})
		chain := seawall.Chain(twins{}, r)
		var runs atomic.Int64
		for range 200 {
			err := chain.Do(t.Context(), func(context.Context) error {
				runs.Add(1)
				return errDown
			})
			if e := asError(t, err); e.Attempts != 3 || len(e.Unwrap()) != 4 {
				t.Fatalf("error is %v, with %d parts", e, len(e.Unwrap()))
			}
		}
		if s := r.Stats(); runs.Load() != 1200 || s.Exhausted != 400 || s.Attempts != 1200 {
			t.Errorf("op ran %d times: %+v", runs.Load(), s)
		}
	})
}

// T13
func TestDeadContextRunsNothing(t *testing.T) {
	r, _ := newRetry(t, retry.Config{})
	cause := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	runs := 0
	if err := r.Do(ctx, counting(&runs, down)); err != cause { //nolint:errorlint // it is returned bare
		t.Errorf("error is %v, want the cause", err)
	}
	if s := r.Stats(); runs != 0 || s.Calls() != 0 || s.Attempts != 0 {
		t.Errorf("op ran %d times, stats are %+v", runs, s)
	}
}

// T13
func TestCancellationInsideOpIsAFailureLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{})
		for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
			runs := 0
			if err := r.Do(t.Context(), script(&runs, fmt.Errorf("inner: %w", cause), nil)); err != nil || runs != 2 {
				t.Errorf("%v under a living context: %d attempts, error %v", cause, runs, err)
			}
		}
	})
}

// T13
func TestCallerThatLeavesIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{})
		for n := 1; n <= 2; n++ {
			ctx, cancel := context.WithCancel(t.Context())
			runs := 0
			err := r.Do(ctx, counting(&runs, func(context.Context) error {
				if runs == n {
					cancel()
				}
				return errDown
			}))
			if runs != n || !errors.Is(err, errDown) {
				t.Errorf("canceled in attempt %d: op ran %d times, error %v", n, runs, err)
			}
			if n == 1 && err != errDown { //nolint:errorlint // it is returned untouched
				t.Errorf("the first attempt's error is %v", err)
			}
			if n == 2 && !errors.Is(err, context.Canceled) {
				t.Errorf("the error %v does not match the context's cause", err)
			}
			if s := r.Stats(); s.Canceled != int64(n) {
				t.Errorf("stats are %+v", s)
			}
		}
	})
}

// The caller's deadline that passes during an attempt is time that ran out, not a caller that left.
func TestDeadlineThatPassesDuringAnAttemptIsOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		runs := 0
		err := r.Do(ctx, counting(&runs, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		if runs != 1 || !errors.Is(err, retry.ErrOutOfTime) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("op ran %d times, error %v", runs, err)
		}
		if s := r.Stats(); s.OutOfTime != 1 || s.Calls() != 1 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestVerdictDecidesWhatIsRepeated(t *testing.T) {
	verdict := func(o seawall.Outcome, r seawall.Repeat) error {
		return &adapterError{seawall.Verdict{Outcome: o, Repeat: r}}
	}
	rejection := seawall.Reject("breaker", "b", seawall.ReasonOpen, seawall.ErrRejected, time.Second)
	for _, row := range []struct {
		name          string
		err           error
		notIdempotent bool
		repeated      bool
	}{
		{name: "plain error", err: errDown, repeated: true},
		{name: "plain error, not idempotent", err: errDown, notIdempotent: true},
		{
			name: "nothing was done, not idempotent", err: verdict(seawall.Failure, seawall.RepeatAlways),
			notIdempotent: true, repeated: true,
		},
		{name: "never", err: verdict(seawall.Failure, seawall.RepeatNever)},
		{name: "seawall.Permanent", err: seawall.Permanent(errDown)},
		{name: "backoff.Permanent", err: fmt.Errorf("wrapped: %w", backoff.Permanent(errDown))},
		{name: "overload", err: verdict(seawall.Overload, seawall.RepeatIfIdempotent), repeated: true},
		{name: "ignored", err: verdict(seawall.Ignored, seawall.RepeatAlways)},
		{name: "rejection by a gate", err: rejection},
		{name: "an answer that says no", err: verdict(seawall.Success, seawall.RepeatNever)},
		{name: "an answer that says not yet", err: verdict(seawall.Success, seawall.RepeatAlways), repeated: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _ := newRetry(t, retry.Config{})
				ctx := t.Context()
				if row.notIdempotent {
					ctx = seawall.NotIdempotent(ctx)
				}
				runs := 0
				err := r.Do(ctx, script(&runs, row.err, nil))
				switch {
				case row.repeated && (runs != 2 || err != nil):
					t.Errorf("%d attempts, error %v", runs, err)
				case !row.repeated && (runs != 1 || err != row.err): //nolint:errorlint // it is returned untouched
					t.Errorf("%d attempts, error %v, want the error untouched after one", runs, err)
				}
			})
		})
	}
}

func TestClassifierIsNotAskedAboutSuccessAndCancellation(t *testing.T) {
	asked := 0
	r, _ := newRetry(t, retry.Config{Classify: func(error) seawall.Verdict { asked++; return seawall.Verdict{} }})
	ctx, cancel := context.WithCancel(t.Context())
	_ = r.Do(ctx, succeed)
	_ = r.Do(ctx, func(context.Context) error { cancel(); return errDown })
	if asked != 0 {
		t.Errorf("it was asked %d times", asked)
	}
}

// An error that is an answer counts as a success, in the results as in the budget.
func TestAnswerThatSaysNoIsASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Backoff: steady, BudgetConfig: seawall.BudgetConfig{Ratio: 0.5, Burst: 2}})
		no := &adapterError{seawall.Verdict{Outcome: seawall.Success}}
		runs := 0
		err := r.Do(t.Context(), script(&runs, errDown, no))
		if e := asError(t, err); e.Last != no || e.Why != nil || e.Verdict() != no.verdict { //nolint:errorlint // bare
			t.Errorf("error is %+v", e)
		}
		if s := r.Stats(); s.Recovered != 1 || s.Calls() != 1 || s.Budget != 1.5 {
			t.Errorf("stats are %+v, want 1 recovered and a budget of 2 - 1 + 0.5", s)
		}
	})
}

// T2
func TestPanicAndGoexitPassAndAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{})
		for _, at := range []int{1, 2} {
			runs := 0
			func() {
				defer func() {
					if value := recover(); value != errDown { //nolint:errorlint // the very value
						t.Errorf("recovered %v", value)
					}
				}()
				_ = r.Do(t.Context(), counting(&runs, func(context.Context) error {
					if runs == at {
						panic(errDown)
					}
					return errDown
				}))
			}()
			runs = 0
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = r.Do(t.Context(), counting(&runs, func(context.Context) error {
					if runs == at {
						runtime.Goexit()
					}
					return errDown
				}))
				t.Error("Do returned from a Goexit")
			}()
			<-done
		}
		if s := r.Stats(); s.Aborted != 4 || s.Calls() != 4 || s.Attempts != 6 {
			t.Errorf("stats are %+v, want 4 aborted calls and 6 attempts", s)
		}
	})
}

func TestDiscardedResultsOfRepeatedAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{})
		runs := 0
		var discarded []int
		got, err := seawall.CallDiscard(t.Context(), r, func(context.Context) (int, error) {
			runs++
			if runs < 3 {
				return runs, errDown
			}
			return runs, nil
		}, func(v int) { discarded = append(discarded, v) })
		if got != 3 || err != nil || fmt.Sprint(discarded) != "[1 2]" {
			t.Errorf("got %d, %v, discarded %v", got, err, discarded)
		}
	})
}

func TestRegistryHasTheRetry(t *testing.T) {
	registry := &seawall.Registry{}
	registry.SetLogger(slog.New(slog.DiscardHandler))
	a := retry.New("a", retry.Config{Registry: registry})
	b := retry.New("a", retry.Config{Registry: registry})
	if a.Name() != "a" || b.Name() != "a#2" || a.String() != `retry "a"` {
		t.Errorf("names are %q and %q, text %s", a.Name(), b.Name(), a)
	}
	_ = a.Do(t.Context(), succeed)
	s := registry.Snapshots()
	if len(s) != 2 || s[0].Kind != "retry" || s[0].Values[0] != (seawall.Value{Name: "calls.first_try", V: 1}) {
		t.Errorf("snapshots are %+v", s)
	}
	runtime.KeepAlive(b)
}

func TestSnapshotWithoutBudgetHasNoBudget(t *testing.T) {
	r, _ := newRetry(t, retry.Config{Funding: retry.NoBudget})
	for _, v := range r.Snapshot().Values {
		if v.Name == "budget.available" {
			t.Error("it has")
		}
	}
	r, _ = newRetry(t, retry.Config{})
	values := r.Snapshot().Values
	if v := values[len(values)-1]; v != (seawall.Value{Name: "budget.available", V: 10}) {
		t.Errorf("the last value is %+v", v)
	}
}
