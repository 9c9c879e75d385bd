package breaker_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// lateCases are the generations in which a call can begin and end late.
var lateCases = []struct {
	name  string
	begin func(t *testing.T, b *breaker.Breaker) *seawall.Permit // leaves the breaker in a later generation
	state breaker.State
}{
	{"from closed, told while open", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
		p := acquire(t, b)
		trip(t, b)
		return p
	}, breaker.Open},
	{"from closed, told while half-open", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
		p := acquire(t, b)
		halfOpen(t, b)
		acquire(t, b)
		return p
	}, breaker.HalfOpen},
	{"from an earlier half-open, told while open", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
		halfOpen(t, b)
		p := acquire(t, b)
		failProbes(t, b, 2)
		return p
	}, breaker.Open},
	{"from an earlier half-open, told while half-open", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
		halfOpen(t, b)
		p := acquire(t, b)
		failProbes(t, b, 2)
		waitOpen(t, b)
		acquire(t, b)
		return p
	}, breaker.HalfOpen},
	{"from half-open, told while closed", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
		halfOpen(t, b)
		p := acquire(t, b)
		for range 3 {
			acquire(t, b).Done(nil)
		}
		return p
	}, breaker.Closed},
	{"from half-open, told while ramping", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
		update(t, b, func(c *breaker.Config) { c.Ramp = breaker.Ramp{Start: 0.5} })
		halfOpen(t, b)
		p := acquire(t, b)
		for range 3 {
			acquire(t, b).Done(nil)
		}
		return p
	}, breaker.Ramping},
	{"from closed, hung, told while open", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
		p := acquire(t, b)
		for range 3 {
			acquire(t, b)
		}
		time.Sleep(6 * time.Second)
		return p
	}, breaker.Open},
	{"from closed, told in the next closed period", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
		p := acquire(t, b)
		halfOpen(t, b)
		for range 3 {
			acquire(t, b).Done(nil)
		}
		return p
	}, breaker.Closed},
}

func failProbes(t *testing.T, b *breaker.Breaker, n int) {
	t.Helper()
	for range n {
		acquire(t, b).Done(errDown)
	}
	wantState(t, b, breaker.Open)
}

// T1
func TestBreakerIsNotMovedByALateResult(t *testing.T) {
	cfg := breaker.Config{MinCalls: 4, Window: breaker.Window{Calls: 4}, Probes: breaker.Probes{Calls: 4}}
	for _, c := range lateCases {
		for _, end := range outcomes {
			t.Run(fmt.Sprintf("%s/%v", c.name, end.outcome), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBreaker(cfg)
					late := c.begin(t, b)
					wantState(t, b, c.state)
					before := b.Stats()
					if late.Done(end.err) {
						t.Error("Done says that the late result counted")
					}
					want := before
					want.Late++
					if got := b.Stats(); got != want {
						t.Errorf("the late result changed\n%+v to\n%+v, want\n%+v", before, got, want)
					}
					if c.state == breaker.HalfOpen {
						for range cfg.Probes.Calls - 1 { // one is out
							acquire(t, b)
						}
						reject(t, b)
					}
				})
			})
		}
	}
}

// T31
func TestPermitOfBreakerCountsOnceWhenToldTwice(t *testing.T) {
	for _, c := range []struct {
		name  string
		begin func(t *testing.T, b *breaker.Breaker) *seawall.Permit
		first bool // whether the first Done counts
	}{
		{"closed", acquire, true},
		{"half-open", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
			halfOpen(t, b)
			return acquire(t, b)
		}, true},
		{"ramping", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
			update(t, b, func(c *breaker.Config) { c.Ramp = breaker.Ramp{Start: 0.5} })
			bring(t, b, breaker.Ramping)
			return acquire(t, b)
		}, true},
		{"while it hangs", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
			p := acquire(t, b)
			time.Sleep(6 * time.Second)
			return p
		}, true},
		{"after an update", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
			p := acquire(t, b)
			cfg := b.Config()
			cfg.Window, cfg.MinCalls = breaker.Window{Time: time.Second}, 7
			if err := b.Update(cfg); err != nil {
				t.Fatal(err)
			}
			return p
		}, true},
		{"after a transition", func(t *testing.T, b *breaker.Breaker) *seawall.Permit {
			p := acquire(t, b)
			trip(t, b)
			return p
		}, false},
	} {
		for _, end := range outcomes {
			t.Run(fmt.Sprintf("%s/%v", c.name, end.outcome), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBreaker(breaker.Config{MinCalls: 4, Window: breaker.Window{Calls: 4}})
					p := c.begin(t, b)
					before := ended(b.Stats())
					var counted atomic.Int64
					var both sync.WaitGroup
					for range 2 {
						both.Go(func() {
							if p.Done(end.err) {
								counted.Add(1)
							}
						})
					}
					both.Wait()
					if got := counted.Load() == 1; got != c.first || counted.Load() > 1 {
						t.Errorf("%d of two Done counted", counted.Load())
					}
					if got := ended(b.Stats()) - before; got != 1 {
						t.Errorf("two Done moved the counts by %d", got)
					}
				})
			})
		}
	}
}
