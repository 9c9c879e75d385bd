package retry

import "context"

type maxAttemptsKey struct{}

// WithMaxAttempts returns a context whose calls take at most n attempts, the first one included, in the place of
// Config.MaxAttempts; the budget stays. It holds for every Retry that the calls pass, so it is for the innermost one. n
// below 1 is 1.
func WithMaxAttempts(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, maxAttemptsKey{}, max(1, n))
}

// maxAttempts is asked only after an attempt has failed.
func maxAttempts(ctx context.Context, s *settings) int {
	if n, ok := ctx.Value(maxAttemptsKey{}).(int); ok {
		return n
	}
	return s.maxAttempts
}
