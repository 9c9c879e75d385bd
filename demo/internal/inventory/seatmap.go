package inventory

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// SeatMap is which seats of a performance are claimed. All others that are on sale are available.
type SeatMap struct {
	Performance int64 `json:"performance"`
	// AsOfMS is the time of the map in UTC milliseconds: everything that was committed before it is in the map.
	AsOfMS int64 `json:"as_of_ms"`
	// Claims are the claimed seats, ascending.
	Claims []Claim `json:"claims"`
}

// Claim is a claimed seat and its state: held, paying or sold. In JSON it is an array of two, because a map has many.
type Claim struct {
	Seat  int64
	State State
}

// MarshalJSON writes the claim as [seat, state].
func (c Claim) MarshalJSON() ([]byte, error) {
	b := strconv.AppendInt([]byte{'['}, c.Seat, 10)
	b = strconv.AppendQuote(append(b, ','), string(c.State))
	return append(b, ']'), nil
}

// UnmarshalJSON reads what MarshalJSON has written. It returns an error for anything but an array of a seat and one of
// the three states of a claim.
func (c *Claim) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("inventory: a claim of %d parts, want 2", len(parts))
	}
	var seat int64
	if err := json.Unmarshal(parts[0], &seat); err != nil {
		return err
	}
	var state State
	if err := json.Unmarshal(parts[1], &state); err != nil {
		return err
	}
	if seat < 1 || state != Held && state != Paying && state != Sold {
		return fmt.Errorf("inventory: a claim of seat %d in state %q", seat, state)
	}
	*c = Claim{Seat: seat, State: state}
	return nil
}

// SeatMap returns the claimed seats of a performance, without holds that have expired. The error matches [ErrNotFound]
// if no seat of the performance is on sale. It costs one index search, and about a microsecond for each claimed seat.
func (s *Store) SeatMap(ctx context.Context, performanceID int64) (SeatMap, error) {
	m := SeatMap{Performance: performanceID, Claims: []Claim{}}
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		m.AsOfMS = s.cfg.Now() // before the first statement, which fixes the state that the transaction sees
		var known bool
		if err := tx.QueryRowContext(ctx, isOnSale, performanceID).Scan(&known); err != nil {
			return err
		}
		if !known {
			return ErrNotFound
		}
		return sqlite.Each(ctx, tx, func(rows *sql.Rows) error {
			var c Claim
			err := rows.Scan(&c.Seat, &c.State)
			m.Claims = append(m.Claims, c)
			return err
		}, seatMap, performanceID, m.AsOfMS)
	})
	if err != nil {
		return SeatMap{}, fmt.Errorf("inventory: seats of performance %d: %w", performanceID, err)
	}
	return m, nil
}
