package health

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// Watchdog makes liveness fail when a part of the program has stopped to move: an event loop that no longer turns, a
// consumer that is deadlocked. Only a restart helps then, so it must be about this process alone, and about nothing that
// it waits for. Make it with [Health.Watchdog].
type Watchdog struct {
	h          *Health
	name       string
	maxSilence time.Duration
	beat       atomic.Int64 // mono.Now of the last one
	overdue    atomic.Bool  // liveness fails; written under the lock

	timer  *time.Timer // guarded by the lock, as is closed
	closed bool
}

// Watchdog makes a watchdog that is overdue when no beat has come for maxSilence, which is at least 100 ms: choose several
// times the slowest turn. The first beat is due that long from now on.
func (h *Health) Watchdog(name string, maxSilence time.Duration) (*Watchdog, error) {
	if name == "" || len(name) > 64 {
		return nil, fmt.Errorf("health: the watchdog's name is %q, want 1 to 64 bytes", name)
	}
	if maxSilence < 100*time.Millisecond {
		return nil, fmt.Errorf("health: watchdog %q: maxSilence is %v, want at least 100ms", name, maxSilence)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return nil, ErrStopped
	}
	if h.takenLocked(name) {
		return nil, fmt.Errorf("%w: watchdog %q", ErrDuplicate, name)
	}
	w := &Watchdog{h: h, name: name, maxSilence: maxSilence}
	w.beat.Store(int64(mono.Now()))
	w.timer = time.AfterFunc(maxSilence, w.look)
	h.watchdogs = append(h.watchdogs, w)
	h.refreshLocked()
	return w, nil
}

// Beat says that there is life. It is an atomic store, and safe for concurrent use.
func (w *Watchdog) Beat() {
	w.beat.Store(int64(mono.Now()))
	if w.overdue.Load() {
		w.look()
	}
}

// Close ends the watchdog: nobody waits for its beats any more. It may be called more than once.
func (w *Watchdog) Close() {
	defer w.h.tell()
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	w.stopLocked()
	w.h.watchdogs = slices.DeleteFunc(w.h.watchdogs, func(other *Watchdog) bool { return other == w })
	w.h.refreshLocked()
}

func (w *Watchdog) stopLocked() {
	w.closed = true
	w.timer.Stop()
}

// note says why it fails.
func (w *Watchdog) note() string {
	if w.overdue.Load() {
		return "no beat for " + w.maxSilence.String()
	}
	return ""
}

// due returns when the next beat is.
func (w *Watchdog) due() time.Duration {
	return time.Duration(w.beat.Load()) + w.maxSilence - mono.Now()
}

// look judges the watchdog by its last beat, and comes back when the next one is due.
func (w *Watchdog) look() {
	defer w.h.tell()
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	if w.closed {
		return
	}
	was := w.overdue.Load()
	// A Beat stores its time and then asks whether it is overdue, so this is the other way round: one of the two sees the
	// other.
	if w.due() <= 0 {
		w.overdue.Store(true)
	}
	due := w.due()
	overdue := due <= 0
	if !overdue {
		w.overdue.Store(false)
		w.timer.Reset(due)
	}
	if overdue == was {
		return
	}
	from, to, why := Pass, Fail, fmt.Sprintf("no beat for %v", w.maxSilence)
	if !overdue {
		from, to, why = Fail, Pass, ""
	}
	w.h.log(w.h.statusEvent(Change{
		Time: time.Now(), Health: w.h.name, Check: w.name, From: from, To: to, FromPhase: w.h.phase, ToPhase: w.h.phase, Err: why,
	}, "watchdog"))
	w.h.refreshLocked()
}
