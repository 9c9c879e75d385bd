package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

func TestExhaustedIsLoggedOncePerSecondWithTheNumberLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := newRetry(t, retry.Config{Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget})
		for range 35 { // one each 100 ms
			_ = r.Do(t.Context(), down)
			time.Sleep(100 * time.Millisecond)
		}
		records := log.named("seawall.retry.exhausted")
		var suppressed []any
		for _, e := range records {
			suppressed = append(suppressed, e["suppressed"])
		}
		if fmt.Sprint(suppressed) != "[0 9 9 9]" {
			t.Errorf("suppressed are %v", suppressed)
		}
		e := records[0]
		if e["name"] != "test" || e["attempts"] != 3.0 || e["error_type"] != "other" || e["level"] != "WARN" {
			t.Errorf("event is %v", e)
		}
	})
}

func TestErrorTypesOfTheEventAreAClosedList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejection := seawall.Reject("bulkhead", "b", seawall.ReasonFull, seawall.ErrRejected, 0)
		for err, want := range map[error]string{
			errDown:                              "other",
			overloaded(0):                        "overload",
			context.DeadlineExceeded:             "timeout",
			fmt.Errorf("wrapped: %w", rejection): "rejected",
		} {
			r, log := newRetry(t, retry.Config{Classify: func(err error) seawall.Verdict {
				v := seawall.Classify(err)
				if errors.Is(err, seawall.ErrRejected) {
					v.Outcome = seawall.Failure
				}
				v.Repeat = seawall.RepeatAlways
				return v
			}})
			_ = r.Do(t.Context(), func(context.Context) error { return err })
			if e := log.named("seawall.retry.exhausted"); len(e) != 1 || e[0]["error_type"] != want {
				t.Errorf("%v: events are %v, want one of type %s", err, e, want)
			}
		}
	})
}

func TestRecordTellsWhatTheResultHides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Backoff: steady})
		for _, row := range []struct {
			name string
			ctx  func(context.Context) (context.Context, context.CancelFunc)
			errs []error
			want seawall.Facts // Waited but for the spread of hints
			most time.Duration // of that
		}{
			{name: "first try", errs: []error{nil}},
			{name: "not retryable", errs: []error{seawall.Permanent(errDown)}},
			{
				name: "recovered", errs: []error{errDown, hintError(5 * time.Second), nil},
				want: seawall.Facts{Retries: 2, Waited: 7 * time.Second, ServerDelay: 5 * time.Second},
				most: time.Second / 2,
			},
			{
				name: "the longest wait asked for",
				errs: []error{hintError(5 * time.Second), hintError(time.Second), nil},
				want: seawall.Facts{Retries: 2, Waited: 8 * time.Second, ServerDelay: 5 * time.Second},
				most: time.Second * 6 / 10,
			},
			{
				name: "exhausted", errs: []error{errDown},
				want: seawall.Facts{Retries: 2, Waited: 2 * time.Second, DecidedBy: `retry "test"`},
			},
			{
				name: "out of time", errs: []error{errDown},
				ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
					return context.WithTimeout(ctx, 2*time.Second)
				},
				want: seawall.Facts{
					Retries: 1, Waited: time.Second, DecidedBy: `retry "test"`, Reason: seawall.ReasonDeadline,
				},
			},
			{
				name: "canceled during a wait", errs: []error{errDown},
				ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
					ctx, cancel := context.WithCancel(ctx)
					time.AfterFunc(1250*time.Millisecond, cancel)
					return ctx, cancel
				},
				want: seawall.Facts{Retries: 1, Waited: 1250 * time.Millisecond},
			},
		} {
			ctx, record := seawall.WithRecord(t.Context())
			if row.ctx != nil {
				var cancel context.CancelFunc
				ctx, cancel = row.ctx(ctx)
				defer cancel()
			}
			runs := 0
			_ = r.Do(ctx, script(&runs, row.errs...))
			got := record.Facts()
			spread := got.Waited - row.want.Waited
			if got.Waited = row.want.Waited; got != row.want || spread < 0 || spread > row.most {
				t.Errorf("%s: facts are %+v with %v more waited, want %+v and at most %v", row.name, got, spread, row.want, row.most)
			}
		}
	})
}

// T44
func TestEveryCallHasExactlyOneResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var started atomic.Int64
		r, _ := newRetry(t, retry.Config{
			Backoff:      retry.Backoff{Base: time.Millisecond},
			BudgetConfig: seawall.BudgetConfig{Ratio: 0.4, Burst: 1000}, // about half of what the calls would spend
			OnRetry:      func(retry.Event) { started.Add(1) },
		})
		const callers, each = 2000, 40
		seen := make(chan retry.Stats, callers)
		for caller := range callers {
			go func() {
				random := rand.New(rand.NewPCG(1, uint64(caller)))
				var all retry.Stats
				for range each {
					mixedCall(t.Context(), r, random, &all)
				}
				seen <- all
			}()
		}
		var want retry.Stats
		for range callers {
			all := <-seen
			want.FirstTry += all.FirstTry
			want.Recovered += all.Recovered
			want.Exhausted += all.Exhausted
			want.NotRetryable += all.NotRetryable
			want.BudgetDenied += all.BudgetDenied
			want.OutOfTime += all.OutOfTime
			want.Canceled += all.Canceled
			want.Aborted += all.Aborted
			want.Attempts += all.Attempts
		}
		got := r.Stats()
		for _, v := range r.Snapshot().Values {
			if v.V == 0 && v.Name != "budget.available" {
				t.Errorf("no call ended as %s", v.Name)
			}
		}
		if got.Attempts-got.Calls() != started.Load() {
			t.Errorf("OnRetry was told of %d retries: %+v", started.Load(), got)
		}
		got.Budget = 0
		if got != want || got.Calls() != callers*each {
			t.Errorf("stats of %d calls are\n%+v, their callers saw\n%+v", callers*each, got, want)
		}
	})
}

// T44: a panic of the classifier at the first attempt was in no count.
func TestPanicOfAFunctionOfTheConfigIsAResultOfItsCall(t *testing.T) {
	for name, cfg := range map[string]retry.Config{
		"Classify, first attempt": {Classify: func(error) seawall.Verdict { panic("mine") }},
		"Classify, second attempt": {Classify: func(err error) seawall.Verdict {
			if err != errDown { //nolint:errorlint // bare
				panic("mine")
			}
			return seawall.Classify(err)
		}},
		"Schedule": {Schedule: func() backoff.BackOff { panic("mine") }},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := newRetry(t, cfg)
			attempts := int64(0)
			func() {
				defer func() {
					if value := recover(); value != "mine" {
						t.Errorf("%s: the caller saw %v", name, value)
					}
				}()
				_ = r.Do(t.Context(), func(context.Context) error {
					if attempts++; attempts == 2 {
						return errors.New("another")
					}
					return errDown
				})
			}()
			want := retry.Stats{Aborted: 1, Attempts: attempts, Budget: 11 - float64(attempts)}
			if got := r.Stats(); got != want {
				t.Errorf("%s: counted as %+v, want %+v", name, got, want)
			}
		})
	}
}

// mixedCall makes one call that ends in one of many ways, and counts what its caller sees of it. A Goexit ends the
// goroutine of its own that it runs in.
func mixedCall(ctx context.Context, r *retry.Retry, random *rand.Rand, seen *retry.Stats) {
	end := random.IntN(16)
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	if end == 8 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Microsecond)
		defer stop()
	}
	at, runs := 1+random.IntN(2), int64(0)
	op := func(ctx context.Context) error {
		if runs++; seawall.Attempt(ctx) < at {
			return errDown
		}
		switch end {
		case 0:
			panic("boom")
		case 1:
			runtime.Goexit()
		case 2:
			return errDown
		case 3:
			return seawall.Permanent(errDown)
		case 4:
			cancel()
			return ctx.Err()
		case 5:
			time.AfterFunc(time.Microsecond, cancel)
			return errDown
		case 6:
			return overloaded(time.Millisecond)
		case 7:
			return seawall.Reject("bulkhead", "b", seawall.ReasonFull, seawall.ErrRejected, 0)
		case 8:
			return errDown // and hardly any time left
		}
		return nil
	}
	done := make(chan struct{})
	result := &seen.Aborted
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		err := r.Do(ctx, op)
		switch {
		case err == nil && runs == 1:
			result = &seen.FirstTry
		case err == nil:
			result = &seen.Recovered
		case errors.Is(err, retry.ErrExhausted):
			result = &seen.Exhausted
		case errors.Is(err, retry.ErrBudget):
			result = &seen.BudgetDenied
		case errors.Is(err, retry.ErrOutOfTime):
			result = &seen.OutOfTime
		case errors.Is(err, context.Canceled):
			result = &seen.Canceled
		default:
			result = &seen.NotRetryable
		}
	}()
	<-done
	*result++
	seen.Attempts += runs
}

// T42: no exit leaves a timer, a context or a history behind.
func TestCallsLeaveNothingBehindOnALongLivedContext(t *testing.T) {
	parent, end := context.WithCancel(t.Context())
	defer end()
	r, _ := newRetry(t, retry.Config{
		Backoff: retry.Backoff{Kind: retry.Immediate}, BudgetConfig: seawall.BudgetConfig{Burst: 1},
	})
	free, _ := newRetry(t, retry.Config{Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget})
	far, _ := newRetry(t, retry.Config{Backoff: steady, Funding: retry.NoBudget})
	exits := []func(){
		func() { _ = free.Do(parent, succeed) },
		func() { runs := 0; _ = free.Do(parent, script(&runs, errDown, nil)) },
		func() { _ = free.Do(parent, down) },
		func() { _ = r.Do(parent, down) }, // mostly denied
		func() { _ = free.Do(parent, func(context.Context) error { return seawall.Permanent(errDown) }) },
		func() { // out of time
			ctx, cancel := context.WithTimeout(parent, time.Second)
			defer cancel()
			_ = far.Do(ctx, down)
		},
		func() { // canceled during the wait
			ctx, cancel := context.WithCancel(parent)
			defer cancel()
			_ = far.Do(ctx, func(context.Context) error { go cancel(); return errDown })
		},
		func() {
			defer func() { _ = recover() }()
			_ = free.Do(parent, func(context.Context) error { panic("boom") })
		},
	}
	heap := func() uint64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	calls := func(n int) {
		for i := range n {
			exits[i%len(exits)]()
		}
	}
	calls(1000)
	before := heap()
	total := 100_000
	if testing.Short() || raceEnabled {
		total = 20_000
	}
	calls(total)
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", before, after)
	}
	if s := far.Stats(); s.Canceled == 0 || s.OutOfTime == 0 || r.Stats().BudgetDenied == 0 {
		t.Errorf("not every exit was taken: %+v", s)
	}
}

// T41, T46
func TestReadersAndUpdatesRaceWithCalls(t *testing.T) {
	r, _ := newRetry(t, retry.Config{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	configs := []retry.Config{
		{Backoff: retry.Backoff{Kind: retry.Immediate}},
		{Backoff: retry.Backoff{Kind: retry.Immediate}, BudgetConfig: seawall.BudgetConfig{Burst: 3}},
		{Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget, MaxAttempts: 5},
	}
	for i := range configs {
		loop(func() {
			if err := r.Update(configs[i]); err != nil {
				t.Error(err)
			}
		})
	}
	for range 2 {
		loop(func() { _ = r.Do(t.Context(), down) })
		loop(func() { _ = r.Do(t.Context(), succeed) })
	}
	loop(func() { _ = r.Stats() })
	loop(func() { _ = r.Snapshot() })
	loop(func() { _, _ = r.String(), r.Config() })
	loop(func() { _ = r.Budget() })
	loop(func() { _, _ = r.Traits(), r.Keep() })
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
}
