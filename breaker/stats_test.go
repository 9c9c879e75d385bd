package breaker_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T51
func TestStateIsTrueWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 4})
		goroutines := runtime.NumGoroutine()
		trip(t, b)
		if got := runtime.NumGoroutine(); got != goroutines {
			t.Errorf("%d goroutines more wait for the open time to end", got-goroutines)
		}
		left := b.Stats().Reopen
		for _, c := range []struct {
			wait          time.Duration
			state         breaker.State
			since, reopen time.Duration
		}{
			{0, breaker.Open, 0, left},
			{left - 1, breaker.Open, left - 1, 1},
			{1, breaker.HalfOpen, 0, 0},
			{time.Hour, breaker.HalfOpen, time.Hour, 0},
		} {
			time.Sleep(c.wait)
			s := b.Stats()
			if s.State != c.state || b.State() != c.state || b.Snapshot().State != c.state.String() {
				t.Errorf("stats say %v, State %v, the snapshot %v; want %v", s.State, b.State(), b.Snapshot().State, c.state)
			}
			if s.Since != c.since || s.Reopen != c.reopen {
				t.Errorf("%v for %v, reopens in %v; want %v, %v", s.State, s.Since, s.Reopen, c.since, c.reopen)
			}
		}
	})
}

// T52
func TestTotalsOutliveTransitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := newBreaker(breaker.Config{
			MinCalls: 5, OnStateChange: told.add, Slow: breaker.SlowCalls{Over: time.Second},
			Ramp: breaker.Ramp{Start: 0.5, Factor: 1.5},
		})
		b.SetRandom(func() float64 { return 0.5 })
		r := rand.New(rand.NewPCG(52, 0))
		last := b.Stats()
		var calls int64
		var running []*seawall.Permit
		for range 5000 {
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			switch r.IntN(12) {
			case 0:
				update(t, b, func(c *breaker.Config) { c.Window = breaker.Window{Calls: 5 + r.IntN(10)} })
			case 1:
				update(t, b, func(c *breaker.Config) { c.Window = breaker.Window{Time: time.Second} })
			case 2:
				update(t, b, func(c *breaker.Config) { c.Slow.Over = time.Duration(1+r.IntN(3)) * time.Second })
			default:
				calls++
				if p, err := b.Acquire(t.Context()); err == nil {
					running = append(running, &p)
				}
				for len(running) > r.IntN(12) {
					n := r.IntN(len(running))
					running[n].Done(outcomes[r.IntN(len(outcomes))].err)
					running = slices.Delete(running, n, n+1)
				}
			}
			s := b.Stats()
			if !notLess(s.Totals, last.Totals) {
				t.Fatalf("a total went down: %+v after %+v", s, last)
			}
			if got, want := ended(s), calls-int64(len(running)); got != want {
				t.Fatalf("%d outcomes after %d calls, %d of which run: %+v", got, calls, len(running), s)
			}
			last = s
		}
		if last.Entered.Open < 10 || last.Slow < 100 || last.Entered.Ramping < 5 {
			t.Errorf("too little has happened: %+v", last)
		}
		told.wantChain(t, 30)
	})
}

// notLess reports whether no total is below what it was.
func notLess(now, before breaker.Totals) bool {
	values := before.Values()
	for i, v := range now.Values() {
		if v.V < values[i].V {
			return false
		}
	}
	return true
}

// T52
func TestEventHoldsTheNumbersThatCausedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := newBreaker(breaker.Config{MinCalls: 5, FailureRate: 0.6, OnStateChange: told.add})
		b.SetRandom(func() float64 { return 0.5 })
		ends := func(bad ...bool) {
			for _, bad := range bad {
				if bad {
					acquire(t, b).Done(errDown)
				} else {
					acquire(t, b).Done(nil)
				}
			}
		}
		ends(true, false, true, false, true)
		waitOpen(t, b)
		ends(true, true, false, true)
		waitOpen(t, b)
		ends(false, false, true, false)
		const s = time.Second
		want := []breaker.Event{
			{Reason: "failure_rate", From: breaker.Closed, To: breaker.Open, Calls: 5, Failures: 3, OpenFor: s},
			{Reason: "open_time_over", From: breaker.Open, To: breaker.HalfOpen},
			{Reason: "probes_failed", From: breaker.HalfOpen, To: breaker.Open, Calls: 4, Failures: 3, OpenFor: 3 * s / 2},
			{Reason: "open_time_over", From: breaker.Open, To: breaker.HalfOpen},
			{Reason: "probes_succeeded", From: breaker.HalfOpen, To: breaker.Closed, Calls: 4, Failures: 1},
		}
		got := told.list()
		if len(got) != len(want) {
			t.Fatalf("%d events, want %d: %+v", len(got), len(want), got)
		}
		for i := range want {
			want[i].Name = "payments"
			if got[i] != want[i] {
				t.Errorf("event %d is\n%+v, want\n%+v", i, got[i], want[i])
			}
		}
	})
}

func TestSnapshotSaysWhatTheStatsSay(t *testing.T) {
	b := newBreaker(breaker.Config{MinCalls: 10, Mode: seawall.Shadow})
	for i, end := range outcomes {
		for range i + 1 {
			acquire(t, b).Done(end.err)
		}
	}
	late := acquire(t, b)
	for b.State() == breaker.Closed {
		_ = b.Do(t.Context(), fail)
	}
	late.Done(nil)
	_ = b.Do(t.Context(), fail)
	s, snap := b.Stats(), b.Snapshot()
	if snap.Kind != "breaker" || snap.Name != "payments" || snap.Mode != seawall.Shadow || snap.State != "open" {
		t.Errorf("the snapshot is %+v", snap)
	}
	want := map[string]int64{
		"window.calls": 0, "window.failures": 0, "window.slow": 0, "failure.ratio": 0, "slow.ratio": 0, "share": 0, "hung": 0,
		"calls.success": s.Calls.Successes, "calls.failure": s.Calls.Failures, "calls.overload": 3, "calls.ignored": 4,
		"slow_calls": 0, "late_results": 1, "rejections.open": 0, "rejections.probing": 0, "rejections.ramping": 0,
		"rejections.forced": 0, "shadow_rejections": 1, "transitions.closed": 0, "transitions.open": 1,
		"transitions.half_open": 0, "transitions.ramping": 0,
	}
	for _, v := range snap.Values {
		if v.Name == "since" || v.Name == "reopen" {
			if v.V <= 0 || v.V > 10 {
				t.Errorf("%s is %v seconds, a moment after it has opened", v.Name, v.V)
			}
			continue
		}
		if n, ok := want[v.Name]; !ok || float64(n) != v.V {
			t.Errorf("%s is %v, want %v", v.Name, v.V, n)
		}
		delete(want, v.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}
