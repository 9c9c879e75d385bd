package inventory

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// Config sets a [Store]. A zero field is its default.
type Config struct {
	// HoldFor is how long a hold lasts if its request does not say. Default 10 s; 10 ms to 24 h.
	HoldFor time.Duration `json:"hold_for" yaml:"hold_for"`
	// SweepEvery is how often expired holds are removed, and so the longest time that one stays in the table. Default
	// 250 ms; 1 ms to 1 min, or [NoSweep].
	SweepEvery time.Duration `json:"sweep_every" yaml:"sweep_every"`
	// MaxSeats is how many seats one order may hold. Default 8; 1 to 100.
	MaxSeats int `json:"max_seats" yaml:"max_seats"`

	// Now returns the time in UTC milliseconds. It must not go back. Default the wall clock as it was when the store
	// was opened, plus the monotonic time since: a step of the wall clock moves no hold.
	Now func() int64 `json:"-" yaml:"-"`
	// Log gets a record when sweeping begins to fail, when it works again, and for each request that fails for an
	// internal reason. Default [slog.Default].
	Log *slog.Logger `json:"-" yaml:"-"`
}

// NoSweep as a Config.SweepEvery leaves expired holds in the table until somebody claims their seats, or calls
// [Store.Sweep].
const NoSweep = -1

const (
	minHoldFor    = 10 * time.Millisecond
	maxHoldFor    = 24 * time.Hour
	minSweepEvery = time.Millisecond
	maxSweepEvery = time.Minute
	maxMaxSeats   = 100
)

func (c Config) withDefaults() Config {
	if c.HoldFor == 0 {
		c.HoldFor = 10 * time.Second
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = 250 * time.Millisecond
	}
	if c.MaxSeats == 0 {
		c.MaxSeats = 8
	}
	if c.Now == nil {
		c.Now = steady(time.Now().UnixMilli())
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// steady returns a clock that begins at a time in UTC milliseconds and goes on by the monotonic clock.
func steady(wall int64) func() int64 {
	start := mono.Now()
	return func() int64 { return wall + (mono.Now() - start).Milliseconds() }
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("inventory: Config.%s is %v, want %s", field, value, want)
	}
	switch c = c.withDefaults(); {
	case c.HoldFor < minHoldFor || c.HoldFor > maxHoldFor:
		return bad("HoldFor", c.HoldFor, "10ms to 24h")
	case c.SweepEvery != NoSweep && (c.SweepEvery < minSweepEvery || c.SweepEvery > maxSweepEvery):
		return bad("SweepEvery", c.SweepEvery, "1ms to 1m, or NoSweep")
	case c.MaxSeats < 1 || c.MaxSeats > maxMaxSeats:
		return bad("MaxSeats", c.MaxSeats, "1 to 100")
	}
	return nil
}
