// Package breaker is a circuit breaker: it stops calling a dependency that fails or hangs, and finds out by a few probes
// when it works again.
//
//	b := breaker.New("payments", breaker.Config{})
//	err := b.Do(ctx, func(ctx context.Context) error { return psp.Ping(ctx) })
//	if errors.Is(err, breaker.ErrOpen) { ... }
//
// A breaker is closed, open, half-open or ramping. Closed, it lets all calls pass and counts their outcomes over a
// window. It opens when the rate of failures or of slow calls reaches its threshold, or when so many calls fail in a row.
// Open, it rejects all calls, for a time that grows while the dependency stays down, and that never ends before the
// dependency itself asked to be called again. Then, half-open, it lets a few probes pass: by their rates it opens again,
// or lets the load come back. Ramping, it lets in 5 %, then 25 % of the calls, each step judged by the same rates, and
// then closes.
//
// A call counts as slow at the moment at which it becomes slow, while it still runs: calls that hang open the breaker
// although none of them ends. Nothing waits for that, neither a timer nor a goroutine. The next call finds it, or whoever
// reads the state; and what is found is what would have been found at the time.
//
// Each period of a state is a generation. The end of a call counts only in the generation that admitted it: a call that
// began before the breaker opened does not judge the recovery. The ramp and the closed state after it are one generation,
// because its calls are what the closed state has to go by.
//
// Use a [Group] for one breaker per host, tenant or shard. [FromGobreaker] puts a breaker of github.com/sony/gobreaker
// into a chain of this module.
package breaker
