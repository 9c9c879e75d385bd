// Package bulkhead limits how many calls run at once: a semaphore with a bounded queue that knows the callers'
// deadlines.
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
// A call gets in at once when a slot is free and nobody waits. Otherwise it waits in a queue, first in, first out: a
// newcomer never overtakes a call that waits. A slot that comes free goes straight to the first of the queue. A call
// whose time has run out by then is passed over.
//
// # What is not worth waiting for
//
// Waiting ends with the caller's context, or after Queue.MaxWait. While calls queue, the bulkhead keeps an average of
// the time between hand-overs. A newcomer whose turn, by that pace, would not come before its deadline or within
// MaxWait is rejected at once, and told when to come back: a queue is for bursts, and a wait in vain helps nobody. The
// average is forgotten when the queue is empty, so that an old trouble turns nobody away.
package bulkhead
