package sqlite

import (
	"context"
	"fmt"
	"io/fs"
	"math"

	"github.com/pressly/goose/v3"
)

// Latest is the version after the last migration.
const Latest int64 = math.MaxInt64

// Migrate brings the schema to a version: up to it if the database is older, down to it if it is newer. [Latest] is the
// newest one, and 0 is the empty database. Each migration is a transaction of its own, so an error leaves the database
// at the version before the one that failed, which it names. Migrating takes the write lock; readers go on.
func (db *DB) Migrate(ctx context.Context, migrations fs.FS, version int64) error {
	// The provider never holds two connections at a time, so the writer's pool of one is enough for it. It is not
	// closed: that would close the pool.
	provider, err := goose.NewProvider(
		goose.DialectSQLite3, db.writer, migrations, goose.WithDisableGlobalRegistry(true),
	)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	current, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	switch {
	case version > current:
		_, err = provider.UpTo(ctx, version)
	case version < current:
		_, err = provider.DownTo(ctx, version)
	}
	if err != nil {
		return fmt.Errorf("migrate from version %d: %w", current, err)
	}
	return nil
}
