package bulkhead

import (
	"context"
	"math"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// waiter is a call in the queue.
type waiter struct {
	told  chan struct{} // closed when it is granted or refused
	until time.Duration // reading of mono.Now after which a slot is of no use to it

	fate       fate // guarded by the bulkhead's mutex until told is closed
	prev, next *waiter
}

// fate is what became of a waiter.
type fate uint8

const (
	waits    fate = iota
	granted       // it has a slot
	refused       // the bulkhead was forced open
	departed      // it left, or its time had run out when its turn came; it finds out by itself
)

// queue is a list of waiters, first in, first out. It is linked because one that leaves may stand anywhere.
type queue struct {
	first, last *waiter
}

func (q *queue) push(w *waiter) {
	w.prev = q.last
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
}

// remove takes a waiter out, and tells it if it does not know.
func (q *queue) remove(w *waiter, end fate) {
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
	w.fate = end
	if end != departed {
		close(w.told)
	}
}

// queueUp gets a slot, after a wait if need be, or rejects the call.
func (b *Bulkhead) queueUp(ctx context.Context) (holding, error) {
	left := time.Duration(math.MaxInt64)
	if remaining, ok := seawall.Remaining(ctx); ok { // the context may be the user's own: not under the lock
		left = remaining
	}
	w := &waiter{told: make(chan struct{})}
	b.mu.Lock()
	// From here on the call goes by these settings alone. Those that it began with may be older than the latest change,
	// and by their limit it might wait beside a free slot.
	s := b.settings.Load()
	if s.Mode != seawall.Enforce {
		b.mu.Unlock()
		return b.decide(ctx, s)
	}
	end := b.enterLocked(w, s, left)
	b.mu.Unlock()
	switch end.fate {
	case granted:
		return slot, nil
	case refused:
		return nothing, b.reject(ctx, end.why, end.after)
	case waits, departed:
	}
	return b.wait(ctx, w, s.Queue.MaxWait, left)
}

// entry is how a call came to the queue: it waits, or is granted a slot, or refused.
type entry struct {
	fate  fate
	why   refusal
	after time.Duration
}

// enterLocked puts a call into the queue, unless a slot is free or the wait would be in vain.
func (b *Bulkhead) enterLocked(waiting *waiter, s *settings, left time.Duration) entry {
	patience := min(left, s.Queue.MaxWait)
	for {
		w := b.state.load()
		if w.countFull() {
			b.foldLocked()
			continue
		}
		if w.occupied() < s.free {
			if b.state.swap(w, w+oneAdmitted+oneInUse) {
				return entry{fate: granted}
			}
			continue
		}
		expected := b.pace.expect(w.waiting() + 1)
		switch {
		case w.waiting() >= s.places:
			return entry{fate: refused, why: s.whenFull}
		case expected >= patience && left <= s.Queue.MaxWait:
			return entry{fate: refused, why: deadline, after: expected}
		case expected >= patience:
			return entry{fate: refused, why: queueTimeout, after: expected}
		}
		// From this swap on whoever ends a call sees that somebody waits, and comes for the lock.
		if b.state.swap(w, w+oneWaiting) {
			waiting.until = mono.Now() + patience
			b.queue.push(waiting)
			return entry{fate: waits}
		}
	}
}

// wait waits for the turn of a call in the queue.
func (b *Bulkhead) wait(ctx context.Context, w *waiter, maxWait, left time.Duration) (holding, error) {
	var expired <-chan time.Time
	if maxWait < left { // else the caller's deadline comes first, and its context tells
		timer := time.NewTimer(maxWait)
		defer timer.Stop()
		expired = timer.C
	}
	var end fate
	var expected time.Duration
	select {
	case <-w.told:
		end = w.fate
	case <-ctx.Done():
		end, _ = b.leave(w)
	case <-expired:
		end, expected = b.leave(w)
	}
	if ctx.Err() != nil {
		// A slot that came at the same instant goes on: nothing starts for a caller that has left.
		if end == granted {
			b.passOn()
		}
		return nothing, b.canceled(ctx)
	}
	switch end {
	case granted:
		b.counts.waited.Add(1)
		return slot, nil
	case refused:
		return nothing, b.reject(ctx, forced, 0)
	case waits, departed:
	}
	return nothing, b.reject(ctx, queueTimeout, expected)
}

// leave takes a call out of the queue, if it is still there, and returns what became of it and what a newcomer would
// have to expect.
func (b *Bulkhead) leave(w *waiter) (fate, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.fate == waits {
		b.state.subtract(oneWaiting)
		b.queue.remove(w, departed)
	}
	expected := b.pace.expect(b.state.load().waiting() + 1)
	b.restLocked()
	return w.fate, expected
}

// handOver ends the use of a slot while calls wait.
func (b *Bulkhead) handOver() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := mono.Now()
	if b.nextLocked(now) {
		b.pace.handedOver(now)
	}
	b.restLocked()
}

// passOn gives up a slot that was granted and not used. That says nothing about the pace of the calls.
func (b *Bulkhead) passOn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nextLocked(mono.Now())
	b.restLocked()
}

// nextLocked gives a slot in use to the first waiter that has time left, or frees it if there is none or the slot is
// surplus. It returns whether a waiter got it.
func (b *Bulkhead) nextLocked(now time.Duration) bool {
	b.passOverLocked(now)
	limit := b.settings.Load().Limit
	for {
		w := b.state.load()
		if w.waiting() > 0 && w.inUse() <= limit {
			// A swap, since a call that was let in under older settings may have come between.
			if b.state.swap(w, w-oneWaiting) {
				b.queue.remove(b.queue.first, granted)
				return true
			}
		} else if b.state.swap(w, w-oneInUse) {
			return false
		}
	}
}

// passOverLocked takes those out of the front of the queue whose time has run out. Their own context or timer wakes
// them.
func (b *Bulkhead) passOverLocked(now time.Duration) {
	for w := b.queue.first; w != nil && now >= w.until; w = b.queue.first {
		b.state.subtract(oneWaiting)
		b.queue.remove(w, departed)
	}
}

// restLocked forgets the pace when nobody waits. Kept, an average from bad times would turn away every newcomer, and
// with nobody in the queue there would be no hand-over to correct it.
func (b *Bulkhead) restLocked() {
	if b.queue.first == nil {
		b.pace = pace{}
	}
}
