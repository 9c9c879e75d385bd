package inventory_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/inventory"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// clock is a hand-driven clock.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() int64 { return c.ms.Load() }

func open(t testing.TB, path string, cfg inventory.Config, seats ...int64) *inventory.Store {
	t.Helper()
	s, err := inventory.Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.PutOnSale(t.Context(), 1, seats); err != nil {
		t.Fatal(err)
	}
	return s
}

// byHand opens an inventory in memory whose time stands still until the test moves it, and which sweeps when it is told
// to.
func byHand(t testing.TB, seats ...int64) (*inventory.Store, *clock) {
	t.Helper()
	c := &clock{}
	c.ms.Store(1_000_000)
	return open(t, sqlite.Memory, inventory.Config{Now: c.now, SweepEvery: inventory.NoSweep}, seats...), c
}

// each runs a test on a database in a file and on one in memory.
func each(t *testing.T, test func(t *testing.T, path string)) {
	t.Run("file", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "inventory.db")) })
	t.Run("memory", func(t *testing.T) { test(t, sqlite.Memory) })
}

func order(name string, seats ...int64) inventory.Request {
	return inventory.Request{Order: name, Performance: 1, Seats: seats}
}

func second[T any](_ T, err error) error { return err }
