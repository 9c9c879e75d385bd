package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"
)

// SeedConfig sets how large the box office's own catalogue is. A zero field is its default. Equal configurations give
// equal databases.
type SeedConfig struct {
	// Performances is the number of performances, all of them on sale, one a day. Default 12; 1 to 1,000.
	Performances int `json:"performances" yaml:"performances"`
	// Venues is the number of venues, which take turns. Default 3; 1 to 100.
	Venues int `json:"venues" yaml:"venues"`
	// Sections is the number of sections of a venue. Default 8; 1 to 26.
	Sections int `json:"sections" yaml:"sections"`
	// Rows is the number of rows of a section. Default 10; 1 to 26.
	Rows int `json:"rows" yaml:"rows"`
	// SeatsPerRow is the number of seats in a row. Default 25; 1 to 100. The defaults make 2,000 seats in a venue, and
	// so for each performance.
	SeatsPerRow int `json:"seats_per_row" yaml:"seats_per_row"`
	// FirstStart is when the first performance starts. Default 1 June 2050, 19:30 UTC: it is fixed, and far ahead, so
	// that all performances are upcoming ones. It must be after 1970.
	FirstStart time.Time `json:"first_start" yaml:"first_start"`
}

func (c SeedConfig) withDefaults() SeedConfig {
	c.Performances = cmp.Or(c.Performances, 12)
	c.Venues = cmp.Or(c.Venues, 3)
	c.Sections = cmp.Or(c.Sections, 8)
	c.Rows = cmp.Or(c.Rows, 10)
	c.SeatsPerRow = cmp.Or(c.SeatsPerRow, 25)
	if c.FirstStart.IsZero() {
		c.FirstStart = time.Date(2050, time.June, 1, 19, 30, 0, 0, time.UTC)
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c SeedConfig) Validate() error {
	c = c.withDefaults()
	for _, field := range []struct {
		name        string
		value, most int
	}{
		{"Performances", c.Performances, 1000},
		{"Venues", c.Venues, 100},
		{"Sections", c.Sections, len(letters)},
		{"Rows", c.Rows, len(letters)},
		{"SeatsPerRow", c.SeatsPerRow, 100},
	} {
		if field.value < 1 || field.value > field.most {
			return fmt.Errorf("catalog: SeedConfig.%s is %d, want 1 to %d", field.name, field.value, field.most)
		}
	}
	if c.FirstStart.UnixMilli() <= 0 {
		return fmt.Errorf("catalog: SeedConfig.FirstStart is %v, want a time after 1970", c.FirstStart)
	}
	return nil
}

// Seed fills an empty catalogue, in one transaction. The ids count from 1, seats venue by venue. It returns an error if
// cfg is not valid, and one about a unique key if the catalogue is not empty; nothing is changed then.
func (c *Catalog) Seed(ctx context.Context, cfg SeedConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if err := c.db.Write(ctx, func(tx *sql.Tx) error { return seed(ctx, tx, cfg.withDefaults()) }); err != nil {
		return fmt.Errorf("catalog: seed: %w", err)
	}
	return nil
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// The invented names of the box office's world. Events take turns like venues.
var (
	venueNames = []string{"Harbour Hall", "The Breakwater", "Lighthouse Theatre"}
	eventNames = []string{
		"The Tide Tables", "Low Water", "A Concert for Twelve Foghorns", "Groyne", "The Spring Flood", "Salt and Brass",
	}
	tierNames = []string{"Front", "Middle", "Rear", "Gallery"}
)

// insertSeats numbers the seats through, section by section and row by row: $1 of them, $2 in a section and $3 in a
// row.
const insertSeats = `
	WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
	INSERT INTO seat (seat_id, section_id, row_label, seat_no)
	SELECT i + 1, i / $2 + 1, substr('` + letters + `', i % $2 / $3 + 1, 1), i % $3 + 1 FROM n`

func seed(ctx context.Context, tx *sql.Tx, cfg SeedConfig) (err error) {
	insert := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	for venue := range cfg.Venues {
		insert(`INSERT INTO venue (venue_id, name) VALUES ($1, $2)`, venue+1, turn(venueNames, venue))
		for section := range cfg.Sections {
			insert(`INSERT INTO section (section_id, venue_id, code) VALUES ($1, $2, $3)`,
				venue*cfg.Sections+section+1, venue+1, letters[section:section+1])
		}
	}
	seats := cfg.Rows * cfg.SeatsPerRow
	insert(insertSeats, cfg.Venues*cfg.Sections*seats, seats, cfg.SeatsPerRow)
	for event, title := range eventNames {
		insert(`INSERT INTO event (event_id, title) VALUES ($1, $2)`, event+1, title)
	}
	for p := range cfg.Performances {
		seedPerformance(insert, cfg, p)
	}
	return err
}

// seedPerformance inserts the performance with index p and its prices: the sections of the venue are shared out evenly
// among the tiers, from the front to the back.
func seedPerformance(insert func(query string, args ...any), cfg SeedConfig, p int) {
	venue := p % cfg.Venues
	insert(`INSERT INTO performance (performance_id, event_id, venue_id, starts_at, status, currency)
		VALUES ($1, $2, $3, $4, 'on_sale', 'EUR')`,
		p+1, p%len(eventNames)+1, venue+1, cfg.FirstStart.AddDate(0, 0, p).UnixMilli())
	tiers := min(len(tierNames), cfg.Sections)
	for tier := range tiers {
		insert(`INSERT INTO price_tier (tier_id, performance_id, name, price_minor) VALUES ($1, $2, $3, $4)`,
			p*tiers+tier+1, p+1, tierNames[tier], 9500-2000*tier+500*(p%4))
	}
	for section := range cfg.Sections {
		insert(`INSERT INTO tier_section (performance_id, section_id, tier_id) VALUES ($1, $2, $3)`,
			p+1, venue*cfg.Sections+section+1, p*tiers+section*tiers/cfg.Sections+1)
	}
}

// turn returns the name with this index; after the last one they begin again, with a number.
func turn(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s %d", names[i%len(names)], i/len(names)+1)
}
