package bulkhead

import (
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// handOver gives slots that have come free to those who wait for them.
func (b *Bulkhead) handOver() {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, now := b.settings.Load(), mono.Now()
	b.lookLocked(s, now)
	if n := b.admitLocked(s, now); n > 0 {
		b.pace.handedOver(now, n)
	}
	b.dropStaleLocked(s, now)
	b.settleLocked(s, now)
}

// passOn gives up slots that were granted and not used. That says nothing about the pace of the calls.
func (b *Bulkhead) passOn(slots int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.add(-word(slots) * oneInUse)
	b.settleLocked(b.settings.Load(), mono.Now())
}

// settleLocked does what follows from any change of the queue or of the number of free slots. Afterwards nobody waits
// whose slots are free.
func (b *Bulkhead) settleLocked(s *settings, now time.Duration) {
	b.admitLocked(s, now)
	if b.queue.calls == 0 {
		// Kept, averages from bad times would turn away newcomers, and with nobody in the queue there would be no
		// hand-over to correct them.
		b.pace, b.service, b.dues = pace{}, service{}, dues{}
	}
	for l := range b.crowds {
		if b.queue.lines[l].calls == 0 {
			b.crowds[l].seen = false
		}
	}
	b.noteFullLocked(s)
}

// admitLocked gives slots to those whose turn it is, as long as enough are free for the next one. Nobody goes before
// one who waits for more of them, or that one might wait for ever. It returns how many slots it gave.
func (b *Bulkhead) admitLocked(s *settings, now time.Duration) (given int) {
	for next := b.nextLocked(s); next != nil; next = b.nextLocked(s) {
		if now >= next.until { // its own context or timer wakes it
			b.removeLocked(next, departed)
			continue
		}
		if now-next.since > next.left-b.service.expect() {
			b.refuseLocked(next, deadline, b.expectLocked(s, next.level, next.asked))
			continue
		}
		w, n := b.state.load(), min(next.asked, s.Limit)
		if w.inUse()+n > s.capacity {
			return given
		}
		// A swap, since a call that was let in under older settings may have come between.
		if b.state.swap(w, w+word(n)*oneInUse-oneWaiting) {
			next.slots = n
			b.queue.remove(next, granted)
			b.dues.handedOver(next.level, n, &s.parts, &b.queue)
			b.shedder.admitted(n)
			given += n
		}
	}
	return given
}

// nextLocked returns whose turn it is, or nil: the most important of those to whose level the slots are due, else the
// most important of all. It stays whose turn it is, until it has its slots, but for one that is more important.
func (b *Bulkhead) nextLocked(s *settings) (next *waiter) {
	for l := level(levels - 1); l >= 0; l-- {
		w := b.headLocked(s, l)
		if w == nil {
			continue
		}
		if b.dueLocked(s, w) {
			return w
		}
		if next == nil {
			next = w
		}
	}
	return next
}

// isNextLocked reports whether it is a newcomer's turn, before all who wait.
func (b *Bulkhead) isNextLocked(s *settings, c *waiter) bool {
	next := b.nextLocked(s)
	if next == nil {
		return true
	}
	if b.queue.lines[c.level].calls > 0 && !b.newestFirstLocked(s, c.level) {
		return false
	}
	due, nextDue := b.dueLocked(s, c), b.dueLocked(s, next)
	return due && !nextDue || due == nextDue && c.level >= next.level
}

// dueLocked reports whether enough slots for a call are due to its level.
func (b *Bulkhead) dueLocked(s *settings, w *waiter) bool {
	return b.dues.cover(w.level, min(w.asked, s.Limit))
}

// victimLocked returns who has to leave a full queue for a newcomer of a level, or nil: the one who would be served
// last of the least important level that has more calls in the queue than are due to it. It is a less important level
// than the newcomer's, or any if a slot is due to the newcomer's.
func (b *Bulkhead) victimLocked(s *settings, of level) *waiter {
	for l := range level(levels) {
		if b.yieldsLocked(s, l, of) {
			return b.queue.lines[l].tail(b.newestFirstLocked(s, l))
		}
	}
	return nil
}

// yieldsLocked reports whether one of a level has to leave for a newcomer of another, if the queue is full. In a queue
// that has become shorter nobody gets a place before those who are too many have left.
func (b *Bulkhead) yieldsLocked(s *settings, l, to level) bool {
	return l != to && b.queue.calls <= s.places && b.queue.lines[l].calls > b.dues.calls(l) &&
		(l < to || b.queue.lines[to].calls < b.dues.calls(to))
}

// noteFullLocked says, to calls without the lock, who may have another one's place, and how long the others would wait.
func (b *Bulkhead) noteFullLocked(s *settings) {
	if b.queue.calls < s.places {
		return // nobody asks
	}
	var pushers uint32
	for to := range level(levels) {
		for l := range level(levels) {
			if b.yieldsLocked(s, l, to) {
				pushers |= to.bit()
			}
		}
	}
	if pushers != b.pushers.Load() {
		b.pushers.Store(pushers)
	}
	for l := range level(levels) {
		if wait := int64(b.expectLocked(s, l, 1)); wait != b.foretold[l].Load() {
			b.foretold[l].Store(wait)
		}
		if b.fulls[l].Load() != nil {
			b.fulls[l].Store(nil) // it counts the time from when it was made
		}
	}
}

// headLocked returns who is next of a level, or nil.
func (b *Bulkhead) headLocked(s *settings, l level) *waiter {
	return b.queue.lines[l].head(b.newestFirstLocked(s, l))
}

func (b *Bulkhead) newestFirstLocked(s *settings, l level) bool {
	return b.crowds[l].standing && s.Queue.Order == AdaptiveLIFO
}

// lookLocked takes note of the lines in which the oldest is old.
func (b *Bulkhead) lookLocked(s *settings, now time.Duration) {
	for l := range b.crowds {
		if oldest := b.queue.lines[l].first; oldest != nil {
			b.crowds[l].look(now, oldest.since+b.targetLocked(s), s.Queue.Interval)
		}
	}
	if s.Shedding == ByUser && b.shedder == nil && (b.standingLocked(s, now) || b.dropsLocked(now)) {
		b.countFrom(now)
	}
}

// standingLocked reports whether one of the lines has become a standing one.
func (b *Bulkhead) standingLocked(s *settings, now time.Duration) bool {
	for l := range b.crowds {
		if b.crowds[l].stands(now, s.Queue.Interval) {
			return true
		}
	}
	return false
}

// targetLocked is the age from which on a waiter is old.
func (b *Bulkhead) targetLocked(s *settings) time.Duration {
	return max(s.Queue.Target, b.pace.between)
}

// dropStaleLocked turns those away who have grown old in a standing line, but for the next one of it.
func (b *Bulkhead) dropStaleLocked(s *settings, now time.Duration) {
	target := b.targetLocked(s)
	for l := range level(levels) {
		if !b.newestFirstLocked(s, l) {
			continue
		}
		line := &b.queue.lines[l]
		for w := line.first; w != line.last && now-w.since >= target; w = line.first {
			b.refuseLocked(w, queueTimeout, b.expectLocked(s, l, w.asked))
		}
	}
}

// refuseLocked takes a waiter out of the queue and tells it why.
func (b *Bulkhead) refuseLocked(w *waiter, why refusal, after time.Duration) {
	w.why, w.after = why, after
	b.removeLocked(w, refused)
}

// removeLocked takes a waiter out of the queue, other than with slots.
func (b *Bulkhead) removeLocked(w *waiter, end fate) {
	b.state.add(-oneWaiting)
	b.queue.remove(w, end)
	b.shedder.dropped()
}
