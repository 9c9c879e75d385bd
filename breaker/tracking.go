package breaker

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// tracking knows how many calls are in flight, by the time at which they began, so that a call counts as slow while it
// hangs. Calls that begin within the same slice of time share a counter. When all calls of the oldest slice have become
// slow, those that are still in flight are collected; each call is either collected, or told at its end that it was not.
//
// A slice is at most an eighth of the time at which a call becomes slow, which is how late a hung call is noticed.
type tracking struct {
	over  time.Duration // a call that takes as long is slow
	start time.Duration // the first slice begins here
	shift uint          // a slice takes 1<<shift ns
	from  uint64        // the tickets of the calls tracked here, from and up to before these
	to    uint64

	next  atomic.Int64 // when the oldest slice is due
	hung  atomic.Int64 // calls that were collected and have not ended; below 0 only for a moment
	first uint64       // the oldest slice that was not collected; guarded by Breaker.mu

	_ [64]byte // what every call writes stays off the line of what every call reads
	// slots hold the slices, by number modulo their count. The number is in the word as well, so that a call that was
	// held up between reading the clock and counting finds out that the slot has another owner now. A slice has a slot in
	// each stripe, so that calls on several processors seldom meet; which one is a call's follows from its start.
	slots [stripes][slotCount]atomic.Uint64
	_     [64]byte
}

const (
	stripes   = 8
	slotCount = 32 // calls are not slow for up to 18 slices; the others are for those that are held up
	countBits = 28
	countMask = 1<<countBits - 1
)

// slotOf is the word of a slice without calls.
func slotOf(slice uint64) uint64 { return slice << countBits }

func newTracking(over, now time.Duration, from uint64) *tracking {
	t := &tracking{over: over, start: now, shift: uint(bits.Len64(uint64(over)/8) - 1), from: from}
	for stripe := range t.slots {
		for i := range uint64(slotCount) {
			t.slots[stripe][i].Store(slotOf(i))
		}
	}
	t.next.Store(int64(t.dueAt(0)))
	return t
}

// dueAt returns when all calls of a slice have become slow.
func (t *tracking) dueAt(slice uint64) time.Duration {
	return t.start + time.Duration((slice+1)<<t.shift) + t.over
}

// slot returns where a call is counted that began at a time, and the word of its slice without calls.
func (t *tracking) slot(start time.Duration) (slot *atomic.Uint64, empty uint64) {
	slice := uint64(start-t.start) >> t.shift
	// The multiplication brings the last bits of the clock to the top: Knuth, The Art of Computer Programming, 6.4.
	stripe := uint64(start) * 0x9e3779b97f4a7c15 >> 61
	return &t.slots[stripe][slice%slotCount], slotOf(slice)
}

func (t *tracking) due() time.Duration { return time.Duration(t.next.Load()) }

// oldest returns when the oldest slice began. All calls of the ones before had become slow by a time that is past.
func (t *tracking) oldest() time.Duration { return t.due() - t.over - 1<<t.shift }

// begin counts a call that begins at now. It returns false if now is too old, or if what is due was not collected.
func (t *tracking) begin(now time.Duration) bool {
	slot, empty := t.slot(now)
	for {
		word := slot.Load()
		if word&^countMask != empty {
			return false
		}
		if slot.CompareAndSwap(word, word+1) {
			return true
		}
	}
}

// end takes back what begin counted. It returns true if the call was collected before: then it hangs no more.
func (t *tracking) end(start time.Duration) (collected bool) {
	slot, empty := t.slot(start)
	for {
		word := slot.Load()
		if word&^countMask != empty {
			t.hung.Add(-1)
			return true
		}
		if word&countMask == 0 || slot.CompareAndSwap(word, word-1) { // 0 is a ticket that was told twice, by hand
			return false
		}
	}
}

// collect takes the calls of the oldest slices that are due at limit, up to the first slice that has any, and returns
// how many they are and when they were due. Breaker.mu is held.
func (t *tracking) collect(limit time.Duration) (n int64, at time.Duration) {
	for empty := 0; ; empty++ {
		at = t.due()
		if at > limit {
			return 0, at
		}
		// The first slice that is not due. If none of the slots is for it or for a later one, and all of them were
		// empty, then what is between needs no looking at.
		target := uint64(limit-t.over-t.start) >> t.shift
		if empty >= slotCount && target >= t.first+slotCount {
			n, at = t.jump(target), limit
		} else {
			n = t.clear(t.first, t.first+slotCount)
			t.first++
		}
		t.next.Store(int64(t.dueAt(t.first)))
		if n > 0 {
			t.hung.Add(n)
			return n, at
		}
	}
}

// jump makes target the oldest slice. It returns how many calls were in the way: those that were held up for as long
// before they counted.
func (t *tracking) jump(target uint64) (n int64) {
	t.first = target
	for slice := target; slice < target+slotCount; slice++ {
		n += t.clear(slice, slice)
	}
	return n
}

// clear gives the slots of a slice to another one, and returns how many calls were in it.
func (t *tracking) clear(slice, next uint64) (n int64) {
	for stripe := range t.slots {
		n += int64(t.slots[stripe][slice%slotCount].Swap(slotOf(next)) & countMask)
	}
	return n
}

// busy reports whether a call is in flight.
func (t *tracking) busy() bool {
	if t.hung.Load() > 0 {
		return true
	}
	for stripe := range t.slots {
		for i := range t.slots[stripe] {
			if t.slots[stripe][i].Load()&countMask > 0 {
				return true
			}
		}
	}
	return false
}
