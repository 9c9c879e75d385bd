package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// newAdaptive makes one in a registry of its own, so that its name stays as given and its events go nowhere else.
func newAdaptive(cfg bulkhead.AdaptiveConfig) *bulkhead.Adaptive {
	if cfg.Registry == nil {
		cfg.Registry = quietRegistry()
	}
	return bulkhead.NewAdaptive("inventory", cfg)
}

var errBroken = errors.New("broken")

// pushback is an error that asks for less.
type pushback struct{}

func (pushback) Error() string            { return "too many requests" }
func (pushback) Verdict() seawall.Verdict { return seawall.Verdict{Outcome: seawall.Overload} }

func wantOutcomes(t *testing.T, a *bulkhead.Adaptive, want bulkhead.Outcomes) {
	t.Helper()
	s := a.Stats()
	if s.Outcomes != want {
		t.Errorf("outcomes are %+v, want %+v", s.Outcomes, want)
	}
	if s.InUse != 0 || s.Waiting != 0 || s.Admitted != want.Total() {
		t.Errorf("%d in use, %d waiting, %d admitted, want 0, 0 and %d", s.InUse, s.Waiting, s.Admitted, want.Total())
	}
}

// T44: however a call ends, it is counted once, by what it says about the dependency.
func TestAdaptiveCountsEachEndOnce(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	for name, tc := range map[string]struct {
		op   func(context.Context) error
		want bulkhead.Outcomes
	}{
		"success":          {succeed, bulkhead.Outcomes{Successes: 1}},
		"failure":          {func(context.Context) error { return errBroken }, bulkhead.Outcomes{Failures: 1}},
		"overload":         {func(context.Context) error { return pushback{} }, bulkhead.Outcomes{Overloads: 1, Dropped: 1}},
		"timeout":          {func(context.Context) error { return context.DeadlineExceeded }, bulkhead.Outcomes{Failures: 1, Dropped: 1}},
		"timeout of a net": {func(context.Context) error { return fmt.Errorf("read: %w", os.ErrDeadlineExceeded) }, bulkhead.Outcomes{Failures: 1, Dropped: 1}},
		"rejection inside": {func(context.Context) error {
			return seawall.Reject("breaker", "inner", seawall.ReasonOpen, errBroken, 0)
		}, bulkhead.Outcomes{Ignored: 1}},
		"cancellation": {func(context.Context) error { cancel(); return canceled.Err() }, bulkhead.Outcomes{Ignored: 1}},
		"panic":        {func(context.Context) error { panic("boom") }, bulkhead.Outcomes{Failures: 1}},
		"goexit":       {func(context.Context) error { runtime.Goexit(); return nil }, bulkhead.Outcomes{Failures: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAdaptive(bulkhead.AdaptiveConfig{})
			ctx := t.Context()
			if name == "cancellation" {
				ctx = canceled
			}
			var call sync.WaitGroup
			call.Go(func() {
				defer func() { _ = recover() }()
				_ = a.Do(ctx, tc.op)
			})
			call.Wait()
			wantOutcomes(t, a, tc.want)
		})
	}
}

// T31
func TestAdaptiveCountsOnlyTheFirstDone(t *testing.T) {
	a := newAdaptive(bulkhead.AdaptiveConfig{})
	permit, err := a.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !permit.Done(nil) || permit.Done(errBroken) {
		t.Error("the first Done counts, and no other")
	}
	if a.Release(seawall.Ticket{Generation: 99}, nil) {
		t.Error("a ticket that was never issued was released")
	}
	wantOutcomes(t, a, bulkhead.Outcomes{Successes: 1})
}

// T78: a classifier of the user's own says what an error is, and cannot keep a slot.
func TestAdaptiveAsksTheClassifier(t *testing.T) {
	var a *bulkhead.Adaptive
	a = newAdaptive(bulkhead.AdaptiveConfig{Classify: func(err error) seawall.Verdict {
		if n := a.Stats().InUse; n != 0 {
			t.Errorf("%d slots are in use while the end is judged, want none", n)
		}
		switch {
		case errors.Is(err, seawall.ErrCanceled), errors.Is(err, context.Canceled):
			t.Error("the classifier was asked about the caller's own cancellation")
		case errors.Is(err, io.EOF):
			return seawall.Verdict{Outcome: seawall.Success}
		case errors.Is(err, errBroken):
			panic("classifier")
		}
		return seawall.Verdict{Outcome: seawall.Overload}
	}})
	_ = a.Do(t.Context(), func(context.Context) error { return io.EOF })
	_ = a.Do(t.Context(), func(context.Context) error { return io.ErrClosedPipe })
	ctx, cancel := context.WithCancel(t.Context())
	_ = a.Do(ctx, func(context.Context) error { cancel(); return context.Canceled })
	func() {
		defer func() {
			if recover() != "classifier" {
				t.Error("the panic of a classifier is the caller's")
			}
		}()
		_ = a.Do(t.Context(), func(context.Context) error { return errBroken })
	}()
	wantOutcomes(t, a, bulkhead.Outcomes{Successes: 1, Overloads: 1, Failures: 1, Ignored: 1, Dropped: 1})
}

// A failure that took as long as two calls do is as much a sign of overload as a timeout.
func TestAdaptiveTakesASlowFailureForADrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdaptive(bulkhead.AdaptiveConfig{Initial: 4, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
		load(t, a, 4, 10*time.Second, func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil })
		if b := a.Stats().Baseline; b < 90*time.Millisecond || b > 110*time.Millisecond {
			t.Fatalf("the baseline is %v, want 100ms", b)
		}
		before := a.Stats().Outcomes
		for _, took := range []time.Duration{time.Millisecond, 150 * time.Millisecond, 250 * time.Millisecond} {
			_ = a.Do(t.Context(), func(context.Context) error { time.Sleep(took); return errBroken })
		}
		after := a.Stats().Outcomes
		if after.Failures-before.Failures != 3 || after.Dropped-before.Dropped != 1 {
			t.Errorf("of 3 failures, one of them slow, %d were counted and %d of them as dropped",
				after.Failures-before.Failures, after.Dropped-before.Dropped)
		}
	})
}

// load keeps n callers busy for a time.
func load(t *testing.T, a *bulkhead.Adaptive, n int, length time.Duration, op func(context.Context) error) {
	end := time.Now().Add(length)
	var callers sync.WaitGroup
	for range n {
		callers.Go(func() {
			for time.Now().Before(end) {
				if errors.Is(a.Do(t.Context(), op), bulkhead.ErrFull) {
					time.Sleep(10 * time.Millisecond) // else time would stand still in the bubble
				}
			}
		})
	}
	callers.Wait()
}

// T77
func TestAdaptiveHasTheNameThatTheRegistryGaveIt(t *testing.T) {
	registry := quietRegistry()
	fixed := bulkhead.New("inventory", bulkhead.Config{Registry: registry})
	a := bulkhead.NewAdaptive("inventory", bulkhead.AdaptiveConfig{Registry: registry, Mode: seawall.ForcedOpen})
	if a.Name() != "inventory#2" || a.String() != `bulkhead "inventory#2"` {
		t.Errorf("the name is %q, %v", a.Name(), a)
	}
	if _, err := a.Acquire(t.Context()); err == nil || err.Error() != `bulkhead "inventory#2": forced` || !errors.Is(err, bulkhead.ErrFull) {
		t.Errorf("error is %v, want one that names it", err)
	}
	if s := registry.Snapshots(); len(s) != 2 || s[1].Name != "inventory#2" || s[1].Kind != "bulkhead" {
		t.Errorf("the registry has %+v", s)
	}
	if traits := a.Traits(); traits.Kind != "bulkhead" {
		t.Errorf("traits are %+v", traits)
	}
	runtime.KeepAlive(fixed)
}

func TestSnapshotOfAnAdaptiveHasItsNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdaptive(bulkhead.AdaptiveConfig{Initial: 4, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
		load(t, a, 4, 5*time.Second, func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil })
		values := map[string]float64{}
		for _, v := range a.Snapshot().Values {
			values[v.Name] = v.V
		}
		s := a.Stats()
		if values["latency.baseline"] < 0.09 || values["latency.baseline"] > 0.11 {
			t.Errorf("latency.baseline is %v, want a tenth of a second", values["latency.baseline"])
		}
		for name, want := range map[string]float64{
			"limit": float64(s.Limit), "limit.learned": float64(s.Learned), "active": 0, "pending": 0,
			"outcomes.success": float64(s.Outcomes.Successes), "drains": float64(s.Drains),
		} {
			if got, ok := values[name]; !ok || got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if s.Drains == 0 || s.Outcomes.Successes == 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// T81
func TestAdaptiveFastPathDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for mode := seawall.Enforce; mode <= seawall.Off; mode++ {
		a := newAdaptive(bulkhead.AdaptiveConfig{Mode: mode})
		chain := seawall.Chain(a, a)
		for what, run := range map[string]func(){
			"Do":         func() { _ = a.Do(t.Context(), succeed) },
			"a chain":    func() { _ = chain.Do(t.Context(), succeed) },
			"a failure":  func() { _ = a.Do(t.Context(), fail) },
			"the permit": func() { acquireAndEndAdaptive(t.Context(), a) },
		} {
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%v: %s allocates %v times", mode, what, n)
			}
		}
	}
}

func fail(context.Context) error { return errBroken }

func acquireAndEndAdaptive(ctx context.Context, a *bulkhead.Adaptive) {
	permit, err := a.Acquire(ctx)
	if err == nil {
		permit.Done(nil)
	}
}
