package seawall_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
)

// answer is an error of an adapter: it knows what it means.
type answer struct{ v seawall.Verdict }

func (a answer) Error() string            { return "answer" }
func (a answer) Verdict() seawall.Verdict { return a.v }

// hint is an error that knows when.
type hint time.Duration

func (h hint) Error() string             { return "hint" }
func (h hint) RetryAfter() time.Duration { return time.Duration(h) }

func TestClassifyFollowsItsRules(t *testing.T) {
	overload := answer{seawall.Verdict{Outcome: seawall.Overload, Repeat: seawall.RepeatAlways, After: time.Second}}
	success := answer{seawall.Verdict{Outcome: seawall.Success}}
	rejected := seawall.Reject("bulkhead", "db", seawall.ReasonFull, errFull, 0)
	failure := seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent}
	final := seawall.Verdict{Outcome: seawall.Failure}
	after := func(d time.Duration) seawall.Verdict {
		return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent, After: d}
	}
	for _, c := range []struct {
		name string
		err  error
		want seawall.Verdict
	}{
		{"nil", nil, seawall.Verdict{Outcome: seawall.Success}},
		{"canceled by the caller", seawall.ErrCanceled, seawall.Verdict{Outcome: seawall.Ignored}},
		{"aborted", seawall.ErrAborted, final},
		{"any error", errDown, failure},
		{"wrapped", fmt.Errorf("x: %w", errDown), failure},
		{"context.Canceled", context.Canceled, failure},
		{"context.DeadlineExceeded", context.DeadlineExceeded, failure},
		{"permanent", seawall.Permanent(errDown), final},
		{"permanent, wrapped", fmt.Errorf("x: %w", seawall.Permanent(errDown)), final},
		{"permanent, joined", errors.Join(errFull, seawall.Permanent(errDown)), final},
		{"permanent of a hint", seawall.Permanent(hint(time.Second)), seawall.Verdict{After: time.Second, Outcome: seawall.Failure}},
		{"an answer", overload, overload.v},
		{"an answer that says no", success, success.v},
		{"an answer, wrapped", fmt.Errorf("x: %w", overload), overload.v},
		{"an answer, joined", errors.Join(errDown, overload), overload.v},
		// Was repeated: an answer in the tree went before the word of whoever called it permanent.
		{
			"an answer that is permanent", seawall.Permanent(overload),
			seawall.Verdict{Outcome: seawall.Overload, After: time.Second},
		},
		{"an answer in front of a permanent error", errors.Join(overload, seawall.Permanent(errDown)), overload.v},
		{"the first of two answers", errors.Join(success, overload), success.v},
		{"rejected", rejected, seawall.Verdict{Outcome: seawall.Ignored}},
		{"rejected, wrapped", fmt.Errorf("x: %w", rejected), seawall.Verdict{Outcome: seawall.Ignored}},
		{"a hint", hint(time.Second), after(time.Second)},
		{"a hint, wrapped", fmt.Errorf("x: %w", hint(time.Minute)), after(time.Minute)},
		{"a hint, joined", errors.Join(errDown, hint(time.Minute)), after(time.Minute)},
		{"a hint of the past", hint(-time.Second), after(0)},
		{"canceled, not bare", fmt.Errorf("x: %w", seawall.ErrCanceled), failure},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := seawall.Classify(c.err); got != c.want {
				t.Errorf("judged %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestRejectionIsJudgedWithTheTimeThatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := fmt.Errorf("call: %w", seawall.Reject("breaker", "db", seawall.ReasonOpen, errFull, 3*time.Second))
		for left := 3 * time.Second; left >= 0; left -= time.Second {
			if got := seawall.Classify(err); got != (seawall.Verdict{Outcome: seawall.Ignored, After: left}) {
				t.Errorf("judged %+v, want after %v", got, left)
			}
			time.Sleep(time.Second)
		}
		if got := seawall.Classify(err); got.After != 0 {
			t.Errorf("judged %+v", got)
		}
	})
}

// T13
func TestSettleAsksTheContextWhoCanceled(t *testing.T) {
	live, cancelLive := context.WithCancel(t.Context())
	defer cancelLive()
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(errDown)
	expired, stop := context.WithTimeout(t.Context(), -1)
	defer stop()
	child, stopChild := context.WithTimeout(canceled, time.Hour)
	defer stopChild()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want error
	}{
		{"live, success", live, nil, nil},
		{"live, failure", live, errDown, errDown},
		{"live, context.Canceled from elsewhere", live, context.Canceled, context.Canceled},
		{"canceled, success", canceled, nil, nil},
		{"canceled, context.Canceled", canceled, context.Canceled, seawall.ErrCanceled},
		{"canceled, the cause", canceled, errDown, seawall.ErrCanceled},
		{"canceled, another failure", canceled, errFull, seawall.ErrCanceled},
		{"canceled, aborted", canceled, seawall.ErrAborted, seawall.ErrCanceled},
		{"child of a canceled one", child, errFull, seawall.ErrCanceled},
		{"expired, success", expired, nil, nil},
		{"expired, context.DeadlineExceeded", expired, context.DeadlineExceeded, context.DeadlineExceeded},
		{"expired, failure", expired, errDown, errDown},
		{"expired, aborted", expired, seawall.ErrAborted, seawall.ErrAborted},
	} {
		if got := seawall.Settle(c.ctx, c.err); got != c.want { //nolint:errorlint // the very error
			t.Errorf("%s: settled as %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPermanentIsTheErrorThatItWraps(t *testing.T) {
	err := seawall.Permanent(fmt.Errorf("charge: %w", errDown))
	if err.Error() != "charge: connection refused" || !errors.Is(err, errDown) {
		t.Errorf("it is %v", err)
	}
	if seawall.Permanent(nil) != nil {
		t.Error("there is an error where there was none")
	}
}

func TestVerdictsPrint(t *testing.T) {
	for got, want := range map[string]string{
		seawall.Success.String(): "success", seawall.Failure.String(): "failure", seawall.Overload.String(): "overload",
		seawall.Ignored.String(): "ignored", seawall.Outcome(9).String(): "unknown",
		seawall.RepeatNever.String(): "never", seawall.RepeatIfIdempotent.String(): "if idempotent",
		seawall.RepeatAlways.String(): "always", seawall.Repeat(9).String(): "unknown",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
