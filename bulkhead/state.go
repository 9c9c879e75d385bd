package bulkhead

import "sync/atomic"

// state is all that calls contend on, in one word, so that every step of a call is one compare-and-swap.
type state struct {
	v atomic.Uint64
}

func (s *state) load() word              { return word(s.v.Load()) }
func (s *state) swap(old, new word) bool { return s.v.CompareAndSwap(uint64(old), uint64(new)) }

// subtract takes away what is known to be there.
func (s *state) subtract(w word) { s.v.Add(-uint64(w)) }

// word is a value of the state:
//
//	bits  0 to 23   slots in use
//	bits 24 to 43   calls that wait
//	bits 44 to 63   admissions, other than from the queue, since the count was last folded
//
// Admissions are counted here because the swap that admits a call then counts it too, for nothing. A separate counter
// would be a second contended write on the path of every call. When the bits are all set the count is moved out, under
// the lock, once in a million calls.
type word uint64

const (
	oneInUse    word = 1
	oneWaiting  word = 1 << 24
	oneAdmitted word = 1 << 44

	maxInUse     = 1<<24 - 1
	maxWaiting   = 1<<20 - 1
	maxAdmitted  = 1<<20 - 1
	occupiedMask = oneAdmitted - 1
)

func (w word) inUse() int      { return int(w & maxInUse) }
func (w word) waiting() int    { return int(w / oneWaiting & maxWaiting) }
func (w word) admitted() int64 { return int64(w / oneAdmitted) }

// occupied is below a limit exactly if nobody waits and a slot is free.
func (w word) occupied() word { return w & occupiedMask }

// countFull reports that another admission would overflow the count.
func (w word) countFull() bool { return w.admitted() == maxAdmitted }

// foldLocked moves the count of admissions out of the state.
func (b *Bulkhead) foldLocked() {
	for w := b.state.load(); w.countFull(); w = b.state.load() {
		if b.state.swap(w, w.occupied()) {
			b.folded += w.admitted()
		}
	}
}
