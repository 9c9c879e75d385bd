package fault_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

// T73: a plan alone does nothing, however long it waits.
func TestInjectorIsInertUntilStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInjector(slow(0, time.Hour, "a", 40), capacity(0, time.Hour, "a", 0.4), failing(0, time.Hour, "a", 1))
		time.Sleep(30 * time.Minute)
		p, begin := i.Point("a"), time.Now()
		if !p.Off() || p.Slow() != 1 || p.Capacity() != 1 || p.Err(t.Context()) != nil {
			t.Fatal("the point feels something")
		}
		work := func(context.Context) error { time.Sleep(time.Second); return nil }
		if err := p.Do(t.Context(), work); err != nil || time.Since(begin) != time.Second {
			t.Fatalf("a call took %v and ended with %v", time.Since(begin), err)
		}
		if s := i.Stats(); s.State != fault.Waiting || s.Started != 0 || len(i.Active()) != 0 {
			t.Fatalf("%+v", s)
		}
	})
}

// T74: each fault starts and ends by itself, neither early nor late.
func TestFaultsStartAndEndExactlyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(8*time.Second, 12*time.Second, "inventory", 40),
			capacity(8*time.Second, 8*time.Second, "inventory", 0.4), failing(0, 2*time.Second, "payments", 1))
		start := time.Now()
		inventory, payments := i.Point("inventory"), i.Point("payments")
		for _, want := range []struct {
			at       time.Duration
			slow     float64
			capacity float64
			fails    bool
		}{
			{0, 1, 1, true},
			{2*time.Second - 1, 1, 1, true},
			{2 * time.Second, 1, 1, false},
			{8*time.Second - 1, 1, 1, false},
			{8 * time.Second, 40, 0.4, false},
			{16*time.Second - 1, 40, 0.4, false},
			{16 * time.Second, 40, 1, false},
			{20*time.Second - 1, 40, 1, false},
			{20 * time.Second, 1, 1, false},
			{time.Hour, 1, 1, false},
		} {
			until(start, want.at)
			s, c, fails := inventory.Slow(), inventory.Capacity(), payments.Err(t.Context()) != nil
			if s != want.slow || c != want.capacity || fails != want.fails {
				t.Errorf("at %v: slow %v, capacity %v, fails %v; want %+v", want.at, s, c, fails, want)
			}
		}
		if s := i.Stats().State; s != fault.Ended || i.TimerLeft() || !inventory.Off() || !payments.Off() {
			t.Errorf("after the last fault the injector is %v, and not inert", s)
		}
	})
}

// Changes that lie closer together than any timer's precision still come in their turn.
func TestFaultsThatFollowEachOtherCloselyDoNotComeEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(time.Second, 1, "a", 2), slow(time.Second+1, time.Microsecond, "a", 3))
		start := time.Now()
		for _, want := range []struct {
			after time.Duration
			slow  float64
		}{{-1, 1}, {0, 2}, {1, 3}, {time.Microsecond, 3}, {time.Microsecond + 1, 1}} {
			until(start, time.Second+want.after)
			if got := i.Point("a").Slow(); got != want.slow {
				t.Errorf("at 1s%+d: %v, want %v", want.after, got, want.slow)
			}
		}
	})
}

// T74: who held a point before the fault feels it, and so does one who comes later.
func TestHoldersOfAPointFeelAFaultThatStartsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInjector(slow(0, time.Second, "db", 3))
		start := time.Now()
		var holders sync.WaitGroup
		for range 10 {
			p := i.Point("db")
			holders.Go(func() {
				for _, want := range []float64{1, 3, 1} {
					if got := p.Slow(); got != want {
						t.Errorf("after %v: %v, want %v", time.Since(start), got, want)
					}
					time.Sleep(time.Second)
				}
			})
		}
		time.Sleep(500 * time.Millisecond) // the holders look at 0, 1 and 2 s, the fault acts from 0.5 to 1.5 s
		mustStart(t, i)
		if p, again := i.Point("db"), i.Point("db"); p != again || p == i.Point("other") {
			t.Error("a target has not one point of its own")
		}
		holders.Wait()
	})
}

func TestTargetsWithoutFaultsFeelNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(0, time.Second, "db", 3))
		if p := i.Point("DB"); !p.Off() || p.Target() != "DB" || p.String() != `fault "DB"` {
			t.Error(p)
		}
		if i.String() != `fault "test"` || i.Name() != "test" {
			t.Error(i)
		}
	})
}

func TestTheEndOfTheContextHealsEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInjector(slow(0, time.Hour, "a", 40), failing(0, time.Hour, "b", 1), slow(time.Hour, time.Hour, "a", 2))
		ctx, cancel := context.WithCancel(t.Context())
		if err := i.Start(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		cancel()
		synctest.Wait()
		if !i.Point("a").Off() || !i.Point("b").Off() || i.TimerLeft() {
			t.Fatal("not healed")
		}
		time.Sleep(2 * time.Hour)
		if s := i.Stats(); s.State != fault.Ended || s.Started != 2 || s.Stopped != 2 || !i.Point("a").Off() {
			t.Fatalf("came back: %+v", s)
		}
	})
}

func TestStopHealsBeforeItReturnsAndLeavesNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInjector(slow(0, time.Hour, "a", 40), slow(time.Hour, time.Hour, "a", 2))
		ctx := &watched{Context: t.Context()}
		if err := i.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if ctx.watchers != 1 {
			t.Fatalf("%d watchers of the context", ctx.watchers)
		}
		i.Stop()
		if !i.Point("a").Off() || i.TimerLeft() || ctx.watchers != 0 {
			t.Fatal("something is left") // T42: also the context is let go of
		}
		i.Stop()
		if s := i.Stats(); s.State != fault.Ended || s.Started != 1 || s.Stopped != 1 {
			t.Fatalf("%+v", s)
		}
	})
}

// T42: a plan that ended by itself keeps nothing on a context that lives on.
func TestAPlanThatIsOverLetsGoOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := &watched{Context: t.Context()}
		if err := newInjector(slow(0, time.Second, "a", 40)).Start(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if ctx.watchers != 0 {
			t.Fatalf("%d watchers of the context are left", ctx.watchers)
		}
	})
}

// watched counts who waits for its end.
type watched struct {
	context.Context

	watchers int
}

func (w *watched) Done() <-chan struct{} { return make(chan struct{}) }

func (w *watched) AfterFunc(func()) func() bool {
	w.watchers++
	return func() bool { w.watchers--; return true }
}

func TestInjectorStartsOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(0, time.Second, "a", 2))
		if err := i.Start(t.Context()); !errors.Is(err, fault.ErrStarted) {
			t.Errorf("while it runs: %v", err)
		}
		time.Sleep(2 * time.Second)
		err := i.Start(t.Context())
		if !errors.Is(err, fault.ErrStarted) || err.Error() != `fault: started or stopped before: "test"` {
			t.Errorf("after its end: %v", err)
		}
		if !i.Point("a").Off() {
			t.Error("it has started again")
		}
	})
}

func TestInjectorDoesNotStartAfterStop(t *testing.T) {
	i := newInjector(slow(0, time.Hour, "a", 2))
	i.Stop()
	if err := i.Start(t.Context()); !errors.Is(err, fault.ErrStarted) || !i.Point("a").Off() {
		t.Fatal(err)
	}
}

func TestInjectorDoesNotStartForACallerThatHasLeft(t *testing.T) {
	i := newInjector(slow(0, time.Hour, "a", 2))
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if err := i.Start(ctx); !errors.Is(err, gone) || !i.Point("a").Off() {
		t.Fatal(err)
	}
	mustStart(t, i) // nothing was started, so this is the first time
}

// A Stop that comes while Start runs must not leave behind what Start was about to begin.
func TestInjectorDoesNotStartWhenItIsStoppedMeanwhile(t *testing.T) {
	i := newInjector(slow(0, time.Hour, "a", 2), slow(time.Millisecond, time.Hour, "a", 2))
	if err := i.Start(stopping{t.Context(), i}); err != nil {
		t.Fatal(err)
	}
	if s := i.Stats(); s.State != fault.Ended || s.Started != 0 || !i.Point("a").Off() || i.TimerLeft() {
		t.Fatalf("%+v", s)
	}
}

// stopping stops the injector as soon as that watches the context.
type stopping struct {
	context.Context

	i *fault.Injector
}

func (s stopping) Done() <-chan struct{} { return make(chan struct{}) }

func (s stopping) AfterFunc(func()) func() bool {
	s.i.Stop()
	return func() bool { return true }
}

func TestAnEmptyPlanIsOverAtOnce(t *testing.T) {
	i := fault.New("empty", fault.Config{Registry: quiet()})
	if err := i.Start(t.Context()); err != nil || i.Stats().State != fault.Ended || i.TimerLeft() {
		t.Fatal(i.Stats(), err)
	}
}

func TestProgramsWithoutAnInjectorFeelNothing(t *testing.T) {
	var i *fault.Injector
	p := i.Point("a")
	if p.Slow() != 1 || p.Capacity() != 1 || p.Err(t.Context()) != nil || p.Target() != "" || p.String() != `fault ""` {
		t.Fatal("a nil point feels something")
	}
	ran := 0
	op := func(context.Context) error { ran++; return nil }
	if err := seawall.Chain(p).Do(t.Context(), op); err != nil || ran != 1 {
		t.Fatal(ran, err)
	}
}

// T77: the registry does not keep an injector, but a running plan ends also when nobody holds it any more.
func TestADroppedInjectorStillHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := func() *fault.Point {
			i := newInjector(slow(0, time.Second, "a", 2))
			if err := i.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			return i.Point("a")
		}()
		runtime.GC()
		if p.Slow() != 2 {
			t.Fatal("it has not started")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !p.Off() {
			t.Fatal("it has not ended")
		}
	})
}

// T41: everything may run beside everything.
func TestReadersAndWritersDoNotRace(t *testing.T) {
	var faults []fault.Fault
	for n := range 40 {
		at, lasts := time.Duration(n)*5*time.Millisecond, 20*time.Millisecond
		faults = append(faults, slow(at, lasts, "a", 1.5), capacity(at, lasts, "a", 0.9), failing(at, lasts, "a", 0.5))
	}
	i := newInjector(faults...)
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	p := i.Point("a")
	var all sync.WaitGroup
	for _, each := range []func(){
		func() { _ = i.Start(ctx) },
		func() { p.Slow(); p.Capacity() },
		func() { _ = p.Err(ctx) },
		func() { _ = p.Err(fault.WithKey(ctx, 1)) },
		func() { _ = p.Do(ctx, func(context.Context) error { time.Sleep(time.Millisecond); return nil }) },
		func() { i.Point("b").Slow() },
		func() { i.Stats(); i.Active(); i.Snapshot(); _ = i.Config(); _ = i.String() },
	} {
		all.Go(func() {
			for ctx.Err() == nil {
				each()
			}
		})
	}
	all.Wait()
	i.Stop()
	if !p.Off() || i.TimerLeft() {
		t.Fatal("not healed")
	}
}

func TestConcurrentStartsAndStopsEndHealed(t *testing.T) {
	for range 200 {
		i := newInjector(slow(0, time.Hour, "a", 2))
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = i.Start(ctx) })
		all.Go(cancel)
		all.Go(i.Stop)
		all.Wait()
		if !i.Point("a").Off() || i.TimerLeft() || i.Stats().State != fault.Ended {
			t.Fatalf("%+v", i.Stats())
		}
	}
}
