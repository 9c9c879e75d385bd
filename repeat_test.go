package seawall_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
)

// T15: timer and cancel are ready together, and a select between the two would be a coin toss.
func TestNoAttemptStartsWhenTheWaitEndsWithTheCancellation(t *testing.T) {
	for range 10_000 {
		ctx, cancel := context.WithCancelCause(t.Context())
		ran := 0
		r := &repeater{attempts: 3, wait: time.Nanosecond, next: func(context.Context, int) {
			cancel(errFull) // the wait of a nanosecond is over as soon as it begins
		}}
		err := r.Do(ctx, func(context.Context) error {
			ran++
			return errDown
		})
		if ran != 1 {
			t.Fatalf("op ran %d times", ran)
		}
		if !errors.Is(err, errFull) || !errors.Is(err, errDown) {
			t.Fatalf("%v does not hold both causes", err)
		}
	}
}

// T15: the same with a cancellation in another goroutine at that very instant. Whoever comes first, no attempt begins
// with a context that is done.
func TestCancellationAtTheInstantOfTheNextAttemptIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := 0
		for range 10_000 {
			ctx, cancel := context.WithCancel(t.Context())
			stop := context.AfterFunc(ctx, func() {})
			time.AfterFunc(time.Second, cancel)
			ran := 0
			start := time.Now()
			err := (&repeater{attempts: 2, wait: time.Second}).Do(ctx, func(context.Context) error {
				ran++
				if ran == 2 {
					return nil
				}
				return errDown
			})
			stop()
			synctest.Wait()
			if time.Since(start) != time.Second {
				t.Fatalf("it took %v", time.Since(start))
			}
			switch {
			case ran == 2 && err == nil: // the wait was first, and the success is returned
				both++
			case ran == 1 && errors.Is(err, context.Canceled) && errors.Is(err, errDown):
			default:
				t.Fatalf("op ran %d times; %v", ran, err)
			}
		}
		if both == 10_000 {
			t.Error("the cancellation was never first")
		}
	})
}

// T15
func TestCancellationEndsTheWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		tr := &trace{}
		err := (&repeater{name: "retry", trace: tr, attempts: 3, wait: time.Hour}).Do(ctx, fail)
		if time.Since(start) != time.Second || !errors.Is(err, context.Canceled) || !errors.Is(err, errDown) {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		tr.want(t, "retry: first ended: connection refused", "retry: ends: context canceled")
	})
}

// T15: a success that races with the cancellation is a success.
func TestSuccessOfACallerThatLeftIsReturned(t *testing.T) {
	for name, p := range passing() {
		ctx, cancel := context.WithCancel(t.Context())
		v, err := seawall.Call(ctx, p, func(context.Context) (int, error) {
			if name != "racer" { // which returns at once
				cancel()
			}
			return 1, nil
		})
		cancel()
		if v != 1 || err != nil {
			t.Errorf("%s: got %v, %v", name, v, err)
		}
	}
}

// T16
func TestRepeaterWaitsOnlyBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &trace{}
		start := time.Now()
		_ = (&repeater{name: "retry", trace: tr, attempts: 3, wait: time.Second}).Do(t.Context(), fail)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		tr.want(t, "retry: first ended: connection refused", "retry: starts 2", "retry: starts 3",
			"retry: ends: connection refused")
	})
}

// T5
func TestNestedRepeatersMultiply(t *testing.T) {
	ran := 0
	err := seawall.Chain(&repeater{attempts: 3}, &repeater{attempts: 3}).Do(t.Context(), func(context.Context) error {
		ran++
		return errDown
	})
	if ran != 9 || !errors.Is(err, errDown) {
		t.Errorf("op ran %d times; %v", ran, err)
	}
}

// T5
func TestAttemptsOfARaceShareNoRepeaterState(t *testing.T) {
	chain := seawall.Chain(&racer{attempts: 3, ended: func(int, error) seawall.Finish { return seawall.KeepRunning }},
		&repeater{attempts: 3}, &gate{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 20 {
				var ran atomic.Int64
				err := chain.Do(t.Context(), func(context.Context) error {
					ran.Add(1)
					return errDown
				})
				if ran.Load() != 9 || !errors.Is(err, errDown) {
					t.Errorf("op ran %d times; %v", ran.Load(), err)
				}
			}
		})
	}
	all.Wait()
}

// The number is the innermost repeating policy's, but a first attempt has that of the attempt around it: the request has
// been made before. A race once began at 1 again.
func TestAttemptsKnowTheirNumbers(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy seawall.Policy
		want   []int
	}{
		{"none", seawall.Chain(), []int{1}},
		{"retry", &repeater{attempts: 3}, []int{1, 2, 3}},
		{"hedge", &racer{attempts: 3, delay: time.Hour}, []int{1, 2, 3}},
		{"retry of retry", seawall.Chain(&repeater{attempts: 2}, &repeater{attempts: 2}), []int{1, 2, 2, 2}},
		{"retry of hedge", seawall.Chain(&repeater{attempts: 3}, &racer{attempts: 2, delay: time.Hour}), []int{1, 2, 2, 2, 3, 2}},
		{"hedge of retry", seawall.Chain(&racer{attempts: 2, delay: time.Hour}, &repeater{attempts: 2}), []int{1, 2, 2, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []int
			_ = c.policy.Do(t.Context(), func(ctx context.Context) error {
				got = append(got, seawall.Attempt(ctx)) // one after the other: each waits for the failure before it
				return errDown
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("the attempts were %v, want %v", got, c.want)
			}
		})
	}
}

// A Repetition is told the end of its call also when an attempt panics, and once.
func TestRepeaterIsToldOfAPanic(t *testing.T) {
	for n := 1; n <= 3; n++ {
		tr := &trace{}
		ran := 0
		panicked, _ := attempt(func() {
			_ = (&repeater{name: "retry", trace: tr, attempts: 3}).Do(t.Context(), func(ctx context.Context) error {
				if ran++; ran == n {
					return bangOp(ctx)
				}
				return errDown
			})
		})
		if panicked != errBang { //nolint:errorlint // the very value
			t.Errorf("the caller saw %v", panicked)
		}
		ends := 0
		for _, e := range tr.list() {
			if e == "retry: ends: "+seawall.ErrAborted.Error() {
				ends++
			}
		}
		if ends != 1 || ran != n {
			t.Errorf("a panic of attempt %d: %q", n, tr.list())
		}
	}
}
