package breaker

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

// tally counts calls and failures in one word, failures·2³² + calls, so that both move by one atomic addition. Only the
// difference of two tallies is decoded, and it is right as long as fewer than 2³¹ calls lie between them.
type tally int64

const (
	oneCall     tally = 1
	lateFailure tally = 1 << 32 // the failure of a call that was counted while it hung
	oneFailure  tally = lateFailure + oneCall
	sealed      tally = -1 << 63  // see window.seal
	rebaseAt    tally = 1 << 62   // the word is brought down before it could reach the bit of sealed
	foldEvery         = 1<<20 - 1 // a count window is folded when this many low bits of its position are 0
	steps             = 10        // a time window moves in this many steps
)

func (t tally) calls() int64    { return int64(uint32(t)) }
func (t tally) failures() int64 { return int64(t >> 32) }

// totals are counts that do not overflow.
type totals struct{ calls, failures int64 }

func (t *totals) add(d tally) { t.calls += d.calls(); t.failures += d.failures() }

// evidence is what a window holds at one moment.
type evidence struct {
	tally
	slow int64
	run  int64 // failures in a row
}

// window holds the outcomes of one generation. The word counts all of them; what is older than the window is known by
// what the word was when the window's oldest step began. So an outcome costs one addition, and nothing has to be cleared.
// Slow calls are counted beside it, because they are few: an outcome that is not slow only reads their number. It is
// written after the word, and read before it where the breaker is about to open, so that no slow call is seen without
// its call.
type window struct {
	shape Window
	step  time.Duration        // time window: length of a step
	pace  atomic.Pointer[pace] // time window: what holds until the step ends
	ring  []atomic.Uint32      // count window: the latest outcomes
	slow  atomic.Int64         // slow calls: of a time window all, of a count window those in the ring
	run   atomic.Int64         // failures in a row
	until atomic.Int64         // latest instant before which a failing answer asked for no other call; or unknown

	mu     sync.Mutex   // guards the fields below
	bases  [steps]tally // time window: the word at the start of each step, in a ring
	slows  [steps]int64 // time window: slow at the start of each step
	number int          // time window: the current step's place in the ring
	folded totals       // what was recorded up to origin
	origin tally        // the word at the latest fold
	hung   []uint64     // count window: positions of calls that were counted while they hung, and still do

	_    [64]byte // what every outcome writes stays off the line of what every outcome reads
	word atomic.Int64
	sum  atomic.Int64  // count window: tally of the ring
	next atomic.Uint64 // count window: number of outcomes so far
	_    [40]byte
}

// unknown is an instant before all others.
const unknown = math.MinInt64

// pace is what a time window needs to judge an outcome, from floor until end.
type pace struct {
	end time.Duration
	// floor lies far enough before the step that no call was held up for so long between reading the clock and counting:
	// at an earlier time the clock has gone back, see era.ahead.
	floor time.Duration
	base  tally // the word when the oldest step of the window began
	slow  int64 // and the number of slow calls
}

func newWindow(shape Window, now time.Duration) *window {
	w := &window{shape: shape}
	w.until.Store(unknown)
	if shape.Calls > 0 {
		w.ring = make([]atomic.Uint32, shape.Calls)
	} else {
		w.step = shape.Time / steps
		w.pace.Store(w.paceUntil(now+w.step, 0, 0))
	}
	return w
}

func (w *window) paceUntil(end time.Duration, base tally, slow int64) *pace {
	return &pace{end: end, floor: end - w.step - w.shape.Time - time.Minute, base: base, slow: slow}
}

// reshaped returns an empty window of another shape that remembers what does not depend on it.
func (w *window) reshaped(shape Window, now time.Duration) *window {
	next := newWindow(shape, now)
	next.run.Store(w.run.Load())
	next.until.Store(w.until.Load())
	return next
}

// record counts one outcome and returns what the window holds with it. ok is false, and nothing is counted, if the window
// is sealed. now is used by a time window only.
func (w *window) record(now time.Duration, failure, slow bool) (in evidence, ok bool) {
	if w.ring != nil {
		in, _, ok = w.recordInRing(ringValue(failure, slow))
	} else {
		delta := oneCall
		if failure {
			delta = oneFailure
		}
		in, ok = w.add(now, delta, slow)
	}
	if !ok {
		return in, false
	}
	if failure {
		in.run = w.run.Add(1)
	} else if w.run.Load() != 0 { // a store would take the line away from all others, on each call
		w.run.Store(0)
	}
	return in, true
}

// recordSuccess is record of a quick success, which almost every call comes to, in one function.
func (w *window) recordSuccess(now time.Duration) (in evidence, ok bool) {
	if w.ring != nil {
		return w.record(now, false, false)
	}
	p := w.pace.Load()
	if now >= p.end || now < p.floor {
		p = w.advance(now)
	}
	word := tally(w.word.Add(int64(oneCall)))
	if word < 0 {
		return in, false
	}
	if w.run.Load() != 0 {
		w.run.Store(0)
	}
	return evidence{tally: word - p.base, slow: w.slow.Load() - p.slow}, true
}

func (w *window) add(now time.Duration, delta tally, slow bool) (in evidence, ok bool) {
	p := w.paceAt(now)
	word := tally(w.word.Add(int64(delta)))
	if slow {
		w.slow.Add(1)
	}
	return evidence{tally: word - p.base, slow: w.slow.Load() - p.slow}, word >= 0
}

// hang counts n calls that have become slow and go on. Breaker.mu is held, and the window is not sealed.
func (w *window) hang(now time.Duration, n int64) evidence {
	if w.ring != nil {
		for range n {
			_, position, _ := w.recordInRing(ringHung)
			w.mu.Lock()
			w.hung = append(w.hung, position)
			w.mu.Unlock()
		}
		return w.in(now)
	}
	w.paceAt(now)
	w.word.Add(n)
	w.slow.Add(n)
	return w.in(now)
}

// enter counts a slow call whose end says nothing.
func (w *window) enter(now time.Duration) {
	if w.ring != nil {
		w.recordInRing(ringSlow)
	} else {
		w.add(now, oneCall, true)
	}
}

// unhang ends one of the calls that were counted while they hung. Breaker.mu is held, and the window is not sealed.
//
// Its failure is counted now, without a call. A count window marks it at the place of the call, if that is still among
// the latest; which of the hanging calls it was does not matter, and is taken to be the oldest.
func (w *window) unhang(now time.Duration, outcome seawall.Outcome) {
	if w.ring != nil {
		w.unhangInRing(outcome == seawall.Failure)
	}
	switch outcome {
	case seawall.Success:
		w.run.Store(0)
	case seawall.Failure:
		if w.ring == nil {
			w.paceAt(now)
		}
		w.word.Add(int64(lateFailure))
		w.run.Add(1)
	case seawall.Overload, seawall.Ignored:
	}
}

// wait notes that a failing answer asked for no other call before until.
func (w *window) wait(until time.Duration) {
	for old := w.until.Load(); int64(until) > old; old = w.until.Load() {
		if w.until.CompareAndSwap(old, int64(until)) {
			return
		}
	}
}

// paceAt returns what holds at now, and first moves the window on if a step has ended.
func (w *window) paceAt(now time.Duration) *pace {
	if p := w.pace.Load(); p.floor <= now && now < p.end {
		return p
	}
	return w.advance(now)
}

func (w *window) advance(now time.Duration) *pace {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.pace.Load()
	if p.floor <= now && now < p.end { // somebody else did it
		return p
	}
	w.foldLocked()
	slow := w.slow.Load()
	if now < p.floor { // what the window holds is of another time
		for i := range w.bases {
			w.bases[i], w.slows[i] = w.origin, slow
		}
		p = w.paceUntil(now+w.step, w.origin, slow)
		w.pace.Store(p)
		return p
	}
	passed := int64((now-p.end)/w.step) + 1
	for range min(passed, steps) {
		w.number = (w.number + 1) % steps
		w.bases[w.number], w.slows[w.number] = w.origin, slow
	}
	oldest := (w.number + 1) % steps
	p = w.paceUntil(p.end+time.Duration(passed)*w.step, w.bases[oldest], w.slows[oldest])
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
func (w *window) in(now time.Duration) evidence {
	in := evidence{run: w.run.Load()}
	if w.ring != nil {
		in.slow = max(0, w.slow.Load())
		in.tally = tally(w.sum.Load())
		return in
	}
	w.paceAt(now)
	w.mu.Lock() // the word and its base, and no rebase between them
	defer w.mu.Unlock()
	p := w.pace.Load()
	in.slow = w.slow.Load() - p.slow
	in.tally = tally(w.word.Load())&^sealed - p.base
	return in
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
