package httpx

import (
	"context"
	"time"
)

// overrides is what a context says about its requests.
type overrides struct {
	idempotent     bool
	unhedged       bool
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
// retries and hedges; the budget stays. WithAttempts(ctx, 1) never repeats, and what is below counts as 1.
//
// The importance of requests is set by [seawall.WithPriority].
func WithAttempts(ctx context.Context, n int) context.Context {
	return override(ctx, func(o *overrides) { o.attempts = max(1, n) })
}

// WithoutHedges returns a context whose requests are not hedged, also those that [ClientConfig.HedgeIf] would say yes to:
// what is late is waited for, and repeated only if it fails.
func WithoutHedges(ctx context.Context) context.Context {
	return override(ctx, func(o *overrides) { o.unhedged = true })
}

// WithTimeout returns a context whose requests have a total limit of d, or none with [Off], in the place of that of
// [ClientConfig]. Unlike a deadline of the context, which may be set beside it and can only shorten, it may be longer than
// the client's, and its end is an error that matches timeout.ErrExceeded. Less than 1 ms counts as that.
func WithTimeout(ctx context.Context, d time.Duration) context.Context {
	return override(ctx, func(o *overrides) { o.timeout = limitOf(d) })
}

// WithAttemptTimeout returns a context whose requests have d for each attempt, or no such limit with [Off], in the place
// of what [ClientConfig] says. Less than 1 ms counts as that.
func WithAttemptTimeout(ctx context.Context, d time.Duration) context.Context {
	return override(ctx, func(o *overrides) { o.attemptTimeout = limitOf(d) })
}

func limitOf(d time.Duration) time.Duration {
	if d == Off {
		return Off
	}
	return min(max(d, time.Millisecond), mostLimit)
}
