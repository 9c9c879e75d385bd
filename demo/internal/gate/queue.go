package gate

import (
	"container/list"
	"context"
	"sync"
)

// queue is the line before the workers. How many workers there are is asked anew at each arrival, departure and
// completion, because a fault changes it without telling; completions are so frequent while anybody waits that nothing
// else has to wake the line up.
type queue struct {
	mu        sync.Mutex // guards the fields below
	line      list.List  // of *waiter, the oldest in front
	busy      int        // workers that serve, or that a waiter has been given and has not yet taken
	served    uint64
	abandoned uint64
}

type waiter struct {
	admitted chan struct{} // closed under the lock when the waiter has a worker and is out of the line
	in       bool          // guarded by the queue's lock
}

// enter returns nil when the caller has a worker, which it gives back with leave, or the cause of ctx if that ends
// first. The number of workers is asked before each time that the lock is taken: a fault is somebody else's code.
func (q *queue) enter(ctx context.Context, workers func() int) error {
	w := &waiter{admitted: make(chan struct{})}
	n := workers()
	q.mu.Lock()
	if ctx.Err() != nil {
		q.abandoned++
		q.mu.Unlock()
		return context.Cause(ctx)
	}
	place := q.line.PushBack(w)
	q.admitLocked(n)
	q.mu.Unlock()

	select {
	case <-w.admitted:
	case <-ctx.Done():
	}
	if ctx.Err() == nil {
		return nil
	}
	// The client went while it waited, or in the moment in which its turn came; its work has not begun.
	n = workers()
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.in {
		q.busy--
	} else {
		q.line.Remove(place)
	}
	q.abandoned++
	q.admitLocked(n)
	return context.Cause(ctx)
}

// leave gives a worker back.
func (q *queue) leave(workers func() int) {
	n := workers()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	q.served++
	q.admitLocked(n)
}

// admitLocked gives the free workers to those who have waited longest. If a fault has taken workers away, those who are
// busy go on, and nobody is admitted until there are fewer of them.
func (q *queue) admitLocked(workers int) {
	for q.busy < workers && q.line.Len() > 0 {
		w := q.line.Remove(q.line.Front()).(*waiter)
		q.busy++
		w.in = true
		close(w.admitted)
	}
}
