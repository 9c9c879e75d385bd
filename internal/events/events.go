// Package events tells events in the order in which they happened, outside of the locks of whoever they happen to.
package events

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// Queue holds the events that have happened and were not yet told. The zero Queue is ready for use.
type Queue[E any] struct {
	mu      sync.Mutex // guards the fields below; taken below the owner's own lock
	waiting []E
	telling bool
}

// Put adds an event. It is called under the lock that orders the events, and does not tell it: that is what Tell is
// for, behind the unlock.
func (q *Queue[E]) Put(e E) {
	q.mu.Lock()
	q.waiting = append(q.waiting, e)
	q.mu.Unlock()
}

// PutLast is like Put, for an owner whose events come without end while one of them is told forever: it drops the oldest so
// that no more than limit wait, and returns how many.
func (q *Queue[E]) PutLast(e E, limit int) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, e)
	if dropped = max(0, len(q.waiting)-limit); dropped > 0 {
		clear(q.waiting[:dropped])
		q.waiting = q.waiting[dropped:]
	}
	return dropped
}

// Tell gives the events to tell, in order. One goroutine at a time does so: whoever else comes leaves its events to
// that one, so a tell that does not return holds up no other call. If tell panics, the panic is the caller's; if it
// leaves by panic or runtime.Goexit, the events behind it are told before the goroutine goes on.
func (q *Queue[E]) Tell(tell func(E)) {
	for q.one(tell) {
	}
}

func (q *Queue[E]) one(tell func(E)) bool {
	q.mu.Lock()
	if q.telling || len(q.waiting) == 0 {
		q.mu.Unlock()
		return false
	}
	e := q.waiting[0]
	q.waiting[0] = *new(E) // the array lives on until the next Put: it must not keep what was told alive
	q.waiting = q.waiting[1:]
	q.telling = true
	q.mu.Unlock()

	returned := false
	defer func() {
		q.mu.Lock()
		q.telling = false
		q.mu.Unlock()
		if !returned {
			q.Tell(tell)
		}
	}()
	tell(e)
	returned = true
	return true
}

// Shield runs what is the user's, such as a listener or the handler of a log, and lets no panic of it through to the
// caller whose call happened to cause the event: it is logged as seawall.listener.panicked. A runtime.Goexit goes on.
func Shield(logger *slog.Logger, kind, name string, f func()) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		defer func() { _ = recover() }() // the log is what panics: there is nobody left to tell
		logger.Error("seawall.listener.panicked",
			"kind", kind, "name", name, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
	}()
	f()
}
