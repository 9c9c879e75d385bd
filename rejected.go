package seawall

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// ErrRejected is matched by every rejection: the call was not made.
var ErrRejected = errors.New("seawall: rejected")

// Reason says why a call was rejected. The list is closed, and the same in errors, metrics and events.
type Reason string

// The reasons.
const (
	ReasonOpen         Reason = "open"          // a breaker is open
	ReasonProbing      Reason = "probing"       // a half-open breaker has all its probes out
	ReasonRamping      Reason = "ramping"       // a recovering breaker lets only a share in
	ReasonForced       Reason = "forced"        // a person forced the gate open
	ReasonFull         Reason = "full"          // no slot is free, and there is no queue
	ReasonQueueFull    Reason = "queue_full"    // no slot is free, and the queue is full
	ReasonQueueTimeout Reason = "queue_timeout" // no slot became free in the time that the queue allows
	ReasonDeadline     Reason = "deadline"      // it could not have ended before the caller's deadline
	ReasonShed         Reason = "shed"          // less important work made room
	ReasonLimited      Reason = "limited"       // over a rate
	ReasonBudget       Reason = "budget"        // no budget for extra attempts
	ReasonDraining     Reason = "draining"      // the program is stopping
	ReasonCanceled     Reason = "canceled"      // the caller left while it waited
	ReasonSlowConsumer Reason = "slow_consumer" // the receiver does not keep up
)

// RejectedError is a rejection: who, why and until when. It matches [ErrRejected] and the sentinel of its package, such
// as breaker.ErrOpen. It is immutable, and gates may hand out one value many times, so that a rejection costs no
// allocation.
type RejectedError struct {
	Kind   string // kind of policy, such as "breaker"
	Name   string // the policy's name
	Reason Reason

	sentinel error
	timed    bool
	until    time.Duration // reading of mono.Now; only if timed
}

// Reject makes a rejection that matches sentinel. A positive after says how long the caller should stay away, from now;
// with 0 nothing is known.
func Reject(kind, name string, reason Reason, sentinel error, after time.Duration) *RejectedError {
	e := &RejectedError{Kind: kind, Name: name, Reason: reason, sentinel: sentinel}
	if after > 0 {
		e.timed, e.until = true, mono.Now()+after // the sum may overflow: the difference to a later reading undoes that
	}
	return e
}

// RetryAfter returns how long from now the caller should stay away: the time that is left, 0 if nothing is known or it
// has passed.
func (e *RejectedError) RetryAfter() time.Duration {
	if !e.timed {
		return 0
	}
	return max(0, e.until-mono.Now())
}

// Error returns such as: breaker "payments": open, retry in 1.2s.
func (e *RejectedError) Error() string {
	if after := e.RetryAfter(); after > 0 {
		return fmt.Sprintf("%s %q: %s, retry in %v", e.Kind, e.Name, e.Reason, roundUp(after))
	}
	return fmt.Sprintf("%s %q: %s", e.Kind, e.Name, e.Reason)
}

// Is matches ErrRejected and the sentinel of the gate's package.
func (e *RejectedError) Is(target error) bool { return target == ErrRejected || target == e.sentinel }

// Verdict is [Ignored], never repeated: the dependency was not asked, and a gate is not to be hammered.
func (e *RejectedError) Verdict() Verdict { return Verdict{Outcome: Ignored, After: e.RetryAfter()} }

// roundUp makes a duration readable: at most three digits, never shorter.
func roundUp(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d/unit >= 1000 { // a product could overflow
		unit *= 10
	}
	if rest := d % unit; rest > 0 {
		d += min(unit-rest, math.MaxInt64-d)
	}
	return d
}
