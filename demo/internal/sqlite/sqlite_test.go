package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

func TestNoConnectionMissesItsPragmas(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		db := open(t, path, counter)
		check := func(tx *sql.Tx, queryOnly int) error {
			for _, row := range []struct {
				pragma string
				want   int
			}{{"foreign_keys", 1}, {"busy_timeout", 5000}, {"synchronous", 1}, {"query_only", queryOnly}} {
				var got int
				if err := tx.QueryRow("PRAGMA " + row.pragma).Scan(&got); err != nil {
					return err
				}
				if got != row.want {
					t.Errorf("PRAGMA %s is %d, want %d", row.pragma, got, row.want)
				}
			}
			return nil
		}
		if err := db.Write(t.Context(), func(tx *sql.Tx) error { return check(tx, 0) }); err != nil {
			t.Error(err)
		}
		if path == sqlite.Memory {
			return // one connection: it has just been checked
		}
		// All readers at the same time, so that each one is another connection.
		var wg, all sync.WaitGroup
		all.Add(sqlite.Readers)
		for range sqlite.Readers {
			wg.Go(func() {
				if err := db.Read(t.Context(), func(tx *sql.Tx) error {
					all.Done()
					all.Wait()
					return check(tx, 1)
				}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestAReaderDoesNotWrite(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		db := open(t, path, counter)
		err := db.Read(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec("UPDATE counter SET n = 7")
			return err
		})
		if path != sqlite.Memory && err == nil {
			t.Error("an UPDATE by a reader returned no error")
		}
		if n := count(t, db); n != 0 {
			t.Errorf("a reader has written %d", n)
		}
	})
}

func TestForeignKeysAreNotForgotten(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		db := open(t, path, counter)
		try := func(statement string) error {
			return db.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.Exec(statement)
				return err
			})
		}
		if err := try("INSERT INTO child VALUES (1, 99)"); !sqlite.IsForeignKey(err) {
			t.Errorf("a child without a parent: error %v", err)
		}
		if err := try("INSERT INTO counter VALUES (1, 0)"); err == nil || sqlite.IsForeignKey(err) {
			t.Errorf("a row twice: error %v", err)
		}
		if sqlite.IsForeignKey(nil) || sqlite.IsForeignKey(errors.New("other")) {
			t.Error("no error of SQLite was taken for one")
		}
	})
}

// Two handles on one file stand for two processes. A deferred transaction gets SQLITE_BUSY here past the busy handler.
func TestReadThenWriteIsNotRefusedAsBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	handles := []*sqlite.DB{open(t, path, counter), open(t, path, counter)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 25 {
				if err := increment(t.Context(), handles[i%2]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, handles[0]); n != 200 {
		t.Errorf("%d of 200 increments", n)
	}
}

func TestAReadDoesNotSeeHalfOfAWrite(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "test.db"), counter)
	if err := db.Read(t.Context(), func(tx *sql.Tx) error {
		var before, after int
		if err := tx.QueryRow("SELECT n FROM counter").Scan(&before); err != nil {
			return err
		}
		if err := increment(t.Context(), db); err != nil { // a writer does not wait for a reader
			return err
		}
		if err := tx.QueryRow("SELECT n FROM counter").Scan(&after); err != nil {
			return err
		}
		if before != after {
			t.Errorf("one read saw %d and then %d", before, after)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("the next read sees %d, want 1", n)
	}
}

func TestAFailedWriteLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		db := open(t, path, counter)
		wrong := errors.New("wrong")
		set := func(tx *sql.Tx) {
			if _, err := tx.Exec("UPDATE counter SET n = 7"); err != nil {
				t.Error(err)
			}
		}
		if err := db.Write(t.Context(), func(tx *sql.Tx) error { set(tx); return wrong }); !errors.Is(err, wrong) {
			t.Errorf("got %v, want the error of the work", err)
		}
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("recovered %v, want the panic of the work", v)
				}
			}()
			_ = db.Write(t.Context(), func(tx *sql.Tx) error { set(tx); panic("boom") })
		}()
		ctx, cancel := context.WithCancel(t.Context())
		if err := db.Write(ctx, func(tx *sql.Tx) error { set(tx); cancel(); return nil }); err == nil {
			t.Error("a write whose context has ended was committed")
		}
		if n := count(t, db); n != 0 {
			t.Errorf("a failed write left %d", n)
		}
		if err := increment(t.Context(), db); err != nil { // and the writer is not lost
			t.Error(err)
		}
	})
}

// A pool that dropped its only connection would lose the database with it.
func TestADatabaseInMemoryIsNotLostWithACancelledCall(t *testing.T) {
	db := open(t, sqlite.Memory, counter)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		stop := context.AfterFunc(ctx, func() {})
		go cancel()
		_ = db.Read(ctx, func(tx *sql.Tx) error {
			var n int
			return tx.QueryRowContext(ctx, `WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM c LIMIT 300000)
				SELECT count(*) FROM c`).Scan(&n)
		})
		stop()
	}
	if n := count(t, db); n != 0 {
		t.Errorf("got %d", n)
	}
}

func TestTwoDatabasesInMemoryAreNotOne(t *testing.T) {
	one, two := open(t, sqlite.Memory, counter), open(t, sqlite.Memory, counter)
	if err := increment(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if n := count(t, two); n != 0 {
		t.Errorf("the other database has %d", n)
	}
}

func TestAPathIsNotReadAsAURI(t *testing.T) {
	for _, name := range []string{"with space.db", "what?.db", "50%.db", "%41.db", "a#b.db", "a&_query_only=on.db", "ü.db"} {
		path := filepath.Join(t.TempDir(), name)
		db := open(t, path, counter)
		if err := increment(t.Context(), db); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestTheDataIsNotGoneAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db := open(t, path, counter)
	if err := increment(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // T40: twice is as good as once
		t.Errorf("the second Close: %v", err)
	}
	if err := increment(t.Context(), db); err == nil {
		t.Error("a closed database was written")
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("a write-ahead log is left: a connection is still open")
	}
	if n := count(t, open(t, path, counter)); n != 1 {
		t.Errorf("reopened: %d, want 1", n)
	}
}

func TestOpenDoesNotHideWhatIsWrong(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "such.db")
	broken := migrations([2]string{"CREATE TABLE (", "SELECT 1;"})
	for _, row := range []struct {
		path string
		err  string
		open func() (*sqlite.DB, error)
	}{
		{"", "no path", func() (*sqlite.DB, error) { return sqlite.Open(t.Context(), "", counter) }},
		{missing, "unable to open", func() (*sqlite.DB, error) { return sqlite.Open(t.Context(), missing, counter) }},
		{sqlite.Memory, "00001_step.sql", func() (*sqlite.DB, error) {
			return sqlite.Open(t.Context(), sqlite.Memory, broken)
		}},
	} {
		db, err := row.open()
		if err == nil {
			t.Errorf("%q: no error", row.path)
			_ = db.Close()
			continue
		}
		if !strings.HasPrefix(err.Error(), `sqlite: open "`+row.path+`": `) || !strings.Contains(err.Error(), row.err) {
			t.Errorf("%q: error %q", row.path, err)
		}
	}
}

func TestEachDoesNotSwallowAnError(t *testing.T) {
	db := open(t, sqlite.Memory, counter)
	wrong := errors.New("wrong")
	each := func(query string, scan func(*sql.Rows) error) error {
		return db.Read(t.Context(), func(tx *sql.Tx) error { return sqlite.Each(t.Context(), tx, scan, query) })
	}
	calls := 0
	if err := each("VALUES (1), (2), (3)", func(*sql.Rows) error { calls++; return nil }); err != nil || calls != 3 {
		t.Errorf("%d rows of 3, error %v", calls, err)
	}
	if err := each("VALUES (1), (2)", func(*sql.Rows) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("error %v, want that of the scan", err)
	}
	if err := each("SELECT nothing", nil); err == nil {
		t.Error("a query that cannot be prepared has no error")
	}
	// The first row is good, and the second cannot be computed.
	calls = 0
	overflow := "SELECT abs(column1) FROM (VALUES (1), (-9223372036854775807 - 1))"
	err := each(overflow, func(*sql.Rows) error { calls++; return nil })
	if err == nil || calls != 1 {
		t.Errorf("%d rows, error %v, want one row and the error of the next", calls, err)
	}
}
