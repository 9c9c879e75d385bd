package catalog

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

//go:embed migrations/*.sql
var files embed.FS

// Catalog is an open catalogue. It is safe for concurrent use. Use [Open]; the zero value is not usable. Each method
// runs its queries in one read transaction, waits for a free connection until its context ends, and returns the
// database's error if there is one.
type Catalog struct{ db *sqlite.DB }

// ErrNotFound is matched by the error about a performance that is not in the catalogue.
var ErrNotFound = errors.New("no such performance")

// Open opens the catalogue in the file at path, which it creates if it is missing, or in memory ([sqlite.Memory]), and
// brings its schema up to date. The caller closes it.
func Open(ctx context.Context, path string) (*Catalog, error) {
	db, err := sqlite.Open(ctx, path, migrations())
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	return &Catalog{db: db}, nil
}

// Close closes the database. A second Close does nothing.
func (c *Catalog) Close() error { return c.db.Close() }

// migrations returns the directory of the migrations.
func migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic("catalog: " + err.Error()) // the name is a constant, and valid
	}
	return sub
}

// list runs a query in a read transaction and returns what scan makes of its rows: an empty list, not nil, for none.
func list[T any](
	ctx context.Context, c *Catalog, scan func(*sql.Rows, *T) error, query string, args ...any,
) ([]T, error) {
	found := []T{}
	err := c.db.Read(ctx, func(tx *sql.Tx) error {
		return sqlite.Each(ctx, tx, func(rows *sql.Rows) error {
			var next T
			err := scan(rows, &next)
			found = append(found, next)
			return err
		}, query, args...)
	})
	return found, err
}

// PingContext asks the database for a sign of life.
func (c *Catalog) PingContext(ctx context.Context) error { return c.db.PingContext(ctx) }
