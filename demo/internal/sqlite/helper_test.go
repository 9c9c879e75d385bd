package sqlite_test

import (
	"context"
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// migrations returns one file for each pair of an up and a down text.
func migrations(pairs ...[2]string) fs.FS {
	files := fstest.MapFS{}
	for i, pair := range pairs {
		name := "0000" + string(rune('1'+i)) + "_step.sql"
		files[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + pair[0] + "\n-- +goose Down\n" + pair[1] + "\n")}
	}
	return files
}

var counter = migrations([2]string{
	"CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;\n" +
		"CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES counter) STRICT;\n" +
		"INSERT INTO counter VALUES (1, 0);",
	"DROP TABLE child; DROP TABLE counter;",
})

// each runs a test on a database in a file and on one in memory.
func each(t *testing.T, test func(t *testing.T, path string)) {
	t.Run("file", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "test.db")) })
	t.Run("memory", func(t *testing.T) { test(t, sqlite.Memory) })
}

func open(t *testing.T, path string, migrations fs.FS) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, migrations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// increment reads and then writes in one transaction: the pattern that a deferred transaction gets wrong.
func increment(ctx context.Context, db *sqlite.DB) error {
	return db.Write(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT n FROM counter WHERE id = 1").Scan(&n); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE counter SET n = $1 WHERE id = 1", n+1)
		return err
	})
}

func count(t *testing.T, db *sqlite.DB) int {
	t.Helper()
	var n int
	if err := db.Read(context.WithoutCancel(t.Context()), func(tx *sql.Tx) error {
		return tx.QueryRow("SELECT n FROM counter WHERE id = 1").Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// hold keeps the write lock for some time.
func hold(t *testing.T, db *sqlite.DB, d time.Duration) {
	if err := db.Write(t.Context(), func(*sql.Tx) error { time.Sleep(d); return nil }); err != nil {
		t.Error(err)
	}
}
