package inventory_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/draw"
	"github.com/seawall-go/seawall/demo/internal/inventory"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

// I5 with the sweeper itself, in virtual time: it removes a hold within its interval, and never early.
func TestAHoldDoesNotOutliveItsExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, sqlite.Memory, inventory.Config{HoldFor: 1100 * time.Millisecond}, 1)
		if _, err := s.Hold(t.Context(), order("a", 1)); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for time.Since(begin) < 1500*time.Millisecond {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			passed := time.Since(begin)
			m, err := s.SeatMap(t.Context(), 1)
			if held := len(m.Claims) == 1; err != nil || held != (passed < 1100*time.Millisecond) {
				t.Fatalf("after %v: %+v, error %v", passed, m, err)
			}
			a, err := s.Audit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range check(a, 250) {
				t.Fatal(wrong)
			}
			// The sweep after 1.1 s is that of 1.25 s.
			if there := len(a.Claims) == 1; there != (passed < 1250*time.Millisecond) {
				t.Fatalf("after %v: %+v", passed, a.Claims)
			}
		}
	})
}

// Many clients, a minute of virtual time, the real sweeper and the real clock: I1, I2, I4 and I5 from the database
// alone.
func TestABusyMinuteDoesNotBreakAnInvariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seats := make([]int64, 60)
		for i := range seats {
			seats[i] = int64(i + 1)
		}
		s := open(t, sqlite.Memory, inventory.Config{HoldFor: 2 * time.Second}, seats...)
		draws, popular := draw.New(1), draw.NewZipf(len(seats), 1)
		gaps, which, stays := draws.Stream("gaps"), draws.Stream("seats"), draws.Stream("stays")
		var wg sync.WaitGroup
		for n := range uint64(1200) {
			time.Sleep(time.Duration(gaps.Exp(float64(50*time.Millisecond), n)))
			wg.Go(func() {
				name := fmt.Sprint("order-", n)
				ctx := context.WithoutCancel(t.Context())
				r := order(name, seats[which.Zipf(popular, n, 0)], seats[which.Zipf(popular, n, 1)])
				if _, err := s.Hold(ctx, order(name, slices.Compact(r.Seats)...)); err != nil {
					return
				}
				if stay := stays.Exp(float64(2*time.Second), n); stay < float64(2*time.Second) {
					time.Sleep(time.Duration(stay))
					if _, err := s.Release(ctx, name); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		time.Sleep(3 * time.Second)
		a, err := s.Audit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range check(a, 1000) {
			t.Error(wrong)
		}
		kinds := map[inventory.State]int{}
		for _, e := range a.Events {
			kinds[e.Kind]++
		}
		if len(a.Claims) != 0 || kinds["held"] < 100 || kinds["released"] < 20 || kinds["expired"] < 20 ||
			kinds["held"] != kinds["released"]+kinds["expired"] {
			t.Errorf("%d claims, events %v", len(a.Claims), kinds)
		}
	})
}

func TestASweeperIsNotStoppedByAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer // only the sweeper writes to it, and the test reads it while it waits
		s := open(t, sqlite.Memory, inventory.Config{HoldFor: time.Second, Log: slog.New(slog.NewTextHandler(&log, nil))}, 1)
		if _, err := s.Hold(t.Context(), order("a", 1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Exec(t.Context(), `CREATE TRIGGER broken BEFORE DELETE ON seat_claim
			BEGIN SELECT raise(ABORT, 'the disk is on strike'); END`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if a, err := s.Audit(t.Context()); err != nil || len(a.Claims) != 1 || len(a.Events) != 1 {
			t.Errorf("%+v, error %v: a failed sweep must leave nothing", a, err)
		}
		if err := s.Exec(t.Context(), `DROP TRIGGER broken`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if a, err := s.Audit(t.Context()); err != nil || len(a.Claims) != 0 || len(a.Events) != 2 {
			t.Errorf("%+v, error %v", a, err)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN msg=inventory.sweep_failed") ||
			!strings.Contains(lines[0], "on strike") || !strings.Contains(lines[1], "level=INFO msg=inventory.sweep_recovered") {
			t.Errorf("log %q, want one record for each change", lines)
		}
	})
}

// T40: the bubble would not end with the sweeper still in it.
func TestASweeperDoesNotOutliveItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := inventory.Open(ctx, sqlite.Memory, inventory.Config{HoldFor: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		cancel() // the context was for opening only
		if err := s.PutOnSale(t.Context(), 1, []int64{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Hold(t.Context(), order("a", 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if a, err := s.Audit(t.Context()); err != nil || len(a.Claims) != 0 {
			t.Errorf("%+v, error %v", a, err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
