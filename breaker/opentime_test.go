package breaker_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
)

// T49: by the factor that is asked for, up to the cap, with the jitter on top.
func TestOpenTimeGrowsToItsCap(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  breaker.Config
		want []float64 // seconds
	}{
		{"default", breaker.Config{MaxOpenFor: 6 * time.Second}, []float64{1, 1.5, 2.25, 3.375, 5.0625, 6, 6, 6}},
		{"constant", breaker.Config{OpenGrowth: 1}, []float64{1, 1, 1, 1, 1, 1}},
		{"double", breaker.Config{OpenFor: 2 * time.Second, OpenGrowth: 2}, []float64{2, 4, 8, 16, 30, 30, 30}},
		{"ten times", breaker.Config{OpenGrowth: 10}, []float64{1, 10, 30, 30}},
	} {
		for _, u := range []float64{0, 0.5, math.Nextafter(1, 0)} {
			t.Run(fmt.Sprintf("%s, %.1f", c.name, u), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var told events
					cfg := c.cfg
					cfg.MinCalls, cfg.OnStateChange = 4, told.add
					b := newBreaker(cfg)
					b.SetRandom(func() float64 { return u })
					trip(t, b)
					for i, seconds := range c.want {
						base := time.Duration(seconds * float64(time.Second))
						low, high := base*8/10, min(base*12/10, b.Config().MaxOpenFor)
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
}

// T49: what the documentation says of OpenGrowth: if an outage ends just after the probes have failed once more, the
// breaker stays open for so many times what it has lasted, and OpenFor.
func TestOpenTimeExceedsTheOutageByItsGrowth(t *testing.T) {
	for _, growth := range []float64{1, 1.5, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(breaker.Config{MinCalls: 4, OpenGrowth: growth, MaxOpenFor: time.Hour})
			b.SetRandom(func() float64 { return 0.5 })
			start := time.Now()
			trip(t, b)
			for range 4 {
				waitOpen(t, b)
				failProbes(t, b, 3)
				outage := time.Since(start).Seconds()
				if got, want := b.Stats().Reopen.Seconds(), (growth-1)*outage+1; math.Abs(got-want) > 1e-6 {
					t.Errorf("growth %v: after %v s, open for %v s more, want %v", growth, outage, got, want)
				}
			}
		})
	}
}

// T49, T75: what was opened stays open for its time, and the count of openings goes on under a new factor.
func TestUpdateOfTheGrowthIsForTheNextOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 4})
		b.SetRandom(func() float64 { return 0.5 })
		trip(t, b)
		waitOpen(t, b)
		failProbes(t, b, 3)
		if got := b.Stats().Reopen; got != 1500*time.Millisecond {
			t.Errorf("the second time, open for %v", got)
		}
		update(t, b, func(c *breaker.Config) { c.OpenGrowth = 3 })
		if got := b.Stats().Reopen; got != 1500*time.Millisecond {
			t.Errorf("after the update, open for %v", got)
		}
		waitOpen(t, b)
		failProbes(t, b, 3)
		if got := b.Stats().Reopen; got != 9*time.Second {
			t.Errorf("the third time, open for %v", got)
		}
	})
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
		{"window, too short", breaker.Config{}, 10*time.Second - 1, 1500 * time.Millisecond},
		{"window", breaker.Config{}, 10 * time.Second, time.Second},
		{"calls, too short", breaker.Config{Window: breaker.Window{Calls: 20}}, time.Second - 1, 1500 * time.Millisecond},
		{"calls", breaker.Config{Window: breaker.Window{Calls: 20}}, time.Second, time.Second},
		{"long open time, too short", breaker.Config{OpenFor: time.Minute, MaxOpenFor: time.Hour}, time.Minute - 1, 90 * time.Second},
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
		{OpenFor: time.Millisecond, OpenGrowth: 10, MaxOpenFor: day},
		{OpenFor: day, OpenGrowth: 10},
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
