package bulkhead

import (
	"time"

	"github.com/seawall-go/seawall"
)

// Bounds of what the state holds.
const (
	MaxInUse    = maxInUse
	MaxAdmitted = maxAdmitted
)

// Preset sets the state of a bulkhead in which nobody waits.
func (b *Bulkhead) Preset(inUse, admitted int) {
	b.state.v.Store(int64(word(inUse)*oneInUse + word(admitted)))
}

// QueueLen counts the calls that are linked into the queue, which the state counts as well.
func (b *Bulkhead) QueueLen() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.queue.lines {
		for w := b.queue.lines[l].first; w != nil; w = w.next {
			n++
		}
	}
	return n
}

// Foretell returns the wait that is expected at a position of the queue after hand-overs at the given readings.
func Foretell(handOvers []time.Duration, position int) time.Duration {
	var p pace
	for _, now := range handOvers {
		p.handedOver(now, 1)
	}
	return p.expect(int64(position))
}

// SlotTicket returns what is noted on the permit of a call that holds a slot.
func SlotTicket() seawall.Ticket { return seawall.Ticket{Generation: uint64(slot)} }

// ServiceExpected returns how long a call is taken to need after calls that took so long.
func ServiceExpected(took ...time.Duration) time.Duration {
	var s service
	for _, d := range took {
		s.ended(d)
	}
	return s.expect()
}

// HashUser returns the hash by which the calls of a user are shed in an epoch.
func HashUser(user string, epoch int64) uint32 { return hashUser(user, epoch) }

// Counts reports whether all calls are counted, because of overload.
func (b *Bulkhead) Counts() bool { return b.settings.Load().counts }

// Epoch is for how long the users who are turned away are the same ones.
const Epoch = epoch

// Mark returns below which hash those pass who may get so much of what was asked for in the ranges of the hash.
func Mark(asked []int64, get int64) int64 {
	var need int64
	for _, n := range asked {
		need += n
	}
	return mark((*[buckets]int64)(asked), need, get)
}
