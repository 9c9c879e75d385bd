package inventory

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// Audit is everything that a checker needs to judge the inventory from its database alone: that no seat is held by two
// orders at a time, that no more seats are claimed than there are, that an order holds once, and that no hold lasts too
// long or ends too early.
type Audit struct {
	// AsOfMS is the time of the audit by the inventory's clock, in UTC milliseconds.
	AsOfMS int64 `json:"as_of_ms"`
	// Capacity is the number of seats on sale for each performance.
	Capacity map[int64]int `json:"capacity"`
	// Claims are the claimed seats by performance and seat, as they stand in the table: also those whose hold has
	// expired and has not been swept.
	Claims []ClaimRow `json:"claims"`
	// Events are the beginnings and ends of the holds, in the order of their commits, one for each seat.
	Events []Event `json:"events"`
}

// ClaimRow is a claimed seat.
type ClaimRow struct {
	Performance int64  `json:"performance"`
	Seat        int64  `json:"seat"`
	Order       string `json:"order"`
	State       State  `json:"state"`
	// ExpiresAtMS is 0 unless the state is held.
	ExpiresAtMS int64 `json:"expires_at_ms"`
}

// Event is what happened to a seat of a hold: it was held, it expired, or it was released.
type Event struct {
	Seq         int64  `json:"seq"` // rises with each event
	AtMS        int64  `json:"at_ms"`
	Kind        State  `json:"kind"` // held, expired or released
	Order       string `json:"order"`
	Performance int64  `json:"performance"`
	Seat        int64  `json:"seat"`
	// ExpiresAtMS is the promised end of the hold if the kind is held, and 0 otherwise.
	ExpiresAtMS int64 `json:"expires_at_ms"`
}

// The checker's queries read whole tables, in the order of their primary keys.
const (
	auditCapacity = `
		SELECT performance_id, count(*) FROM sellable_seat GROUP BY performance_id`

	auditClaims = `
		SELECT performance_id, seat_id, order_id, state, coalesce(expires_at, 0) FROM seat_claim
		ORDER BY performance_id, seat_id`

	auditEvents = `
		SELECT e.seq, e.at, e.kind, e.order_id, h.performance_id, e.seat_id, coalesce(e.expires_at, 0)
		FROM hold_event AS e JOIN hold AS h ON h.order_id = e.order_id
		ORDER BY e.seq`
)

// Audit reads the whole inventory in one transaction. It costs about a microsecond for each seat on sale and each
// event.
func (s *Store) Audit(ctx context.Context) (Audit, error) {
	a := Audit{Capacity: map[int64]int{}, Claims: []ClaimRow{}, Events: []Event{}}
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		a.AsOfMS = s.cfg.Now()
		if err := sqlite.Each(ctx, tx, func(rows *sql.Rows) error {
			var performance int64
			var seats int
			err := rows.Scan(&performance, &seats)
			a.Capacity[performance] = seats
			return err
		}, auditCapacity); err != nil {
			return err
		}
		if err := sqlite.Each(ctx, tx, func(rows *sql.Rows) error {
			var c ClaimRow
			err := rows.Scan(&c.Performance, &c.Seat, &c.Order, &c.State, &c.ExpiresAtMS)
			a.Claims = append(a.Claims, c)
			return err
		}, auditClaims); err != nil {
			return err
		}
		return sqlite.Each(ctx, tx, func(rows *sql.Rows) error {
			var e Event
			err := rows.Scan(&e.Seq, &e.AtMS, &e.Kind, &e.Order, &e.Performance, &e.Seat, &e.ExpiresAtMS)
			a.Events = append(a.Events, e)
			return err
		}, auditEvents)
	})
	if err != nil {
		return Audit{}, fmt.Errorf("inventory: audit: %w", err)
	}
	return a, nil
}
