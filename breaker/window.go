package breaker

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// tally counts calls and failures in one word, failures·2³² + calls, so that both move by one atomic addition. Only the
// difference of two tallies is decoded, and it is right as long as fewer than 2³¹ calls lie between them.
type tally int64

const (
	oneCall    tally = 1
	oneFailure tally = 1<<32 + 1 // a failure is a call as well
	sealed     tally = -1 << 63  // see window.seal
	rebaseAt   tally = 1 << 62   // the word is brought down before it could reach the bit of sealed
	foldEvery        = 1<<20 - 1 // a count window is folded when this many low bits of its position are 0
	steps            = 10        // a time window moves in this many steps
)

func (t tally) calls() int64    { return int64(uint32(t)) }
func (t tally) failures() int64 { return int64(t >> 32) }

// totals are counts that do not overflow.
type totals struct{ calls, failures int64 }

func (t *totals) add(d tally) { t.calls += d.calls(); t.failures += d.failures() }

// window holds the outcomes of one closed period. The word counts all of them; what is older than the window is known by
// what the word was when the window's oldest step began. So an outcome costs one addition, and nothing has to be cleared.
type window struct {
	shape Window
	step  time.Duration        // time window: length of a step
	pace  atomic.Pointer[pace] // time window: what holds until the step ends
	ring  []atomic.Uint32      // count window: the latest outcomes

	mu     sync.Mutex   // guards the fields below
	bases  [steps]tally // time window: the word at the start of each step, by number modulo steps
	number int          // time window: the current step's
	folded totals       // what was recorded up to origin
	origin tally        // the word at the latest fold

	_    [64]byte // what every outcome writes stays off the line of what every outcome reads
	word atomic.Int64
	sum  atomic.Int64  // count window: tally of the ring
	next atomic.Uint64 // count window: number of outcomes so far
	_    [40]byte
}

// pace is what a time window needs to judge an outcome, until end.
type pace struct {
	end  time.Duration
	base tally // the word when the oldest step of the window began
}

// The values of the ring, as indices of ringTally.
const (
	ringEmpty uint32 = iota
	ringSuccess
	ringFailure
)

var ringTally = [...]tally{ringEmpty: 0, ringSuccess: oneCall, ringFailure: oneFailure}

func newWindow(shape Window, now time.Duration) *window {
	w := &window{shape: shape}
	if shape.Calls > 0 {
		w.ring = make([]atomic.Uint32, shape.Calls)
	} else {
		w.step = shape.Time / steps
		w.pace.Store(&pace{end: now + w.step})
	}
	return w
}

// record counts one outcome and returns what the window holds with it. ok is false, and nothing is counted, if the window
// is sealed.
func (w *window) record(failure bool) (in tally, ok bool) {
	if w.ring != nil {
		return w.recordInRing(failure)
	}
	return w.recordAt(mono.Now(), failure)
}

// recordAt is record of a time window, by a reading of the clock.
func (w *window) recordAt(now time.Duration, failure bool) (in tally, ok bool) {
	p := w.paceAt(now)
	delta := oneCall
	if failure {
		delta = oneFailure
	}
	word := tally(w.word.Add(int64(delta)))
	return word - p.base, word >= 0
}

func (w *window) recordInRing(failure bool) (in tally, ok bool) {
	value := ringSuccess
	if failure {
		value = ringFailure
	}
	if tally(w.word.Add(int64(ringTally[value]))) < 0 {
		return 0, false
	}
	position := w.next.Add(1)
	if position&foldEvery == 0 {
		w.mu.Lock()
		w.foldLocked()
		w.mu.Unlock()
	}
	old := w.ring[position%uint64(len(w.ring))].Swap(value)
	return tally(w.sum.Add(int64(ringTally[value] - ringTally[old]))), true
}

// paceAt returns what holds at now, and first moves the window on if a step has ended.
func (w *window) paceAt(now time.Duration) *pace {
	if p := w.pace.Load(); now < p.end {
		return p
	}
	return w.advance(now)
}

func (w *window) advance(now time.Duration) *pace {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.pace.Load()
	if now < p.end { // somebody else did it
		return p
	}
	w.foldLocked()
	passed := int64((now-p.end)/w.step) + 1
	for range min(passed, steps) {
		w.number++
		w.bases[w.number%steps] = w.origin
	}
	p = &pace{end: p.end + time.Duration(passed)*w.step, base: w.bases[(w.number+1)%steps]}
	w.pace.Store(p)
	return p
}

// foldLocked moves what was recorded into counts that do not overflow. Long before the word could, it is brought down
// together with the bases. The pace follows behind, with its step; an outcome that until then meets the new word with the
// old base decodes to negative failures, and trips nothing.
func (w *window) foldLocked() {
	word := tally(w.word.Load())
	if word < 0 {
		return // sealed, which folds
	}
	w.folded.add(word - w.origin)
	w.origin = word
	if word < rebaseAt {
		return
	}
	w.word.Add(int64(-word))
	w.origin = 0
	for i := range w.bases {
		w.bases[i] -= word
	}
}

// in returns what the window holds at now.
func (w *window) in(now time.Duration) tally {
	if w.ring != nil {
		return tally(w.sum.Load())
	}
	w.paceAt(now)
	w.mu.Lock() // the word and its base, and no rebase between them
	defer w.mu.Unlock()
	return tally(w.word.Load())&^sealed - w.pace.Load().base
}

// counted returns all that was recorded.
func (w *window) counted() totals {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.folded
	t.add(tally(w.word.Load())&^sealed - w.origin)
	return t
}

// seal ends the window and returns all that was recorded. An outcome is either in it, or told by record that it came too
// late: never lost, and never both.
func (w *window) seal() totals {
	w.mu.Lock()
	defer w.mu.Unlock()
	word := tally(w.word.Or(int64(sealed)))
	w.folded.add(word&^sealed - w.origin)
	w.origin = word &^ sealed
	return w.folded
}
