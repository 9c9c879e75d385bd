// Package timeout limits the time of a call, or of one attempt.
//
//	t := timeout.New("payments.attempt", timeout.Config{Limit: 500 * time.Millisecond})
//	err := t.Do(ctx, func(ctx context.Context) error { return psp.Ping(ctx) })
//	if errors.Is(err, timeout.ErrExceeded) { ... }
//
// # What it does
//
// The operation runs on the caller's goroutine, with a context that ends at the limit, and Do returns when the
// operation does. Nothing is ever left running behind. So an operation that ignores its context is not interrupted: the
// call takes as long as it takes.
//
// A limit only shrinks the time: where the caller's deadline comes first, or at the same instant, it is the one that
// counts, and its error passes untouched. So nested limits come to the smallest.
//
// By default the limit is a constant. [Adaptive] makes it follow the latency, between a floor and a ceiling.
//
// # What the caller sees
//
//   - Success is success, also when it comes after the limit.
//   - An error before the limit passes untouched.
//   - Any error after the limit is the limit's: the caller gets an [*ExceededError]. Libraries return all kinds of
//     errors when their context ends, and nobody can tell these from others; the operation's own stays within reach of
//     errors.Is and errors.As.
//   - If the caller canceled its context before the limit, the error passes untouched. So it does if both came to pass
//     while the operation did not look.
//
// Only a deadline of the caller's yields [context.DeadlineExceeded]; an ExceededError never matches it.
package timeout
