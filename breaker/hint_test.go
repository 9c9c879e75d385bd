package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T49
func TestOpenTimeNeverEndsBeforeTheServersRetryAfter(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		max   time.Duration
		ends  []error // in a row, a second apart
		least time.Duration
	}{
		{"one of them", 0, []error{errDown, downFor(20 * s), errDown, errDown}, 18 * s},
		{"the largest", 0, []error{downFor(10 * s), downFor(20 * s), downFor(5 * s), errDown}, 18 * s},
		{"the one that decides", 0, []error{errDown, errDown, errDown, downFor(20 * s)}, 20 * s},
		{"capped by default", 0, []error{errDown, errDown, errDown, downFor(24 * time.Hour)}, 60 * s},
		{"capped", 7 * s, []error{errDown, errDown, errDown, downFor(24 * time.Hour)}, 7 * s},
		{"a far one that has come near", 30 * s, []error{downFor(time.Hour), errDown, errDown, errDown}, 27 * s},
		{"shorter than the own time", 0, []error{errDown, errDown, errDown, downFor(s / 2)}, s},
		{"off", breaker.NoRetryAfter, []error{errDown, errDown, errDown, downFor(20 * s)}, s},
		{"an overload is no failure", 0, []error{errOverload, errDown, errDown, errDown, errDown}, s},
		{"negative", 0, []error{errDown, errDown, errDown, downFor(-20 * s)}, s},
	} {
		for _, u := range []float64{0, 0.5, 1} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBreaker(breaker.Config{MinCalls: 4, MaxRetryAfter: c.max})
					b.SetRandom(func() float64 { return u })
					for i, err := range c.ends {
						if i > 0 {
							time.Sleep(s)
						}
						acquire(t, b).Done(err)
					}
					least := c.least + time.Duration(u*float64(c.least/5))
					if c.least == s { // of its own accord: ±20 %
						least = 800*time.Millisecond + time.Duration(u*float64(400*time.Millisecond))
					}
					r := rejection(t, b)
					if got := b.Stats().Reopen; got != least || r.RetryAfter() != got {
						t.Errorf("open for %v, and told to retry after %v; want %v", got, r.RetryAfter(), least)
					}
				})
			})
		}
	}
}

// T49: of a probe, too; and it is forgotten with the generation that heard it.
func TestProbesHintKeepsTheBreakerOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 1, Probes: breaker.Probes{Calls: 1}})
		b.SetRandom(func() float64 { return 0 })
		halfOpen(t, b)
		acquire(t, b).Done(downFor(30 * time.Second))
		if got := b.Stats().Reopen; got != 30*time.Second {
			t.Errorf("open for %v", got)
		}
		waitOpen(t, b)
		acquire(t, b).Done(errDown)
		if got := b.Stats().Reopen; got != 1800*time.Millisecond { // the third time: 2.25 s less 20 %
			t.Errorf("open for %v", got)
		}
	})
}

// T72: 429 trips nothing by default, however long.
func TestOverloadDoesNotTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{ConsecutiveFailures: 2})
		for range 600 {
			acquire(t, b).Done(errOverload)
			time.Sleep(100 * time.Millisecond)
		}
		if s := b.Stats(); s.State != breaker.Closed || s.Overloads != 600 || s.Window != (breaker.WindowCounts{}) {
			t.Errorf("after a minute of 429: %+v", s)
		}
		update(t, b, func(c *breaker.Config) {
			c.Classify = func(error) seawall.Verdict { return seawall.Verdict{Outcome: seawall.Failure} }
		})
		for range 2 {
			acquire(t, b).Done(errOverload)
		}
		wantState(t, b, breaker.Open)
	})
}
