package breaker_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// lasting is an op that takes its time and succeeds.
func lasting(d time.Duration) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(d)
		return nil
	}
}

// T48
func TestBreakerOpensWhenEveryCallSucceedsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := newBreaker(breaker.Config{
			Slow: breaker.SlowCalls{Over: 100 * time.Millisecond}, Window: breaker.Window{Time: time.Minute},
			OnStateChange: told.add,
		})
		for range 20 {
			wantState(t, b, breaker.Closed)
			_ = b.Do(t.Context(), lasting(100*time.Millisecond)) // too short to be noticed before its end
		}
		wantState(t, b, breaker.Open)
		want := breaker.Event{
			Name: "payments", To: breaker.Open, Reason: "slow_rate", Calls: 20, Slow: 20, OpenFor: b.Stats().Reopen,
		}
		if got := told.list(); len(got) != 1 || got[0] != want {
			t.Errorf("told of %+v, want %+v", got, want)
		}
		if s := b.Stats(); s.Slow != 20 || s.Calls != (breaker.Counts{Successes: 20}) || s.Hung != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

// T48: Resilience4j #1597. T1: their late results change nothing.
func TestHungCallsOpenTheBreakerBeforeAnyOfThemEnds(t *testing.T) {
	for _, window := range []breaker.Window{{Time: 10 * time.Second}, {Calls: 50}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(breaker.Config{Window: window})
			var hung []*seawall.Permit
			for range 50 {
				hung = append(hung, acquire(t, b))
			}
			over := b.Config().Slow.Over
			time.Sleep(over)
			acquire(t, b).Done(nil) // not noticed yet: it may take an eighth longer
			time.Sleep(over / 8)
			reject(t, b) // the next call finds it
			s := b.Stats()
			if s.State != breaker.Open || s.Slow != 50 || s.Calls != (breaker.Counts{Successes: 1}) {
				t.Errorf("while they hang: %+v", s)
			}
			for i, p := range hung {
				if p.Done(outcomes[i%len(outcomes)].err) {
					t.Error("a late result counted")
				}
			}
			s.Late = 50
			if got := b.Stats(); got != s {
				t.Errorf("late results changed\n%+v to\n%+v", s, got)
			}
		})
	}
}

// T48, T51: no call, no timer and no goroutine is needed, only somebody who looks; and it does not matter when.
func TestHungCallsAreSeenWithoutTraffic(t *testing.T) {
	for name, look := range map[string]func(b *breaker.Breaker) string{
		"State":    func(b *breaker.Breaker) string { return b.State().String() },
		"Stats":    func(b *breaker.Breaker) string { return b.Stats().State.String() },
		"Snapshot": func(b *breaker.Breaker) string { return b.Snapshot().State },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(breaker.Config{})
				b.SetRandom(func() float64 { return 0.5 })
				goroutines := runtime.NumGoroutine()
				for range 20 {
					acquire(t, b)
				}
				const noticed = 5*time.Second + 1<<29 // a slice is 0.54 s, the power of two below an eighth of 5 s
				time.Sleep(noticed - 1)
				if got := look(b); got != "closed" {
					t.Errorf("before its time it is %s", got)
				}
				time.Sleep(501 * time.Millisecond)
				if got := look(b); got != "open" {
					t.Errorf("it is %s", got)
				}
				if got, want := b.Stats().Since, 501*time.Millisecond-1; got != want {
					t.Errorf("open for %v, and the calls were slow %v ago", got, want)
				}
				if got, want := rejection(t, b).RetryAfter(), b.Stats().Reopen; got != want {
					t.Errorf("told to retry after %v, and it opens in %v", got, want)
				}
				time.Sleep(499*time.Millisecond + 1)
				if got := look(b); got != "half_open" {
					t.Errorf("after 1 s it is %s", got)
				}
				if got := runtime.NumGoroutine(); got != goroutines {
					t.Errorf("%d goroutines more", got-goroutines)
				}
			})
		})
	}
}

// T48: once each, whatever the end is, and exactly one outcome (T44).
func TestSlowCallIsCountedOnceHoweverItEnds(t *testing.T) {
	for _, state := range []breaker.State{breaker.Closed, breaker.HalfOpen, breaker.Ramping} {
		for _, end := range outcomes {
			for name, lasts := range map[string]time.Duration{
				"just slow": 5 * time.Second, "noticed while it hangs": 6 * time.Second, "fast": 5*time.Second - 1,
			} {
				t.Run(fmt.Sprintf("%v/%v/%s", state, end.outcome, name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						b := newBreaker(breaker.Config{
							MinCalls: 4, Probes: breaker.Probes{Calls: 4}, Window: breaker.Window{Time: time.Minute},
							Ramp: breaker.Ramp{Start: 0.5, Step: time.Minute},
						})
						bring(t, b, state)
						before := b.Stats()
						p := acquire(t, b)
						time.Sleep(lasts)
						s := b.Stats()
						hung := lasts == 6*time.Second
						if (s.Hung == 1) != hung || (s.Slow-before.Slow == 1) != hung {
							t.Errorf("while it runs: %+v", s)
						}
						if ended(s) != ended(before) {
							t.Error("it has an outcome before it ends")
						}
						if !p.Done(end.err) {
							t.Error("it does not count")
						}
						s = b.Stats()
						slow := lasts >= 5*time.Second
						if (s.Slow-before.Slow == 1) != slow || s.Hung != 0 || (s.Window.Slow-before.Window.Slow == 1) != slow {
							t.Errorf("after its end: %+v", s)
						}
						if ended(s)-ended(before) != 1 {
							t.Errorf("counted %d ends: %+v", ended(s)-ended(before), s)
						}
						wantFailures := int64(0)
						if end.outcome == seawall.Failure {
							wantFailures = 1
						}
						if got := s.Window.Failures - before.Window.Failures; got != wantFailures {
							t.Errorf("%d failures in the window", got)
						}
						wantState(t, b, state)
					})
				})
			}
		}
	}
}

// bring brings a new breaker in a bubble into a state.
func bring(t *testing.T, b *breaker.Breaker, s breaker.State) {
	t.Helper()
	if s == breaker.Closed {
		return
	}
	trip(t, b)
	if s == breaker.Open {
		return
	}
	waitOpen(t, b)
	probe := acquire(t, b)
	if s == breaker.HalfOpen {
		probe.Done(errIgnored)
		return
	}
	probe.Done(nil)
	for b.State() == breaker.HalfOpen {
		acquire(t, b).Done(nil)
	}
	wantState(t, b, s)
}

// T48, T47: probes that are slow, or hang, do not close it.
func TestSlowProbesReopenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := newBreaker(breaker.Config{
			MinCalls: 1, Slow: breaker.SlowCalls{Over: time.Second, Rate: 0.4}, OnStateChange: told.add,
		})
		halfOpen(t, b)
		_ = b.Do(t.Context(), lasting(2*time.Second))
		hung := acquire(t, b)
		time.Sleep(1125 * time.Millisecond)
		wantState(t, b, breaker.Open) // two of five
		if hung.Done(nil) {
			t.Error("a probe counted after the verdict")
		}
		all := told.list()
		if last := all[len(all)-1]; last.Reason != "probes_slow" || last.Slow != 2 || last.Calls != 1 || last.Failures != 0 {
			t.Errorf("told of %+v", last)
		}
	})
}

// T48, T47: a probe that hangs is slow once, also where the verdict thinks of what those that run may still do.
func TestVerdictComesEarlyBesideProbesThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 1, Slow: breaker.SlowCalls{Over: time.Second, Rate: 0.5}})
		halfOpen(t, b)
		for range 2 {
			acquire(t, b)
		}
		time.Sleep(1200 * time.Millisecond)
		for i := range 3 { // whatever the two end with, two of five have failed and are slow
			if s := b.Stats(); s.State != breaker.HalfOpen || s.Hung != 2 || s.Window.Slow != 2 {
				t.Fatalf("after %d good ones: %+v", i, s)
			}
			acquire(t, b).Done(nil)
		}
		wantState(t, b, breaker.Closed)
	})
}

// A batch that is slow by nature and a fast part beside it: not cut off by default.
func TestSlowButWorkingDependencyIsNotCutOffByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{})
		var all sync.WaitGroup
		for i := range 3000 {
			time.Sleep(50 * time.Millisecond)
			all.Go(func() {
				d := 20 * time.Second
				if i%5 == 0 { // 80 % are slow
					d = time.Millisecond
				}
				if err := b.Do(t.Context(), lasting(d)); err != nil {
					t.Error(err)
				}
			})
		}
		if s := b.Stats(); s.Entered.Open != 0 || s.Slow < 2200 {
			t.Errorf("after %d calls: %+v", 3000, s)
		}
		all.Wait()
	})
}

// T44: nothing is lost and nothing is doubled when calls end at the instant at which they are taken for hung.
func TestCallsThatEndWhileTheyAreFoundToHangCountOnce(t *testing.T) {
	for _, window := range []breaker.Window{{Time: time.Minute}, {Calls: 64}} {
		b := newBreaker(breaker.Config{
			Window: window, MinCalls: 64, FailureRate: 1, Slow: breaker.SlowCalls{Over: time.Millisecond, Rate: 1},
			OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond,
		})
		if window.Time > 0 {
			update(t, b, func(c *breaker.Config) { c.MinCalls = 1_000_000 }) // stays closed
		}
		const workers, each = 16, 300
		var admitted, rejected [workers]int64
		var all sync.WaitGroup
		for i := range workers {
			all.Go(func() {
				for j := range each {
					p, err := b.Acquire(context.Background())
					if err != nil {
						rejected[i]++
						time.Sleep(100 * time.Microsecond)
						continue
					}
					admitted[i]++
					time.Sleep(time.Millisecond + time.Duration(j%8)*30*time.Microsecond)
					p.Done(outcomes[j%len(outcomes)].err)
				}
			})
		}
		var stop atomic.Bool
		var reader sync.WaitGroup
		reader.Go(func() { // T52: no total goes down, not even for a moment
			var last breaker.Totals
			for !stop.Load() {
				s := b.Stats().Totals
				if !notLess(s, last) {
					t.Errorf("a total went down: %+v after %+v", s, last)
					return
				}
				last = s
				runtime.Gosched()
			}
		})
		all.Wait()
		stop.Store(true)
		reader.Wait()
		s := b.Stats()
		var in, out int64
		for i := range workers {
			in, out = in+admitted[i], out+rejected[i]
		}
		if ended(s) != in+out || s.Rejected.Total() != out || s.Hung != 0 {
			t.Errorf("%d admitted and %d rejected: %+v", in, out, s)
		}
		if window.Time > 0 && (s.Slow != in || s.Window.Calls != in && s.Window.Calls > s.Slow) {
			t.Errorf("%d calls, all slow: %+v", in, s)
		}
	}
}

// T75: a call goes by what was slow when it began.
func TestUpdateOfSlowCallsLosesNoCall(t *testing.T) {
	over := func(b *breaker.Breaker, d time.Duration) {
		cfg := b.Config()
		cfg.Slow.Over = d
		if err := b.Update(cfg); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 100, Slow: breaker.SlowCalls{Over: time.Second}})
		untracked := func() *seawall.Permit {
			over(b, breaker.NoSlowCalls)
			return acquire(t, b)
		}
		second := acquire(t, b)
		never := untracked()
		over(b, 10*time.Second)
		tenth := acquire(t, b)
		time.Sleep(2 * time.Second)
		if s := b.Stats(); s.Hung != 1 || s.Slow != 1 {
			t.Errorf("after 2 s: %+v", s)
		}
		time.Sleep(10 * time.Second)
		if s := b.Stats(); s.Hung != 2 || s.Slow != 2 {
			t.Errorf("after 12 s: %+v", s)
		}
		for _, p := range []*seawall.Permit{second, never, tenth} {
			if !p.Done(nil) {
				t.Error("a call was lost")
			}
		}
		if s := b.Stats(); s.Hung != 0 || s.Slow != 2 || s.Calls != (breaker.Counts{Successes: 3}) || s.Window.Calls != 2 {
			t.Errorf("after their ends: %+v", s)
		}
		over(b, time.Second)
		time.Sleep(time.Hour)
		_ = b.Stats()
		if n := b.Trackings(); n != 1 {
			t.Errorf("%d trackings are left of calls that have ended", n-1)
		}
	})
}

// T48, T75: calls that hang under an earlier setting are found by the next call all the same.
func TestHungCallsOfAnEarlierSettingOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{Slow: breaker.SlowCalls{Over: time.Second}})
		for range 20 {
			acquire(t, b)
		}
		update(t, b, func(c *breaker.Config) { c.Slow.Over = time.Minute })
		time.Sleep(1125 * time.Millisecond)
		reject(t, b)
	})
}

// T48: what happened before a success ended, happened before it.
func TestSuccessAfterTheOthersHungIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{})
		for range 20 {
			acquire(t, b)
		}
		time.Sleep(time.Second)
		fast := acquire(t, b)
		time.Sleep(4900 * time.Millisecond)
		if fast.Done(nil) {
			t.Error("it counts in the closed state, which was over before it ended")
		}
		wantState(t, b, breaker.Open)
	})
}

// T4, T48: what is due first happens first, though nobody has looked.
func TestWhatIsDueFirstHappensFirst(t *testing.T) {
	for _, c := range []struct {
		timeout, over time.Duration
		reason        string
	}{{time.Second, 5 * time.Second, "probes_failed"}, {5 * time.Second, time.Second, "probes_slow"}} {
		synctest.Test(t, func(t *testing.T) {
			var told events
			b := newBreaker(breaker.Config{
				MinCalls: 1, Probes: breaker.Probes{Calls: 2, Timeout: c.timeout}, Slow: breaker.SlowCalls{Over: c.over},
				OnStateChange: told.add,
			})
			halfOpen(t, b)
			acquire(t, b)
			acquire(t, b)
			time.Sleep(time.Minute)
			_ = b.Stats()
			all := told.list()
			if last := all[len(all)-1]; last.Reason != c.reason {
				t.Errorf("told of %+v", last)
			}
		})
	}
}

// T48, T75: the same for calls that began under different settings. Twenty hang first and open it; the ten that hang later
// are not among what caused that.
func TestCallsOfTheEarlierDueSettingHangFirst(t *testing.T) {
	for name, play := range map[string]func(begin func(n int), over func(d time.Duration)){
		"the later setting": func(begin func(int), over func(time.Duration)) {
			begin(10) // slow at 3 s
			over(200 * time.Millisecond)
			begin(20) // at 2.2 s
		},
		"the earlier setting": func(begin func(int), over func(time.Duration)) {
			begin(20) // slow at 3 s
			over(900 * time.Millisecond)
			time.Sleep(500 * time.Millisecond)
			begin(10) // at 3.4 s
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told events
				b := newBreaker(breaker.Config{Slow: breaker.SlowCalls{Over: time.Second}, OnStateChange: told.add})
				time.Sleep(2 * time.Second)
				play(func(n int) {
					for range n {
						acquire(t, b)
					}
				}, func(d time.Duration) {
					update(t, b, func(c *breaker.Config) { c.Slow.Over = d })
				})
				time.Sleep(time.Minute)
				_ = b.Stats()
				if all := told.list(); len(all) != 1 || all[0].Calls != 20 || all[0].Slow != 20 {
					t.Errorf("told of %+v", all)
				}
			})
		})
	}
}

// T48: after a long silence as much as in traffic, and at no cost that grows with the silence.
func TestTrackingFollowsAfterALongSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 5, Slow: breaker.SlowCalls{Over: time.Millisecond}})
		for range 20 {
			time.Sleep(10_000 * time.Hour) // 10^11 slices
			_ = b.Do(t.Context(), succeed)
			_ = b.Do(t.Context(), lasting(2*time.Millisecond))
		}
		if s := b.Stats(); s.Slow != 20 || s.Calls != (breaker.Counts{Successes: 40}) || s.Hung != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}
