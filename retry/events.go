package retry

import (
	"context"
	"log/slog"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/errtype"
	"github.com/seawall-go/seawall/internal/mono"
)

// Event is a retry that starts.
type Event struct {
	Name        string        // the Retry's
	Attempt     int           // number of the attempt that starts: 2 for the first retry
	Err         error         // how the attempt before it ended
	Wait        time.Duration // planned wait between the two
	ServerDelay time.Duration // what the dependency asked for, before its cap and its spread; 0 if it did not
}

// refused writes the events for a call that may not go on.
func (r *Retry) refused(ctx context.Context, p *repetition, err error) {
	switch p.end {
	case exhausted:
		if suppressed, ok := r.exhausted.Allow(); ok {
			p.settings.Registry.Log(ctx, slog.LevelWarn, "seawall.retry.exhausted",
				slog.String("name", r.name), slog.Int("attempts", p.attempts),
				slog.String("error_type", errtype.Of(err, p.verdict.Outcome)), slog.Int64("suppressed", suppressed))
		}
	case budgetDenied:
		r.counts.deniedAt.Store(int64(mono.Now())) // before starved: Keep reads them the other way round
		if r.starved.CompareAndSwap(false, true) {
			p.settings.Registry.Log(ctx, slog.LevelWarn, "seawall.retry.budget_empty", slog.String("name", r.name))
		}
	}
}

// restored writes that the budget has come back, as soon as it is half full. At the first token it would come and go
// with each retry while a share of the calls fails.
func (r *Retry) restored(ctx context.Context, b *seawall.Budget) {
	if b.Available() < max(1, float64(b.Config().Burst)/2) {
		return
	}
	if r.starved.CompareAndSwap(true, false) {
		registry := r.settings.Load().Registry
		registry.Log(ctx, slog.LevelInfo, "seawall.retry.budget_restored", slog.String("name", r.name))
	}
}
