package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

// T16
func TestNothingFollowsTheLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []retry.Event
		r, _ := newRetry(t, retry.Config{Backoff: steady, OnRetry: func(e retry.Event) { events = append(events, e) }})
		start, runs := time.Now(), 0
		err := r.Do(t.Context(), counting(&runs, func(context.Context) error {
			return fmt.Errorf("attempt %d: %w", runs, errDown)
		}))
		if took := time.Since(start); took != 2*time.Second || runs != 3 {
			t.Errorf("%d attempts took %v, want exactly two waits", runs, took)
		}
		want := `[{test 2 attempt 1: connection refused 1s 0s} {test 3 attempt 2: connection refused 1s 0s}]`
		if fmt.Sprint(events) != want {
			t.Errorf("events are %v, want %s", events, want)
		}
		if want := `retry "test": 3 attempts, last: attempt 3: connection refused`; err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	})
}

// T16: the event belongs to the start of an attempt, and to nothing else.
func TestOnRetryIsNotToldOfRetriesThatDoNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		cfg := retry.Config{Backoff: steady, OnRetry: func(retry.Event) { told++ }}
		r, _ := newRetry(t, cfg)
		broke, _ := newRetry(t, func() retry.Config {
			cfg.Budget = seawall.NewBudget(seawall.BudgetConfig{Burst: 1})
			cfg.Budget.Take()
			return cfg
		}())
		canceled, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Hour)
		time.AfterFunc(time.Second/2, cancel)
		short, stop := context.WithTimeout(t.Context(), time.Second/2)
		defer stop()

		_ = r.Do(t.Context(), func(context.Context) error { return seawall.Permanent(errDown) })
		_ = broke.Do(t.Context(), down)
		_ = r.Do(canceled, down)
		_ = r.Do(short, down)
		if told != 0 {
			t.Errorf("it was told of %d retries", told)
		}
	})
}

// clockContext is canceled at an instant by its clock: Err is true to it whether or not a timer has fired. With it a
// wait and a cancellation are ready at the same instant, each time.
type clockContext struct {
	context.Context
	until time.Time
	done  chan struct{}
}

func (c *clockContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *clockContext) Done() <-chan struct{}       { return c.done }
func (c *clockContext) Err() error {
	if time.Now().Before(c.until) {
		return nil
	}
	return context.Canceled
}

// T15
func TestNoAttemptStartsAtTheInstantOfACancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Backoff: steady, MaxAttempts: retry.Unlimited, Funding: retry.NoBudget})
		for range 10_000 {
			ctx := &clockContext{t.Context(), time.Now().Add(3 * time.Second), make(chan struct{})}
			timer := time.AfterFunc(3*time.Second, func() { close(ctx.done) })
			runs := 0
			err := r.Do(ctx, counting(&runs, down))
			timer.Stop()
			if runs != 3 || !errors.Is(err, errDown) || !errors.Is(err, context.Canceled) {
				t.Fatalf("op ran %d times, error %v", runs, err)
			}
		}
	})
}

// T15
func TestCancellationDuringTheWaitReturnsAtOnceWithBothErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Backoff: steady})
		cause := errors.New("user closed the page")
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		time.AfterFunc(700*time.Millisecond, func() { cancel(cause) })
		err := r.Do(ctx, down)
		if took := time.Since(start); took != 700*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if !errors.Is(err, cause) || !errors.Is(err, errDown) || asError(t, err).Attempts != 1 {
			t.Errorf("error is %v", err)
		}
		if want := `retry "test": 1 attempt, user closed the page, last: connection refused`; err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
		if s := r.Stats(); s.Canceled != 1 || s.Attempts != 1 || s.Budget != 10 {
			t.Errorf("stats are %+v, want 1 canceled, and the token of the attempt that was not made back", s)
		}
	})
}

// T15
func TestSuccessThatRacesWithTheCancellationIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{})
		for n := 1; n <= 2; n++ {
			ctx, cancel := context.WithCancel(t.Context())
			runs := 0
			got, err := seawall.Call(ctx, r, func(context.Context) (string, error) {
				if runs++; runs < n {
					return "", errDown
				}
				cancel()
				return "value", nil
			})
			if got != "value" || err != nil {
				t.Errorf("attempt %d: got %q, %v", n, got, err)
			}
		}
	})
}

// T18
func TestDelayThatCannotEndInTimeIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Backoff: steady})
		for _, row := range []struct {
			left time.Duration
			runs int
		}{
			{100 * time.Millisecond, 1},
			{time.Second, 1},
			{time.Second + 1, 2},
			{2 * time.Second, 2},
			{3 * time.Second, 3},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), row.left)
			start, runs := time.Now(), 0
			err := r.Do(ctx, counting(&runs, down))
			cancel()
			if want := time.Duration(row.runs-1) * time.Second; runs != row.runs || time.Since(start) != want {
				t.Errorf("%v left: %d attempts in %v, want %d in %v", row.left, runs, time.Since(start), row.runs, want)
			}
			if outOfTime := row.runs < 3; errors.Is(err, retry.ErrOutOfTime) != outOfTime || !errors.Is(err, errDown) {
				t.Errorf("%v left: error is %v", row.left, err)
			}
		}
		if s := r.Stats(); s.OutOfTime != 4 || s.Exhausted != 1 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// T14, T18
func TestServersHintIsCappedVisiblyAndNeverUndercut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			err       error
			hint, low time.Duration // as asked for; and the shortest wait
		}{
			{hintError(10 * time.Second), 10 * time.Second, 10 * time.Second},
			{fmt.Errorf("wrapped: %w", hintError(24*time.Hour)), 24 * time.Hour, 30 * time.Second},
			{hintError(math.MaxInt64), math.MaxInt64, 30 * time.Second},
			{hintError(-time.Second), 0, 0},
			{hintError(0), 0, 0},
			{&adapterError{seawall.Verdict{Repeat: seawall.RepeatAlways, After: -time.Hour}}, 0, 0},
			{overloaded(time.Minute), time.Minute, 30 * time.Second},
		} {
			var event retry.Event
			var waits []time.Duration
			r, _ := newRetry(t, retry.Config{
				Backoff: retry.Backoff{Base: time.Second}, Funding: retry.NoBudget,
				OnRetry: func(e retry.Event) { event = e },
			})
			for range 100 {
				ctx, record := seawall.WithRecord(t.Context())
				start, runs := time.Now(), 0
				if err := r.Do(ctx, script(&runs, row.err, nil)); err != nil {
					t.Fatal(err)
				}
				wait := time.Since(start)
				if high := row.low + row.low/10 + time.Second; wait < row.low || wait > high {
					t.Errorf("%v: waited %v, want %v to %v", row.err, wait, row.low, high)
				}
				if f := record.Facts(); f.ServerDelay != row.hint || f.Waited != wait || event.ServerDelay != row.hint {
					t.Errorf("%v: facts are %+v, event %+v", row.err, f, event)
				}
				waits = append(waits, wait)
			}
			if spread := spreadOf(waits); spread < time.Second/2 {
				t.Errorf("%v: 100 waits lie within %v: all come back together", row.err, spread)
			}
		}
	})
}

// T14: a schedule does not see to that, as its first wait is short: they came back within 50 ms, whatever the hint.
func TestCallersWhoWereToldTheSameTimeDoNotComeBackTogether(t *testing.T) {
	const callers = 1000
	for _, row := range []struct{ hint, spread time.Duration }{
		{time.Second, time.Second / 10},
		{30 * time.Second, 3 * time.Second},
		{time.Minute, 5 * time.Second},
		{time.Hour, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := newRetry(t, retry.Config{
				MaxRetryAfter: time.Hour, Funding: retry.NoBudget, Backoff: retry.Backoff{Kind: retry.Immediate},
			})
			var back [10]atomic.Int64 // by the tenth of the spread in which they come
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					start, runs := time.Now(), 0
					_ = r.Do(t.Context(), script(&runs, hintError(row.hint), nil))
					extra := time.Since(start) - row.hint
					if extra < 0 || extra > row.spread {
						t.Errorf("%v: came back %v after that, want at most %v", row.hint, extra, row.spread)
						return
					}
					back[min(9, 10*extra/row.spread)].Add(1)
				})
			}
			all.Wait()
			for tenth := range back {
				if n := back[tenth].Load(); n < callers/25 || n > callers/6 { // 100 is meant, and 60 are 6 sigma
					t.Errorf("%v: %d of %d come back in the %d. tenth of the spread", row.hint, n, callers, tenth+1)
				}
			}
		})
	}
}

func spreadOf(waits []time.Duration) time.Duration {
	low, high := waits[0], waits[0]
	for _, w := range waits {
		low, high = min(low, w), max(high, w)
	}
	return high - low
}

// T18: a hint beyond the deadline is not waited for, nor cut down to fit.
func TestHintBeyondTheDeadlineEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{MaxRetryAfter: math.MaxInt64, Backoff: steady})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for _, hint := range []time.Duration{time.Hour, math.MaxInt64} {
			start := time.Now()
			err := r.Do(ctx, func(context.Context) error { return hintError(hint) })
			if !errors.Is(err, retry.ErrOutOfTime) || time.Since(start) != 0 {
				t.Errorf("hint %v: %v after %v", hint, err, time.Since(start))
			}
		}
	})
}

// T72
func TestOverloadSlowsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			delay time.Duration
			high  time.Duration // of the extra wait
		}{{0, time.Second}, {10 * time.Second, 10 * time.Second}, {retry.NoDelay, 0}} {
			r, _ := newRetry(t, retry.Config{
				OverloadDelay: row.delay, Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget,
			})
			var waits []time.Duration
			for range 100 {
				start, runs := time.Now(), 0
				_ = r.Do(t.Context(), script(&runs, overloaded(0), nil))
				waits = append(waits, time.Since(start))
			}
			if spread := spreadOf(waits); spread > row.high || spread < row.high*3/4 {
				t.Errorf("delay %v: the waits lie within %v, want nearly %v", row.delay, spread, row.high)
			}
		}
	})
}

// T54
func TestEveryCountOfAttemptsTakesTheSamePath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct{ max, attempts int }{{1, 1}, {2, 2}, {0, 3}, {3, 3}, {retry.Unlimited, 8}} {
			events := 0
			r, _ := newRetry(t, retry.Config{
				MaxAttempts: row.max, Backoff: steady, OnRetry: func(retry.Event) { events++ },
			})
			time.Sleep(time.Hour) // no limit starts before the call
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			runs := 0
			e := asError(t, r.Do(ctx, counting(&runs, down)))
			cancel()
			why := retry.ErrExhausted
			switch row.max {
			case retry.Unlimited:
				why = retry.ErrOutOfTime
			case 1: // nothing was used up
				why = nil
			}
			if runs != row.attempts || events != row.attempts-1 || e.Attempts != row.attempts {
				t.Errorf("%d: %d attempts, %d events, error %v", row.max, runs, events, e)
			}
			if e.Why != why || e.Last != errDown || e.Name != "test" { //nolint:errorlint // they are set bare
				t.Errorf("%d: error is %+v", row.max, e)
			}
		}
	})
}

// T53
func TestAMillionAttemptsTakeConstantMemory(t *testing.T) {
	attempts := 1_000_000
	if raceEnabled {
		attempts = 100_000
	}
	r, _ := newRetry(t, retry.Config{
		MaxAttempts: attempts, Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget,
	})
	runs := 0
	var most uint64
	err := r.Do(t.Context(), func(context.Context) error {
		runs++
		if runs%(attempts/4) == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return fmt.Errorf("attempt %d: %w", runs, errDown)
	})
	if most > 20<<20 {
		t.Errorf("the heap held %d MiB during the attempts", most>>20)
	}
	e := asError(t, err)
	if e.Attempts != attempts || len(e.Unwrap()) != 1+retry.Remembered+1 {
		t.Errorf("error is %v, with %d parts", err, len(e.Unwrap()))
	}
	if first := e.Unwrap()[1+retry.Remembered]; first.Error() != "attempt 1: connection refused" {
		t.Errorf("the oldest error is %v", first)
	}
}

// T14, T18: who only says what is to be repeated has not said when.
func TestClassifierThatDoesNotSayWhenDoesNotUndercutTheHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejection := seawall.Reject("breaker", "b", seawall.ReasonOpen, seawall.ErrRejected, 20*time.Second)
		for _, row := range []struct {
			name  string
			err   error
			after time.Duration // of the classifier
			want  time.Duration // but for the spread
		}{
			{name: "our own gate", err: rejection, want: 20 * time.Second}, // first, because its time runs
			{name: "a hint", err: hintError(20 * time.Second), want: 20 * time.Second},
			{name: "a hint, wrapped", err: fmt.Errorf("wrapped: %w", hintError(time.Hour)), want: 30 * time.Second},
			{name: "the classifier says", err: hintError(20 * time.Second), after: time.Second, want: time.Second},
			{name: "the classifier says at once", err: hintError(20 * time.Second), after: -1},
			{name: "no hint", err: errDown},
		} {
			r, _ := newRetry(t, retry.Config{
				Backoff: retry.Backoff{Kind: retry.Immediate},
				Classify: func(error) seawall.Verdict {
					return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatAlways, After: row.after}
				},
			})
			start, runs := time.Now(), 0
			err := r.Do(t.Context(), script(&runs, row.err, nil))
			if took := time.Since(start); err != nil || took < row.want || took > row.want+row.want/10 {
				t.Errorf("%s: waited %v, want %v; error %v", row.name, took, row.want, err)
			}
		}
	})
}
