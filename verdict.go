package seawall

import (
	"context"
	"errors"
	"time"
)

// Outcome says what the end of a call says about the dependency.
type Outcome uint8

const (
	// Success is an answer, also one that says no, such as HTTP 404.
	Success Outcome = iota
	// Failure is an error that speaks against the dependency, also our own time limit.
	Failure
	// Overload is an answer that asks for less, such as HTTP 429. It slows retries and shrinks limits; it does not
	// trip a breaker.
	Overload
	// Ignored is neither good nor bad: the caller went away, or a gate rejected the call before it was made.
	Ignored
)

// String returns "success", "failure", "overload" or "ignored".
func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case Failure:
		return "failure"
	case Overload:
		return "overload"
	case Ignored:
		return "ignored"
	}
	return "unknown"
}

// Repeat says whether another attempt may follow a failed one.
type Repeat uint8

const (
	// RepeatNever forbids it: the error is final.
	RepeatNever Repeat = iota
	// RepeatIfIdempotent allows it for calls that may be carried out twice. The author of a chain with a retry in it
	// says that they may, unless the context says [NotIdempotent].
	RepeatIfIdempotent
	// RepeatAlways allows it for every call, because the failed attempt did nothing: it was never sent, or the
	// dependency says so.
	RepeatAlways
)

// String returns "never", "if idempotent" or "always".
func (r Repeat) String() string {
	switch r {
	case RepeatNever:
		return "never"
	case RepeatIfIdempotent:
		return "if idempotent"
	case RepeatAlways:
		return "always"
	}
	return "unknown"
}

// Verdict is the judgement of one end of a call.
type Verdict struct {
	Outcome Outcome
	Repeat  Repeat
	After   time.Duration // no attempt before this; 0 if the dependency did not say
}

// Permanent wraps err so that it is not retried, and is otherwise judged as err is. The error matches err, and its text
// is err's. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

func (e *permanentError) Verdict() Verdict {
	v := Classify(e.err)
	v.Repeat = RepeatNever
	return v
}

// ErrAborted is what a policy is told when op panicked or called runtime.Goexit. It is judged as a failure that is not
// repeated. Callers never see it: the panic goes on.
var ErrAborted = errors.New("seawall: operation panicked or exited its goroutine")

// ErrCanceled is what a policy is told when the caller canceled its context and so ended the call; see [Settle].
var ErrCanceled = errors.New("seawall: canceled by the caller")

// Settle returns the error by which to judge a call that ran with ctx, the caller's context, and ended with err.
//
// It is [ErrCanceled] if err is not nil and ctx was canceled: a caller that leaves is neither good nor bad, and from
// the error alone one cannot tell its cancellation from one inside op. A deadline of ctx that has passed is different:
// then err stands, because the dependency did not answer in the time that the caller had. Else a program that sets its
// limits by context would have a breaker that is blind to a dependency that hangs.
func Settle(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == context.Canceled { // the two errors of a context are never wrapped
		return ErrCanceled
	}
	return err
}

// verdicter is an error that knows its verdict: those of adapters, which know the protocol.
type verdicter interface {
	error
	Verdict() Verdict
}

// retryAfterer is an error that knows how long to stay away.
type retryAfterer interface {
	error
	RetryAfter() time.Duration
}

// Classify is the default classifier. It judges, in this order:
//
//   - nil: [Success]
//   - [ErrCanceled]: [Ignored]
//   - [ErrAborted]: [Failure], never repeated
//   - an error in err's tree with a method Verdict() Verdict: what that says. The errors of our adapters have it, and
//     [RejectedError], a rejection by a gate, is [Ignored] and not repeated; that of [Permanent] is what it wraps, never
//     repeated
//   - any other error: [Failure], repeated if idempotent, not before what a RetryAfter() time.Duration in its tree says
//
// An error that is context.Canceled or context.DeadlineExceeded is like any other here, because the context decides
// who canceled: see [Settle].
func Classify(err error) Verdict {
	switch err {
	case nil:
		return Verdict{Outcome: Success}
	case ErrCanceled: //nolint:errorlint // the policies pass it bare, and the next one
		return Verdict{Outcome: Ignored}
	case ErrAborted:
		return Verdict{Outcome: Failure}
	}
	if v, ok := errors.AsType[verdicter](err); ok {
		return v.Verdict()
	}
	v := Verdict{Outcome: Failure, Repeat: RepeatIfIdempotent}
	if r, ok := errors.AsType[retryAfterer](err); ok {
		v.After = max(0, r.RetryAfter())
	}
	return v
}
