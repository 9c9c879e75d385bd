package breaker

import (
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Traits returns what [seawall.Pipeline.Lint] asks for.
func (b *Breaker) Traits() seawall.Traits {
	return seawall.Traits{Kind: kind, Window: b.Config().Window.Time}
}

// Keep reports whether the breaker must be kept although nobody uses it: it is not closed, its mode is not the one that
// it was made with, or calls are in flight. Without slow calls it does not know of those. A breaker whose open time is over
// and which nobody has asked since, for as long as MaxOpenFor and Window.Time together, need not be kept: else a family
// would keep every key that has failed once and did not come back. Keep calls no listener: what it finds to have happened
// is told at the next reading or change of the state.
func (b *Breaker) Keep() bool {
	now := mono.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.catchUpLocked(now)
	e := b.era.Load()
	switch {
	case e.settings.Mode != b.mode || len(e.older) > 0 || e.tracking != nil && e.tracking.busy():
		return true
	case e.state == Closed:
		return false
	}
	asked, waits := e.lastAsked()
	return waits || now-asked < e.settings.MaxOpenFor+e.settings.Window.Time
}

// lastAsked returns the latest time at which an era that is not closed can have let a call pass, and whether it waits for
// something itself.
func (e *era) lastAsked() (asked time.Duration, waits bool) {
	switch e.state {
	case Open:
		return e.until, false
	case HalfOpen:
		p := e.probes
		if out := p.out.Load(); out > 0 {
			return time.Duration(p.latest.Load()), out > p.successes+p.failures
		}
		return e.since, false
	case Closed, Ramping:
	}
	return 0, true
}
