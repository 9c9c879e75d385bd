package hedge_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

// T26
func TestFastErrorDoesNotBeatASlowSuccess(t *testing.T) {
	answer := verdict(seawall.Success, seawall.RepeatNever, 0)
	final := seawall.Permanent(errDown)
	busy := verdict(seawall.Overload, seawall.RepeatAlways, 0)
	hint := verdict(seawall.Failure, seawall.RepeatAlways, time.Nanosecond)
	rejected := seawall.Reject("bulkhead", "b", seawall.ReasonFull, errDown, 0)
	ignored := verdict(seawall.Ignored, seawall.RepeatAlways, 0)
	for _, c := range []struct {
		name   string
		ends   []end
		starts []time.Duration
		at     time.Duration
		err    error
	}{
		{"the first is in time", []end{{9 * ms, nil}}, []time.Duration{0}, 9 * ms, nil},
		{"the first is late and wins", []end{{15 * ms, nil}, {50 * ms, nil}}, []time.Duration{0, 10 * ms}, 15 * ms, nil},
		{"the second wins", []end{{50 * ms, nil}, {5 * ms, nil}}, []time.Duration{0, 10 * ms}, 15 * ms, nil},
		{"the second fails at once", []end{{50 * ms, nil}, {5 * ms, errDown}}, []time.Duration{0, 10 * ms}, 50 * ms, nil},
		{"the first fails at once", []end{{ms, errDown}, {5 * ms, nil}}, []time.Duration{0, ms}, 6 * ms, nil},
		{"the first fails late", []end{{12 * ms, errDown}, {50 * ms, nil}}, []time.Duration{0, 10 * ms}, 60 * ms, nil},
		{"an answer wins", []end{{50 * ms, nil}, {5 * ms, answer}}, []time.Duration{0, 10 * ms}, 15 * ms, answer},
		{"an answer wins at once", []end{{ms, answer}}, []time.Duration{0}, ms, answer},
		{"a final error does not win", []end{{50 * ms, nil}, {5 * ms, final}}, []time.Duration{0, 10 * ms}, 50 * ms, nil},
		{"a final error ends the hedging", []end{{ms, final}}, []time.Duration{0}, ms, final},
		{"an overload does so", []end{{ms, busy}}, []time.Duration{0}, ms, busy},
		{"and does not win", []end{{50 * ms, nil}, {5 * ms, busy}}, []time.Duration{0, 10 * ms}, 50 * ms, nil},
		{"a time to stay away is kept", []end{{ms, hint}}, []time.Duration{0}, ms, hint},
		{"a rejection ends the hedging", []end{{0, rejected}}, []time.Duration{0}, 0, rejected},
		{"and whatever else says nothing of the dependency", []end{{ms, ignored}}, []time.Duration{0}, ms, ignored},
		{"and does not win", []end{{50 * ms, nil}, {0, rejected}}, []time.Duration{0, 10 * ms}, 50 * ms, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, MaxAttempts: 2})
				e := newEnds(c.ends...)
				err := h.Do(t.Context(), e.op)
				if err != c.err || time.Since(e.begin) != c.at { //nolint:errorlint // untouched
					t.Errorf("got %v after %v, want %v after %v", err, time.Since(e.begin), c.err, c.at)
				}
				if got := e.started(); !slices.Equal(got, c.starts) {
					t.Errorf("attempts started at %v, want %v", got, c.starts)
				}
			})
		})
	}
}

// T26
func TestEveryErrorIsReachableWhenAllFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, MaxAttempts: 3})
		busy := verdict(seawall.Overload, seawall.RepeatIfIdempotent, 3*time.Second)
		e := newEnds(end{40 * ms, errDown}, end{5 * ms, errLate}, end{5 * ms, busy})
		err := h.Do(t.Context(), e.op)
		got, ok := err.(*hedge.Error)                                                                //nolint:errorlint // it must be one itself
		if !ok || got.Attempts != 3 || got.Why != nil || got.Last != errDown || got.Name != "test" { //nolint:errorlint // the very error
			t.Fatalf("got %#v", err)
		}
		for _, want := range []error{errDown, errLate, busy} {
			if !errors.Is(err, want) {
				t.Errorf("%v is out of reach", want)
			}
		}
		if text := `hedge "test": 3 attempts, last: connection refused`; err.Error() != text {
			t.Errorf("text is %q", err)
		}
		want := seawall.Verdict{Outcome: seawall.Overload, Repeat: seawall.RepeatIfIdempotent, After: 3 * time.Second}
		if v := seawall.Classify(err); v != want {
			t.Errorf("verdict is %+v", v)
		}
		if want := []time.Duration{0, 10 * ms, 15 * ms}; !slices.Equal(e.started(), want) {
			t.Errorf("started at %v, want %v", e.started(), want)
		}
	})
}

// T15: what the attempts return because the caller has left is in the error as its reason, and otherwise not.
func TestErrorOfACallerThatLeftHasTheFailuresBeforeThat(t *testing.T) {
	for _, c := range []struct {
		name     string
		ends     []end
		deaf     bool
		attempts int
	}{
		{"two attempts, one failed", []end{{5 * ms, errDown}, {time.Hour, nil}}, false, 2},
		{"two attempts, one failed, and one does not listen", []end{{5 * ms, errDown}, {100 * ms, errLate}}, true, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Delay: 10 * ms})
			left := errors.New("the caller left")
			ctx, leave := context.WithCancelCause(t.Context())
			time.AfterFunc(20*ms, func() { leave(left) })
			e := newEnds(c.ends...)
			e.deaf = c.deaf
			err := h.Do(ctx, e.op)
			time.Sleep(time.Second)                                                                    // the deaf one ends
			got, ok := err.(*hedge.Error)                                                              //nolint:errorlint // it must be one itself
			if !ok || got.Attempts != c.attempts || !errors.Is(got.Why, left) || got.Last != errDown { //nolint:errorlint // the very error
				t.Fatalf("%s: got %#v", c.name, err)
			}
			if !errors.Is(err, left) || !errors.Is(err, errDown) || errors.Is(err, errLate) || len(got.Unwrap()) != 2 {
				t.Errorf("%s: it matches %v", c.name, got.Unwrap())
			}
		})
	}
}

func TestVerdictIsThatOfTheGravestAttempt(t *testing.T) {
	const never, maybe, always = seawall.RepeatNever, seawall.RepeatIfIdempotent, seawall.RepeatAlways
	rejected := seawall.Reject("bulkhead", "b", seawall.ReasonFull, errDown, 0)
	v := func(o seawall.Outcome, r seawall.Repeat) seawall.Verdict {
		return seawall.Verdict{Outcome: o, Repeat: r}
	}
	for _, c := range []struct {
		first, second error
		want          seawall.Verdict
	}{
		{errDown, errDown, v(seawall.Failure, maybe)},
		{errDown, rejected, v(seawall.Failure, maybe)},
		{rejected, errDown, v(seawall.Failure, maybe)},
		{rejected, rejected, v(seawall.Ignored, never)},
		{errDown, seawall.Permanent(errDown), v(seawall.Failure, never)},
		{verdict(seawall.Failure, always, 0), errDown, v(seawall.Failure, maybe)},
		{verdict(seawall.Failure, always, 0), verdict(seawall.Failure, always, 0), v(seawall.Failure, always)},
		{errDown, verdict(seawall.Overload, always, 0), v(seawall.Overload, maybe)},
		{verdict(seawall.Overload, always, 0), errDown, v(seawall.Overload, maybe)},
		{verdict(seawall.Success, maybe, 0), errDown, v(seawall.Failure, maybe)},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Delay: ms})
			err := h.Do(t.Context(), newEnds(end{5 * ms, c.first}, end{9 * ms, c.second}).op)
			if got := seawall.Classify(err); got != c.want {
				t.Errorf("%v, then %v: %+v, want %+v", c.first, c.second, got, c.want)
			}
		})
	}
}

func TestCallThatMustNotBeCarriedOutTwiceHasNoSecondAttemptBesideTheFirst(t *testing.T) {
	unsent := verdict(seawall.Failure, seawall.RepeatAlways, 0)
	for _, c := range []struct {
		ends   []end
		starts []time.Duration
		err    error
	}{
		{[]end{{time.Hour, nil}}, []time.Duration{0}, nil},
		{[]end{{ms, errDown}}, []time.Duration{0}, errDown},
		{[]end{{50 * ms, unsent}, {ms, nil}}, []time.Duration{0, 50 * ms}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Delay: 10 * ms})
			e := newEnds(c.ends...)
			err := h.Do(seawall.NotIdempotent(t.Context()), e.op)
			if err != c.err || !slices.Equal(e.started(), c.starts) { //nolint:errorlint // untouched
				t.Errorf("got %v, attempts at %v, want %v, %v", err, e.started(), c.err, c.starts)
			}
		})
	}
}

func TestAttemptThatCannotStartBeforeTheDeadlineIsNotWaitedFor(t *testing.T) {
	for deadline, want := range map[time.Duration][]time.Duration{
		10 * ms:     {0},
		10*ms + 1:   {0, 10 * ms},
		20 * ms:     {0, 10 * ms},
		20*ms + 1:   {0, 10 * ms, 20 * ms},
		time.Minute: {0, 10 * ms, 20 * ms},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, MaxAttempts: 3})
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			e := newEnds(end{time.Hour, nil}, end{time.Hour, nil}, end{time.Hour, nil})
			err := h.Do(ctx, e.op)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(e.begin) != deadline {
				t.Errorf("%v: got %v after %v", deadline, err, time.Since(e.begin))
			}
			if got := e.started(); !slices.Equal(got, want) {
				t.Errorf("%v: attempts at %v, want %v", deadline, got, want)
			}
			if s := h.Stats(); s.Failed != 1 || s.Calls() != 1 {
				t.Errorf("%v: counted as %+v", deadline, s)
			}
		})
	}
}

// lateContext has a deadline, and a timer that is late.
type lateContext struct {
	context.Context
	deadline time.Time
}

func (c *lateContext) Deadline() (time.Time, bool) { return c.deadline, true }

// A connection knew the deadline before the context did, and a second attempt began for a call whose time was up.
func TestFailureAtTheDeadlineStartsNoAttemptBeforeTheTimerFires(t *testing.T) {
	for left, want := range map[time.Duration]int64{ms - 1: 2, ms: 1, ms + 1: 1} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Delay: time.Second})
			ctx := &lateContext{t.Context(), time.Now().Add(ms)}
			err := h.Do(ctx, newEnds(end{left, os.ErrDeadlineExceeded}, end{0, os.ErrDeadlineExceeded}).op)
			if s := h.Stats(); !errors.Is(err, os.ErrDeadlineExceeded) || s.Attempts != want || s.Failed != 1 || s.Budget != 11-float64(want) {
				t.Errorf("failed after %v of %v: got %v, counted as %+v", left, ms, err, s)
			}
		})
	}
}

func TestCallerThatLeavesGetsItsCauseAndWhatHasFailed(t *testing.T) {
	errLeft := errors.New("the user closed the page")
	for _, c := range []struct {
		ends []end
		want string
	}{
		{[]end{{time.Hour, nil}, {time.Hour, nil}}, "the user closed the page"},
		{[]end{{time.Hour, nil}, {5 * ms, errDown}}, `hedge "test": 2 attempts, the user closed the page, last: connection refused`},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Delay: 10 * ms})
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(30*ms, func() { cancel(errLeft) })
			e := newEnds(c.ends...)
			err := h.Do(ctx, e.op)
			if fmt.Sprint(err) != c.want || !errors.Is(err, errLeft) || time.Since(e.begin) != 30*ms {
				t.Errorf("got %v after %v", err, time.Since(e.begin))
			}
			if s := h.Stats(); s.Canceled != 1 || s.Calls() != 1 {
				t.Errorf("counted as %+v", s)
			}
		})
	}
}

// An error of a canceled attempt once started the next one.
func TestOwnErrorOfACanceledCallPassesUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: time.Second, Classify: func(err error) seawall.Verdict {
			t.Errorf("asked about %v", err)
			return seawall.Classify(err)
		}})
		ctx, cancel := context.WithCancel(t.Context())
		err := h.Do(ctx, func(context.Context) error {
			cancel()
			return errDown
		})
		// The end of the attempt and that of the caller are found together: either may be told.
		if s := h.Stats(); !errors.Is(err, errDown) && !errors.Is(err, context.Canceled) || s.Canceled != 1 || s.Attempts != 1 {
			t.Errorf("got %v, counted as %+v", err, s)
		}
	})
}

func TestOneAttemptNeverHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: ms, MaxAttempts: 1})
		e := newEnds(end{time.Hour, errDown})
		if err := h.Do(t.Context(), e.op); err != errDown { //nolint:errorlint // untouched
			t.Errorf("got %v", err)
		}
	})
}

func TestOnFailureStartsNothingByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: hedge.OnFailure, MaxAttempts: 3})
		e := newEnds(end{time.Hour, errDown}, end{time.Hour, errDown}, end{time.Hour, nil})
		err := h.Do(t.Context(), e.op)
		if want := []time.Duration{0, time.Hour, 2 * time.Hour}; err != nil || !slices.Equal(e.started(), want) {
			t.Errorf("got %v, attempts at %v", err, e.started())
		}
		if d, ok := h.Delay(); ok {
			t.Errorf("the delay is %v", d)
		}
	})
}

// The caller leaves between the failure of the only attempt and the start of the next one.
func TestErrorOfOneAttemptSaysThatTheCallerLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h, _ := newHedge(t, hedge.Config{Delay: time.Second, Classify: func(err error) seawall.Verdict {
			cancel()
			return seawall.Classify(err)
		}})
		err := h.Do(ctx, newEnds(end{ms, errDown}).op)
		if text := `hedge "test": 1 attempt, context canceled, last: connection refused`; err.Error() != text {
			t.Errorf("got %v", err)
		}
		if s := h.Stats(); !errors.Is(err, context.Canceled) || !errors.Is(err, errDown) || s.Canceled != 1 || s.Attempts != 1 {
			t.Errorf("got %v, counted as %+v", err, s)
		}
	})
}
