package sqlite_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// The virtual-time twins of the scenarios open everything inside of a bubble. A goroutine that the pools or the driver
// left behind, or a wait that the bubble does not understand, ends this test as a deadlock.
func TestABubbleIsNotTooSmallForADatabase(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{sqlite.Memory, filepath.Join(dir, "test.db")} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			db, err := sqlite.Open(t.Context(), path, counter)
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					for range 10 {
						if err := increment(context.WithoutCancel(t.Context()), db); err != nil {
							t.Error(err)
						}
						time.Sleep(time.Second)
						count(t, db)
					}
				})
			}
			wg.Wait()
			if n := count(t, db); n != 200 {
				t.Errorf("%d of 200 increments", n)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			// No call took virtual time of its own: a busy handler that slept would have moved the clock.
			if passed := time.Since(begin); passed != 10*time.Second {
				t.Errorf("%v passed, want the ten seconds of sleep", passed)
			}
		})
	}
}

// A writer that waits for its turn leaves when its context ends: the wait is for the pool, not for a lock in SQLite.
func TestAWaitingWriterIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, sqlite.Memory, counter)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { hold(t, db, 3*time.Second) })
		synctest.Wait()
		if err := increment(ctx, db); err == nil {
			t.Error("two writers at a time")
		}
		if passed := time.Since(begin); passed != time.Second {
			t.Errorf("left after %v, want 1s", passed)
		}
		wg.Wait()
		if err := increment(t.Context(), db); err != nil {
			t.Error(err)
		}
	})
}
