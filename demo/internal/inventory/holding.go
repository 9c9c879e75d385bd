package inventory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// State is what a hold or a claimed seat is in.
type State string

// The states. A claim is held, paying or sold; a hold that has ended is expired or released.
const (
	Held     State = "held"     // until it expires
	Paying   State = "paying"   // the money is on its way, and the claim does not expire
	Sold     State = "sold"     // for good
	Expired  State = "expired"  // ended by time
	Released State = "released" // ended by the order itself
)

// Holding is the hold of an order.
type Holding struct {
	Order       string  `json:"order"`
	Performance int64   `json:"performance"`
	Seats       []int64 `json:"seats"` // ascending; all that were held, also when it has ended
	State       State   `json:"state"`
	// ExpiresAtMS is when the hold ends or has ended by time, in UTC milliseconds: the instant that was promised when
	// it was made, whatever came of it.
	ExpiresAtMS int64 `json:"expires_at_ms"`
	// Repeated says that this is the answer to a request that had been answered before.
	Repeated bool `json:"-"`
}

// Holding returns the hold of an order, or what became of it. The error matches [ErrNotFound] if the order never held
// seats.
func (s *Store) Holding(ctx context.Context, order string) (found Holding, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) error {
		found, err = holding(ctx, tx, order, s.cfg.Now())
		return err
	})
	if err != nil {
		return Holding{}, fmt.Errorf("inventory: hold of order %q: %w", order, err)
	}
	return found, nil
}

// Release gives the seats of an order back, unless they are sold, and returns what became of its hold. To release a
// hold that has ended changes nothing. The error matches [ErrNotFound] if the order never held seats.
func (s *Store) Release(ctx context.Context, order string) (left Holding, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		now := s.cfg.Now()
		for _, statement := range []string{logRelease, release} {
			if _, err := tx.ExecContext(ctx, statement, order, now); err != nil {
				return err
			}
		}
		left, err = holding(ctx, tx, order, now)
		return err
	})
	if err != nil {
		return Holding{}, fmt.Errorf("inventory: release order %q: %w", order, err)
	}
	return left, nil
}

// holding reads the hold of an order as it is now: its seats and its promised end from the log, its state from the
// claims, if there are any that have not expired, and otherwise from the log.
func holding(ctx context.Context, tx *sql.Tx, order string, now int64) (Holding, error) {
	h := Holding{Order: order, State: Expired}
	err := tx.QueryRowContext(ctx, holdOf, order).Scan(&h.Performance)
	if errors.Is(err, sql.ErrNoRows) {
		return Holding{}, ErrNotFound
	}
	if err != nil {
		return Holding{}, err
	}
	err = sqlite.Each(ctx, tx, func(rows *sql.Rows) error {
		var seat, expiresAt int64
		var kind State
		if err := rows.Scan(&seat, &kind, &expiresAt); err != nil {
			return err
		}
		switch kind {
		case Held:
			h.Seats, h.ExpiresAtMS = append(h.Seats, seat), expiresAt
		case Released:
			h.State = Released
		}
		return nil
	}, history, order)
	if err != nil {
		return Holding{}, err
	}
	err = sqlite.Each(ctx, tx, func(rows *sql.Rows) error {
		var state State
		var expiresAt int64
		if err := rows.Scan(&state, &expiresAt); err != nil {
			return err
		}
		if state != Held || expiresAt > now {
			h.State = state
		}
		return nil
	}, claims, order)
	if err != nil {
		return Holding{}, err
	}
	return h, nil
}
