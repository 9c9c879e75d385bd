// Package breaker is a circuit breaker: it stops calling a dependency that fails, and finds out by a few probes when it
// works again.
//
//	b := breaker.New("payments", breaker.Config{})
//	err := b.Do(ctx, func(ctx context.Context) error { return psp.Ping(ctx) })
//	if errors.Is(err, breaker.ErrOpen) { ... }
//
// A breaker is closed, open or half-open. Closed, it lets all calls pass and counts their outcomes over a window; when
// the failure rate reaches its threshold it opens. Open, it rejects all calls, for a time that grows while the
// dependency stays down. Then, half-open, it lets a few probes pass: by their failure rate it closes or opens again.
//
// Each period of a state is a generation. The end of a call counts only in the generation that admitted it: a call that
// began before the breaker opened does not judge the recovery.
package breaker
