package events

import (
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// Throttle lets one event pass in a second, and counts the others: for what may fail with every call. The zero Throttle is
// ready for use, and safe for concurrent use.
type Throttle struct {
	mu         sync.Mutex // guards the fields below
	used       bool
	latest     time.Duration // reading of mono.Now; only if used
	suppressed int64
}

// Allow returns whether an event may pass, and how many were suppressed before it.
func (t *Throttle) Allow() (suppressed int64, ok bool) {
	now := mono.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	since := now - t.latest // below 0 where the clock has gone back: at the border of a testing/synctest bubble
	if t.used && 0 <= since && since < time.Second {
		t.suppressed++
		return 0, false
	}
	suppressed, t.suppressed = t.suppressed, 0
	t.used, t.latest = true, now
	return suppressed, true
}
