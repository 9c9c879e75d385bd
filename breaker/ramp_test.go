package breaker_test

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// ramping makes a breaker in a bubble with the default ramp, but steps of a second, and brings it there.
func ramping(t *testing.T, cfg breaker.Config) *breaker.Breaker {
	t.Helper()
	cfg.Ramp = breaker.Ramp{Start: 0.05, Factor: cfg.Ramp.Factor, Step: cmp.Or(cfg.Ramp.Step, time.Second)}
	b := newBreaker(cfg)
	b.SetRandom(func() float64 { return 0.5 })
	bring(t, b, breaker.Ramping)
	return b
}

// offer makes n calls, the ends of which f decides, spread over a time, and returns how many were let in.
func offer(t *testing.T, b *breaker.Breaker, n int, d time.Duration, f func(i int) error) (admitted int) {
	t.Helper()
	for range n {
		if p, err := b.Acquire(t.Context()); err == nil {
			p.Done(f(admitted))
			admitted++
		} else if !errors.Is(err, breaker.ErrOpen) {
			t.Fatal(err)
		}
		time.Sleep(d / time.Duration(n))
	}
	return admitted
}

func good(int) error { return nil }

// T47
func TestLoadComesBackInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := ramping(t, breaker.Config{OnStateChange: told.add})
		generation := acquire(t, b) // the first call of a step is let in; it ends in the closed state
		for _, step := range []struct {
			share float64
			want  int
		}{{0.05, 50}, {0.25, 250}} {
			wantState(t, b, breaker.Ramping)
			if got := b.Stats().Share; got != step.share {
				t.Errorf("the share is %v, want %v", got, step.share)
			}
			if got := offer(t, b, 1000, time.Second, good); got < step.want-1 || got > step.want {
				t.Errorf("at %v, %d of 1000 are let in", step.share, got)
			}
		}
		if got := offer(t, b, 1000, time.Second, good); got != 1000 {
			t.Errorf("after the ramp %d of 1000 are let in", got)
		}
		wantState(t, b, breaker.Closed)
		if !generation.Done(nil) {
			t.Error("a call that began while ramping does not count in the closed state")
		}
		if in := b.Stats().Window; in.Calls < 1299 {
			t.Errorf("the window has not gone on: %+v", in)
		}
		var states []breaker.State
		for _, e := range told.list() {
			states = append(states, e.To)
		}
		if !slices.Equal(states, []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Ramping, breaker.Closed}) {
			t.Errorf("it went through %v", states)
		}
		told.wantChain(t, 4)
	})
}

// T47: the admitted share is exact at every moment, for any share and from any number of goroutines.
func TestAdmittedShareIsExactAtEveryMoment(t *testing.T) {
	r := rand.New(rand.NewPCG(47, 0))
	for range 50 {
		share := 0.001 + r.Float64()*0.998
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(breaker.Config{MinCalls: 4, Ramp: breaker.Ramp{Start: share, Step: time.Hour}})
			bring(t, b, breaker.Ramping)
			var admitted, arrived atomic.Int64
			admit := func() {
				if p, err := b.Acquire(t.Context()); err == nil {
					admitted.Add(1)
					p.Done(nil)
				}
				arrived.Add(1)
			}
			within := func() {
				t.Helper()
				want := share * float64(arrived.Load())
				if math.Abs(float64(admitted.Load())-want) > 1.01 { // the share is rounded to a millionth
					t.Errorf("%d of %d let in, the share is %v", admitted.Load(), arrived.Load(), share)
				}
			}
			admit()
			if admitted.Load() != 1 {
				t.Error("the first one is not let in")
			}
			for range 2000 {
				admit()
				within()
			}
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					for range 200 {
						admit()
					}
				})
			}
			all.Wait()
			within()
		})
	}
}

// T47: a bad step goes back to open, at the smaller minimum, and the open time goes on growing.
func TestBadStepGoesBackToOpen(t *testing.T) {
	for _, c := range []struct {
		reason string
		cfg    breaker.Config
		end    error
	}{
		{"failure_rate", breaker.Config{MinCalls: 20}, errDown},
		{"consecutive_failures", breaker.Config{MinCalls: 20, ConsecutiveFailures: 3}, errDown},
		{"slow_rate", breaker.Config{MinCalls: 20, Slow: breaker.SlowCalls{Over: time.Second}, Ramp: breaker.Ramp{Step: time.Minute}}, nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told events
				c.cfg.OnStateChange = told.add
				b := ramping(t, c.cfg)
				calls := 5
				if c.cfg.ConsecutiveFailures > 0 {
					calls = 3
				}
				for range calls {
					wantState(t, b, breaker.Ramping)
					for {
						p, err := b.Acquire(t.Context())
						if err != nil {
							continue
						}
						if c.reason == "slow_rate" {
							time.Sleep(time.Second)
						}
						p.Done(c.end)
						break
					}
				}
				wantState(t, b, breaker.Open)
				all := told.list()
				last := all[len(all)-1]
				if last.Reason != c.reason || last.From != breaker.Ramping || last.Calls != int64(calls) {
					t.Errorf("told of %+v", last)
				}
				if last.OpenFor != 1500*time.Millisecond { // the second time in a row, without jitter
					t.Errorf("open for %v", last.OpenFor)
				}
			})
		})
	}
}

// T47: it does not become healthy by silence either, as far as something was let in.
func TestStepWaitsForTheFirstEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Config{Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls}})
		first := acquire(t, b)
		time.Sleep(8 * time.Second)
		if got := b.Stats().Share; got != 0.05 {
			t.Errorf("after 8 s without an end, the share is %v", got)
		}
		first.Done(errIgnored) // says nothing, but that calls end
		if got := b.Stats().Share; got != 0.25 {
			t.Errorf("after the first end, the share is %v", got)
		}
		time.Sleep(time.Second - 1)
		wantState(t, b, breaker.Ramping)
		time.Sleep(time.Nanosecond)
		wantState(t, b, breaker.Closed) // nothing came in this step
	})
}

// T47: what was let in by an earlier step says nothing of the load of this one.
func TestStepIsNotEndedByACallOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Config{Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls}})
		early := acquire(t, b)
		for range 19 {
			reject(t, b)
		}
		acquire(t, b).Done(nil)
		time.Sleep(time.Second)
		second := acquire(t, b)
		if !early.Done(nil) {
			t.Error("the ramp is one generation")
		}
		time.Sleep(5 * time.Second)
		if got := b.Stats().Share; got != 0.25 {
			t.Errorf("without an end in the step, the share is %v", got)
		}
		second.Done(nil)
		wantState(t, b, breaker.Closed)
	})
}

// T47, T4, T51
func TestStepThatNeverEndsReopensTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := ramping(t, breaker.Config{Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls}, OnStateChange: told.add})
		hung := acquire(t, b)
		goroutines := runtime.NumGoroutine()
		time.Sleep(11*time.Second - 1) // the step, and Probes.Timeout
		wantState(t, b, breaker.Ramping)
		time.Sleep(time.Nanosecond)
		wantState(t, b, breaker.Open)
		if hung.Done(nil) || runtime.NumGoroutine() != goroutines {
			t.Error("a late end counted, or something waits")
		}
		all := told.list()
		if last := all[len(all)-1]; last.Reason != "ramp_stalled" || last.OpenFor != 1500*time.Millisecond {
			t.Errorf("told of %+v", last)
		}
	})
}

// T47: a call that was held up too long to be let in is not what a step waits for, and its place goes to the next one.
func TestStepDoesNotWaitForACallThatWasHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Config{})
		for range 100 {
			if b.AskLate(time.Hour) {
				t.Fatal("admitted at a time before the breaker was ramping")
			}
		}
		time.Sleep(2 * time.Second) // nothing was let in: two steps pass
		wantState(t, b, breaker.Closed)
		if s := b.Stats(); s.Entered.Open != 1 {
			t.Errorf("it has stalled: %+v", s)
		}

		b = ramping(t, breaker.Config{})
		_ = b.AskLate(time.Hour)
		acquire(t, b).Done(nil)
		reject(t, b)
	})
}

// T51: without traffic, the steps pass by themselves.
func TestRampIsOverWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Config{})
		for _, want := range []float64{0.05, 0.25, 1} {
			if got := b.Stats().Share; got != want {
				t.Errorf("the share is %v, want %v", got, want)
			}
			time.Sleep(time.Second)
		}
		wantState(t, b, breaker.Closed)
		if got := b.Stats().Since; got != time.Second {
			t.Errorf("closed for %v", got)
		}
	})
}

// T47: what hits a dependency that has just come back.
func TestRecoveringDependencyDoesNotGetTheFullLoadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Config{})
		var most, now atomic.Int64
		for range 2 {
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					p, err := b.Acquire(t.Context())
					if err != nil {
						return
					}
					n := now.Add(1)
					for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
					}
					time.Sleep(10 * time.Millisecond)
					now.Add(-1)
					p.Done(nil)
				})
			}
			all.Wait()
			time.Sleep(time.Second)
			if limit := int64(250); most.Load() > limit {
				t.Errorf("%d calls at once", most.Load())
			}
		}
		if s := b.Stats(); s.Rejected.Ramping != 950+750 {
			t.Errorf("%+v", s.Rejected)
		}
	})
}

// T75
func TestUpdateEndsTheRampIfThereIsToBeNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := ramping(t, breaker.Config{OnStateChange: told.add})
		_ = b.Do(t.Context(), succeed)
		update(t, b, func(c *breaker.Config) { c.Ramp = breaker.Ramp{Start: 0.5, Factor: 2, Step: time.Minute} })
		if got := b.Stats().Share; got != 0.05 {
			t.Errorf("the share is %v", got)
		}
		time.Sleep(time.Second)
		wantState(t, b, breaker.Ramping)
		update(t, b, func(c *breaker.Config) { c.Ramp.Start = breaker.NoRamp })
		wantState(t, b, breaker.Closed)
		if in := b.Stats().Window; in.Calls != 1 {
			t.Errorf("the window is %+v", in)
		}
		if all := told.list(); all[len(all)-1].Reason != "ramp_completed" {
			t.Errorf("told of %+v", all)
		}
	})
}

// T12, T79: while ramping, too.
func TestModesHoldWhileRamping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Config{Ramp: breaker.Ramp{Step: time.Hour}})
		setMode(t, b, seawall.Shadow)
		if got := offer(t, b, 100, time.Second, good); got != 100 || b.Stats().ShadowRejected != 95 {
			t.Errorf("%d are let in, %d would not have been", got, b.Stats().ShadowRejected)
		}
		setMode(t, b, seawall.ForcedClosed)
		if got := offer(t, b, 100, time.Second, good); got != 100 {
			t.Errorf("%d are let in", got)
		}
		setMode(t, b, seawall.ForcedOpen)
		if got := offer(t, b, 100, time.Second, good); got != 0 {
			t.Errorf("%d are let in", got)
		}
		setMode(t, b, seawall.Off)
		if got := offer(t, b, 100, time.Second, good); got != 100 {
			t.Errorf("%d are let in", got)
		}
		setMode(t, b, seawall.Enforce)
		if got := offer(t, b, 100, time.Second, good); got != 5 {
			t.Errorf("%d are let in", got)
		}
	})
}
