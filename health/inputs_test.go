package health_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/health"
)

// A fleet that was started by one command must not ask its database in step.
func TestChecksOfAFleetDoNotRunInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 10 * time.Second
		gaps := map[time.Duration]int{}
		shortest, longest := time.Hour, time.Duration(0)
		for range 20 {
			h := health.New("test", health.Config{Registry: silent(), Interval: interval, IgnoreGates: true})
			var last time.Time
			err := h.Add(health.Check{Name: "db", Run: func(context.Context) error {
				if now := time.Now(); !last.IsZero() {
					gap := now.Sub(last)
					gaps[gap]++
					shortest, longest = min(shortest, gap), max(longest, gap)
				}
				last = time.Now()
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			h.Start()
			time.Sleep(10 * interval)
			if err := h.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if shortest < 8*time.Second || longest > 12*time.Second {
			t.Errorf("a fifth of the interval would be 8 s to 12 s, it was %v to %v", shortest, longest)
		}
		if shortest > 9*time.Second || longest < 11*time.Second || len(gaps) < 100 {
			t.Errorf("all runs are %v to %v apart, by %d different times", shortest, longest, len(gaps))
		}
	})
}

func TestBreakerThatProbesOrRampsIsNotYetWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{Interval: time.Second})
		psp := breaker.New("psp", breaker.Config{
			MinCalls: 4, OpenFor: 10 * time.Second, MaxOpenFor: 10 * time.Second, Registry: b.registry,
			Probes: breaker.Probes{Calls: 2}, Ramp: breaker.Ramp{Step: 10 * time.Second},
		})
		for range 4 {
			_ = psp.Do(t.Context(), func(context.Context) error { return errDown })
		}
		seen := map[string]bool{}
		for range 60 {
			b.after(time.Second)
			_ = psp.Do(t.Context(), func(context.Context) error { time.Sleep(2 * time.Second); return nil })
			b.after(time.Second)
			if s := psp.State(); s == breaker.HalfOpen || s == breaker.Ramping {
				r := b.report("/readyz")
				if r.Status != "warn" || len(r.Gates) != 1 || !strings.HasPrefix(r.Gates[0].Note, s.String()+" for ") {
					t.Fatalf("%v: %+v", s, r)
				}
				seen[s.String()] = true
			}
		}
		if len(seen) != 2 {
			t.Errorf("it was only %v", seen)
		}
	})
}

func TestInjectedFaultsAreNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		drill := fault.New("drill", fault.Config{Registry: b.registry, Plan: fault.Plan{Faults: []fault.Fault{
			{For: time.Minute, Kind: fault.Error, Target: "mail", Rate: 0.5},
		}}})
		if err := drill.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.after(5 * time.Second)
		if r := b.report("/readyz"); r.Status != "warn" || len(r.Gates) != 1 || r.Gates[0].Note != "1 faults are injected" {
			t.Errorf("%+v", r)
		}
		b.after(time.Minute)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("afterwards: %+v", r)
		}
		drill.Stop()
	})
}

// What has taken the instance out is in the snapshot, which pages and metrics are made of, however many other gates warn.
func TestGateThatTakesTheInstanceOutDoesNotHideBehindOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{FailWhenFull: []string{"stock"}, MaxHold: health.NoHold},
			health.Check{Name: "db", Run: func(context.Context) error { return nil }})
		var all []*bulkhead.Bulkhead
		for i := range 40 {
			gate := bulkhead.New(fmt.Sprintf("a%02d", i), bulkhead.Config{Registry: b.registry})
			if err := gate.SetMode(seawall.ForcedOpen); err != nil {
				t.Fatal(err)
			}
			all = append(all, gate)
		}
		stock := bulkhead.New("stock", bulkhead.Config{Limit: 1, Registry: b.registry})
		permit, err := stock.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.after(40 * time.Second)
		s := b.Snapshot()
		last := s.Members[len(s.Members)-1]
		if s.State != "fail" || len(s.Members) != 32 || last.Kind != "gate" || last.Name != "bulkhead stock" || last.State != "fail" {
			t.Errorf("the whole is %s, by %d members, the last is %+v", s.State, len(s.Members), last)
		}
		notes := b.Notes()
		if !strings.HasPrefix(notes["bulkhead stock"], "full for ") || notes["bulkhead a00"] != "mode forced_open" || notes["db"] != "" {
			t.Errorf("the notes are %q", notes)
		}
		permit.Done(nil)
		for _, gate := range all {
			if err := gate.SetMode(seawall.Enforce); err != nil {
				t.Fatal(err)
			}
		}
		b.after(5 * time.Second)
		if s := b.Snapshot(); len(s.Members) != 1 || s.Members[0].Name != "db" {
			t.Errorf("afterwards: %+v", s.Members)
		}
	})
}

// A prober that is told to come back in five seconds does so: that is for those whose program goes.
func TestNotReadyForAMomentSendsNobodyAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk switched
		b := start(t, health.Config{}, health.Check{Name: "disk", Scope: health.Local, Run: disk.run})
		want := func(path string, code int, after string) {
			t.Helper()
			if resp := get(b.Handler(), path); resp.Code != code || resp.Header().Get("Retry-After") != after {
				t.Errorf("%s: %d, Retry-After %q, want %d and %q", path, resp.Code, resp.Header().Get("Retry-After"), code, after)
			}
		}
		disk.down.Store(true)
		b.after(time.Minute)
		want("/readyz", 503, "")
		b.Drain()
		want("/readyz", 503, "5")
		want("/startupz", 200, "")
		want("/livez", 200, "")
	})
	starting := health.New("test", health.Config{Registry: silent()})
	if resp := get(starting.Handler(), "/readyz"); resp.Code != 503 || resp.Header().Get("Retry-After") != "" {
		t.Errorf("while it starts: %d, Retry-After %q", resp.Code, resp.Header().Get("Retry-After"))
	}
}

// Of three in a row it is the first that somebody has to look at.
func TestConsequenceOfAConsequenceIsListedUnderTheFirstCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := func(context.Context) error { time.Sleep(70 * time.Millisecond); return errDown }
		b := start(t, health.Config{},
			health.Check{Name: "network", Severity: health.Optional, Run: fails},
			health.Check{Name: "db", Severity: health.Optional, Run: fails, DependsOn: []string{"network"}},
			health.Check{Name: "orders", Severity: health.Optional, Run: fails, DependsOn: []string{"db"}})
		b.after(time.Minute)
		for i, cause := range []string{"", "network", "network"} {
			c := b.report("/readyz").Checks[i]
			if c.CausedBy != cause || c.LastMS != 70 {
				t.Errorf("%s is caused by %q, and took %v ms; want %q, and 70", c.Name, c.CausedBy, c.LastMS, cause)
			}
		}
	})
}
