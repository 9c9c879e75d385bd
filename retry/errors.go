package retry

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seawall-go/seawall"
)

var (
	// ErrExhausted is matched by the error of a call that has used up its attempts, or whose schedule came to its end.
	ErrExhausted = errors.New("retry: attempts used up")
	// ErrBudget is matched by the error of a call that was not repeated because the budget was empty. It does not match
	// [seawall.ErrRejected], because the call was made: what failed is still the dependency.
	ErrBudget = errors.New("retry: no budget for another attempt")
	// ErrOutOfTime is matched by the error of a call that was not repeated because the wait could not have ended before
	// the caller's deadline.
	ErrOutOfTime = errors.New("retry: no time for another attempt")
)

// Error is the error of a call that took more than one attempt, or to which another one was refused. It matches Why and
// the errors of the attempts: the latest four and the first one, so that it is small after any number of attempts.
type Error struct {
	Name     string // the Retry's
	Attempts int    // that were made
	// Why is what ended the call: [ErrExhausted], [ErrBudget], [ErrOutOfTime], or the cause of the context if that
	// ended. nil if Last is an error that is not to be repeated.
	Why error
	// Last is the error of the last attempt.
	Last error

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

// Unwrap returns Why and the errors of the attempts, the latest first: errors.As finds the latest of its kind.
func (e *Error) Unwrap() []error {
	tree := make([]error, 0, 2+len(e.earlier))
	if e.Why != nil {
		tree = append(tree, e.Why)
	}
	return append(append(tree, e.Last), e.earlier...)
}

// Verdict is that on the last attempt, as the Retry's classifier gave it: so a policy around the Retry judges the call
// by how it ended. With [ErrBudget] it is never repeated, because the next layer would spend what this one was refused.
func (e *Error) Verdict() seawall.Verdict {
	v := e.verdict
	if e.Why == ErrBudget { //nolint:errorlint // it is set bare
		v.Repeat = seawall.RepeatNever
	}
	return v
}

// remembered is how many of the latest errors a history keeps beside the first one.
const remembered = 4

// history keeps the first error of a call and the latest ones.
type history struct {
	n      int
	first  error
	latest [remembered]error // error number i, counted from 0, at i % remembered
}

func (h *history) add(err error) {
	if h.n == 0 {
		h.first = err
	}
	h.latest[h.n%remembered] = err
	h.n++
}

// error returns the call's error. Here the history has at least one.
func (h *history) error(name string, attempts int, why error, v seawall.Verdict) *Error {
	var errs []error
	for i := h.n - 1; i >= max(0, h.n-remembered); i-- {
		errs = append(errs, h.latest[i%remembered])
	}
	if h.n > remembered {
		errs = append(errs, h.first)
	}
	return &Error{
		Name: name, Attempts: attempts, Why: why, Last: errs[0], earlier: slices.Clip(errs[1:]), verdict: v,
	}
}
