package hedge

import (
	"context"
	"log/slog"
	"time"

	"github.com/seawall-go/seawall"
)

// Event is an extra attempt that starts.
type Event struct {
	Name    string        // the Hedge's
	Attempt int           // number of the attempt that starts: 2 for the first extra one
	Elapsed time.Duration // since the first attempt started
	Err     error         // of the attempt whose failure starts this one early; nil if it starts because of the time
}

// starve writes that the budget has refused an attempt, unless it is known.
func (h *Hedge) starve(registry *seawall.Registry) {
	if h.starved.CompareAndSwap(false, true) {
		registry.Log(context.Background(), slog.LevelWarn, "seawall.hedge.budget_empty", slog.String("name", h.name))
	}
}

// restore writes that the budget has come back, as soon as it is half full. At the first token it would come and go with
// each extra attempt while the successes pay for a part of them.
func (h *Hedge) restore(registry *seawall.Registry, b *seawall.Budget) {
	if b.Available() < max(1, float64(b.Config().Burst)/2) {
		return
	}
	if h.starved.CompareAndSwap(true, false) {
		registry.Log(context.Background(), slog.LevelInfo, "seawall.hedge.budget_restored", slog.String("name", h.name))
	}
}
