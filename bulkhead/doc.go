// Package bulkhead limits how many calls run at once: a semaphore with a bounded queue that knows the callers'
// deadlines, how important their calls are, and for whom they are made.
//
//	b := bulkhead.New("inventory", bulkhead.Config{Limit: 32})
//	err := b.Do(ctx, func(ctx context.Context) error { return db.Reserve(ctx, seat) })
//	if errors.Is(err, bulkhead.ErrFull) { ... }
//
// It keeps one slow dependency from taking all of a program's goroutines, connections and memory, as the bulkheads of a
// ship keep one leak from flooding it (Nygard, "Release It!", chapter "Stability Patterns").
//
// # Order of service
//
// A call gets in at once when a slot is free and nobody waits. Otherwise it waits in a queue. Slots that come free go
// to whoever is next, in this order:
//
//   - those to whose level of importance slots are due, by its guaranteed share ([Shares]),
//   - then the more important before the less important ([seawall.WithPriority]),
//   - and among equals whoever came first, or in a standing queue with [AdaptiveLIFO] whoever came last.
//
// Nobody else gets in before the next one, also if that is a call which waits for several slots ([Config].Weight) while
// there are enough for another: so it does not wait for ever. A newcomer gets in before those who wait only if it would
// be the next one itself. When the queue is full, a newcomer takes the place of the least important call in it, if that
// is less important than its own. So without a queue ([NoQueue]) it does not matter how important a call is.
//
// # What is not worth waiting for
//
// Waiting ends with the caller's context, or after Queue.MaxWait. While calls queue, the bulkhead keeps averages of the
// time in which a slot comes free, and of the time that calls take that had to wait. A newcomer whose turn would not
// come within MaxWait, or not early enough to be served before its deadline, is rejected at once, and told when to come
// back: a queue is for bursts, and a wait in vain helps nobody. When the turn comes of a call that has too little time
// left, the slot goes to the next one. The averages are forgotten when the queue is empty, so that an old trouble turns
// nobody away.
//
// # Overload
//
// A queue does not help against overload that lasts: then somebody has to be turned away, and it is better to say whom.
// Without any configuration it is the least important calls, with no more than what their level is guaranteed left to
// them. [AdaptiveLIFO] keeps the waits of those short who are served. [ByUser] gives all calls for a user the same
// fate, so that tasks of several calls are served whole.
package bulkhead
