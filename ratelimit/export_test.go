package ratelimit

import "time"

// HasTimer reports whether a timer of the limiter runs.
func (l *Limiter) HasTimer() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.timer != nil
}

// SetRandom replaces the dice. It is called before the throttle is used.
func (t *Throttle) SetRandom(f func() float64) { t.random = f }

// WindowUnderTest opens the window of a throttle to tests.
type WindowUnderTest struct{ w *window }

// Steps is how many steps a window has.
const Steps = steps

// NewWindow makes a window at a reading of the clock.
func NewWindow(length, now time.Duration) WindowUnderTest {
	return WindowUnderTest{newWindow(length, now)}
}

// Request counts a request and returns what the window held before.
func (w WindowUnderTest) Request(now time.Duration) (requests, accepts int64) {
	in := w.w.request(now)
	return in.requests(), in.accepts()
}

// Accept counts an accept.
func (w WindowUnderTest) Accept(now time.Duration) { w.w.accept(now) }

// Retract takes back a request.
func (w WindowUnderTest) Retract(now time.Duration) { w.w.retract(now) }

// In returns what the window holds.
func (w WindowUnderTest) In(now time.Duration) (requests, accepts int64) {
	in := w.w.in(now)
	return in.requests(), in.accepts()
}

// Lift puts the word to any height, as after very many calls. Nothing may be counted meanwhile.
func (w WindowUnderTest) Lift(by int64) {
	w.w.word.Add(by)
	for i := range w.w.bases {
		w.w.bases[i] += tally(by)
	}
	p := w.w.pace.Load()
	w.w.pace.Store(&pace{end: p.end, base: p.base + tally(by)})
}
