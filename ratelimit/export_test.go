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

// BucketUnderTest opens a bucket to tests.
type BucketUnderTest struct{ b bucket }

// NewBucket makes a full bucket at a reading of the clock.
func NewBucket(now time.Duration, cfg Config) *BucketUnderTest {
	return &BucketUnderTest{newBucket(now, cfg.withDefaults())}
}

// Take takes n tokens if they are there.
func (b *BucketUnderTest) Take(now time.Duration, n int) bool { return b.b.take(now, n) }

// Give puts tokens back.
func (b *BucketUnderTest) Give(now time.Duration, tokens float64) { b.b.give(now, tokens) }

// Tokens returns what is in the bucket.
func (b *BucketUnderTest) Tokens(now time.Duration) float64 { return b.b.tokens(now) }

// Wait returns how long it takes until n tokens are there.
func (b *BucketUnderTest) Wait(now time.Duration, n float64) time.Duration { return b.b.wait(now, n) }
