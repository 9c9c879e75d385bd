package inventory_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/inventory"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
	"github.com/seawall-go/seawall/demo/internal/sqlite/plantest"
)

func TestMigrationsDoNotLeaveAnythingBehind(t *testing.T) {
	s, _ := byHand(t, 1, 2)
	if _, err := s.Hold(t.Context(), order("a", 1)); err != nil {
		t.Fatal(err)
	}
	up := plantest.Schema(t, s.DB())
	if len(up) < 8 { // four tables, two indexes, two triggers, and the indexes of the unique keys
		t.Fatalf("schema %q", up)
	}
	if err := s.DB().Migrate(t.Context(), inventory.Migrations(), 0); err != nil {
		t.Fatal(err)
	}
	if down := plantest.Schema(t, s.DB()); len(down) != 0 {
		t.Errorf("after Down: %q", down)
	}
	if err := s.DB().Migrate(t.Context(), inventory.Migrations(), sqlite.Latest); err != nil {
		t.Fatal(err)
	}
	if again := plantest.Schema(t, s.DB()); !slices.Equal(again, up) {
		t.Errorf("up, down and up: %q, want %q", again, up)
	}
}

// The guards must hold without the code before them.
func TestTheSchemaDoesNotAcceptNonsense(t *testing.T) {
	s, _ := byHand(t, 1, 2, 3)
	for _, name := range []string{"a", "b"} {
		if err := s.Exec(t.Context(), `INSERT INTO hold VALUES ($1, 1)`, name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Hold(t.Context(), order("c", 3)); err != nil {
		t.Fatal(err)
	}
	good := `INSERT INTO seat_claim VALUES (1, 1, 'a', 'held', 5)`
	if err := s.Exec(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for name, statement := range map[string]string{
		"a seat sold twice":             `INSERT INTO seat_claim VALUES (1, 1, 'b', 'sold', NULL)`,
		"a seat that is not for sale":   `INSERT INTO seat_claim VALUES (1, 9, 'a', 'held', 5)`,
		"a claim without a hold":        `INSERT INTO seat_claim VALUES (1, 2, 'z', 'held', 5)`,
		"an unknown state":              `INSERT INTO seat_claim VALUES (1, 2, 'a', 'lost', NULL)`,
		"a hold that never expires":     `INSERT INTO seat_claim VALUES (1, 2, 'a', 'held', NULL)`,
		"a sold seat that expires":      `INSERT INTO seat_claim VALUES (1, 2, 'a', 'sold', 5)`,
		"a paying seat that expires":    `INSERT INTO seat_claim VALUES (1, 2, 'a', 'paying', 5)`,
		"an expiry that is a word":      `INSERT INTO seat_claim VALUES (1, 2, 'a', 'held', 'soon')`,
		"two holds of an order":         `INSERT INTO hold VALUES ('a', 1)`,
		"a hold of another performance": `INSERT INTO hold VALUES ('a', 2)`,
		"an order without a name":       `INSERT INTO hold VALUES ('', 1)`,
		"a performance below 1":         `INSERT INTO sellable_seat VALUES (0, 1)`,
		"a seat below 1":                `INSERT INTO sellable_seat VALUES (1, 0)`,
		"a claimed seat withdrawn":      `DELETE FROM sellable_seat WHERE seat_id = 1`,
		"a seat held twice":             `INSERT INTO hold_event VALUES (99, 'c', 3, 'held', 1, 2)`,
		"an event of no order":          `INSERT INTO hold_event VALUES (99, 'z', 3, 'expired', 1, NULL)`,
		"an unknown event":              `INSERT INTO hold_event VALUES (99, 'c', 3, 'lost', 1, NULL)`,
		"a beginning without an end":    `INSERT INTO hold_event VALUES (99, 'c', 4, 'held', 1, NULL)`,
		"an end with an end":            `INSERT INTO hold_event VALUES (99, 'c', 3, 'expired', 1, 2)`,
		"a changed event":               `UPDATE hold_event SET at = 0`,
		"a deleted event":               `DELETE FROM hold_event`,
	} {
		if err := s.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestNoQueryWalksThroughATable(t *testing.T) {
	plans := map[string]struct {
		args []any
		want []string
	}{
		"putOnSale":   {[]any{1, "[1]"}, nil},
		"isOnSale":    {[]any{1}, []string{"sellable_seat USING PRIMARY KEY"}},
		"seatMap":     {[]any{1, 1}, []string{"seat_claim USING PRIMARY KEY"}},
		"insertHold":  {[]any{"a", 1}, nil},
		"logTakeover": {[]any{1, 1, 1}, []string{"seat_claim USING PRIMARY KEY"}},
		"claim":       {[]any{1, 1, "a", 1, 1}, nil},
		"logHeld":     {[]any{"a", 1, 1, 1}, nil},
		"holdOf":      {[]any{"a"}, []string{"hold USING PRIMARY KEY"}},
		"claims":      {[]any{"a"}, []string{"seat_claim USING INDEX ix_seat_claim_order"}},
		"history":     {[]any{"a"}, []string{"hold_event USING INDEX sqlite_autoindex_hold_event_1"}},
		"logRelease":  {[]any{"a", 1}, []string{"seat_claim USING INDEX ix_seat_claim_order"}},
		"release":     {[]any{"a", 1}, []string{"seat_claim USING INDEX ix_seat_claim_order"}},
		"logExpired":  {[]any{1}, []string{"ix_seat_claim_expiry"}},
		"expire":      {[]any{1}, []string{"ix_seat_claim_expiry"}},
	}
	queries := plantest.Constants(t, "queries.go")
	if got, listed := slices.Sorted(maps.Keys(queries)), slices.Sorted(maps.Keys(plans)); !slices.Equal(got, listed) {
		t.Fatalf("queries %q, but plans for %q", got, listed)
	}
	s := loaded(t)
	check := func(t *testing.T) {
		for name, query := range queries {
			t.Run(name, func(t *testing.T) {
				plan := plantest.Plan(t, s.DB(), query, plans[name].args...)
				plan = slices.DeleteFunc(plan, func(step string) bool { return strings.HasPrefix(step, "SCAN json_each ") })
				plantest.Check(t, plan, plans[name].want...)
			})
		}
		// The checker's queries walk through the tables, but do not sort them.
		for name, query := range plantest.Constants(t, "audit.go") {
			if !strings.HasPrefix(name, "audit") {
				continue
			}
			t.Run(name, func(t *testing.T) {
				plan := plantest.Plan(t, s.DB(), query)
				walks := len(plan)
				plan = slices.DeleteFunc(plan, func(step string) bool { return strings.HasPrefix(step, "SCAN ") })
				if walks-len(plan) != 1 {
					t.Errorf("walks through %d tables, want the one that it is about", walks-len(plan))
				}
				plantest.Check(t, plan)
			})
		}
	}
	t.Run("before ANALYZE", check)
	if err := s.Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	t.Run("after ANALYZE", check)
}

// Sold seats are most of the claims in the end: the index of the holds must not carry them along.
func TestTheIndexOfExpiriesDoesNotHoldSoldSeats(t *testing.T) {
	s, _ := byHand(t, 1)
	plan := plantest.Plan(t, s.DB(), `SELECT seat_id FROM seat_claim WHERE expires_at <= $1`, 1)
	if len(plan) != 1 || plan[0] != "SCAN seat_claim" {
		t.Errorf("without the state in its condition a query may not use the partial index, but its plan is %q", plan)
	}
}

// loaded is an inventory with 20 performances of 1,000 seats, and 1,000 orders of which some have ended: on empty
// tables a planner would rightly walk.
func loaded(t *testing.T) *inventory.Store {
	s, c := byHand(t)
	ids := make([]int64, 1000)
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	for p := range int64(20) {
		if err := s.PutOnSale(t.Context(), p+1, ids); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DB().Write(t.Context(), func(tx *sql.Tx) error { return load(t.Context(), tx, c.now()) }); err != nil {
		t.Fatal(err)
	}
	return s
}

func load(ctx context.Context, tx *sql.Tx, now int64) error {
	logged := `INSERT INTO hold_event (order_id, seat_id, kind, at, expires_at) VALUES ($1, $2, 'held', $3, $3)`
	for i := range 1000 {
		name, performance := fmt.Sprintf("order-%d", i), i%20+1
		for _, row := range []struct {
			statement string
			args      []any
		}{
			{`INSERT INTO hold VALUES ($1, $2)`, []any{name, performance}},
			{logged, []any{name, i/20*2 + 1, now}},
			{logged, []any{name, i/20*2 + 2, now}},
			{`INSERT INTO seat_claim VALUES ($1, $2, $3, 'sold', NULL)`, []any{performance, i/20*2 + 1, name}},
			{`INSERT INTO seat_claim VALUES ($1, $2, $3, 'held', $4)`, []any{performance, i/20*2 + 2, name, now + int64(i)}},
		} {
			if _, err := tx.ExecContext(ctx, row.statement, row.args...); err != nil {
				return err
			}
		}
	}
	return nil
}
