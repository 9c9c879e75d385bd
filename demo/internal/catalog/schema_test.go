package catalog_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/catalog"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
	"github.com/seawall-go/seawall/demo/internal/sqlite/plantest"
)

func open(t testing.TB, cfg catalog.SeedConfig) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(t.Context(), sqlite.Memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Seed(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return c
}

// small is a catalogue for tests that look at each seat.
var small = catalog.SeedConfig{Performances: 5, Venues: 2, Sections: 3, Rows: 2, SeatsPerRow: 4}

func TestMigrationsDoNotLeaveAnythingBehind(t *testing.T) {
	c := open(t, small)
	up := plantest.Schema(t, c.DB())
	if len(up) < 9 { // seven tables, two indexes, and those of the unique keys
		t.Fatalf("schema %q", up)
	}
	if err := c.DB().Migrate(t.Context(), catalog.Migrations(), 0); err != nil {
		t.Fatal(err)
	}
	if down := plantest.Schema(t, c.DB()); len(down) != 0 {
		t.Errorf("after Down: %q", down)
	}
	if err := c.DB().Migrate(t.Context(), catalog.Migrations(), sqlite.Latest); err != nil {
		t.Fatal(err)
	}
	if again := plantest.Schema(t, c.DB()); !slices.Equal(again, up) {
		t.Errorf("up, down and up: %q, want %q", again, up)
	}
}

func TestTheSchemaDoesNotAcceptNonsense(t *testing.T) {
	c := open(t, small)
	for name, statement := range map[string]string{
		"a section without a venue":         `INSERT INTO section VALUES (99, 99, 'A')`,
		"a section twice":                   `INSERT INTO section VALUES (99, 1, 'A')`,
		"a seat without a section":          `INSERT INTO seat VALUES (999, 99, 'A', 1)`,
		"a seat twice":                      `INSERT INTO seat VALUES (999, 1, 'A', 1)`,
		"a seat with the number 0":          `INSERT INTO seat VALUES (999, 1, 'A', 0)`,
		"a seat whose number is a word":     `INSERT INTO seat VALUES (999, 1, 'A', 'one')`,
		"a performance without an event":    `INSERT INTO performance VALUES (99, 99, 1, 1, 'on_sale', 'EUR')`,
		"a performance without a venue":     `INSERT INTO performance VALUES (99, 1, 99, 1, 'on_sale', 'EUR')`,
		"an unknown status":                 `INSERT INTO performance VALUES (99, 1, 1, 1, 'onsale', 'EUR')`,
		"a currency in small letters":       `INSERT INTO performance VALUES (99, 1, 1, 1, 'on_sale', 'eur')`,
		"a time before 1970":                `INSERT INTO performance VALUES (99, 1, 1, 0, 'on_sale', 'EUR')`,
		"a negative price":                  `INSERT INTO price_tier VALUES (999, 1, 'Box', -1)`,
		"a tier twice":                      `INSERT INTO price_tier VALUES (999, 1, 'Front', 1)`,
		"a tier without a performance":      `INSERT INTO price_tier VALUES (999, 99, 'Box', 1)`,
		"two prices for a section":          `INSERT INTO tier_section VALUES (1, 1, 2)`,
		"another performance's price":       `INSERT INTO tier_section VALUES (1, 4, 4)`,
		"a price for an unknown section":    `INSERT INTO tier_section VALUES (1, 99, 1)`,
		"a venue without a name":            `INSERT INTO venue VALUES (99, '')`,
		"an event without a title":          `INSERT INTO event VALUES (99, '')`,
		"a performance that seats refer to": `DELETE FROM performance WHERE performance_id = 1`,
	} {
		if err := c.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := c.Exec(t.Context(), `INSERT INTO tier_section VALUES (1, 4, 1)`); err != nil {
		t.Errorf("the rows above must fail for one reason each, but a good row: %v", err)
	}
}

func TestNoQueryWalksThroughATable(t *testing.T) {
	plans := map[string]struct {
		args []any
		want []string
	}{
		"performances": {[]any{1, 1, 1}, []string{"INDEX ix_performance_on_sale", "COVERING INDEX ix_price_tier_price"}},
		"performance":  {[]any{1}, []string{"p USING INTEGER PRIMARY KEY"}},
		"tiers":        {[]any{1}, []string{"COVERING INDEX ix_price_tier_price"}},
		"seats":        {[]any{1}, []string{"ts USING PRIMARY KEY", "COVERING INDEX sqlite_autoindex_seat_1"}},
		"onSale":       {[]any{1}, []string{"ts USING PRIMARY KEY", "COVERING INDEX sqlite_autoindex_seat_1"}},
	}
	queries := plantest.Constants(t, "queries.go")
	if got, listed := slices.Sorted(maps.Keys(queries)), slices.Sorted(maps.Keys(plans)); !slices.Equal(got, listed) {
		t.Fatalf("queries %q, but plans for %q", got, listed)
	}
	c := open(t, catalog.SeedConfig{Performances: 60})
	check := func(t *testing.T) {
		for name, query := range queries {
			t.Run(name, func(t *testing.T) {
				plantest.Check(t, plantest.Plan(t, c.DB(), query, plans[name].args...), plans[name].want...)
			})
		}
	}
	t.Run("before ANALYZE", check)
	if err := c.Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	t.Run("after ANALYZE", check)
}
