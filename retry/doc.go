// Package retry repeats failed calls: few times, at random moments, and only as long as a budget pays for it.
//
//	r := retry.New("payments", retry.Config{}) // 3 attempts, full jitter, a budget of 10 %
//	err := r.Do(ctx, func(ctx context.Context) error { return psp.Ping(ctx) })
//	if errors.Is(err, retry.ErrExhausted) { ... }
//
// # What is repeated
//
// The verdict on an error decides, see [seawall.Classify]: by default every error is repeated that no one has declared
// final, by [seawall.Permanent], by backoff.Permanent or by a verdict of its own. A call that must not be carried out
// twice says so in its context, see [seawall.NotIdempotent]. A rejection by a gate is never repeated, and a retry that
// was rejected has cost no budget. Nor is anything repeated for a caller that has left.
//
// # When
//
// After a wait out of the schedule, and not before the time that the dependency asked for. That one comes first, and up to
// a tenth of it is added at random: all who were turned away together were told the same time. A wait that cannot end
// before the caller's deadline is not begun: the call ends at once, with [ErrOutOfTime]. There is no limit on the elapsed
// time of its own; put a timeout around the retry.
//
// # How often
//
// Config.MaxAttempts bounds one call, the [seawall.Budget] bounds all calls together. It is funded by successes, so
// that retries die out when nothing succeeds, which is when they would only be a burden. Share one budget among all
// that make extra attempts at the same dependency, retries and hedges.
//
// # Layers
//
// Where one Retry is around another, in one process or at two ends of a wire, only the one next to the failure repeats:
// what it has repeated until it had no more attempts, or no more budget, it calls final in its verdict, so that the
// layers above pass the error on. Else attempts would multiply, as they do with [NoBudget]: 3 layers of 4 make 64 calls.
// What it could not repeat, for want of time or because MaxAttempts is 1, is left to them. An adapter carries the verdict
// up and the number of the attempt ([seawall.Attempt]) down. Where the verdict gets lost each layer's budget still holds:
// in the long run three layers make at most 1.1³ calls of one. A layer that is to repeat what is exhausted below has a
// Classify that says so for [ErrExhausted].
package retry
