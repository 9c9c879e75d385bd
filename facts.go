package seawall

import (
	"context"
	"time"
)

type attemptKey struct{}

// WithAttempt returns a context that says which attempt of a call it belongs to: 1 for the first. Policies that repeat
// set it; an adapter sends it to the next hop.
func WithAttempt(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, attemptKey{}, n)
}

// Attempt returns the number that the innermost repeating policy gave to this attempt: 1 for the first one, and where
// nothing repeats. A first attempt inside of a repeated one has the number of the outer one: the request has been made
// before.
func Attempt(ctx context.Context) int {
	if n, ok := ctx.Value(attemptKey{}).(int); ok {
		return n
	}
	return 1
}

type notIdempotentKey struct{}

// NotIdempotent returns a context that says that its call must not be carried out twice: it is repeated only after an
// error that says that nothing was done ([RepeatAlways]).
func NotIdempotent(ctx context.Context) context.Context {
	return context.WithValue(ctx, notIdempotentKey{}, true)
}

// IsIdempotent reports whether the call of ctx may be carried out twice: it may, unless [NotIdempotent] said otherwise.
func IsIdempotent(ctx context.Context) bool { return ctx.Value(notIdempotentKey{}) == nil }

// Remaining returns the time until the deadline of ctx, and false if it has none. It may be negative.
func Remaining(ctx context.Context) (time.Duration, bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return time.Until(deadline), true
}

// CanWait reports whether a wait of d can end before the deadline of ctx. A wait that cannot is not worth beginning.
func CanWait(ctx context.Context, d time.Duration) bool {
	left, ok := Remaining(ctx)
	return !ok || d < left
}
