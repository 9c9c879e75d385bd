package inventory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// Request asks to hold seats for an order.
type Request struct {
	// Order is the order's id, and the key by which a repetition is known: 1 to 64 letters, digits and any of "._:-".
	Order string `json:"-"`
	// Performance is the performance's id.
	Performance int64 `json:"performance"`
	// Seats are the seats' ids, in any order, each one once; as many as Config.MaxSeats at most.
	Seats []int64 `json:"seats"`
	// For is how long the hold lasts. Default Config.HoldFor; 10 ms to 24 h.
	For time.Duration `json:"-"`
}

// Hold claims all seats of a request for its order, or none, and returns the hold. A seat whose hold by another order
// has expired is free. The hold lasts until the instant Holding.ExpiresAtMS, and not an instant longer.
//
// An order holds once. If it comes again with the same performance and seats, nothing changes, and the answer is the
// same as before, with Holding.Repeated; the time that it has left does not grow.
//
// The error is a [*TakenError] if others have some of the seats, and the order may then try again. It matches
// [ErrInvalid], [ErrNotForSale], [ErrMismatch] if the order has a hold of something else, and [ErrEnded] if its hold is
// over.
func (s *Store) Hold(ctx context.Context, r Request) (Holding, error) {
	held, err := s.hold(ctx, r)
	if _, taken := errors.AsType[*TakenError](err); err != nil && !taken {
		return Holding{}, fmt.Errorf("inventory: hold for order %q: %w", r.Order, err)
	}
	return held, err
}

func (s *Store) hold(ctx context.Context, r Request) (held Holding, err error) {
	if r.For == 0 {
		r.For = s.cfg.HoldFor
	}
	r.Seats = slices.Sorted(slices.Values(r.Seats)) // a copy: the caller's order is the caller's
	if err := r.validate(s.cfg.MaxSeats); err != nil {
		return Holding{}, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		now := s.cfg.Now() // with the write lock held, so that the log's times rise with its numbers
		n, err := affected(ctx, tx, insertHold, r.Order, r.Performance)
		if err != nil {
			return err
		}
		if n == 0 {
			held, err = s.repeat(ctx, tx, r, now)
			return err
		}
		held = Holding{
			Order: r.Order, Performance: r.Performance, Seats: r.Seats, State: Held,
			ExpiresAtMS: now + r.For.Milliseconds(),
		}
		return claimAll(ctx, tx, held, now)
	})
	if err != nil {
		return Holding{}, err
	}
	return held, nil
}

// repeat answers an order that has a hold already, or had one.
func (s *Store) repeat(ctx context.Context, tx *sql.Tx, r Request, now int64) (Holding, error) {
	before, err := holding(ctx, tx, r.Order, now)
	if err != nil {
		return Holding{}, err
	}
	if before.Performance != r.Performance || !slices.Equal(before.Seats, r.Seats) {
		return Holding{}, ErrMismatch
	}
	if before.State == Expired || before.State == Released {
		return Holding{}, ErrEnded
	}
	before.Repeated = true
	return before, nil
}

// claimAll claims the seats of a hold and logs it. An error rolls everything back, so the log of an expired hold that
// would have been taken over is not lost: the sweeper writes it again.
func claimAll(ctx context.Context, tx *sql.Tx, held Holding, now int64) error {
	var taken []int64
	for _, seat := range held.Seats {
		if _, err := tx.ExecContext(ctx, logTakeover, held.Performance, seat, now); err != nil {
			return err
		}
		n, err := affected(ctx, tx, claim, held.Performance, seat, held.Order, held.ExpiresAtMS, now)
		switch {
		case sqlite.IsForeignKey(err): // to the seats on sale: the order's row has just been inserted
			return fmt.Errorf("%w: seat %d of performance %d", ErrNotForSale, seat, held.Performance)
		case err != nil:
			return err
		case n == 0:
			taken = append(taken, seat) // go on, to name all of them
		default:
			if _, err := tx.ExecContext(ctx, logHeld, held.Order, seat, now, held.ExpiresAtMS); err != nil {
				return err
			}
		}
	}
	if len(taken) > 0 {
		return &TakenError{Seats: taken}
	}
	return nil
}

// validate checks a request whose seats are sorted.
func (r Request) validate(maxSeats int) error {
	if err := validOrder(r.Order); err != nil {
		return err
	}
	switch {
	case r.Performance < 1:
		return fmt.Errorf("%w: performance %d", ErrInvalid, r.Performance)
	case len(r.Seats) < 1 || len(r.Seats) > maxSeats:
		return fmt.Errorf("%w: %d seats, want 1 to %d", ErrInvalid, len(r.Seats), maxSeats)
	case r.Seats[0] < 1:
		return fmt.Errorf("%w: seat %d", ErrInvalid, r.Seats[0])
	case r.For < minHoldFor || r.For > maxHoldFor:
		return fmt.Errorf("%w: a hold for %v, want 10ms to 24h", ErrInvalid, r.For)
	}
	for i := range len(r.Seats) - 1 {
		if r.Seats[i] == r.Seats[i+1] {
			return fmt.Errorf("%w: seat %d twice", ErrInvalid, r.Seats[i])
		}
	}
	return nil
}

func validOrder(order string) error {
	valid := len(order) >= 1 && len(order) <= 64
	for i := range len(order) {
		c := order[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		valid = valid && (letter || digit || c == '.' || c == '_' || c == ':' || c == '-')
	}
	if !valid {
		const want = "want 1 to 64 letters, digits and any of ._:-"
		return fmt.Errorf("%w: an order id of %d bytes, %s", ErrInvalid, len(order), want)
	}
	return nil
}
