package bulkhead

import "sync/atomic"

// state is all that calls contend on, in one word, so that every step of a call is one atomic operation.
type state struct {
	v atomic.Int64
}

func (s *state) load() word              { return word(s.v.Load()) }
func (s *state) add(w word) word         { return word(s.v.Add(int64(w))) }
func (s *state) swap(old, new word) bool { return s.v.CompareAndSwap(int64(old), int64(new)) }

// word is a value of the state:
//
//	bits  0 to 17   admissions, other than from the queue, since the count was last folded
//	bits 18 to 41   slots in use
//	bits 42 to 62   calls that wait
//
// The calls that wait stand above the slots, so that one comparison tells whether a slot is free and nobody waits for
// it.
//
// Admissions are counted here because the swap that admits a call then counts it too, for nothing. A separate counter
// would be a second contended write on the path of every call. When the bits are all set the count is moved out, under
// the lock, once in a quarter of a million calls.
type word int64

const (
	oneAdmitted word = 1
	oneInUse    word = 1 << 18
	oneWaiting  word = 1 << 42

	maxAdmitted = 1<<18 - 1
	// maxInUse is half of what the bits hold: the other half is what a slot too many given back looks like.
	maxInUse = 1<<23 - 1
	inUseMax = 1<<24 - 1
)

func (w word) inUse() int      { return int(w / oneInUse & inUseMax) }
func (w word) waiting() int    { return int(w / oneWaiting) }
func (w word) admitted() int64 { return int64(w & maxAdmitted) }

// countFull reports that another admission would overflow the count.
func (w word) countFull() bool { return w&maxAdmitted == maxAdmitted }

// short reports that more slots were given back than were in use.
func (w word) short() bool { return w < 0 || w.inUse() > maxInUse }

// foldLocked moves the count of admissions out of the state.
func (b *Bulkhead) foldLocked() {
	for w := b.state.load(); w.countFull(); w = b.state.load() {
		if b.state.swap(w, w-w&maxAdmitted) {
			b.folded += w.admitted()
		}
	}
}
