package seawall_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
)

// listener keeps what it is told.
type listener struct {
	mu   sync.Mutex // guards told
	told []string
}

func (l *listener) prepare(m seawall.Measure, kind, name string) seawall.Note {
	if m != seawall.AttemptDuration {
		return nil
	}
	return func(_ context.Context, outcome string, took time.Duration) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told = append(l.told, fmt.Sprint(m, " ", kind, " ", name, " ", outcome, " ", took))
	}
}

func (l *listener) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.told, want) {
		t.Errorf("told %q, want %q", l.told, want)
	}
	l.told = nil
}

func TestTimesAreToldWhileSomebodyObserves(t *testing.T) {
	r, ctx := new(seawall.Registry), t.Context()
	attempts := seawall.NewTiming(r, seawall.AttemptDuration, "retry", "a")
	member := seawall.NewTiming(r.Detached().Detached(), seawall.AttemptDuration, "retry", "hosts[example.com]")
	ages := seawall.NewTiming(r, seawall.StaleAge, "cache", "a")
	var first, second listener
	all := func() {
		for _, timing := range []*seawall.Timing{attempts, member, ages, nil} {
			timing.Tell(ctx, "success", time.Second)
		}
	}
	all()
	if attempts.Wanted() || (*seawall.Timing)(nil).Wanted() {
		t.Error("it is wanted by nobody")
	}
	stop := r.Detached().Observe(first.prepare)
	all()
	first.want(t, "attempt.duration retry a success 1s", "attempt.duration retry hosts success 1s")
	if !attempts.Wanted() || ages.Wanted() {
		t.Error("who has something to tell is not who is asked")
	}
	stopSecond := r.Observe(second.prepare)
	all()
	first.want(t, "attempt.duration retry a success 1s", "attempt.duration retry hosts success 1s")
	second.want(t, "attempt.duration retry a success 1s", "attempt.duration retry hosts success 1s")
	stop()
	stop()
	all()
	first.want(t)
	stopSecond()
	if attempts.Wanted() {
		t.Error("it is still wanted")
	}
	if s := seawall.Measure(99).String(); s != "unknown" || seawall.QueueWait.String() != "queue.wait" || seawall.StaleAge.String() != "stale.age" {
		t.Errorf("%s", s)
	}
}

func TestEndIsToldByItsOutcome(t *testing.T) {
	r := new(seawall.Registry)
	timing := seawall.NewTiming(r, seawall.AttemptDuration, "retry", "a")
	timing.TellEnd(t.Context(), errors.New("x"), func(error) seawall.Verdict { panic("nobody wants it") }, 0)
	var l listener
	defer r.Observe(l.prepare)()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), nil, "success"},
		{t.Context(), errors.New("x"), "failure"},
		{t.Context(), seawall.ErrAborted, "failure"},
		{canceled, errors.New("x"), "ignored"},
		{canceled, nil, "success"},
		{t.Context(), seawall.Reject("bulkhead", "b", seawall.ReasonFull, seawall.ErrRejected, 0), "ignored"},
	} {
		timing.TellEnd(c.ctx, c.err, seawall.Classify, time.Second)
		l.want(t, "attempt.duration retry a "+c.want+" 1s")
	}
}

// What tells is in the middle of a call, with its slots: a panic of what is told must not get there.
func TestPanicOfAnObserverCostsNoCall(t *testing.T) {
	var log bytes.Buffer
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	timing := seawall.NewTiming(r, seawall.AttemptDuration, "retry", "a")
	var l listener
	defer r.Observe(l.prepare)()
	defer r.Observe(func(seawall.Measure, string, string) seawall.Note { panic("prepare") })()
	defer r.Observe(func(seawall.Measure, string, string) seawall.Note {
		return func(context.Context, string, time.Duration) { panic("note") }
	})()
	timing.Tell(t.Context(), "success", time.Second)
	timing.TellEnd(t.Context(), errors.New("x"), func(error) seawall.Verdict { panic("classify") }, time.Second)
	l.want(t, "attempt.duration retry a success 1s", "attempt.duration retry a failure 1s")
	for _, what := range []string{"prepare", "note", "classify"} {
		if !strings.Contains(log.String(), "panic="+what) {
			t.Errorf("the panic of %s is not logged:\n%s", what, log.String())
		}
	}
}

func TestTimesAreToldWithoutAllocating(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r, ctx := new(seawall.Registry), t.Context()
	timing := seawall.NewTiming(r, seawall.AttemptDuration, "retry", "a")
	tell := func() { timing.TellEnd(ctx, nil, seawall.Classify, time.Second) }
	if n := testing.AllocsPerRun(1000, tell); n != 0 {
		t.Errorf("to nobody: %v", n)
	}
	told := 0
	defer r.Observe(func(seawall.Measure, string, string) seawall.Note {
		return func(context.Context, string, time.Duration) { told++ }
	})()
	if n := testing.AllocsPerRun(1000, tell); n != 0 || told != 1001 {
		t.Errorf("to somebody: %v, told %d times", n, told)
	}
}

func ExampleRegistry_Observe() {
	registry := new(seawall.Registry) // that of the policies
	stop := registry.Observe(func(m seawall.Measure, kind, name string) seawall.Note {
		if m != seawall.QueueWait {
			return nil
		}
		return func(_ context.Context, outcome string, took time.Duration) {
			fmt.Println(kind, name, outcome, took)
		}
	})
	defer stop()
	waits := seawall.NewTiming(registry, seawall.QueueWait, "bulkhead", "stock") // as the bulkhead has one
	waits.Tell(context.Background(), "admitted", 20*time.Millisecond)
	// Output: bulkhead stock admitted 20ms
}
