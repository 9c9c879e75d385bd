package bulkhead

import "time"

// waiter is a call in the queue.
type waiter struct {
	newcomer
	told  chan struct{} // closed when it is granted or refused
	since time.Duration // reading of mono.Now at its arrival
	until time.Duration // and the one from which on a slot is of no use to it
	left  time.Duration // from since to its caller's deadline

	// Guarded by the bulkhead's mutex until told is closed.
	fate       fate
	why        refusal       // if it is refused
	after      time.Duration // when it should come back then; 0 if that is not known
	slots      int           // if it is granted
	prev, next *waiter
}

// newcomer is a call that does not get its slots for the asking.
type newcomer struct {
	level level
	asked int    // slots; as many as there are will do, if there are fewer
	hash  uint32 // of its user
}

// fate is what became of a waiter.
type fate uint8

const (
	waits    fate = iota
	granted       // it has its slots
	refused       // others were served, or the bulkhead was forced open
	departed      // it left, or its time had run out when its turn came; it finds out by itself
)

// queue is where calls wait, a line for each level.
type queue struct {
	lines [levels]line
	calls int
	most  int // slots that a call takes, however many it asks for: the bulkhead's limit
}

// line is a list of waiters in the order of their arrival. It is linked because one that leaves may stand anywhere.
type line struct {
	first, last *waiter
	calls       int
	slots       int64 // that they will take
}

func (q *queue) push(w *waiter) {
	l := &q.lines[w.level]
	w.prev = l.last
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
	l.calls++
	l.slots += q.takes(w)
	q.calls++
}

// takes returns how many slots a call will take.
func (q *queue) takes(w *waiter) int64 { return int64(min(w.asked, q.most)) }

// resize reckons with another number of slots that a call takes at the most.
func (q *queue) resize(most int) {
	q.most = most
	for i := range q.lines {
		l := &q.lines[i]
		l.slots = 0
		for w := l.first; w != nil; w = w.next {
			l.slots += q.takes(w)
		}
	}
}

// remove takes a waiter out, and tells it if it does not know.
func (q *queue) remove(w *waiter, end fate) {
	l := &q.lines[w.level]
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	l.calls--
	l.slots -= q.takes(w)
	q.calls--
	w.fate = end
	if end != departed {
		close(w.told)
	}
}

// head returns who is next in a line, or nil.
func (l *line) head(newestFirst bool) *waiter {
	if newestFirst {
		return l.last
	}
	return l.first
}

// tail returns who would be the last of a line, or nil.
func (l *line) tail(newestFirst bool) *waiter { return l.head(!newestFirst) }
