package degrade_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

func explode(context.Context) (string, error) { panic(errDown) }

func leave(context.Context) (string, error) {
	runtime.Goexit()
	return "", nil
}

// doAside runs f on a goroutine of its own, and returns what it panicked with, and whether it came back.
func doAside(f func()) (value any, returned bool) {
	var all sync.WaitGroup
	all.Go(func() {
		defer func() { value = recover() }()
		f()
		returned = true
	})
	all.Wait()
	return value, returned
}

// T57, T2: a panic on the caller's own goroutine is not touched; one on another has its own stack. Either way all
// sections have ended, and no result is written.
func TestGatherPassesAPanicOn(t *testing.T) {
	for _, c := range []struct {
		name  string
		other func(context.Context) (string, error) // beside the section that panics
	}{
		{"the others end", until[string]},
		{"the others panic too", func(ctx context.Context) (string, error) {
			<-ctx.Done()
			panic("second")
		}},
		{"the others exit", func(ctx context.Context) (string, error) {
			<-ctx.Done()
			runtime.Goexit()
			return "", nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			registry, log := logged()
			g := newGather(degrade.GatherConfig{Registry: registry})
			v, result := "untouched", new(closer)
			// Who runs which section is not said. All ways must do, so the one that panics waits until the others have begun.
			var begun sync.WaitGroup
			begun.Add(2)
			value, returned := doAside(func() {
				_, _ = g.Do(t.Context(),
					degrade.Section("result", nil, new(*closer), func(context.Context) (*closer, error) {
						begun.Done()
						return result, nil
					}),
					degrade.Section("other", nil, &v, func(ctx context.Context) (string, error) {
						begun.Done()
						return c.other(ctx)
					}),
					degrade.Section("panics", nil, &v, func(ctx context.Context) (string, error) {
						begun.Wait()
						return explode(ctx)
					}).Or(instead("a fallback is for errors", nil)).Optional(),
				)
			})
			err, _ := value.(error)
			wasSecond := c.name == "the others panic too" && value != nil
			if returned || !errors.Is(err, errDown) && !wasSecond {
				t.Errorf("returned: %t, recovered %v", returned, value)
			}
			if p, ok := value.(*seawall.AttemptPanic); ok && !wasSecond && !strings.Contains(string(p.Stack), "explode") {
				t.Errorf("the stack is\n%s", p.Stack)
			}
			if v != "untouched" || result.closed != 1 {
				t.Errorf("the destination is %q, and a result was closed %d times", v, result.closed)
			}
			if s := g.Stats(); s.Calls != (degrade.GatherCalls{Failed: 1}) {
				t.Errorf("stats %+v", s)
			}
			if wasSecond != strings.Contains(log.String(), "seawall.degrade.section_panicked") {
				t.Errorf("the log says %q", log.String())
			}
		})
	}
}

// One section is run by the caller, so that its panic keeps its stack by itself.
func TestGatherOfOneSectionTakesNoGoroutine(t *testing.T) {
	g := newGather(degrade.GatherConfig{})
	var v string
	value, _ := doAside(func() { _, _ = g.Do(t.Context(), degrade.Section("a", nil, &v, explode)) })
	if value != errDown { //nolint:errorlint // bare is the point
		t.Errorf("recovered %v", value)
	}
	before := runtime.NumGoroutine()
	_, err := g.Do(t.Context(), degrade.Section("a", nil, &v, func(context.Context) (string, error) {
		if now := runtime.NumGoroutine(); now > before {
			t.Errorf("%d goroutines, before %d", now, before)
		}
		return "", nil
	}))
	if err != nil {
		t.Error(err)
	}
}

// The stack of a panic that has crossed a goroutine already is the one that matters.
func TestGatherPassesThePanicOfARaceOnAsItIs(t *testing.T) {
	inner := &seawall.AttemptPanic{Value: "ouch", Stack: []byte("its own")}
	g := newGather(degrade.GatherConfig{})
	for range 50 { // who runs which section is not said
		var v string
		begun := make(chan struct{})
		value, _ := doAside(func() {
			_, _ = g.Do(t.Context(),
				degrade.Section("hangs", nil, &v, func(ctx context.Context) (string, error) {
					close(begun)
					return until[string](ctx)
				}),
				degrade.Section("races", nil, &v, func(context.Context) (string, error) {
					<-begun
					panic(inner)
				}))
		})
		if value != inner {
			t.Fatalf("recovered %v", value)
		}
	}
}

// T2
func TestGatherPassesAGoexitOn(t *testing.T) {
	for _, first := range []bool{true, false} {
		g := newGather(degrade.GatherConfig{})
		v, begun := "untouched", make(chan struct{})
		exits := degrade.Section("exits", nil, &v, func(ctx context.Context) (string, error) {
			<-begun
			return leave(ctx)
		})
		hangs := degrade.Section("hangs", nil, &v, func(ctx context.Context) (string, error) {
			close(begun)
			return until[string](ctx)
		})
		parts := []degrade.Part{exits, hangs}
		if !first {
			parts = []degrade.Part{hangs, exits}
		}
		value, returned := doAside(func() { _, _ = g.Do(t.Context(), parts...) })
		if value != nil || returned || v != "untouched" {
			t.Errorf("recovered %v, returned: %t", value, returned)
		}
		if s := g.Stats(); s.Calls != (degrade.GatherCalls{Failed: 1}) {
			t.Errorf("stats %+v", s)
		}
	}
}

// T2: runtime.Goexit in one section swallowed the panic of another, if that was on the caller's own goroutine.
func TestGatherPassesAPanicOnBesideAGoexit(t *testing.T) {
	g := newGather(degrade.GatherConfig{})
	for i := range 50 { // who runs which section is not said
		var v string
		var begun sync.WaitGroup
		begun.Add(2)
		end := func(load func(context.Context) (string, error)) func(context.Context) (string, error) {
			return func(ctx context.Context) (string, error) {
				begun.Done()
				begun.Wait()
				return load(ctx)
			}
		}
		parts := []degrade.Part{degrade.Section("exits", nil, &v, end(leave)), degrade.Section("panics", nil, &v, end(explode))}
		if i%2 == 0 {
			slices.Reverse(parts)
		}
		value, returned := doAside(func() { _, _ = g.Do(t.Context(), parts...) })
		if err, ok := value.(error); !ok || !errors.Is(err, errDown) || returned {
			t.Fatalf("recovered %v, returned: %t", value, returned)
		}
	}
}

// A fallback and a policy that panic are no better than a load that does.
func TestGatherPassesThePanicOfAFallbackOn(t *testing.T) {
	g := newGather(degrade.GatherConfig{})
	var v string
	value, _ := doAside(func() {
		_, _ = g.Do(t.Context(), degrade.Section("a", nil, &v, give("", errDown)).Or(
			func(context.Context, error) (string, error) { panic("ouch") }))
	})
	if value != "ouch" {
		t.Errorf("recovered %v", value)
	}
}

// Of several panics the caller gets one; the others are logged, each once.
func TestGatherLogsThePanicsThatTheCallerDoesNotGet(t *testing.T) {
	const sections = 8
	registry, log := logged()
	g := newGather(degrade.GatherConfig{Registry: registry})
	var v string
	var begun sync.WaitGroup
	begun.Add(sections)
	parts := make([]degrade.Part, sections)
	for i := range parts {
		parts[i] = degrade.Section("a", nil, &v, func(ctx context.Context) (string, error) {
			begun.Done()
			begun.Wait()
			return explode(ctx)
		})
	}
	value, _ := doAside(func() { _, _ = g.Do(t.Context(), parts...) })
	if err, ok := value.(error); !ok || !errors.Is(err, errDown) {
		t.Errorf("recovered %v", value)
	}
	if n := strings.Count(log.String(), "seawall.degrade.section_panicked"); n != sections-1 {
		t.Errorf("%d panics were logged, want %d", n, sections-1)
	}
}
