package breaker_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

func update(t *testing.T, b *breaker.Breaker, change func(*breaker.Config)) {
	t.Helper()
	cfg := b.Config()
	change(&cfg)
	if err := b.Update(cfg); err != nil {
		t.Fatal(err)
	}
	if got := b.Config(); !got.Equal(cfg) {
		t.Fatalf("the config is %+v, want %+v", got, cfg)
	}
}

// T75
func TestUpdateKeepsWhatStillMeansTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 10})
		for range 9 {
			_ = b.Do(t.Context(), fail)
		}
		time.Sleep(time.Second)
		before := b.Stats()
		update(t, b, func(c *breaker.Config) { c.FailureRate, c.MinCalls = 0.9, 50 })
		if got := b.Stats(); got != before {
			t.Errorf("a new threshold changed %+v to %+v", before, got)
		}
		update(t, b, func(c *breaker.Config) { c.MinCalls = 10 })
		trip1 := b.Do(t.Context(), fail) // the tenth, with the nine from before
		wantState(t, b, breaker.Open)
		if trip1 != errDown { //nolint:errorlint // op's own
			t.Error(trip1)
		}
		before = b.Stats()
		update(t, b, func(c *breaker.Config) {
			c.FailureRate, c.MinCalls, c.OpenFor, c.MaxOpenFor = 1, 1000, time.Hour, time.Hour
			c.Window = breaker.Window{Calls: 5000}
		})
		if got := b.Stats(); got != before {
			t.Errorf("an open breaker changed from %+v to %+v", before, got)
		}
		time.Sleep(before.Reopen - 1)
		reject(t, b)
		time.Sleep(time.Nanosecond)
		acquire(t, b)
	})
}

// T75
func TestUpdateOfTheWindowKeepsTheTotalsAndThePermits(t *testing.T) {
	b := newBreaker(breaker.Config{MinCalls: 100})
	for range 5 {
		_ = b.Do(t.Context(), fail)
		_ = b.Do(t.Context(), succeed)
	}
	running := acquire(t, b)
	update(t, b, func(c *breaker.Config) { c.Window, c.MinCalls = breaker.Window{Calls: 3}, 3 })
	if got := b.Stats(); got.Window != (breaker.WindowCounts{}) || got.Calls != (breaker.Counts{Successes: 5, Failures: 5}) {
		t.Errorf("after the update %+v", got)
	}
	if !running.Done(errDown) {
		t.Error("a call that was admitted before the update does not count")
	}
	if got := b.Stats(); got.Window.Failures != 1 || got.Calls.Failures != 6 {
		t.Errorf("after the end %+v", got)
	}
}

// T75, T78
func TestUpdateThatIsRefusedChangesNothing(t *testing.T) {
	b := newBreaker(breaker.Config{MinCalls: 10})
	_ = b.Do(t.Context(), fail)
	cfg, stats := b.Config(), b.Stats()
	for _, bad := range []breaker.Config{{FailureRate: 2}, {MinCalls: 7, OpenFor: -1}, {Mode: 99}} {
		if err := b.Update(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	stats.Since = b.Stats().Since
	if got := b.Stats(); !b.Config().Equal(cfg) || got.Window != stats.Window {
		t.Errorf("changed to %+v, %+v", b.Config(), got)
	}
}

// With fewer probes, those that have ended may do: no other end comes to judge them, and all calls were rejected until
// Probes.Timeout.
func TestUpdateToFewerProbesDoesNotWedgeTheHalfOpenState(t *testing.T) {
	for _, c := range []struct {
		good, bad, probes int
		want              breaker.State
	}{
		{3, 0, 3, breaker.Closed},
		{3, 0, 1, breaker.Closed},
		{3, 1, 2, breaker.Closed}, // one of four, not one of two
		{2, 2, 2, breaker.Open},
		{0, 2, 2, breaker.Open},
		{3, 0, 7, breaker.HalfOpen},
	} {
		synctest.Test(t, func(t *testing.T) {
			var told events
			b := newBreaker(breaker.Config{
				MinCalls: 4, Probes: breaker.Probes{Calls: 8}, OnStateChange: told.add,
			})
			halfOpen(t, b)
			for range c.good {
				acquire(t, b).Done(nil)
			}
			for range c.bad {
				acquire(t, b).Done(errDown)
			}
			wantState(t, b, breaker.HalfOpen)
			update(t, b, func(cfg *breaker.Config) { cfg.Probes.Calls = c.probes })
			wantState(t, b, c.want)
			if all := told.list(); all[len(all)-1].To != c.want {
				t.Errorf("the last event is %+v, and the state %v", all[len(all)-1], c.want)
			}
		})
	}
}

// T46: the settings that open a breaker are those that say that it opens. Each of these two is consistent: one opens at
// the first failure, for an hour; the other does not open. To open for a millisecond is a mix.
func TestBreakerNeverMixesTwoConfigs(t *testing.T) {
	nervous := breaker.Config{MinCalls: 1, OpenFor: time.Hour, MaxOpenFor: time.Hour}
	calm := breaker.Config{MinCalls: 1_000_000, FailureRate: 1, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond}

	t.Run("between the call's end and the opening", func(t *testing.T) {
		b := newBreaker(nervous)
		w := b.ClosedWindow()
		if err := b.Update(calm); err != nil {
			t.Fatal(err)
		}
		b.TripOn(w, 1, 1) // a call that ended under nervous
		wantState(t, b, breaker.Closed)
	})
	t.Run("a window that was replaced", func(t *testing.T) {
		b := newBreaker(nervous)
		w := b.ClosedWindow()
		update(t, b, func(c *breaker.Config) { c.Window = breaker.Window{Calls: 10} })
		b.TripOn(w, 1, 1)
		wantState(t, b, breaker.Closed)
	})
	t.Run("under load", func(t *testing.T) {
		for range 300 {
			var openFor atomic.Int64
			nervous, calm := nervous, calm
			nervous.OnStateChange = func(e breaker.Event) { openFor.Store(int64(e.OpenFor)) }
			calm.OnStateChange = nervous.OnStateChange
			b := newBreaker(calm)
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					for range 50 {
						_ = b.Do(context.Background(), fail)
					}
				})
			}
			all.Go(func() {
				for range 20 {
					_ = b.Update(nervous)
					_ = b.Update(calm)
				}
			})
			all.Wait()
			if d := time.Duration(openFor.Load()); d != 0 && d < time.Minute {
				t.Fatalf("opened for %v", d)
			}
		}
	})
}

// T19: a Config has nothing in it that two could share, but functions and the registry.
func TestBreakerSharesNothingWithTheConfigItWasMadeOf(t *testing.T) {
	var check func(path string, typ reflect.Type)
	check = func(path string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Chan, reflect.Interface:
			if typ != reflect.TypeFor[*seawall.Registry]() {
				t.Errorf("%s is a %v, which New and Update would have to copy", path, typ)
			}
		case reflect.Struct:
			for f := range typ.Fields() {
				check(path+"."+f.Name, f.Type)
			}
		}
	}
	check("Config", reflect.TypeFor[breaker.Config]())

	cfg := breaker.Config{MinCalls: 7, Registry: quiet()}
	b := breaker.New("payments", cfg)
	cfg.MinCalls = 1
	got := b.Config()
	got.MinCalls = 1
	if b.Config().MinCalls != 7 {
		t.Error("a change of the Config changed the breaker")
	}
}

// The registry is the one of New, whatever an update says.
func TestUpdateKeepsTheRegistry(t *testing.T) {
	r := quiet()
	b := newBreaker(breaker.Config{Registry: r})
	if err := b.Update(breaker.Config{Registry: quiet()}); err != nil {
		t.Fatal(err)
	}
	if b.Config().Registry != r {
		t.Error("the registry changed")
	}
	if len(r.Members()) != 1 {
		t.Error("the breaker left its registry")
	}
}

func TestBreakerTellsOfEveryChangeOfItsConfiguration(t *testing.T) {
	var text strings.Builder
	registry := new(seawall.Registry)
	registry.SetLogger(slog.New(slog.NewTextHandler(&text, nil)))
	b := breaker.New("payments", breaker.Config{Registry: registry})
	if err := errors.Join(b.SetMode(seawall.Shadow), b.SetMode(seawall.Shadow)); err != nil {
		t.Fatal(err)
	}
	cfg := b.Config()
	cfg.FailureRate, cfg.OpenGrowth = 0.25, 2
	if err := b.Update(cfg); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=WARN msg=seawall.gate.mode_changed kind=breaker name=payments from=enforce to=shadow`,
		`level=INFO msg=seawall.config.updated kind=breaker name=payments fields="failure_rate open_growth"`,
	} {
		if strings.Count(text.String(), want) != 1 {
			t.Errorf("want once %q in\n%s", want, text.String())
		}
	}
}
