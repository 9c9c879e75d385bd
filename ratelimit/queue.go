package ratelimit

import (
	"context"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// waiter is a call in the queue. All but told is guarded by the limiter's lock, until told is closed.
type waiter struct {
	told chan struct{} // closed when it is granted or turned away
	n    int           // the tokens that it wants
	answer
	prev, next *waiter
}

// queue is a list of waiters, first in, first out. It is linked because one that leaves may stand anywhere.
type queue struct {
	first, last *waiter
	len         int
	tokens      int64 // that all of them want
}

func (q *queue) push(w *waiter) {
	w.prev = q.last
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
	q.len++
	q.tokens += int64(w.n)
}

// remove takes a waiter out, and tells it its answer if it does not know.
func (q *queue) remove(w *waiter, a answer) {
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	q.len--
	q.tokens -= int64(w.n)
	w.answer = a
	if a.fate != departed {
		close(w.told)
	}
}

// serveLocked gives the tokens that are there to those that wait for them, in their order.
func (l *Limiter) serveLocked(now time.Duration) {
	for w := l.queue.first; w != nil && l.take(now, w.n); w = l.queue.first {
		l.queue.remove(w, l.grantLocked(w.n))
	}
	l.armLocked(now)
}

// armLocked sets the timer for the first in the queue. There is one for all: who waits behind has nothing to wake up for.
func (l *Limiter) armLocked(now time.Duration) {
	first := l.queue.first
	switch {
	case first == nil && l.timer != nil:
		l.timer.Stop()
		l.timer = nil
	case first == nil:
	case l.timer == nil:
		l.timer = time.AfterFunc(l.pauseLocked(now, first), l.tick)
	default:
		l.timer.Reset(l.pauseLocked(now, first))
	}
}

func (l *Limiter) pauseLocked(now time.Duration, first *waiter) time.Duration {
	return max(1, l.wait(now, float64(first.n)))
}

func (l *Limiter) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serveLocked(mono.Now())
}

// await waits until a call in the queue has its answer.
func (l *Limiter) await(ctx context.Context, w *waiter, began time.Duration) (seawall.Ticket, error) {
	select {
	case <-w.told:
	case <-ctx.Done():
	}
	gone, outcome := ctx.Err() != nil, "rejected"
	l.mu.Lock()
	switch {
	case gone:
		outcome = "canceled"
		l.counts.canceled++
		l.leaveLocked(w)
	case w.fate == granted:
		outcome = "admitted"
		l.counts.delayed++
	default:
		l.counts.rejected[w.why]++
	}
	l.mu.Unlock()
	if l.waits.Wanted() {
		l.waits.Tell(ctx, outcome, mono.Now()-began)
	}
	switch {
	case gone:
		note(ctx, l, seawall.ReasonCanceled)
		return seawall.Ticket{}, seawall.Waited(kind, l.name, context.Cause(ctx))
	case w.fate == granted:
		return w.ticket, nil
	}
	return seawall.Ticket{}, l.reject(ctx, w.why, w.when)
}

// leaveLocked takes a call out whose caller has left. What came for it at the same instant goes back: nothing starts for
// a caller that has left.
func (l *Limiter) leaveLocked(w *waiter) {
	now := mono.Now()
	if w.fate == waits {
		l.queue.remove(w, answer{fate: departed})
		l.serveLocked(now) // the one behind may want less
		return
	}
	l.refundLocked(now, w.ticket)
}
