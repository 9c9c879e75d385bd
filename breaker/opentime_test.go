package breaker_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
)

// T49
func TestOpenTimeGrowsToItsCap(t *testing.T) {
	for name, u := range map[string]float64{"least": 0, "middle": 0.5, "most": math.Nextafter(1, 0)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told events
				b := newBreaker(breaker.Config{MinCalls: 4, OnStateChange: told.add})
				b.SetRandom(func() float64 { return u })
				trip(t, b)
				for i, base := range []time.Duration{2, 4, 8, 16, 30, 30, 30} {
					base *= time.Second
					low, high := base*8/10, min(base*12/10, 30*time.Second)
					want := low + time.Duration(u*float64(high-low))
					if got := b.Stats().Reopen; got != want {
						t.Errorf("opening %d is for %v, want %v of [%v, %v]", i+1, got, want, low, high)
					}
					all := told.list()
					if got := all[len(all)-1].OpenFor; got != want {
						t.Errorf("event %d says %v, want %v", i+1, got, want)
					}
					waitOpen(t, b)
					failProbes(t, b, 3)
				}
			})
		})
	}
}

// T49: clients that opened together must not probe together, at the cap no more than elsewhere. At the cap, half of the
// draws were once exactly the maximum.
func TestOpenTimesAreSpread(t *testing.T) {
	const draws = 1000
	for n := range 8 {
		seen := map[time.Duration]int{}
		low, high := time.Duration(math.MaxInt64), time.Duration(0)
		cfg := breaker.Config{MinCalls: 1}
		for i := range draws {
			d := breaker.OpenFor(cfg, n, float64(i)/draws)
			if n == 0 { // by the real source, to see that it is used
				b := newBreaker(cfg)
				_ = b.Do(t.Context(), fail)
				d = b.Stats().Reopen
			}
			seen[d.Round(time.Millisecond)]++
			low, high = min(low, d), max(high, d)
		}
		for d, times := range seen {
			if times > draws/20 {
				t.Errorf("opening %d: %d of %d are for %v", n, times, draws, d)
			}
		}
		if high > 30*time.Second || high-low < high/10 {
			t.Errorf("opening %d: from %v to %v", n, low, high)
		}
	}
}

// T49
func TestOpenTimeStartsOverAfterAHealthyPeriod(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    breaker.Config
		closed time.Duration
		want   time.Duration
	}{
		{"window, too short", breaker.Config{}, 10*time.Second - 1, 4 * time.Second},
		{"window", breaker.Config{}, 10 * time.Second, 2 * time.Second},
		{"calls, too short", breaker.Config{Window: breaker.Window{Calls: 20}}, 2*time.Second - 1, 4 * time.Second},
		{"calls", breaker.Config{Window: breaker.Window{Calls: 20}}, 2 * time.Second, 2 * time.Second},
		{"long open time, too short", breaker.Config{OpenFor: time.Minute, MaxOpenFor: time.Hour}, time.Minute - 1, 2 * time.Minute},
		{"long open time", breaker.Config{OpenFor: time.Minute, MaxOpenFor: time.Hour}, time.Minute, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(c.cfg)
				b.SetRandom(func() float64 { return 0.5 })
				trip(t, b)
				waitOpen(t, b)
				for b.State() != breaker.Closed {
					acquire(t, b).Done(nil)
				}
				time.Sleep(c.closed)
				trip(t, b)
				if got := b.Stats().Reopen; got != c.want {
					t.Errorf("open for %v, want %v", got, c.want)
				}
			})
		})
	}
}

// T43, T78: no config that is valid overflows.
func TestOpenTimeDoesNotOverflow(t *testing.T) {
	const day = 24 * time.Hour
	for _, cfg := range []breaker.Config{
		{OpenFor: day},
		{OpenFor: time.Millisecond, MaxOpenFor: day},
		{OpenFor: time.Millisecond},
		{},
		{OpenFor: 13*time.Hour + 1, MaxOpenFor: day - 1},
	} {
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 2, 30, 63, 64, 65, math.MaxInt32} {
			for _, u := range []float64{0, 0.5, math.Nextafter(1, 0)} {
				d := breaker.OpenFor(cfg, n, u)
				if d < cfg.OpenFor*8/10 || d > day {
					t.Errorf("%+v: opening %d is for %v", cfg, n, d)
				}
			}
		}
	}
}
