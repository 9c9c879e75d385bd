package catalog

import (
	"context"
	"database/sql"
	"io/fs"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// DB is the database behind a catalogue.
func (c *Catalog) DB() *sqlite.DB { return c.db }

// Migrations is the directory of the migrations.
func Migrations() fs.FS { return migrations() }

// Exec runs a statement that the package itself never runs.
func (c *Catalog) Exec(ctx context.Context, statement string, args ...any) error {
	return c.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}
