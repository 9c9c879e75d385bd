package timeout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

// ErrExceeded is matched by the error of a call that took longer than its limit. The details are in [ExceededError].
var ErrExceeded = errors.New("timeout: limit exceeded")

// ExceededError is the error of a call that took longer than its limit, and the cause of the call's context from the
// limit on. It matches [ErrExceeded], and never [context.DeadlineExceeded] or [context.Canceled], even if that is what
// the operation returned: these are the caller's own. Everything else in the operation's error is found by errors.Is
// and errors.As; there is no Unwrap, which would find those two as well.
type ExceededError struct {
	Name  string        // the Timeout's
	Limit time.Duration // that was exceeded

	err error // the operation's; nil for the cause of a context
}

// over returns the error of a call that ended with err after the limit.
func (e *ExceededError) over(err error) *ExceededError {
	if err == error(e) { //nolint:errorlint // a bare cause; a wrapped one says more
		return e
	}
	return &ExceededError{Name: e.Name, Limit: e.Limit, err: err}
}

// Error returns such as: timeout "payments": limit of 500ms exceeded: read tcp: i/o timeout. A bare error of a context
// is left out.
func (e *ExceededError) Error() string {
	switch e.err {
	case nil, context.DeadlineExceeded, context.Canceled: //nolint:errorlint // wrapped ones say more
		return fmt.Sprintf("%s %q: limit of %v exceeded", kind, e.Name, e.Limit)
	}
	return fmt.Sprintf("%s %q: limit of %v exceeded: %v", kind, e.Name, e.Limit, e.err)
}

// Is matches ErrExceeded, and what the operation's error matches but for the errors of contexts.
func (e *ExceededError) Is(target error) bool {
	switch target {
	case ErrExceeded:
		return true
	case context.DeadlineExceeded, context.Canceled:
		return false
	}
	return errors.Is(e.err, target)
}

// As finds what errors.As finds in the operation's error.
func (e *ExceededError) As(target any) bool { return errors.As(e.err, target) }

// Timeout is true: with Temporary it makes the error a net.Error, as context.DeadlineExceeded is one.
func (e *ExceededError) Timeout() bool { return true }

// Temporary is true.
func (e *ExceededError) Temporary() bool { return true }

// Verdict is a [seawall.Failure] that may be repeated if the call is idempotent: it may have been carried out. It is
// [seawall.Ignored] where the operation was not made, because a gate inside of the limit rejected the call or let it wait
// too long: else our own queue would open a breaker outside of the limit.
func (e *ExceededError) Verdict() seawall.Verdict {
	switch e.err.(type) { //nolint:errorlint // in a tree there may be attempts that were made
	case *seawall.RejectedError, *seawall.WaitError:
		return seawall.Verdict{Outcome: seawall.Ignored}
	}
	return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent}
}
