package health_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/health"
)

// A check that comes while the program runs must not take it out by its first, single failure.
func TestCheckThatIsAddedLiveFallsOnlyAfterFallFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk switched
		disk.down.Store(true)
		b := start(t, health.Config{})
		if err := b.Add(health.Check{Name: "disk", Scope: health.Local, Run: disk.run}); err != nil {
			t.Fatal(err)
		}
		for n := 1; n < 3; n++ { // each second, until it passes
			if r := b.report("/readyz"); r.Status != "warn" || r.Checks[0].Error != "down" || r.Checks[0].Fails != n {
				t.Errorf("after %d failures: %+v", n, r)
			}
			b.answers("/startupz", 200)
			b.after(time.Second)
		}
		b.answers("/readyz", 503)
		if b.Phase() != health.Running {
			t.Errorf("the phase is %v", b.Phase())
		}
		disk.down.Store(false)
		b.after(time.Second)
		b.answers("/readyz", 200) // the first pass is enough
	})
}

// A check and its cause fall in any order, and neither may take the instance out for what the cause means.
func TestConsequenceThatFallsBeforeItsCauseTakesNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db, cached switched
		b := start(t, health.Config{},
			health.Check{Name: "cache", Run: cached.run, Scope: health.Local, DependsOn: []string{"db"}, Fall: 1},
			health.Check{Name: "db", Run: db.run})
		db.down.Store(true)
		b.after(5 * time.Second)
		cached.down.Store(true)
		b.told()
		for range 20 {
			b.after(time.Second)
			b.answers("/readyz", 200)
		}
		if s, _ := b.CheckStatus("cache"); s != health.Warn {
			t.Errorf("a consequence is %v", s)
		}
		if got, want := b.told(), []string{"pass->warn", "db pass->warn"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// What has failed on its own account is not excused by a single failure of a cause.
func TestFlappingCauseExcusesNoFailureOfItsOwnKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db, disk switched
		b := start(t, health.Config{},
			health.Check{Name: "disk", Run: disk.run, Scope: health.Local, DependsOn: []string{"db"}},
			health.Check{Name: "db", Run: db.run})
		disk.down.Store(true)
		b.after(time.Minute)
		for i := range 20 {
			db.down.Store(i%2 == 0)
			b.answers("/readyz", 503)
			b.after(5 * time.Second)
		}
		if err := b.AddService("own", "disk"); err != nil {
			t.Fatal(err)
		}
		if b.Serving()["own"] {
			t.Error("a service whose check fails is served")
		}
		db.down.Store(true)
		b.after(time.Minute)
		if !b.Serving()["own"] {
			t.Error("a consequence counts against its service")
		}
	})
}

func TestDrainWorksBeforeTheStartHasFinishedAndAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db switched
		b := start(t, health.Config{}, health.Check{Name: "db", Run: db.run})
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.answers("/readyz", 200)
		b.Drain()
		b.answers("/readyz", 503)
		b.answers("/startupz", 200)
		if r := b.report("/readyz"); r.Phase != "draining" || r.Status != "fail" || b.Status() != health.Fail {
			t.Errorf("%+v, %v", r, b.Status())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var db switched
		db.down.Store(true)
		b := start(t, health.Config{}, health.Check{Name: "db", Run: db.run})
		b.Drain()
		b.answers("/startupz", 503)
		db.down.Store(false)
		b.after(time.Minute)
		b.answers("/readyz", 503)
		if r := b.report("/startupz"); r.Status != "fail" || r.Phase != "draining" {
			t.Errorf("a start that never finished: %+v", r)
		}
	})
}

// hostile is an error whose text asks the health itself, as one that logs may do, or panics.
type hostile struct {
	h     *health.Health
	panic bool
}

func (e *hostile) Error() string {
	if e.panic {
		panic("no text")
	}
	return "the phase is " + e.h.Phase().String()
}

// T3: the text of an error is the user's code.
func TestTextOfAnErrorIsAskedForUnderNoLockAndMayPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asks, panics := new(hostile), &hostile{panic: true}
		b := start(t, health.Config{})
		asks.h = b.Health
		err := b.Add(
			health.Check{Name: "asks", Severity: health.Optional, Run: func(context.Context) error { return asks }},
			health.Check{Name: "panics", Severity: health.Optional, Run: func(context.Context) error { return panics }},
			health.Check{Name: "panics with it", Severity: health.Optional, Run: func(context.Context) error { panic(asks) }},
			health.Check{Name: "bytes", Severity: health.Optional, Run: func(context.Context) error {
				return errors.New(strings.Repeat("\xffx", 99))
			}})
		if err != nil {
			t.Fatal(err)
		}
		checks := b.report("/readyz").Checks
		want := []string{"the phase is running", "an error of type *health_test.hostile, whose text panics", "panic: the phase is running", strings.Repeat("?x", 99)}
		for i, c := range checks {
			if c.Error != want[i] {
				t.Errorf("%s: %q, want %q", c.Name, c.Error, want[i])
			}
		}
	})
}

// T3
func TestListenerThatEndsItsGoroutineEndsNoWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		psp := breaker.New("psp", breaker.Config{Registry: b.registry})
		goexit := true
		stop := b.OnChange(func() {
			if goexit {
				goexit = false
				runtime.Goexit()
			}
		})
		defer stop()
		if err := psp.SetMode(seawall.ForcedOpen); err != nil {
			t.Fatal(err)
		}
		b.after(10 * time.Second)
		if goexit {
			t.Fatal("the listener was not asked")
		}
		if err := psp.SetMode(seawall.Enforce); err != nil {
			t.Fatal(err)
		}
		b.after(10 * time.Second)
		if r := b.report("/readyz"); r.Status != "pass" || len(r.Gates) > 0 {
			t.Errorf("nobody reads the gates any more: %+v", r)
		}
		runtime.KeepAlive(psp)
	})
}

func TestDegradedAnswersAreCountedByRoundWhateverElseHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		prices := degrade.NewFallback("prices", degrade.FallbackConfig{Registry: b.registry, Func: degrade.Value(1)})
		other := breaker.New("other", breaker.Config{Registry: b.registry})
		serve := func() {
			if _, err := seawall.Call(t.Context(), prices, func(context.Context) (int, error) { return 0, errDown }); err != nil {
				t.Fatal(err)
			}
		}
		serve()
		b.after(5 * time.Second)
		b.told()
		for i := range 20 { // one each round, and five changes of another gate
			serve()
			for range 5 {
				b.after(time.Second)
				if err := other.SetMode([]seawall.Mode{seawall.Shadow, seawall.Enforce}[i%2]); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, told := range b.told()[2:] {
			if strings.Contains(told, "prices") {
				t.Errorf("told %q, while answers were degraded all the time", told)
			}
		}
		b.after(11 * time.Second)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("afterwards: %+v", r)
		}
	})
}

// counting is a member that counts how often it is looked at.
type counting struct {
	name  string
	looks atomic.Int64
	panic atomic.Bool
}

func (c *counting) Snapshot() seawall.Snapshot {
	c.looks.Add(1)
	if c.panic.Load() {
		panic("no snapshot")
	}
	return seawall.Snapshot{Kind: "test", Name: c.name}
}

func TestGateThatComesAndGoesHasNotAllGatesReadWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		c := &counting{name: "c"}
		seawall.Register(b.registry, "test", &c.name, c)
		psp := breaker.New("psp", breaker.Config{Registry: b.registry})
		for i := range 1000 {
			if err := psp.SetMode([]seawall.Mode{seawall.ForcedOpen, seawall.Enforce}[i%2]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if n := c.looks.Load(); n < 9 || n > 13 {
			t.Errorf("it was looked at %d times in a second, want about 10", n)
		}
		b.after(time.Second)
		if r := b.report("/readyz"); r.Status != "pass" {
			t.Errorf("the last change was missed: %+v", r)
		}
		c.panic.Store(true)
		b.after(time.Minute)
		runtime.KeepAlive(psp)
	})
}

func TestResultGrowsStaleWithoutAnythingElseHappening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		b := start(t, health.Config{IgnoreGates: true}, health.Check{Name: "db", Timeout: time.Minute, Run: func(ctx context.Context) error {
			if slow.Load() {
				<-ctx.Done()
			}
			return nil
		}})
		slow.Store(true)
		b.told()
		b.after(14 * time.Second)
		if got := b.told(); len(got) > 0 {
			t.Errorf("told %q", got)
		}
		b.after(2 * time.Second)
		if got, want := b.told(), []string{"db pass->warn", "pass->warn"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		if r := b.report("/readyz"); r.Checks[0].Error != "stale result" {
			t.Errorf("%+v", r.Checks)
		}
	})
}

func TestStopNamesARemovedCheckAndHoldsOneGoroutineHoweverOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := start(t, health.Config{}, health.Check{Name: "stuck", Run: func(context.Context) error { <-release; return nil }})
		b.Remove("stuck")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = b.Stop(ctx)
		synctest.Wait()
		before := goroutines()
		for range 100 {
			if err := b.Stop(ctx); err == nil || !strings.Contains(err.Error(), `["stuck"]`) {
				t.Fatalf("Stop returned %v", err)
			}
		}
		if now := goroutines(); now > before {
			t.Errorf("%d goroutines became %d", before, now)
		}
		close(release)
	})
}

func TestSnapshotHasAtMost32MembersTheWorstOnesAmongThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, health.Config{})
		for i := range 100 {
			c := health.Check{Name: fmt.Sprint("c", i), Severity: health.Optional, Run: func(context.Context) error {
				if i >= 98 {
					return errDown
				}
				return nil
			}}
			if err := b.Add(c); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Watchdog("loop", time.Second); err != nil {
			t.Fatal(err)
		}
		b.after(time.Minute)
		s := b.Snapshot()
		var names []string
		for _, m := range s.Members {
			names = append(names, m.Name+" "+m.State)
		}
		if len(names) != 32 || names[0] != "c0 pass" || !slices.Equal(names[29:], []string{"c98 warn", "c99 warn", "loop fail"}) {
			t.Errorf("the members are %q", names)
		}
		if i := slices.Index(s.Values, seawall.Value{Name: "checks", V: 101}); i < 0 {
			t.Errorf("the values are %v", s.Values)
		}
		if n := len(b.report("/readyz").Checks); n != 100 {
			t.Errorf("%d checks in the verbose answer", n)
		}
	})
}

func TestWatchdogAndCheckHaveDifferentNames(t *testing.T) {
	h := health.New("test", health.Config{Registry: new(seawall.Registry)})
	run := func(context.Context) error { return nil }
	if err := h.Add(health.Check{Name: "a", Run: run}); err != nil {
		t.Fatal(err)
	}
	w, err := h.Watchdog("b", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := h.Add(health.Check{Name: "b", Run: run}); !errors.Is(err, health.ErrDuplicate) {
		t.Errorf("a check by a watchdog's name: %v", err)
	}
	if _, err := h.Watchdog("a", time.Second); !errors.Is(err, health.ErrDuplicate) {
		t.Errorf("a watchdog by a check's name: %v", err)
	}
}

func TestMethodsThatChangeSomethingAreRefused(t *testing.T) {
	h := health.New("test", health.Config{Registry: new(seawall.Registry)})
	for method, want := range map[string]int{http.MethodHead: 503, http.MethodPost: 405, http.MethodDelete: 405} {
		w := &recorded{header: http.Header{}}
		r, err := http.NewRequestWithContext(t.Context(), method, "/readyz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		h.Handler().ServeHTTP(w, r)
		if w.code != want || (want == 405) != (w.header.Get("Allow") == "GET, HEAD") {
			t.Errorf("%s: %d %v, want %d", method, w.code, w.header, want)
		}
	}
}

type recorded struct {
	header http.Header
	code   int
}

func (r *recorded) Header() http.Header       { return r.header }
func (*recorded) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorded) WriteHeader(code int)      { r.code = code }
