package inventory

import (
	"context"
	"database/sql"
	"io"
	"io/fs"
	"net/http"

	"github.com/seawall-go/seawall/demo/internal/gate"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// DB is the database behind a store.
func (s *Store) DB() *sqlite.DB { return s.db }

// Migrations is the directory of the migrations.
func Migrations() fs.FS { return migrations() }

// Exec runs a statement that the package itself never runs.
func (s *Store) Exec(ctx context.Context, statement string, args ...any) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

// The functions behind the verbs.
var (
	Steady      = func(wall int64) func() int64 { return steady(wall) }
	KeyOf       = func(r *http.Request) gate.Key { return keyOf(r) }
	ReadRequest = func(body io.Reader) (Request, error) { return readRequest(body) }
)

// Defaults is the configuration with its defaults filled in.
func (c Config) Defaults() Config { return c.withDefaults() }
