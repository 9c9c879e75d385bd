package breaker

import (
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// SetRandom replaces the source of the jitter. It is called before the breaker is used.
func (b *Breaker) SetRandom(f func() float64) { b.random = f }

// OpenFor returns how long a breaker with cfg stays open the n-th time in a row, for u in [0, 1).
func OpenFor(cfg Config, n int, u float64) time.Duration { return newSettings(cfg).openFor(n, u) }

// Queue puts an event into the queue as a transition does, and leaves its delivery to others.
func (b *Breaker) Queue(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events.Put(e)
}

// TripOn does what the end of a call does that saw its window w reach the rate, after counting so many more in it.
func (b *Breaker) TripOn(w WindowUnderTest, calls, failures int64) {
	w.w.word.Add(failures<<32 + calls)
	b.trip(w.w)
	b.deliver()
}

// ClosedWindow returns the window of the closed state.
func (b *Breaker) ClosedWindow() WindowUnderTest { return WindowUnderTest{b.era.Load().window} }

// WindowUnderTest opens a window to tests.
type WindowUnderTest struct{ w *window }

// NewWindow makes a window at a reading of the clock.
func NewWindow(shape Window, now time.Duration) WindowUnderTest {
	return WindowUnderTest{newWindow(shape, now)}
}

// Record counts one outcome and returns what the window holds with it; ok is false if it was sealed.
func (t WindowUnderTest) Record(now time.Duration, failure, slow bool) (in WindowCounts, ok bool) {
	got, ok := t.w.record(now, failure, slow)
	return got.counts(), ok
}

// Hang counts n calls that are slow and go on.
func (t WindowUnderTest) Hang(now time.Duration, n int64) WindowCounts {
	return t.w.hang(now, n).counts()
}

// Unhang ends the oldest of them.
func (t WindowUnderTest) Unhang(now time.Duration, outcome seawall.Outcome) { t.w.unhang(now, outcome) }

// Enter counts a slow call whose end says nothing.
func (t WindowUnderTest) Enter(now time.Duration) { t.w.enter(now) }

func (in evidence) counts() WindowCounts { return WindowCounts{in.calls(), in.failures(), in.slow} }

// Advance does what a call does that found the step over, and comes second to move the window on.
func (t WindowUnderTest) Advance(now time.Duration) { t.w.advance(now) }

// In returns what the window holds at now.
func (t WindowUnderTest) In(now time.Duration) WindowCounts { return t.w.in(now).counts() }

// Counted returns all that was recorded.
func (t WindowUnderTest) Counted() (calls, failures int64) {
	sum := t.w.counted()
	return sum.calls, sum.failures
}

// Folded returns what was moved from the word into counts that do not overflow.
func (t WindowUnderTest) Folded() (calls, failures int64) {
	return t.w.folded.calls, t.w.folded.failures
}

// Seal ends the window and returns all that was recorded.
func (t WindowUnderTest) Seal() (calls, failures int64) {
	sum := t.w.seal()
	return sum.calls, sum.failures
}

// Ring returns the sum of the single outcomes of a count window, which no call may be recording into.
func (t WindowUnderTest) Ring() WindowCounts {
	var sum evidence
	for i := range t.w.ring {
		value := t.w.ring[i].Load()
		sum.tally += ringTally[value]
		sum.slow += ringSlows[value]
	}
	return sum.counts()
}

// Lift puts the word to where it is after very many failures, and all that is compared to it as well, so that nothing
// changes in what the window holds. Nothing may be recorded meanwhile.
func (t WindowUnderTest) Lift(failures int64) {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	by := tally(failures << 32)
	t.w.word.Add(int64(by))
	t.w.origin += by
	for i := range t.w.bases {
		t.w.bases[i] += by
	}
	if p := t.w.pace.Load(); p != nil {
		t.w.pace.Store(&pace{end: p.end, base: p.base + by, slow: p.slow})
	}
}

// Lifted reports whether the word is at or above the height at which a fold brings it down.
func (t WindowUnderTest) Lifted() bool { return tally(t.w.word.Load()) >= rebaseAt }

// RebaseAt is the number of failures at which a fold brings the word down.
const RebaseAt = int64(rebaseAt >> 32)

// PartsPerMillion returns the failure rate as it is compared.
func PartsPerMillion(cfg Config) int64 { return int64(newSettings(cfg).failures) }

// Trackings returns how many settings of Slow.Over there are calls of, the one in force included.
func (b *Breaker) Trackings() int { return len(b.era.Load().older) + 1 }

// Values returns the totals in the form of a snapshot.
func (t Totals) Values() []seawall.Value { return t.values() }

// AskLate does what a call does that asks for admission, after it was held up since a reading of the clock.
func (b *Breaker) AskLate(since time.Duration) (admitsIt bool) {
	return b.ask(b.era.Load(), mono.Now()-since) == admitted
}

// HoldUp runs f while whoever needs the breaker's lock waits.
func (b *Breaker) HoldUp(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// WriteOff does what is done with a member that is about to go.
func (g *Group[K]) WriteOff(key K) {
	for k, m := range g.members.All() {
		if k == key {
			g.forget(m)
		}
	}
}

// TrackingUnderTest opens a tracking to tests.
type TrackingUnderTest struct{ t *tracking }

// NewTracking makes a tracking at a reading of the clock.
func NewTracking(over, now time.Duration) TrackingUnderTest {
	return TrackingUnderTest{newTracking(over, now, 0)}
}

// Begin counts a call; it returns false if the reading is of no use.
func (t TrackingUnderTest) Begin(now time.Duration) bool { return t.t.begin(now) }

// End ends it, and returns whether it was collected.
func (t TrackingUnderTest) End(start time.Duration) bool { return t.t.end(start) }

// Collect collects the calls of the next slice that is due and has any.
func (t TrackingUnderTest) Collect(limit time.Duration) (n int64, at time.Duration) {
	return t.t.collect(limit)
}

// Width returns how long a slice is.
func (t TrackingUnderTest) Width() time.Duration { return 1 << t.t.shift }

// Busy reports whether calls are in flight that were not collected.
func (t TrackingUnderTest) Busy() bool {
	t.t.hung.Store(0)
	return t.t.busy()
}

// Slots is how many slices can be told from each other.
const Slots = slotCount
