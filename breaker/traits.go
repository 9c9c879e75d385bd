package breaker

import (
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Traits returns what [seawall.Pipeline.Lint] asks for.
func (b *Breaker) Traits() seawall.Traits {
	return seawall.Traits{Kind: kind, Window: b.Config().Window.Time}
}

// Keep reports whether the breaker must be kept although nobody uses it: it is not closed, its mode is not the one that
// it was made with, or calls are in flight. Without slow calls it does not know of those. It calls no listener: what it
// finds to have happened is told at the next reading or change of the state.
func (b *Breaker) Keep() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.catchUpLocked(mono.Now())
	e := b.era.Load()
	if e.state != Closed || e.settings.Mode != b.mode || len(e.older) > 0 {
		return true
	}
	return e.tracking != nil && e.tracking.busy()
}
