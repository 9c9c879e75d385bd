// Package hedge starts a second attempt of a call when the first one is late, and takes the better end.
//
//	h := hedge.New("search", hedge.Config{}) // a second attempt for the slowest 5 %, 10 % extra load at the most
//	hits, err := seawall.Call(ctx, h, func(ctx context.Context) (Hits, error) {
//		return replicas[seawall.Attempt(ctx)-1].Find(ctx, query)
//	})
//
// It cuts the tail of latencies that comes from one slow replica, as in Dean and Barroso, "The Tail at Scale", CACM 2013.
// It does not help where all replicas are slow, and there it must not hurt: see "How often".
//
// # Who wins
//
// The first success. An error never beats a success that may still come: it waits for the attempts that run, and starts
// the next one early if its verdict allows that. An error that is an answer, with the outcome [seawall.Success], such as
// HTTP 404, wins like a success. If all attempts fail, the caller gets an [*Error] with the errors of all.
//
// The losers' contexts are canceled with [seawall.ErrLost] as their cause, and so is the winner's when the call has
// ended: a result must not depend on it. Results of losers are closed, see [seawall.Call]. A loser is no failure of a
// breaker inside, and leaves no goroutine behind, provided that the operation heeds its context.
//
// # When
//
// By default when as much time has passed as 95 % of the calls take, see [Latency]; or after a fixed Config.Delay. A wait
// that cannot end before the caller's deadline is not begun. A call that must not be carried out twice, by
// [seawall.NotIdempotent], has no second attempt beside the first; one may follow an error that says that nothing was
// done.
//
// No further attempt of a call starts after an answer that asks for less ([seawall.Overload], or a time to stay away),
// after a rejection by a gate inside, and after any error that is not to be repeated.
//
// # How often
//
// When a dependency gets slower as a whole, all calls are late by what was known until then. Two limits bound the extra
// load: a [Cap], which is a share of the calls, and a [seawall.Budget], which is funded by successes. It is meant to be
// shared with a retry of the same dependency, which then funds it; hedges that share one without a retry need
// [Contribute]. A call that is refused a second attempt goes on with its first. A second attempt that was rejected by a
// gate inside has cost neither.
package hedge
