package inventory_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/demo/internal/inventory"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

func TestOpenRefusesAnImpossibleConfig(t *testing.T) {
	for _, row := range []struct {
		cfg  inventory.Config
		want string
	}{
		{inventory.Config{HoldFor: -1}, "inventory: Config.HoldFor is -1ns, want 10ms to 24h"},
		{inventory.Config{HoldFor: 25 * time.Hour}, "inventory: Config.HoldFor is 25h0m0s, want 10ms to 24h"},
		{inventory.Config{SweepEvery: -2}, "inventory: Config.SweepEvery is -2ns, want 1ms to 1m, or NoSweep"},
		{inventory.Config{SweepEvery: time.Hour}, "inventory: Config.SweepEvery is 1h0m0s, want 1ms to 1m, or NoSweep"},
		{inventory.Config{MaxSeats: -1}, "inventory: Config.MaxSeats is -1, want 1 to 100"},
		{inventory.Config{MaxSeats: 101}, "inventory: Config.MaxSeats is 101, want 1 to 100"},
	} {
		if err := row.cfg.Validate(); err == nil || err.Error() != row.want {
			t.Errorf("%+v: error %v, want %s", row.cfg, err, row.want)
		}
		func() {
			defer func() {
				if v := recover(); v != row.want {
					t.Errorf("%+v: Open panicked with %v", row.cfg, v)
				}
			}()
			_, _ = inventory.Open(t.Context(), sqlite.Memory, row.cfg)
		}()
	}
}

// T78: the zero value is the documented table, and the data of a configuration survives a file.
func TestTheZeroConfigIsNotUndocumented(t *testing.T) {
	s := open(t, sqlite.Memory, inventory.Config{})
	got := s.Config()
	if got.HoldFor != 10*time.Second || got.SweepEvery != 250*time.Millisecond || got.MaxSeats != 8 ||
		got.Now == nil || got.Log == nil {
		t.Errorf("%+v", got)
	}
	data, err := json.Marshal(got)
	if want := `{"hold_for":10000000000,"sweep_every":250000000,"max_seats":8}`; err != nil || string(data) != want {
		t.Errorf("%s, error %v, want %s", data, err, want)
	}
}

// T1 of the demo's faults: the wall clock is read once, so a step of it, here to an hour ago, moves nothing.
func TestTheClockDoesNotFollowTheWall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wall := time.Now().Add(time.Hour).UnixMilli()
		now := inventory.Steady(wall)
		if got := now(); got != wall {
			t.Errorf("%d, want %d", got, wall)
		}
		time.Sleep(1500*time.Millisecond + 900*time.Microsecond)
		if got := now() - wall; got != 1500 {
			t.Errorf("%d ms have passed, want 1500", got)
		}
		cfg := inventory.Config{}.Defaults()
		if got := cfg.Now() - time.Now().UnixMilli(); got != 0 {
			t.Errorf("the default clock is %d ms off the wall clock that it was started by", got)
		}
	})
}
