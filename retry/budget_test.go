package retry_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

// T17
func TestConcurrentRetriesNeverExceedTheBudget(t *testing.T) {
	for _, failing := range []float64{1, 0.5, 0.1} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := newRetry(t, retry.Config{
				MaxAttempts:  10,
				Backoff:      retry.Backoff{Base: time.Millisecond},
				BudgetConfig: seawall.BudgetConfig{Ratio: 0.1, Burst: 20},
			})
			var attempts, successes atomic.Int64
			const callers, each = 1000, 5
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for range each {
						err := r.Do(t.Context(), func(context.Context) error {
							attempts.Add(1)
							if rand.Float64() < failing {
								return errDown
							}
							successes.Add(1)
							return nil
						})
						if err != nil && !errors.Is(err, errDown) {
							t.Errorf("the error %v lost the operation's", err)
						}
						if extra := attempts.Load() - callers*each; float64(extra) > float64(successes.Load())*0.1+20 {
							t.Errorf("%d extra attempts after %d successes", extra, successes.Load())
						}
					}
				})
			}
			wg.Wait()
			s := r.Stats()
			retries := s.Attempts - s.Calls()
			if paid := float64(successes.Load())*0.1 + 20; float64(retries) > paid+1e-6 {
				t.Errorf("%d retries, and %v paid for", retries, paid)
			}
			if s.Attempts != attempts.Load() || s.Calls() != callers*each {
				t.Errorf("stats are %+v after %d attempts", s, attempts.Load())
			}
			if failing == 1 && retries != 20 {
				t.Errorf("%d retries with nothing succeeding, want the burst of 20", retries)
			}
		})
	}
}

// T17
func TestRareCallsCannotRetryWithoutLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{})
		for range 24 * 60 {
			_ = r.Do(t.Context(), down)
			time.Sleep(time.Minute)
		}
		if s := r.Stats(); s.Attempts-s.Calls() != 10 || s.BudgetDenied != 24*60-5 {
			t.Errorf("a day of one failing call a minute: %+v", s)
		}
	})
}

// T17, T70
func TestDeniedRetryReturnsTheRealErrorMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := seawall.NewBudget(seawall.BudgetConfig{Burst: 1})
		r, _ := newRetry(t, retry.Config{Budget: budget})
		if r.Budget() != budget {
			t.Error("it has another budget than the shared one")
		}
		ctx, record := seawall.WithRecord(t.Context())
		err := r.Do(ctx, down)
		if !errors.Is(err, retry.ErrBudget) || !errors.Is(err, errDown) || errors.Is(err, retry.ErrExhausted) {
			t.Errorf("error is %v", err)
		}
		if errors.Is(err, seawall.ErrRejected) {
			t.Error("it matches ErrRejected, although the call was made")
		}
		if v := seawall.Classify(err); v != (seawall.Verdict{Outcome: seawall.Failure}) {
			t.Errorf("verdict is %+v, want a failure that is not repeated", v)
		}
		if want := `retry "test": 2 attempts, no budget for another, last: connection refused`; err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
		f := record.Facts()
		if f.Retries != 1 || f.DecidedBy != `retry "test"` || f.Reason != seawall.ReasonBudget {
			t.Errorf("facts are %+v", f)
		}
	})
}

// T17: a token is spent by an attempt, and by nothing else.
func TestTokensSurvivePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := func() { panic("boom") }
		for _, row := range []struct {
			name string
			cfg  retry.Config
			op   func(context.Context) error
			left float64
		}{
			{"in an attempt", retry.Config{}, func(ctx context.Context) error {
				if seawall.Attempt(ctx) == 2 {
					boom()
				}
				return errDown
			}, 9},
			{"Goexit in OnRetry", retry.Config{OnRetry: func(retry.Event) { runtime.Goexit() }}, down, 10},
			{"in the classifier", retry.Config{Classify: func(error) seawall.Verdict {
				boom()
				return seawall.Verdict{}
			}}, down, 10},
		} {
			row.cfg.Backoff = retry.Backoff{Kind: retry.Immediate}
			r, _ := newRetry(t, row.cfg)
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_ = r.Do(t.Context(), row.op)
				t.Errorf("%s: Do returned", row.name)
			}()
			<-done
			if left := r.Budget().Available(); left != row.left {
				t.Errorf("%s: %v tokens left, want %v", row.name, left, row.left)
			}
		}
	})
}

// T17: a listener is no part of the call: what it breaks is logged, and its attempt is made and paid for.
func TestPanicOfAListenerIsLoggedAndChangesNothing(t *testing.T) {
	told := 0
	r, log := newRetry(t, retry.Config{
		Backoff: retry.Backoff{Kind: retry.Immediate}, BudgetConfig: seawall.BudgetConfig{Ratio: 0.5},
		OnRetry: func(retry.Event) { told++; panic("boom") },
	})
	runs := 0
	if err := r.Do(t.Context(), script(&runs, errDown, errDown, nil)); err != nil {
		t.Error(err)
	}
	if want := (retry.Stats{Recovered: 1, Attempts: 3, Budget: 8.5}); told != 2 || r.Stats() != want {
		t.Errorf("told %d times, counted as %+v, want %+v", told, r.Stats(), want)
	}
	logged := log.named("seawall.listener.panicked")
	if len(logged) != 2 || logged[0]["kind"] != "retry" || logged[0]["name"] != "test" || logged[0]["panic"] != "boom" {
		t.Errorf("logged %v", logged)
	}
}

func TestNoBudgetMakesRetriesFree(t *testing.T) {
	r, _ := newRetry(t, retry.Config{Funding: retry.NoBudget, Backoff: retry.Backoff{Kind: retry.Immediate}})
	for range 1000 {
		_ = r.Do(t.Context(), down)
	}
	if s := r.Stats(); s.Attempts != 3000 || r.Budget() != nil || s.Budget != 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestSharedBudgetIsOne(t *testing.T) {
	budget := seawall.NewBudget(seawall.BudgetConfig{Burst: 4})
	cfg := retry.Config{Budget: budget, Backoff: retry.Backoff{Kind: retry.Immediate}}
	a, _ := newRetry(t, cfg)
	b, _ := newRetry(t, cfg)
	for range 10 {
		_ = a.Do(t.Context(), down)
		_ = b.Do(t.Context(), down)
	}
	if extra := a.Stats().Attempts + b.Stats().Attempts - 20; extra != 4 {
		t.Errorf("%d retries out of a shared budget of 4", extra)
	}
}

// Overload pays nothing in, as little as a failure does (T72).
func TestOnlySuccessesPayIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{BudgetConfig: seawall.BudgetConfig{Ratio: 1}})
		for range 10 {
			r.Budget().Take()
		}
		for _, err := range []error{
			errDown, seawall.Permanent(errDown), overloaded(0),
			&adapterError{seawall.Verdict{Outcome: seawall.Ignored}},
		} {
			_ = r.Do(t.Context(), func(context.Context) error { return err })
		}
		if left := r.Budget().Available(); left != 0 {
			t.Errorf("failures paid for %v tokens", left)
		}
		_ = r.Do(t.Context(), succeed)
		runs := 0
		_ = r.Do(t.Context(), script(&runs, errDown, nil))
		if left := r.Budget().Available(); left != 1 {
			t.Errorf("%v tokens after a success, a retry and its success, want 1", left)
		}
	})
}

// The events of the budget come on its edges only, and an edge is not crossed with each token.
func TestBudgetEventsComeOnTheEdgeOnly(t *testing.T) {
	r, log := newRetry(t, retry.Config{
		Backoff: retry.Backoff{Kind: retry.Immediate}, BudgetConfig: seawall.BudgetConfig{Ratio: 1, Burst: 10},
	})
	const empty, restored = "seawall.retry.budget_empty", "seawall.retry.budget_restored"
	expect := func(when string, e, r int) {
		t.Helper()
		if gotE, gotR := len(log.named(empty)), len(log.named(restored)); gotE != e || gotR != r {
			t.Errorf("%s: %d empty and %d restored, want %d and %d", when, gotE, gotR, e, r)
		}
	}
	for range 5 {
		_ = r.Do(t.Context(), down)
	}
	expect("all tokens spent", 0, 0)
	for range 100 {
		_ = r.Do(t.Context(), down)
		_ = r.Do(t.Context(), succeed) // pays for one token, which the next call spends
	}
	expect("empty for long", 1, 0)
	for range 100 {
		_ = r.Do(t.Context(), succeed)
	}
	expect("full again", 1, 1)
	for range 100 {
		_ = r.Do(t.Context(), down)
	}
	expect("empty again", 2, 1)
	e := log.named(empty)[0]
	if e["name"] != "test" || e["level"] != "WARN" || log.named(restored)[0]["level"] != "INFO" {
		t.Errorf("event is %v", e)
	}
}

// T17: a token pays for load, and a retry that one of our own gates stopped was none.
func TestTokenOfARetryThatAGateRejectedComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejection := seawall.Reject("bulkhead", "b", seawall.ReasonFull, seawall.ErrRejected, 0)
		for _, row := range []struct {
			name string
			errs []error
			left float64
		}{
			{"rejected at once", []error{rejection}, 10},
			{"rejected later", []error{errDown, rejection}, 10},
			{"after a call that was made", []error{errDown, errDown, rejection}, 9},
			{"further down, where a call may have been made", []error{errDown, errors.Join(errDown, rejection)}, 9},
			{"ignored, but asked", []error{errDown, &adapterError{seawall.Verdict{Outcome: seawall.Ignored}}}, 9},
		} {
			r, _ := newRetry(t, retry.Config{})
			runs := 0
			err := r.Do(t.Context(), script(&runs, row.errs...))
			if left := r.Budget().Available(); left != row.left || runs != len(row.errs) {
				t.Errorf("%s: %v tokens left after %d attempts, want %v; error %v", row.name, left, runs, row.left, err)
			}
		}
	})
}

// T17: whoever has rejections repeated pays for it, or a closed gate would be hammered for nothing.
func TestRejectionsThatAreRepeatedArePaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejection := seawall.Reject("bulkhead", "b", seawall.ReasonFull, seawall.ErrRejected, 0)
		r, _ := newRetry(t, retry.Config{MaxAttempts: 100, Classify: func(error) seawall.Verdict {
			return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatAlways}
		}})
		runs := 0
		if err := r.Do(t.Context(), script(&runs, rejection)); runs != 11 || !errors.Is(err, retry.ErrBudget) {
			t.Errorf("%d attempts, error %v", runs, err)
		}
	})
}
