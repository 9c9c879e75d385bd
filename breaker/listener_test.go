package breaker_test

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// events collects what a listener is told.
type events struct {
	mu  sync.Mutex // guards all
	all []breaker.Event
}

func (l *events) add(e breaker.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
}

func (l *events) list() []breaker.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// wantChain checks that each event begins where the one before it ended.
func (l *events) wantChain(t *testing.T, atLeast int) {
	t.Helper()
	all, state := l.list(), breaker.Closed
	if len(all) < atLeast {
		t.Errorf("only %d events, want %d or more", len(all), atLeast)
	}
	for i, e := range all {
		if e.From != state || e.To == state {
			t.Fatalf("event %d goes from %v to %v, after a change to %v", i, e.From, e.To, state)
		}
		state = e.To
	}
}

// round brings a breaker in a bubble through all of its states, each call in a goroutine of its own.
func round(t *testing.T, b *breaker.Breaker) {
	t.Helper()
	in := func(f func()) { attempt(f) }
	for range b.Config().MinCalls {
		in(func() { _ = b.Do(t.Context(), fail) })
	}
	wantState(t, b, breaker.Open)
	time.Sleep(b.Stats().Reopen)
	for range b.Config().Probes.Calls {
		in(func() { _ = b.Do(t.Context(), succeed) })
	}
	// The first call may have ended in the listener before it was made.
	in(func() { _ = b.Do(t.Context(), succeed) })
	wantState(t, b, breaker.Closed)
}

// T3
func TestBreakerSurvivesItsListener(t *testing.T) {
	var log logs
	for _, c := range []struct {
		name string
		do   func(b *breaker.Breaker)
	}{
		{"panics", func(*breaker.Breaker) { panic("listener") }},
		{"exits", func(*breaker.Breaker) { runtime.Goexit() }},
		{"re-enters", func(b *breaker.Breaker) {
			ctx := context.Background()
			_, _, _, _ = b.State(), b.Stats(), b.Snapshot(), b.String()
			_ = b.Update(b.Config())
			_ = b.SetMode(seawall.ForcedOpen)
			_ = b.Do(ctx, fail)
			_ = b.SetMode(seawall.Enforce)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told events
				var b *breaker.Breaker
				b = newBreaker(breaker.Config{
					MinCalls: 4, Registry: log.registry(),
					OnStateChange: func(e breaker.Event) {
						told.add(e)
						c.do(b)
					},
				})
				for range 3 {
					round(t, b)
				}
				told.wantChain(t, 9)
				if c.name == "panics" && log.count("seawall.listener.panicked") != 9 {
					t.Errorf("%d panics in the log, want 9", log.count("seawall.listener.panicked"))
				}
			})
		})
	}
}

// T3: whoever blocks in the listener blocks itself.
func TestBreakerGoesOnWhileItsListenerBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		release := make(chan struct{})
		b := newBreaker(breaker.Config{MinCalls: 4, OnStateChange: func(e breaker.Event) {
			<-release
			told.add(e)
		}})
		var blocked sync.WaitGroup
		blocked.Go(func() {
			for range 4 {
				_ = b.Do(t.Context(), fail)
			}
		})
		synctest.Wait() // in the listener
		reject(t, b)
		time.Sleep(b.Stats().Reopen)
		for range b.Config().Probes.Calls { // a transition that leaves its events to the blocked one
			_ = b.Do(t.Context(), succeed)
		}
		wantState(t, b, breaker.Closed)
		if got := len(told.list()); got != 0 {
			t.Errorf("%d events overtook the blocked one", got)
		}
		close(release)
		blocked.Wait()
		told.wantChain(t, 3)
	})
}

// T3: events that wait behind one whose listener exits its goroutine are told before the goroutine ends.
func TestListenerThatExitsLeavesNoEventBehind(t *testing.T) {
	var told events
	b := newBreaker(breaker.Config{MinCalls: 1, OnStateChange: func(e breaker.Event) {
		told.add(e)
		runtime.Goexit()
	}})
	b.Queue(breaker.Event{Reason: "first"})
	b.Queue(breaker.Event{Reason: "second"})
	attempt(func() { _ = b.Do(t.Context(), fail) })
	var reasons []string
	for _, e := range told.list() {
		reasons = append(reasons, e.Reason)
	}
	if !slices.Equal(reasons, []string{"first", "second", "failure_rate"}) {
		t.Errorf("told of %q", reasons)
	}
}

// A handler of the log that panicked once stopped all further events, and took the caller along.
func TestBreakerSurvivesItsLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		registry := new(seawall.Registry)
		registry.SetLogger(slog.New(panickingHandler{slog.DiscardHandler}))
		b := newBreaker(breaker.Config{MinCalls: 4, OnStateChange: told.add, Registry: registry})
		for range 3 {
			round(t, b)
		}
		told.wantChain(t, 9)
	})
}

// A goroutine that has taken a probe once delivered the events of others. With a listener that did not return, the
// probe stayed out until Probes.Timeout.
func TestProbeIsNotLostInTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exit := false
		b := newBreaker(breaker.Config{MinCalls: 4, OnStateChange: func(breaker.Event) {
			if exit {
				runtime.Goexit()
			}
		}})
		halfOpen(t, b)
		acquire(t, b) // half-open now
		exit = true
		b.Queue(breaker.Event{}) // as another goroutine does that has not come to deliver it
		if _, _, exited := attempt(func() { acquire(t, b) }); exited {
			t.Error("the goroutine that took a probe ended in the listener")
		}
	})
}

// T3, T44: an end that finds out that others hang counts, although the listener that is told of it does not return.
func TestEndIsNotLostInTheListener(t *testing.T) {
	for _, ramp := range []float64{breaker.NoRamp, 0.5} {
		synctest.Test(t, func(t *testing.T) {
			exit := false
			b := newBreaker(breaker.Config{
				MinCalls: 4, Ramp: breaker.Ramp{Start: ramp, Step: time.Minute}, OnStateChange: func(breaker.Event) {
					if exit {
						runtime.Goexit()
					}
				},
			})
			bring(t, b, breaker.HalfOpen)
			for b.State() == breaker.HalfOpen {
				acquire(t, b).Done(nil)
			}
			var all []*seawall.Permit
			for len(all) < 5 {
				if p, err := b.Acquire(t.Context()); err == nil {
					all = append(all, &p)
				}
			}
			before := ended(b.Stats())
			time.Sleep(6 * time.Second)
			exit = true
			if _, _, exited := attempt(func() { all[0].Done(errDown) }); !exited {
				t.Error("the end has found nothing out")
			}
			for _, p := range all[1:] {
				p.Done(errDown)
			}
			if got := ended(b.Stats()) - before; got != 5 {
				t.Errorf("%d ends are counted of 5", got)
			}
			wantState(t, b, breaker.Open)
		})
	}
}

// T3, T44: events are told once each and in order, whoever causes them.
func TestBreakerTellsItsEventsInOrderUnderLoad(t *testing.T) {
	var told events
	b := newBreaker(breaker.Config{
		MinCalls: 2, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond, Probes: breaker.Probes{Calls: 1},
		OnStateChange: told.add,
	})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 4000 {
				op := succeed
				if (i+j/100)%2 == 0 {
					op = fail
				}
				if b.Do(context.Background(), op) != nil {
					time.Sleep(10 * time.Microsecond)
				}
			}
		})
	}
	all.Wait()
	told.wantChain(t, 3)
	opened := slices.DeleteFunc(told.list(), func(e breaker.Event) bool { return e.To != breaker.Open })
	if got := b.Stats().Entered.Open; got != int64(len(opened)) {
		t.Errorf("opened %d times, and told of it %d times", got, len(opened))
	}
}

// Each change of the state is logged when it happens, by the call that brings it: to open as a warning.
func TestChangesOfTheStateAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		registry := new(seawall.Registry)
		registry.SetLogger(slog.New(slog.NewTextHandler(&text, nil)))
		b := newBreaker(breaker.Config{
			MinCalls: 2, Probes: breaker.Probes{Calls: 1}, Ramp: breaker.Ramp{Start: 0.5}, Registry: registry,
		})
		b.SetRandom(func() float64 { return 0.5 })
		want := func(line string) {
			t.Helper()
			if got := text.String(); !strings.HasSuffix(got, line+"\n") || strings.Count(got, "\n") != 1 {
				t.Errorf("logged\n%swant the end to be\n%s", got, line)
			}
			text.Reset()
		}
		_ = b.Do(t.Context(), succeed)
		_ = b.Do(t.Context(), fail)
		want("level=WARN msg=seawall.breaker.state_changed name=payments from=closed to=open reason=failure_rate" +
			" calls=2 failures=1 slow=0 open_for=1s")
		time.Sleep(time.Second)
		probe := acquire(t, b)
		want("level=INFO msg=seawall.breaker.state_changed name=payments from=open to=half_open reason=open_time_over" +
			" calls=0 failures=0 slow=0 open_for=0s")
		probe.Done(nil)
		want("level=INFO msg=seawall.breaker.state_changed name=payments from=half_open to=ramping" +
			" reason=probes_succeeded calls=1 failures=0 slow=0 open_for=0s")
		time.Sleep(time.Second)
		_ = b.State()
		want("level=INFO msg=seawall.breaker.state_changed name=payments from=ramping to=closed reason=ramp_completed" +
			" calls=0 failures=0 slow=0 open_for=0s")
	})
}

// logs collects the names of what is logged.
type logs struct {
	mu    sync.Mutex // guards names
	names []string
}

func (l *logs) registry() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(&logsHandler{Handler: slog.DiscardHandler, logs: l}))
	return r
}

func (l *logs) count(name string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, got := range l.names {
		if got == name {
			n++
		}
	}
	return n
}

type logsHandler struct {
	slog.Handler
	logs *logs
}

func (h *logsHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *logsHandler) Handle(_ context.Context, r slog.Record) error {
	h.logs.mu.Lock()
	defer h.logs.mu.Unlock()
	h.logs.names = append(h.logs.names, r.Message)
	return nil
}

type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingHandler) Handle(context.Context, slog.Record) error { panic("log") }
