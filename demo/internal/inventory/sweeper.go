package inventory

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Sweep removes the claims of all holds that have expired, and returns how many seats that were. The sweeper calls it;
// nobody else has to.
func (s *Store) Sweep(ctx context.Context) (seats int, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		now := s.cfg.Now()
		logged, err := affected(ctx, tx, logExpired, now)
		if err != nil || logged == 0 {
			return err
		}
		removed, err := affected(ctx, tx, expire, now)
		seats = int(removed)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("inventory: sweep: %w", err)
	}
	return seats, nil
}

// startSweeper starts the goroutine that Close stops. It does not stand in the line before the gate: the model's
// capacity is that of the requests, and an expired hold has to go, however many of them there are.
func (s *Store) startSweeper(ctx context.Context) {
	if s.cfg.SweepEvery == NoSweep {
		return
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.swept.Go(func() {
		ticker := time.NewTicker(s.cfg.SweepEvery)
		defer ticker.Stop()
		failing := false
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			_, err := s.Sweep(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && !failing:
				s.cfg.Log.Warn("inventory.sweep_failed", "error", err)
			case err == nil && failing:
				s.cfg.Log.Info("inventory.sweep_recovered")
			}
			failing = err != nil
		}
	})
}
