package fault

import (
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
)

// ErrStarted is matched by the error of Start when the injector was started or stopped before: a plan runs once.
var ErrStarted = errors.New("fault: started or stopped before")

// ErrInjected is matched by every error that this package puts in the place of an answer.
var ErrInjected = errors.New("fault: injected")

// InjectedError is a failure made by a fault. It matches [ErrInjected]. It is immutable, and a fault gives the same
// value each time.
type InjectedError struct {
	Kind   Kind
	Target string

	// Status is the HTTP status with which a server says it; 0 if it says nothing and breaks the connection off.
	Status int
	// Code is the gRPC code with which a server says it, such as UNAVAILABLE. It is always set.
	Code string
	// RetryAfter is how long the caller is told to stay away; 0 if it is not told.
	RetryAfter time.Duration
	// Body is the text of an answer.
	Body string
}

// newInjected is what a fault gives.
func newInjected(f Fault) *InjectedError {
	e := &InjectedError{Kind: f.Kind, Target: f.Target, Code: "UNAVAILABLE"}
	switch f.Kind {
	case Error:
		e.Status = 500
	case StatusCode:
		e.Status, e.Code, e.RetryAfter, e.Body = f.Status, f.Code, f.RetryAfter, f.Body
		if e.Status == 0 {
			e.Status = statusOf(f.Code)
		}
		if e.Code == "" {
			e.Code = codeOf(f.Status)
		}
	}
	return e
}

// Error returns such as: fault "payments": injected error.
func (e *InjectedError) Error() string {
	if e.Kind == StatusCode {
		return fmt.Sprintf("fault %q: injected %s %d", e.Target, e.Kind, e.Status)
	}
	return fmt.Sprintf("fault %q: injected %s", e.Target, e.Kind)
}

// Is matches ErrInjected.
func (e *InjectedError) Is(target error) bool { return target == ErrInjected }

// Timeout reports whether the fault is one of [Timeout], so that the error counts as one, as those of package net do.
func (e *InjectedError) Timeout() bool { return e.Kind == Timeout }

// Temporary makes it a net.Error. It is always false.
func (e *InjectedError) Temporary() bool { return false }

// Verdict is a failure that is repeated if idempotent: like that of a real dependency, it does not tell whether the
// work was done. A status is judged as that of a real answer: 429, 408 and 425 are overload, 500, 502, 503 and 504
// failures that may be repeated, other ones from 500 on failures that may not, and the rest are answers. RetryAfter is
// kept.
func (e *InjectedError) Verdict() seawall.Verdict {
	v := seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent, After: e.RetryAfter}
	if e.Kind != StatusCode {
		return v
	}
	switch e.Status {
	case 408, 425, 429:
		v.Outcome = seawall.Overload
	case 500, 502, 503, 504:
	default:
		v.Repeat = seawall.RepeatNever
		if e.Status < 500 {
			v.Outcome = seawall.Success
		}
	}
	return v
}
