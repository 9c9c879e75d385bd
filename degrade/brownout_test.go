package degrade_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

// load is a signal that tests set.
type load struct{ bits atomic.Uint64 }

func (l *load) set(v float64)   { l.bits.Store(math.Float64bits(v)) }
func (l *load) signal() float64 { return math.Float64frombits(l.bits.Load()) }

func wantLevel(t *testing.T, b *degrade.Brownout, want degrade.Level) {
	t.Helper()
	if got := b.Level(); got != want {
		t.Fatalf("the level is %v, want %v; %+v", got, want, b.Stats())
	}
}

func succeed(context.Context) error { return nil }

func TestBrownoutSwitchesTheLeastImportantWorkOffFirst(t *testing.T) {
	b := newBrownout(degrade.BrownoutConfig{})
	for _, c := range []struct {
		level   degrade.Level
		allowed map[seawall.Priority]bool
	}{
		{degrade.Full, map[seawall.Priority]bool{1: true, 2: true, 3: true, 4: true}},
		{degrade.WithoutSheddable, map[seawall.Priority]bool{1: false, 2: true, 3: true, 4: true}},
		{degrade.WithoutSheddablePlus, map[seawall.Priority]bool{1: false, 2: false, 3: true, 4: true}},
		{degrade.WithoutCritical, map[seawall.Priority]bool{1: false, 2: false, 3: false, 4: true}},
	} {
		if err := b.SetLevel(c.level); err != nil {
			t.Fatal(err)
		}
		for p, want := range c.allowed {
			ctx := seawall.WithPriority(t.Context(), seawall.CriticalPlus)
			if got := b.Allows(ctx, p); got != want {
				t.Errorf("%v: %v is allowed: %t, want %t", c.level, p, got, want)
			}
			if err := b.Work(p).Do(ctx, succeed); (err == nil) != want {
				t.Errorf("%v: work of %v ends with %v", c.level, p, err)
			}
			// The priority of the call decides where it is the lower one.
			if got := b.Allows(seawall.WithPriority(t.Context(), p), seawall.CriticalPlus); got != want {
				t.Errorf("%v: a call of priority %v is allowed: %t, want %t", c.level, p, got, want)
			}
			if err := b.Do(seawall.WithPriority(t.Context(), p), succeed); (err == nil) != want {
				t.Errorf("%v: a call of priority %v ends with %v", c.level, p, err)
			}
		}
	}
	for _, none := range []seawall.Priority{0, 77} { // as good as no priority
		if b.Allows(seawall.WithPriority(t.Context(), seawall.CriticalPlus), none) {
			t.Errorf("importance %d is allowed", none)
		}
	}
	if degrade.Full.SwitchesOff(0) || degrade.WithoutSheddable.SwitchesOff(0) {
		t.Error("importance 0 is switched off")
	}
	if err := b.SetLevel(4); err == nil || b.Level() != degrade.WithoutCritical {
		t.Errorf("level 4: %v, %v", err, b.Level())
	}
}

// T70
func TestBrownoutRejectionSaysWhoWhyAndUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l load
		b := newBrownout(degrade.BrownoutConfig{Signal: l.signal})
		time.Sleep(time.Second)
		l.set(1)
		ctx, record := seawall.WithRecord(t.Context())
		err := b.Work(seawall.Sheddable).Do(ctx, succeed)
		rejection, ok := errors.AsType[*seawall.RejectedError](err)
		if !ok || !errors.Is(err, degrade.ErrBrownout) || !errors.Is(err, seawall.ErrRejected) {
			t.Fatalf("got %v", err)
		}
		if rejection.Reason != seawall.ReasonShed || rejection.RetryAfter() != 5*time.Second {
			t.Errorf("%v, %v", rejection.Reason, rejection.RetryAfter())
		}
		if want := `brownout "page": shed, retry in 5s`; err.Error() != want {
			t.Errorf("the text is %q, want %q", err, want)
		}
		if f := record.Facts(); f.DecidedBy != `brownout "page"` || f.Reason != seawall.ReasonShed {
			t.Errorf("the record says %+v", f)
		}
		if err := b.SetLevel(degrade.WithoutCritical); err != nil {
			t.Fatal(err)
		}
		err = b.Do(t.Context(), succeed)
		if want := `brownout "page": shed`; err == nil || err.Error() != want {
			t.Errorf("by hand: %v, want %q", err, want)
		}
		canceled, cancel := context.WithCancelCause(t.Context())
		cancel(errDown)
		if _, err := b.Acquire(canceled); err != errDown { //nolint:errorlint // bare is the point
			t.Errorf("with a dead context: %v", err)
		}
	})
}

func TestBrownoutMovesOneStepAtATimeAndHoldsEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l load
		var told []degrade.LevelEvent
		registry, log := logged()
		b := newBrownout(degrade.BrownoutConfig{
			Signal: l.signal, Registry: registry, Critical: degrade.Threshold{Enter: 1},
			OnLevelChange: func(e degrade.LevelEvent) { told = append(told, e) },
		})
		l.set(7)
		pass := func(d time.Duration) { // with traffic
			for range d / (50 * time.Millisecond) {
				time.Sleep(50 * time.Millisecond)
				b.Allows(t.Context(), seawall.Critical)
			}
		}
		for _, want := range []degrade.Level{degrade.Full, degrade.WithoutSheddable, degrade.WithoutSheddablePlus} {
			wantLevel(t, b, want)
			pass(950 * time.Millisecond)
			wantLevel(t, b, want)
			pass(50 * time.Millisecond)
		}
		wantLevel(t, b, degrade.WithoutCritical)
		l.set(0.76) // above Leave, which is 0.75
		pass(time.Minute)
		wantLevel(t, b, degrade.WithoutCritical)
		l.set(0.75)
		pass(100 * time.Millisecond)
		wantLevel(t, b, degrade.WithoutSheddablePlus)
		l.set(0)
		pass(4900 * time.Millisecond)
		wantLevel(t, b, degrade.WithoutSheddablePlus)
		pass(100 * time.Millisecond)
		wantLevel(t, b, degrade.WithoutSheddable)
		pass(5 * time.Second)
		wantLevel(t, b, degrade.Full)
		if len(told) != 6 || told[0] != (degrade.LevelEvent{
			Name: "page", From: degrade.Full, To: degrade.WithoutSheddable, Reason: degrade.ReasonSignal, Signal: 7,
		}) {
			t.Errorf("told %+v", told)
		}
		for _, want := range []string{
			`level=WARN msg=seawall.degrade.level_changed name=page from=full to=without_sheddable reason=signal signal=7`,
			`level=INFO msg=seawall.degrade.level_changed name=page from=without_sheddable to=full reason=signal signal=0`,
		} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("want once %q in\n%s", want, log.String())
			}
		}
	})
}

// T8, T51: a brownout that nobody asked for a while does not keep the level of then.
func TestBrownoutIsOverAfterAnIdleTime(t *testing.T) {
	for name, first := range map[string]func(*degrade.Brownout) bool{
		"the first call": func(b *degrade.Brownout) bool { return b.Allows(context.Background(), seawall.Sheddable) },
		"the level":      func(b *degrade.Brownout) bool { return b.Level() == degrade.Full },
		"the stats":      func(b *degrade.Brownout) bool { return b.Stats().Level == degrade.Full },
		"the snapshot":   func(b *degrade.Brownout) bool { return b.Snapshot().State == "full" },
		"the first rejected": func(b *degrade.Brownout) bool {
			return b.Work(seawall.Sheddable).Do(context.Background(), succeed) == nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var l load
			b := newBrownout(degrade.BrownoutConfig{Signal: l.signal})
			l.set(1)
			for range 2 {
				time.Sleep(time.Second)
				b.Level()
			}
			wantLevel(t, b, degrade.WithoutSheddablePlus)
			l.set(0)
			time.Sleep(10 * time.Second) // two levels of 5 s
			if !first(b) {
				t.Errorf("%s tells of the load of then", name)
			}
		})
	}
}

// The load after an idle time is a new one: it does not lead up several levels at once.
func TestBrownoutAfterAnIdleTimeGetsWorseByOneStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l load
		b := newBrownout(degrade.BrownoutConfig{Signal: l.signal})
		l.set(9)
		time.Sleep(time.Hour)
		wantLevel(t, b, degrade.WithoutSheddable)
	})
}

func TestBrownoutReadsTheSignalOncePerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		b := newBrownout(degrade.BrownoutConfig{Signal: func() float64 {
			reads++
			return 0
		}})
		for range 1000 {
			time.Sleep(time.Millisecond)
			for range 10 {
				b.Allows(t.Context(), seawall.Critical)
			}
		}
		if reads != 10 {
			t.Errorf("%d readings in a second, want 10", reads)
		}
	})
}

// Only one call waits for a slow signal; the others go on with the level that there is.
func TestBrownoutOfASlowSignalHoldsUpOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reading, most atomic.Int64
		b := newBrownout(degrade.BrownoutConfig{Signal: func() float64 {
			most.Store(max(most.Load(), reading.Add(1)))
			time.Sleep(time.Hour)
			reading.Add(-1)
			return 1
		}})
		go b.Allows(t.Context(), seawall.Sheddable)
		synctest.Wait()
		begun := time.Now()
		for range 100 {
			time.Sleep(time.Second)
			if !b.Allows(t.Context(), seawall.Sheddable) {
				t.Fatal("rejected")
			}
			_ = b.Snapshot()
		}
		if time.Since(begun) != 100*time.Second || most.Load() != 1 {
			t.Errorf("100 calls took %v, %d readings at a time", time.Since(begun), most.Load())
		}
		time.Sleep(time.Hour)
		if err := b.SetMode(seawall.Off); err != nil {
			t.Fatal(err)
		}
		wantLevel(t, b, degrade.WithoutSheddable)
	})
}

// T3: a signal cannot hurt the call that reads it, nor the brownout; without one the brownout fails open.
func TestBrownoutWithoutASignalFailsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry, log := logged()
		how := func() float64 { return 1 }
		b := newBrownout(degrade.BrownoutConfig{Signal: func() float64 { return how() }, Registry: registry})
		for range 2 {
			time.Sleep(time.Second)
			b.Level()
		}
		wantLevel(t, b, degrade.WithoutSheddablePlus)
		how = func() float64 { panic("no meter") }
		for range 45 {
			time.Sleep(100 * time.Millisecond)
			wantLevel(t, b, degrade.WithoutSheddablePlus)
		}
		how = math.NaN
		time.Sleep(500 * time.Millisecond)
		wantLevel(t, b, degrade.WithoutSheddable)
		time.Sleep(5 * time.Second)
		wantLevel(t, b, degrade.Full)
		how = func() float64 { return 0 }
		time.Sleep(time.Second)
		wantLevel(t, b, degrade.Full)
		how = func() float64 {
			runtime.Goexit()
			return 0
		}
		time.Sleep(time.Second)
		if _, returned := doAside(func() { b.Level() }); returned {
			t.Error("the goroutine did not exit")
		}
		how = func() float64 { return 1 }
		time.Sleep(time.Second)
		wantLevel(t, b, degrade.WithoutSheddable)
		if s := b.Stats(); s.BadReadings != 47 {
			t.Errorf("stats %+v", s)
		}
		for _, want := range []string{
			`level=WARN msg=seawall.degrade.signal_failed name=page error="panic: no meter"`,
			"level=INFO msg=seawall.degrade.signal_restored name=page", "from=without_sheddable to=full reason=lost signal=1",
		} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("want once %q in\n%s", want, log.String())
			}
		}
	})
}

// T3: a listener runs outside of all locks, and cannot hurt anybody.
func TestBrownoutSurvivesItsListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *degrade.Brownout
		var levels []degrade.Level
		what := ""
		b = newBrownout(degrade.BrownoutConfig{OnLevelChange: func(e degrade.LevelEvent) {
			levels = append(levels, e.To)
			switch what {
			case "panic":
				panic("ouch")
			case "exit":
				runtime.Goexit()
			case "again":
				_ = b.Stats()
				what = ""
				_ = b.SetLevel(degrade.Full)
				_ = b.Update(b.Config())
				b.Allows(context.Background(), seawall.Critical)
			}
		}})
		for _, what = range []string{"panic", "exit", "again", ""} {
			doAside(func() { _ = b.SetLevel(degrade.WithoutSheddable) })
			what = ""
			wantLevel(t, b, levels[len(levels)-1])
			_ = b.SetLevel(degrade.Full)
		}
		if len(levels) != 8 {
			t.Errorf("told of %v", levels)
		}
	})
}

func TestBrownoutInAChainMakesASectionGoMissing(t *testing.T) {
	b := newBrownout(degrade.BrownoutConfig{})
	_ = b.SetLevel(degrade.WithoutSheddable)
	var seats, recs string
	report, err := newGather(degrade.GatherConfig{}).Do(t.Context(),
		degrade.Section("seats", nil, &seats, give("A1", nil)),
		degrade.Section("recs", seawall.Chain(b.Work(seawall.Sheddable)), &recs, give("x", nil)).Optional(),
	)
	s, _ := report.Section("recs")
	if err != nil || s.State != degrade.Missing || s.Reason != seawall.ReasonShed || s.By != `brownout "page"` {
		t.Errorf("%v, %+v", err, s)
	}
}

func TestBrownoutWorkIsNamed(t *testing.T) {
	b := newBrownout(degrade.BrownoutConfig{})
	w := b.Work(seawall.SheddablePlus)
	if w != b.Work(seawall.SheddablePlus) || w.String() != `brownout "page" (sheddable-plus)` || w.Keep() || w.Traits().Kind != "brownout" {
		t.Errorf("%v", w)
	}
	defer func() {
		if value := recover(); value != "degrade: Brownout.Work: no such priority: Priority(0)" {
			t.Errorf("panicked with %v", value)
		}
	}()
	b.Work(0)
}

// Of many calls that come when the signal is due, one reads it.
func TestBrownoutIsReadOnceByManyCalls(t *testing.T) {
	var reads atomic.Int64
	b := newBrownout(degrade.BrownoutConfig{Interval: time.Minute, Signal: func() float64 {
		reads.Add(1)
		return 0
	}})
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() { b.Allows(context.Background(), seawall.Sheddable) })
	}
	all.Wait()
	if reads.Load() != 1 {
		t.Errorf("%d readings", reads.Load())
	}
}
