package inventory

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"sync"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

//go:embed migrations/*.sql
var files embed.FS

// Store is an open inventory. It is safe for concurrent use. Use [Open]; the zero value is not usable. Each method is
// one transaction, waits for a free connection until its context ends, and returns the database's error if there is
// one.
type Store struct {
	cfg Config
	db  *sqlite.DB

	stop  context.CancelFunc // of the sweeper
	swept sync.WaitGroup
}

// Open opens the inventory in the file at path, which it creates if it is missing, or in memory ([sqlite.Memory]),
// brings its schema up to date, and starts the sweeper. The caller closes it. It panics if cfg is not valid.
func Open(ctx context.Context, path string, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	db, err := sqlite.Open(ctx, path, migrations())
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	s := &Store{cfg: cfg.withDefaults(), db: db, stop: func() {}}
	s.startSweeper(context.WithoutCancel(ctx))
	return s, nil
}

// Config returns the configuration with its defaults filled in.
func (s *Store) Config() Config { return s.cfg }

// Close stops the sweeper, waits for it, and closes the database. A second Close does nothing.
func (s *Store) Close() error {
	s.stop()
	s.swept.Wait()
	return s.db.Close()
}

// migrations returns the directory of the migrations.
func migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic("inventory: " + err.Error()) // the name is a constant, and valid
	}
	return sub
}

// PutOnSale adds the seats of a performance to what may be sold. Seats that have been added before change nothing, so
// the same announcement may come twice. Without seats it does nothing. The error matches [ErrInvalid] if an id is below
// 1.
func (s *Store) PutOnSale(ctx context.Context, performanceID int64, seats []int64) error {
	for _, id := range append([]int64{performanceID}, seats...) {
		if id < 1 {
			return fmt.Errorf("inventory: performance %d on sale: %w: the id %d", performanceID, ErrInvalid, id)
		}
	}
	list, err := json.Marshal(append([]int64{}, seats...)) // an empty list is not null
	if err != nil {
		return fmt.Errorf("inventory: performance %d on sale: %w", performanceID, err)
	}
	if err := s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, putOnSale, performanceID, string(list))
		return err
	}); err != nil {
		return fmt.Errorf("inventory: performance %d on sale: %w", performanceID, err)
	}
	return nil
}

// affected runs a statement and returns how many rows it has changed.
func affected(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// PingContext asks the database for a sign of life.
func (s *Store) PingContext(ctx context.Context) error { return s.db.PingContext(ctx) }
