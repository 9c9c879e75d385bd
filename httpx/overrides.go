package httpx

import (
	"context"
	"time"
)

// overrides is what a context says about its requests.
type overrides struct {
	idempotent     bool
	attempts       int           // 0 for the client's
	timeout        time.Duration // 0 for the client's, or Off
	attemptTimeout time.Duration // 0 for the client's, or Off
}

type overridesKey struct{}

func overridesOf(ctx context.Context) overrides {
	if o, ok := ctx.Value(overridesKey{}).(*overrides); ok {
		return *o
	}
	return overrides{}
}

// override returns a context that says more than ctx.
func override(ctx context.Context, change func(*overrides)) context.Context {
	o := overridesOf(ctx)
	change(&o)
	return context.WithValue(ctx, overridesKey{}, &o)
}

// Idempotent returns a context that says that its requests may be carried out twice, whatever their method: they are
// repeated, and hedged, as a GET is. [seawall.NotIdempotent] says the opposite, and wins.
func Idempotent(ctx context.Context) context.Context {
	return override(ctx, func(o *overrides) { o.idempotent = true })
}

// WithAttempts returns a context whose requests are made at most n times, in the place of what [ClientConfig] says about
// retries and hedges; the budget stays. It panics if n is below 1. WithAttempts(ctx, 1) never repeats.
//
// The importance of requests is set by [seawall.WithPriority].
func WithAttempts(ctx context.Context, n int) context.Context {
	if n < 1 {
		panic("httpx: WithAttempts: n is below 1")
	}
	return override(ctx, func(o *overrides) { o.attempts = n })
}

// WithTimeout returns a context whose requests have a total limit of d, or none with [Off], in the place of that of
// [ClientConfig]. Unlike a deadline of the context, which may be set beside it and can only shorten, it may be longer than
// the client's, and its end is an error that matches timeout.ErrExceeded. It panics if d is below 1 ms.
func WithTimeout(ctx context.Context, d time.Duration) context.Context {
	mustLimit("WithTimeout", d)
	return override(ctx, func(o *overrides) { o.timeout = d })
}

// WithAttemptTimeout returns a context whose requests have d for each attempt, or no such limit with [Off], in the place
// of what [ClientConfig] says. It panics if d is below 1 ms.
func WithAttemptTimeout(ctx context.Context, d time.Duration) context.Context {
	mustLimit("WithAttemptTimeout", d)
	return override(ctx, func(o *overrides) { o.attemptTimeout = d })
}

func mustLimit(function string, d time.Duration) {
	if d != Off && d < time.Millisecond {
		panic("httpx: " + function + ": the limit is below 1ms")
	}
}
