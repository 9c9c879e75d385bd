package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

// typedError can be found by errors.As.
type typedError struct{ n int }

func (e *typedError) Error() string { return fmt.Sprintf("typed %d", e.n) }

// T53
func TestEveryExitKeepsItsCauses(t *testing.T) {
	cause := errors.New("the cause")
	one := &typedError{1}
	for _, row := range []struct {
		name    string
		cfg     retry.Config
		prepare func(ctx context.Context, r *retry.Retry) (context.Context, context.CancelFunc)
		errs    []error
		match   []error
		not     []error
		usedUp  bool
		bare    bool // the error of the first attempt is returned untouched
		text    string
	}{
		{
			name: "exhausted", errs: []error{one, errDown}, usedUp: true,
			match: []error{retry.ErrExhausted, one, errDown}, not: []error{retry.ErrBudget, retry.ErrOutOfTime},
			text: `retry "test": 3 attempts, last: connection refused`,
		},
		{
			name: "not retryable at once", errs: []error{seawall.Permanent(one)},
			match: []error{one}, bare: true, text: "typed 1",
		},
		{
			name: "permanent of the schedule's library", errs: []error{backoff.Permanent(one)},
			match: []error{one}, bare: true, text: "typed 1",
		},
		{
			name: "not retryable later", errs: []error{one, seawall.Permanent(errDown)},
			match: []error{one, errDown}, not: []error{retry.ErrExhausted},
			text: `retry "test": 2 attempts, last: connection refused`,
		},
		{
			name:  "rejected by a gate later",
			errs:  []error{one, seawall.Reject("breaker", "b", seawall.ReasonOpen, cause, 0)},
			match: []error{one, seawall.ErrRejected, cause}, not: []error{retry.ErrExhausted},
			text: `retry "test": 2 attempts, last: breaker "b": open`,
		},
		{
			name: "budget", cfg: retry.Config{BudgetConfig: seawall.BudgetConfig{Burst: 1}},
			errs:   []error{one, errDown},
			usedUp: true,
			match:  []error{retry.ErrBudget, one, errDown}, not: []error{retry.ErrExhausted, seawall.ErrRejected},
			text: `retry "test": 2 attempts, no budget for another, last: connection refused`,
		},
		{
			name: "out of time", errs: []error{one, errDown},
			prepare: func(ctx context.Context, _ *retry.Retry) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 1500*time.Millisecond)
			},
			match: []error{retry.ErrOutOfTime, one, errDown},
			not:   []error{retry.ErrExhausted, context.DeadlineExceeded, context.Canceled},
			text:  `retry "test": 2 attempts, no time for another, last: connection refused`,
		},
		{
			name: "canceled during a wait", errs: []error{one, errDown},
			prepare: func(ctx context.Context, _ *retry.Retry) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(1500*time.Millisecond, func() { cancel(cause) })
				return ctx, func() { cancel(nil) }
			},
			match: []error{cause, one, errDown}, not: []error{retry.ErrExhausted, retry.ErrOutOfTime},
			text: `retry "test": 2 attempts, the cause, last: connection refused`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				row.cfg.Backoff = steady
				r, _ := newRetry(t, row.cfg)
				ctx := t.Context()
				if row.prepare != nil {
					var cancel context.CancelFunc
					ctx, cancel = row.prepare(ctx, r)
					defer cancel()
				}
				runs := 0
				err := r.Do(ctx, script(&runs, row.errs...))
				for _, m := range row.match {
					if !errors.Is(err, m) {
						t.Errorf("%v does not match %v", err, m)
					}
				}
				for _, m := range row.not {
					if errors.Is(err, m) {
						t.Errorf("%v matches %v", err, m)
					}
				}
				if found, ok := errors.AsType[*typedError](err); !ok || found != one {
					t.Errorf("%v lost the typed error", err)
				}
				if err.Error() != row.text {
					t.Errorf("text is %s, want %s", err, row.text)
				}
				e, wrapped := err.(*retry.Error) //nolint:errorlint // it must be one itself
				if wrapped == row.bare {
					t.Errorf("error is a %T", err)
				}
				if wrapped && e.UsedUp() != row.usedUp {
					t.Errorf("used up: %v", e.UsedUp())
				}
				synctest.Wait()
			})
		})
	}
}

// T53
func TestHistoryKeepsTheFirstErrorAndTheLatest(t *testing.T) {
	for _, attempts := range []int{1, 2, 3, 4, 5, 6, 14, 15, 16, 17, 30, 31, 100} {
		r, _ := newRetry(t, retry.Config{
			MaxAttempts: attempts, Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget,
		})
		runs := 0
		err := r.Do(t.Context(), func(context.Context) error { runs++; return &typedError{runs} })
		var want []int // the latest first
		for n := attempts; n > max(0, attempts-retry.Remembered); n-- {
			want = append(want, n)
		}
		if attempts > retry.Remembered {
			want = append(want, 1)
		}
		var got []int
		parts := asError(t, err).Unwrap()
		if attempts > 1 { // of which the first is Why
			parts = parts[1:]
		}
		for _, part := range parts {
			got = append(got, part.(*typedError).n) //nolint:errorlint // they are bare
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d attempts: history is %v, want %v", attempts, got, want)
		}
		if latest, _ := errors.AsType[*typedError](err); latest.n != attempts {
			t.Errorf("errors.As finds error %d of %d", latest.n, attempts)
		}
	}
}

// A policy around the Retry judges the call by its last attempt, not by whichever error is found first.
func TestOuterPolicyJudgesTheLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const always = seawall.RepeatAlways
		failure := &adapterError{seawall.Verdict{Outcome: seawall.Failure, Repeat: always}}
		full := &adapterError{seawall.Verdict{Outcome: seawall.Overload, Repeat: always, After: time.Second}}
		for _, funding := range []retry.Funding{retry.NoBudget, retry.FromBudget} {
			for _, last := range []*adapterError{failure, full} {
				for _, first := range []*adapterError{failure, full} {
					r, _ := newRetry(t, retry.Config{Funding: funding})
					runs := 0
					err := r.Do(t.Context(), script(&runs, first, first, last))
					want := last.verdict
					if funding == retry.FromBudget {
						want.Repeat = seawall.RepeatNever // T71
					}
					if v := seawall.Classify(fmt.Errorf("wrapped: %w", err)); v != want {
						t.Errorf("%v: %v, then %v: verdict is %+v, want %+v", funding, first, last, v, want)
					}
					if usedUp := asError(t, err).UsedUp(); usedUp != (funding == retry.FromBudget) {
						t.Errorf("%v: used up: %v", funding, usedUp)
					}
					if after := asError(t, err).RetryAfter(); after != want.After {
						t.Errorf("%v, then %v: RetryAfter is %v", first, last, after)
					}
				}
			}
		}
	})
}

// T53: the history is bounded, but not where people set MaxAttempts.
func TestEveryAttemptIsReachableUpToSixteen(t *testing.T) {
	for attempts := range 17 {
		r, _ := newRetry(t, retry.Config{
			MaxAttempts: attempts, Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget,
		})
		var errs []error
		err := r.Do(t.Context(), func(context.Context) error {
			errs = append(errs, &typedError{len(errs) + 1})
			return errs[len(errs)-1]
		})
		for _, e := range errs {
			if !errors.Is(err, e) {
				t.Errorf("of %d attempts, %v cannot be reached", len(errs), e)
			}
		}
	}
}

// T53: a deadline that has passed is joined as the context has it; one that is only too near has not happened.
func TestDeadlineThatHasPassedIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("the page's time is over")
		for _, row := range []struct {
			took   time.Duration
			passed bool
		}{{time.Second, false}, {time.Minute - 1, false}, {time.Minute + 1, true}, {time.Hour, true}} {
			r, _ := newRetry(t, retry.Config{Backoff: retry.Backoff{Base: time.Minute, Kind: retry.Constant}})
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
			err := r.Do(ctx, func(context.Context) error {
				time.Sleep(row.took)
				return errDown
			})
			cancel()
			if !errors.Is(err, retry.ErrOutOfTime) || !errors.Is(err, errDown) || errors.Is(err, cause) != row.passed {
				t.Errorf("after %v: the tree is %v", row.took, asError(t, err).Unwrap())
			}
		}
	})
}
