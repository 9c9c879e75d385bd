package hedge

import (
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Traits returns what [seawall.Pipeline.Lint] looks at. The delay of a Hedge that follows latencies is their Min.
func (h *Hedge) Traits() seawall.Traits {
	s := h.settings.Load()
	t := seawall.Traits{Kind: kind, Attempts: s.MaxAttempts, Budget: s.budget}
	switch {
	case s.latencies != nil:
		t.Delay = s.Latency.Min
	case s.Delay != OnFailure:
		t.Delay = s.Delay
	}
	return t
}

// keepFor is how long after a refused attempt a Hedge must be kept. Its buckets fill with calls and not with time, so
// without an end a family could never forget a key that was given up.
const keepFor = time.Minute

// Keep reports whether the Cap, or a budget of the Hedge's own, has refused an attempt in the last minute: made anew they
// would be full, and pay for more attempts at what is in trouble; see [seawall.Keeper]. A shared budget outlives the
// Hedge.
func (h *Hedge) Keep() bool {
	c := &h.counts
	return c.refused.Load() && mono.Now()-time.Duration(c.refusedAt.Load()) < keepFor
}

// refuse notes that a bucket of the Hedge's own was empty.
func (c *counts) refuse() {
	c.refusedAt.Store(int64(mono.Now())) // before refused: Keep reads them the other way round
	if !c.refused.Load() {
		c.refused.Store(true)
	}
}
