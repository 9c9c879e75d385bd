package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"
)

// tally counts requests and accepts in one word, accepts·2³² + requests, so that both are read at one instant. It may
// wrap: only the difference of two tallies is decoded, and it is right as long as fewer than 2³¹ of either lie between.
type tally int64

const (
	oneRequest tally = 1
	oneAccept  tally = 1 << 32
	steps            = 24 // a window moves in this many steps
)

func (d tally) requests() int64 { return max(0, d.rawRequests()) }
func (d tally) accepts() int64  { return max(0, (int64(d)-d.rawRequests())>>32) }

// rawRequests is below 0 when more were retracted in the window than came in it.
func (d tally) rawRequests() int64 { return int64(int32(uint32(d))) }

// window counts the calls of the latest steps. The word counts all that ever came; what is older than the window is known
// by what the word was when the window's oldest step began. So a call costs one addition, nothing has to be cleared, and
// nothing is lost at the change of a step.
type window struct {
	step time.Duration
	pace atomic.Pointer[pace] // what holds until the step ends

	mu     sync.Mutex   // guards the fields below
	bases  [steps]tally // the word at the start of each step, by number modulo steps
	number int          // the current step's, modulo steps

	_    [64]byte // what every call writes stays off the line of what every call reads
	word atomic.Int64
	_    [56]byte
}

// pace is what is needed to look at the window, from floor until end.
type pace struct {
	end time.Duration // reading of mono.Now
	// floor lies far enough before the step that no call was held up for so long between reading the clock and counting:
	// at an earlier time the clock has gone back, see bucket.rewind.
	floor time.Duration
	base  tally // the word when the oldest step of the window began
}

func newWindow(length, now time.Duration) *window {
	w := &window{step: length / steps}
	w.pace.Store(w.paceUntil(now+w.step, 0))
	return w
}

func (w *window) paceUntil(end time.Duration, base tally) *pace {
	return &pace{end: end, floor: end - (steps+1)*w.step - time.Minute, base: base}
}

// request counts a request and returns what the window held before.
func (w *window) request(now time.Duration) tally {
	p := w.paceAt(now)
	return tally(w.word.Add(int64(oneRequest))) - oneRequest - p.base
}

// accept counts an accept.
func (w *window) accept(now time.Duration) {
	w.paceAt(now)
	w.word.Add(int64(oneAccept))
}

// holds reports whether what came at then is in the window for certain. The oldest step leaves it as a whole, so the last
// step of its length is in doubt.
func (w *window) holds(then, now time.Duration) bool { return now-then < (steps-1)*w.step }

// retract takes back a request that the window holds: else it would be missing among the others.
func (w *window) retract(now time.Duration) {
	w.paceAt(now)
	w.word.Add(-int64(oneRequest))
}

// in returns what the window holds. Old calls leave it by being looked at, with or without new ones.
func (w *window) in(now time.Duration) tally {
	p := w.paceAt(now)
	return tally(w.word.Load()) - p.base
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
	word := tally(w.word.Load())
	if now < p.floor { // what the window holds is of another time
		for i := range w.bases {
			w.bases[i] = word
		}
		p = w.paceUntil(now+w.step, word)
		w.pace.Store(p)
		return p
	}
	passed := int64((now-p.end)/w.step) + 1
	for range min(passed, steps) {
		w.number = (w.number + 1) % steps
		w.bases[w.number] = word
	}
	p = w.paceUntil(p.end+time.Duration(passed)*w.step, w.bases[(w.number+1)%steps])
	w.pace.Store(p)
	return p
}
