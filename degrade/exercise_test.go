package degrade_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

// T45: the share is exact under a seed.
func TestExerciseRunsForItsShareOfTheSuccesses(t *testing.T) {
	const calls, share = 20_000, 0.02
	f := newFallback(degrade.FallbackConfig{
		AlwaysExercise: share,
		Func: degrade.Func(func(_ context.Context, err error) (string, error) {
			if err != degrade.ErrExercise { //nolint:errorlint // bare is the point
				t.Errorf("exercised with %v", err)
			}
			return "old", nil
		}),
	})
	twin := rand.New(rand.NewPCG(1, 2))
	f.SetRandom(rand.New(rand.NewPCG(1, 2)).Float64)
	want := int64(0)
	for range calls {
		if twin.Float64() < share {
			want++
		}
		if got, err := seawall.Call(t.Context(), f, fresh); got != "fresh" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if s := f.Stats(); s != (degrade.FallbackStats{Exercised: want}) {
		t.Errorf("stats %+v, want %d exercised", s, want)
	}
	if deviation := math.Sqrt(calls * share * (1 - share)); math.Abs(float64(want)-calls*share) > 5*deviation {
		t.Errorf("%d of %d calls", want, calls)
	}
}

func TestExerciseIsOffByDefault(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{Func: degrade.Func(func(context.Context, error) (string, error) {
		t.Error("it ran")
		return "", nil
	})})
	f.SetRandom(func() float64 { return 0 })
	for range 100 {
		_, _ = seawall.Call(t.Context(), f, fresh)
	}
}

func TestExerciseDoesNotFollowAnError(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Func: degrade.Func(
		func(_ context.Context, err error) (string, error) { return "old", nil },
	)})
	_, _ = seawall.Call(t.Context(), f, failing)
	if s := f.Stats(); s != (degrade.FallbackStats{Func: 1}) {
		t.Errorf("stats %+v", s)
	}
}

// T2: whatever the exercised function does, the caller has its result.
func TestExerciseNeverReachesTheCaller(t *testing.T) {
	for _, c := range []struct {
		name string
		step degrade.Step
		want string
	}{
		{"error", degrade.Func(func(context.Context, error) (string, error) { return "", errDown }), "down"},
		{"panic", degrade.Func(func(context.Context, error) (string, error) { panic("ouch") }), "panic: ouch"},
		{"goexit", degrade.Func(func(context.Context, error) (string, error) {
			runtime.Goexit()
			return "", nil
		}), "runtime.Goexit"},
		{"wrong type", degrade.Func(func(context.Context, error) (int, error) { return 1, nil }), "wrong type"},
		{"later step", degrade.Chain(
			degrade.Func(func(context.Context, error) (string, error) { return "old", nil }),
			degrade.Chain(degrade.Func(func(context.Context, error) (string, error) { return "", errDown })),
		), "down"},
		{"wrong type in a chain", degrade.Chain(degrade.Chain(degrade.Func(
			func(context.Context, error) (int, error) { return 1, nil }))), "wrong type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			registry, log := logged()
			f := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Func: c.step, Registry: registry})
			ctx, record := seawall.WithRecord(t.Context())
			for range 2 {
				if got, err := seawall.Call(ctx, f, fresh); got != "fresh" || err != nil {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if s := f.Stats(); s != (degrade.FallbackStats{Exercised: 2, ExerciseFailed: 2}) {
				t.Errorf("stats %+v", s)
			}
			if facts := record.Facts(); facts != (seawall.Facts{}) {
				t.Errorf("the record says %+v", facts)
			}
			if f.Snapshot().State != "exercise_failed" {
				t.Errorf("the snapshot says %+v", f.Snapshot())
			}
			if text := log.String(); strings.Count(text, "seawall.degrade.exercise_failed") != 1 || !strings.Contains(text, c.want) {
				t.Errorf("want one warning with %q in\n%s", c.want, text)
			}
		})
	}
}

func TestExerciseTellsWhenTheFallbackWorksAgain(t *testing.T) {
	registry, log := logged()
	broken := true
	f := newFallback(degrade.FallbackConfig{
		AlwaysExercise: 1, Registry: registry,
		Func: degrade.Func(func(context.Context, error) (string, error) {
			if broken {
				return "", errDown
			}
			return "old", nil
		}),
	})
	for _, broken = range []bool{true, false, false} {
		_, _ = seawall.Call(t.Context(), f, fresh)
	}
	if text := log.String(); strings.Count(text, "level=INFO msg=seawall.degrade.exercise_restored name=copy") != 1 {
		t.Error(text)
	}
}

// T20: what an exercise has made is let go of; what everybody shares is not.
func TestExerciseClosesWhatItMade(t *testing.T) {
	made, again, shared, result := new(closer), new(closer), new(closer), new(closer)
	f := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Func: degrade.Chain(
		degrade.Func(func(context.Context, error) (*closer, error) { return made, nil }),
		degrade.Chain(
			degrade.Func(func(context.Context, error) (*closer, error) { return again, nil }),
			degrade.Func(func(context.Context, error) (*closer, error) { return nil, errDown }),
		),
		degrade.Value(shared),
	)})
	got, err := seawall.Call(t.Context(), f, func(context.Context) (*closer, error) { return result, nil })
	if got != result || err != nil {
		t.Fatal(got, err)
	}
	if made.closed != 1 || again.closed != 1 || shared.closed != 0 || result.closed != 0 {
		t.Errorf("closed %d, %d, %d and %d times, want 1, 1, 0, 0", made.closed, again.closed, shared.closed, result.closed)
	}
	discarded := 0
	discarding := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Func: degrade.Func(
		func(context.Context, error) (int, error) { return 7, nil },
	)})
	_, _ = seawall.CallDiscard(t.Context(), discarding, func(context.Context) (int, error) { return 1, nil },
		func(n int) { discarded += n })
	if discarded != 7 {
		t.Errorf("discarded %d, want 7", discarded)
	}
}

// T42: an exercise has a limit, and its call waits no longer than that.
func TestExerciseThatHangsIsEndedByItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFallback(degrade.FallbackConfig{
			AlwaysExercise: 1, ExerciseLimit: 30 * time.Millisecond,
			Func: degrade.Func(func(ctx context.Context, _ error) (string, error) {
				<-ctx.Done()
				return "", context.Cause(ctx)
			}),
		})
		begun := time.Now()
		if got, err := seawall.Call(t.Context(), f, fresh); got != "fresh" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		if took := time.Since(begun); took != 30*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if s := f.Stats(); s.ExerciseFailed != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestExerciseRunsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		f := newFallback(degrade.FallbackConfig{
			AlwaysExercise: 1, ExerciseLimit: time.Hour,
			Func: degrade.Func(func(context.Context, error) (string, error) {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second)
				running.Add(-1)
				return "old", nil
			}),
		})
		for range 10 {
			go func() { _, _ = seawall.Call(t.Context(), f, fresh) }()
		}
		time.Sleep(time.Minute)
		if s := f.Stats(); most.Load() != 1 || s.Exercised != 1 || s.ExercisesSkipped != 9 {
			t.Errorf("%d at a time, stats %+v", most.Load(), s)
		}
	})
}

// T13: a caller that leaves meanwhile says nothing of the fallback.
func TestExerciseOfACallerThatLeftIsNotHeldAgainstTheFallback(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Func: degrade.Func(
		func(ctx context.Context, _ error) (string, error) {
			cancel()
			return "", ctx.Err()
		},
	)})
	if got, err := seawall.Call(ctx, f, fresh); got != "fresh" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if s := f.Stats(); s != (degrade.FallbackStats{ExercisesSkipped: 1}) {
		t.Errorf("stats %+v", s)
	}
}

// T13: no exercise begins for a caller that has left with its result.
func TestExerciseDoesNotBeginForACallerThatLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Func: degrade.Func(
		func(context.Context, error) (string, error) {
			t.Error("it ran")
			return "", nil
		},
	)})
	got, err := seawall.Call(ctx, f, func(context.Context) (string, error) {
		cancel()
		return "fresh", nil
	})
	if s := f.Stats(); got != "fresh" || err != nil || s != (degrade.FallbackStats{ExercisesSkipped: 1}) {
		t.Errorf("got %q, %v, stats %+v", got, err, s)
	}
}

// What an exercise notes is not true of the call.
func TestExerciseLeavesTheRecordOfTheCallAlone(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Func: degrade.Func(
		func(ctx context.Context, _ error) (string, error) {
			seawall.RecordOf(ctx).Note(func(f *seawall.Facts) { f.Stale = time.Hour })
			return "old", nil
		},
	)})
	ctx, record := seawall.WithRecord(t.Context())
	_, _ = seawall.Call(ctx, f, fresh)
	if record.Facts() != (seawall.Facts{}) || f.Stats().Exercised != 1 {
		t.Errorf("%+v, %+v", record.Facts(), f.Stats())
	}
}

func TestExerciseFollowsPlainDo(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Func: degrade.Func(
		func(context.Context, error) (struct{}, error) { return struct{}{}, errors.New("broken") },
	)})
	chain := seawall.Chain(f)
	for range 3 {
		if err := chain.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if s := f.Stats(); s != (degrade.FallbackStats{Exercised: 3, ExerciseFailed: 3}) {
		t.Errorf("stats %+v", s)
	}
}

// A log handler that panics is a listener like any other.
func TestExerciseSurvivesItsLog(t *testing.T) {
	registry := new(seawall.Registry)
	registry.SetLogger(panickingLogger())
	f := newFallback(degrade.FallbackConfig{AlwaysExercise: 1, Registry: registry, Func: degrade.Func(
		func(context.Context, error) (string, error) { return "", fmt.Errorf("broken") },
	)})
	if got, err := seawall.Call(t.Context(), f, fresh); got != "fresh" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
}
