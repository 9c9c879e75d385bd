package catalog_test

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/catalog"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// Random performances with a state and prices each, against the naive twin that filters and sorts them all.
func TestNoPageLosesOrRepeatsAPerformance(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		c := open(t, catalog.SeedConfig{Performances: 1, Venues: 1, Sections: 1, Rows: 1, SeatsPerRow: 1})
		if err := c.Exec(t.Context(), `UPDATE performance SET status = 'closed'`); err != nil {
			t.Fatal(err)
		}
		now := int64(1000)
		var want []catalog.Summary
		for id := int64(2); id < 2+int64(r.IntN(60)); id++ {
			startsAt := 990 + r.Int64N(30) // many at the same time, some in the past
			status := []string{"on_sale", "on_sale", "announced", "closed"}[r.IntN(4)]
			insert := `INSERT INTO performance VALUES ($1, 1, 1, $2, $3, 'EUR')`
			if err := c.Exec(t.Context(), insert, id, startsAt, status); err != nil {
				t.Fatal(err)
			}
			lowest := int64(-1)
			for tier := range r.Int64N(4) {
				price := r.Int64N(100)
				if err := c.Exec(t.Context(), `INSERT INTO price_tier VALUES ($1, $2, $3, $4)`,
					id*10+tier, id, string(rune('a'+tier)), price); err != nil {
					t.Fatal(err)
				}
				if lowest < 0 || price < lowest {
					lowest = price
				}
			}
			if status == "on_sale" && startsAt >= now && lowest >= 0 {
				want = append(want, catalog.Summary{
					ID: id, Title: "The Tide Tables", Venue: "Harbour Hall",
					StartsAtMS: startsAt, Currency: "EUR", MinPriceMinor: lowest,
				})
			}
		}
		slices.SortFunc(want, func(a, b catalog.Summary) int {
			return cmp.Or(cmp.Compare(a.StartsAtMS, b.StartsAtMS), cmp.Compare(a.ID, b.ID))
		})
		var got []catalog.Summary
		limit := 1 + r.IntN(7)
		for after := (catalog.Cursor{StartsAtMS: now}); ; {
			page, err := c.Performances(t.Context(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page...)
			if len(page) < limit {
				break
			}
			last := page[len(page)-1]
			after = catalog.Cursor{StartsAtMS: last.StartsAtMS, Performance: last.ID}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d, pages of %d:\n%+v\nwant\n%+v", seed, limit, got, want)
		}
	}
}

func TestAPageIsNotLongerThanItsLimit(t *testing.T) {
	c := open(t, catalog.SeedConfig{Performances: 120, Venues: 1, Sections: 1, Rows: 1, SeatsPerRow: 1})
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 100: 100, 101: 100, math.MaxInt: 100} {
		page, err := c.Performances(t.Context(), catalog.Cursor{}, limit)
		if err != nil || len(page) != want || page == nil {
			t.Errorf("limit %d: %d performances, error %v, want %d", limit, len(page), err, want)
		}
	}
}

func TestAPerformanceIsNotShownInPart(t *testing.T) {
	c := open(t, small)
	got, err := c.Performance(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	want := catalog.Performance{
		ID: 4, Title: "Groyne", Venue: "The Breakwater", Status: "on_sale", Currency: "EUR",
		StartsAtMS: time.Date(2050, 6, 4, 19, 30, 0, 0, time.UTC).UnixMilli(),
		Tiers:      []catalog.Tier{{"Front", 11000}, {"Middle", 9000}, {"Rear", 7000}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The naive twin of the seats: the rows of the tables, joined and sorted by hand.
func TestNoSeatIsMissingOrHasAnothersPrice(t *testing.T) {
	c := open(t, small)
	for p := range int64(5) {
		var want []catalog.Seat
		var ids []int64
		venue := p % 2
		for section := range int64(3) {
			for row := range int64(2) {
				for number := range int64(4) {
					want = append(want, catalog.Seat{
						ID:      ((venue*3+section)*2+row)*4 + number + 1,
						Section: "ABC"[section : section+1], Row: "AB"[row : row+1], Number: int(number + 1),
						PriceMinor: 9500 - 2000*section + 500*(p%4),
					})
					ids = append(ids, want[len(want)-1].ID)
				}
			}
		}
		got, err := c.Seats(t.Context(), p+1)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("performance %d: seats %+v, error %v, want %+v", p+1, got, err, want)
		}
		announced, err := c.OnSale(t.Context(), p+1)
		if err != nil || announced.Performance != p+1 || !slices.Equal(announced.Seats, ids) {
			t.Errorf("performance %d on sale: %+v, error %v, want %v", p+1, announced, err, ids)
		}
	}
}

func TestAnUnknownPerformanceIsNotAnEmptyOne(t *testing.T) {
	c := open(t, small)
	for what, err := range map[string]error{
		"performance": second(c.Performance(t.Context(), 99)),
		"seats":       second(c.Seats(t.Context(), 99)),
		"on sale":     second(c.OnSale(t.Context(), 99)),
	} {
		if text := fmt.Sprint(err); !errors.Is(err, catalog.ErrNotFound) || !strings.HasPrefix(text, "catalog: ") ||
			!strings.Contains(text, "99") {
			t.Errorf("%s: error %v", what, err)
		}
	}
	if err := c.Exec(t.Context(), `DELETE FROM tier_section WHERE performance_id = 1`); err != nil {
		t.Fatal(err)
	}
	if seats, err := c.Seats(t.Context(), 1); err != nil || seats == nil || len(seats) != 0 {
		t.Errorf("a performance without seats: %v, error %v", seats, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAnErrorOfTheDatabaseIsNotHidden(t *testing.T) {
	c := open(t, small)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"performances": second(c.Performances(t.Context(), catalog.Cursor{}, 1)),
		"performance":  second(c.Performance(t.Context(), 1)),
		"seats":        second(c.Seats(t.Context(), 1)),
		"on sale":      second(c.OnSale(t.Context(), 1)),
		"seed":         c.Seed(t.Context(), small),
		"open":         second(catalog.Open(t.Context(), filepath.Join(t.TempDir(), "no", "such.db"))),
	} {
		if err == nil || errors.Is(err, catalog.ErrNotFound) || !strings.HasPrefix(err.Error(), "catalog: ") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func TestTheDefaultSeedIsNotAnyOther(t *testing.T) {
	c := open(t, catalog.SeedConfig{})
	page, err := c.Performances(t.Context(), catalog.Cursor{StartsAtMS: time.Now().UnixMilli()}, 100)
	if err != nil || len(page) != 12 {
		t.Fatalf("%d upcoming performances, error %v, want 12", len(page), err)
	}
	venues := map[string]bool{}
	for _, p := range page {
		venues[p.Venue] = true
		seats, err := c.Seats(t.Context(), p.ID)
		if err != nil || len(seats) != 2000 {
			t.Errorf("performance %d: %d seats, error %v, want 2000", p.ID, len(seats), err)
		}
	}
	if len(venues) != 3 {
		t.Errorf("venues %v", venues)
	}
}

func TestSeedsDoNotDiffer(t *testing.T) {
	dump := func() (rows string) {
		if err := open(t, small).DB().Read(t.Context(), func(tx *sql.Tx) error {
			return tx.QueryRowContext(t.Context(), `SELECT
				(SELECT json_group_array(json_array(venue_id, name)) FROM venue) ||
				(SELECT json_group_array(json_array(section_id, venue_id, code)) FROM section) ||
				(SELECT json_group_array(json_array(seat_id, section_id, row_label, seat_no)) FROM seat) ||
				(SELECT json_group_array(json_array(event_id, title)) FROM event) ||
				(SELECT json_group_array(json_array(performance_id, event_id, venue_id, starts_at, status)) FROM performance) ||
				(SELECT json_group_array(json_array(tier_id, performance_id, name, price_minor)) FROM price_tier) ||
				(SELECT json_group_array(json_array(performance_id, section_id, tier_id)) FROM tier_section)`).Scan(&rows)
		}); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	one := dump()
	if two := dump(); one != two {
		t.Errorf("two seeds:\n%s\n%s", one, two)
	}
	if len(one) < 1000 {
		t.Errorf("the dump has only %s", one)
	}
}

func TestASecondSeedDoesNotChangeAnything(t *testing.T) {
	c := open(t, small)
	if err := c.Seed(t.Context(), catalog.SeedConfig{}); err == nil {
		t.Error("a catalogue was seeded twice")
	}
	if page, err := c.Performances(t.Context(), catalog.Cursor{}, 100); err != nil || len(page) != 5 {
		t.Errorf("%d performances, error %v, want those of the first seed", len(page), err)
	}
}

func TestSeedRefusesAnImpossibleConfig(t *testing.T) {
	for _, row := range []struct {
		cfg  catalog.SeedConfig
		want string
	}{
		{catalog.SeedConfig{Performances: -1}, "catalog: SeedConfig.Performances is -1, want 1 to 1000"},
		{catalog.SeedConfig{Venues: 101}, "catalog: SeedConfig.Venues is 101, want 1 to 100"},
		{catalog.SeedConfig{Sections: 27}, "catalog: SeedConfig.Sections is 27, want 1 to 26"},
		{catalog.SeedConfig{Rows: 27}, "catalog: SeedConfig.Rows is 27, want 1 to 26"},
		{catalog.SeedConfig{SeatsPerRow: 101}, "catalog: SeedConfig.SeatsPerRow is 101, want 1 to 100"},
		{
			catalog.SeedConfig{FirstStart: time.UnixMilli(0).UTC()},
			"catalog: SeedConfig.FirstStart is 1970-01-01 00:00:00 +0000 UTC, want a time after 1970",
		},
	} {
		if err := row.cfg.Validate(); err == nil || err.Error() != row.want {
			t.Errorf("%+v: error %v, want %s", row.cfg, err, row.want)
		}
		c := open(t, small)
		if err := c.Seed(t.Context(), row.cfg); err == nil || err.Error() != row.want {
			t.Errorf("Seed(%+v): error %v, want %s", row.cfg, err, row.want)
		}
	}
}

func TestTheLargestSeedIsNotRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("inserts many rows")
	}
	c := open(t, catalog.SeedConfig{Performances: 40, Venues: 5, Sections: 26, Rows: 26, SeatsPerRow: 10})
	seats, err := c.Seats(t.Context(), 40)
	if err != nil || len(seats) != 26*26*10 {
		t.Fatalf("%d seats, error %v", len(seats), err)
	}
	want := catalog.Seat{ID: 5 * 26 * 26 * 10, Section: "Z", Row: "Z", Number: 10, PriceMinor: 9500 - 6000 + 1500}
	if last := seats[len(seats)-1]; last != want {
		t.Errorf("the last seat is %+v", last)
	}
}

func TestABubbleIsNotTooSmallForACatalogue(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{sqlite.Memory, filepath.Join(dir, "catalog.db")} {
		synctest.Test(t, func(t *testing.T) {
			c, err := catalog.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Seed(t.Context(), small); err != nil {
				t.Fatal(err)
			}
			page, err := c.Performances(t.Context(), catalog.Cursor{StartsAtMS: time.Now().UnixMilli()}, 2)
			if err != nil || len(page) != 2 {
				t.Errorf("%d performances, error %v", len(page), err)
			}
		})
	}
}
