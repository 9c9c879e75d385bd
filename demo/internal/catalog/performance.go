package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// Summary is a line of the list of performances.
type Summary struct {
	ID         int64  `json:"id"`
	Title      string `json:"title"`
	Venue      string `json:"venue"`
	StartsAtMS int64  `json:"starts_at_ms"`
	Currency   string `json:"currency"`
	// MinPriceMinor is the price of the cheapest tier.
	MinPriceMinor int64 `json:"min_price_minor"`
}

// Cursor is a place in the list of performances: behind the one that starts at this time and has this id. One with only
// a time is before all performances of that time.
type Cursor struct {
	StartsAtMS  int64
	Performance int64
}

// maxPage is the longest page of the list.
const maxPage = 100

// Performances returns the next performances on sale behind a place in the list, at most limit of them and never more
// than 100, in the order of their start and, for equal ones, of their id. For the upcoming ones begin with the present
// time; the next page begins at the last line of this one. A performance without a price is not offered. The list is
// empty at the end, and for a limit below 1.
func (c *Catalog) Performances(ctx context.Context, after Cursor, limit int) ([]Summary, error) {
	scan := func(rows *sql.Rows, s *Summary) error {
		return rows.Scan(&s.ID, &s.Title, &s.Venue, &s.StartsAtMS, &s.Currency, &s.MinPriceMinor)
	}
	limit = max(0, min(limit, maxPage))
	page, err := list(ctx, c, scan, performances, after.StartsAtMS, after.Performance, limit)
	if err != nil {
		return nil, fmt.Errorf("catalog: performances: %w", err)
	}
	return page, nil
}

// Performance is one performance in full.
type Performance struct {
	ID         int64  `json:"id"`
	Title      string `json:"title"`
	Venue      string `json:"venue"`
	StartsAtMS int64  `json:"starts_at_ms"`
	// Status is announced, on_sale or closed.
	Status   string `json:"status"`
	Currency string `json:"currency"`
	// Tiers are the prices, the highest first.
	Tiers []Tier `json:"tiers"`
}

// Tier is a price and its name.
type Tier struct {
	Name       string `json:"name"`
	PriceMinor int64  `json:"price_minor"`
}

// Performance returns a performance, whatever its status. The error matches [ErrNotFound] if there is none.
func (c *Catalog) Performance(ctx context.Context, id int64) (Performance, error) {
	p := Performance{Tiers: []Tier{}}
	err := c.db.Read(ctx, func(tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, performance, id)
		if err := row.Scan(&p.ID, &p.Title, &p.Venue, &p.StartsAtMS, &p.Status, &p.Currency); err != nil {
			return err
		}
		return sqlite.Each(ctx, tx, func(rows *sql.Rows) error {
			var t Tier
			err := rows.Scan(&t.Name, &t.PriceMinor)
			p.Tiers = append(p.Tiers, t)
			return err
		}, tiers, id)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Performance{}, fmt.Errorf("catalog: performance %d: %w", id, err)
	}
	return p, nil
}
