package retry

import (
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

var (
	// ErrExhausted is matched by the error of a call that has used up its attempts, or whose schedule came to its end. A
	// call that may be made only once has none to use up: its [Error] has no Why.
	ErrExhausted = errors.New("retry: attempts used up")
	// ErrBudget is matched by the error of a call that was not repeated because the budget was empty. It does not match
	// [seawall.ErrRejected], because the call was made: what failed is still the dependency.
	ErrBudget = errors.New("retry: no budget for another attempt")
	// ErrOutOfTime is matched by the error of a call that was not repeated because the wait could not have ended before
	// the caller's deadline.
	ErrOutOfTime = errors.New("retry: no time for another attempt")
)

// Error is the error of a call that took more than one attempt, or to which another one was refused. It matches Why, the
// cause of the context if that has ended, and the errors of the attempts: all of up to 16, of more the first one and the
// latest 15, so that it is small after any number of attempts.
type Error struct {
	Name     string // the Retry's
	Attempts int    // that were made
	// Why is what ended the call: [ErrExhausted], [ErrBudget], [ErrOutOfTime], or the cause of the context if that
	// ended. nil if Last is an error that is not to be repeated.
	Why error
	// Last is the error of the last attempt.
	Last error

	late    error   // ErrOutOfTime: the cause of the context, if its deadline has passed already
	earlier []error // the latest first
	verdict seawall.Verdict
}

// Error returns such as: retry "payments": 3 attempts, last: connection refused.
func (e *Error) Error() string {
	attempts := "attempts"
	if e.Attempts == 1 {
		attempts = "attempt"
	}
	return fmt.Sprintf("%s %q: %d %s%s, last: %v", kind, e.Name, e.Attempts, attempts, e.reason(), e.Last)
}

func (e *Error) reason() string {
	switch e.Why {
	case nil, ErrExhausted: //nolint:errorlint // it is set bare
		return ""
	case ErrBudget:
		return ", no budget for another"
	case ErrOutOfTime:
		return ", no time for another"
	}
	return ", " + e.Why.Error()
}

// Unwrap returns Why, the cause of the context if its deadline has passed, and the errors of the attempts, the latest
// first: errors.As finds the latest of its kind.
func (e *Error) Unwrap() []error {
	tree := make([]error, 0, 3+len(e.earlier))
	for _, err := range [...]error{e.Why, e.late} {
		if err != nil {
			tree = append(tree, err)
		}
	}
	return append(append(tree, e.Last), e.earlier...)
}

// Verdict is that on the last attempt, as the Retry's classifier gave it: so a policy around the Retry judges the call
// by how it ended. But what this Retry has repeated at the expense of a budget until it had no more attempts, or no more
// budget, is never repeated by the next layer; see the package's text on layers.
func (e *Error) Verdict() seawall.Verdict { return e.verdict }

// UsedUp reports whether this Retry has repeated the call at the expense of a budget until it had no more attempts, or no
// more budget. What serves a call of its own with it, such as an adapter, then tells its caller not to begin all over; see
// the package's text on layers.
func (e *Error) UsedUp() bool {
	return e.verdict.Repeat == seawall.RepeatNever && (errors.Is(e.Why, ErrExhausted) || errors.Is(e.Why, ErrBudget))
}

// RetryAfter returns how long the dependency asked to stay away at its last answer, uncut; 0 if it did not.
func (e *Error) RetryAfter() time.Duration { return max(0, e.verdict.After) }

// remembered is how many of the latest errors a history keeps beside the first one.
const remembered = 15

// history keeps the first error of a call and the latest ones. It must not be copied.
type history struct {
	n      int
	first  error
	latest []error  // error number i, counted from 0, at i % remembered
	few    [4]error // what latest begins with, for the usual number of attempts
}

func (h *history) add(err error) {
	if h.n == 0 {
		h.first, h.latest = err, h.few[:0]
	}
	if h.n < remembered {
		h.latest = append(h.latest, err)
	} else {
		h.latest[h.n%remembered] = err
	}
	h.n++
}

// errors returns what is kept, the latest first.
func (h *history) errors() []error {
	errs := make([]error, 0, min(h.n, remembered+1))
	for i := h.n - 1; i >= max(0, h.n-remembered); i-- {
		errs = append(errs, h.latest[i%remembered])
	}
	if h.n > remembered {
		errs = append(errs, h.first)
	}
	return errs
}
