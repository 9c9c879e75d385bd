package degrade_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

func TestFallbackGivesItsValueInPlaceOfTheError(t *testing.T) {
	f := degrade.NewFallback("copy", degrade.FallbackConfig{Func: degrade.Value("old"), Registry: new(seawall.Registry)})
	ctx, record := seawall.WithRecord(t.Context())
	got, err := seawall.Call(ctx, f, failing)
	if got != "old" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if facts := record.Facts(); !facts.Replaced || facts.DecidedBy != `fallback "copy"` {
		t.Fatalf("the record says %+v", facts)
	}
	if s := f.Stats(); s != (degrade.FallbackStats{Static: 1}) {
		t.Fatalf("stats %+v", s)
	}
}

// The reason of a replacement is that of the rejection that was replaced.
func TestFallbackTellsWhyTheRejectedCallWasReplaced(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{Func: degrade.Value("old")})
	ctx, record := seawall.WithRecord(t.Context())
	_, err := seawall.Call(ctx, f, func(context.Context) (string, error) {
		return "", fmt.Errorf("seats: %w", seawall.Reject("breaker", "seats", seawall.ReasonOpen, nil, 0))
	})
	want := seawall.Facts{Replaced: true, Source: "static", DecidedBy: `fallback "copy"`, Reason: seawall.ReasonOpen}
	if facts := record.Facts(); err != nil || facts != want {
		t.Fatalf("the record says %+v, want %+v; %v", facts, want, err)
	}
}

func TestFallbackTellsTheAgeOfACopy(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{
		Func: degrade.StaleFunc(func(context.Context, error) (string, time.Duration, error) { return "old", time.Minute, nil }),
	})
	ctx, record := seawall.WithRecord(t.Context())
	got, err := seawall.Call(ctx, f, failing)
	if facts := record.Facts(); got != "old" || err != nil || facts.Stale != time.Minute || !facts.Replaced {
		t.Fatalf("got %q, %v; the record says %+v", got, err, facts)
	}
	if s := f.Stats(); s != (degrade.FallbackStats{Stale: 1}) {
		t.Fatalf("stats %+v", s)
	}
}

// A function of the user's own is a Step as well.
func TestPlainFunctionIsAStep(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{Func: func(context.Context, error) (any, error) { return "plain", nil }})
	if got, err := seawall.Call(t.Context(), f, failing); got != "plain" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if s := f.Stats(); s != (degrade.FallbackStats{Func: 1}) {
		t.Fatalf("stats %+v", s)
	}
}

func TestChainTriesItsStepsInOrderAndTellsEachWhatFailed(t *testing.T) {
	errEmpty, errGone := errors.New("no copy"), errors.New("archive gone")
	var tried []string
	step := func(name string, ferr error) degrade.Step {
		return degrade.Func(func(_ context.Context, err error) (string, error) {
			if err != errDown { //nolint:errorlint // bare is the point
				t.Errorf("step %s was told %v", name, err)
			}
			tried = append(tried, name)
			return name, ferr
		})
	}
	good := newFallback(degrade.FallbackConfig{Func: degrade.Chain(
		step("copy", errEmpty), degrade.Chain(step("archive", errGone)), degrade.Value("none"), step("never", nil),
	)})
	got, err := seawall.Call(t.Context(), good, failing)
	if got != "none" || err != nil || !slices.Equal(tried, []string{"copy", "archive"}) {
		t.Fatalf("got %q, %v, after %v", got, err, tried)
	}
	if s := good.Stats(); s != (degrade.FallbackStats{Static: 1}) {
		t.Fatalf("stats %+v", s)
	}
	bad := newFallback(degrade.FallbackConfig{Func: degrade.Chain(step("copy", errEmpty), step("archive", errGone))})
	_, err = seawall.Call(t.Context(), bad, failing)
	for _, want := range []error{errDown, errEmpty, errGone} {
		if !errors.Is(err, want) {
			t.Errorf("%v does not match %v", err, want)
		}
	}
	if want := `down (fallback "copy": no copy; then archive gone)`; err.Error() != want {
		t.Errorf("the text is %q, want %q", err, want)
	}
	empty := newFallback(degrade.FallbackConfig{Func: degrade.Chain()})
	if _, err := seawall.Call(t.Context(), empty, failing); !errors.Is(err, errDown) || empty.Stats().Failed != 1 {
		t.Errorf("an empty chain: %v, %+v", err, empty.Stats())
	}
}

// T19
func TestStepsAreTheCallersToChange(t *testing.T) {
	steps := []degrade.Step{degrade.Value("first"), degrade.Value("second")}
	f := newFallback(degrade.FallbackConfig{Func: degrade.Chain(steps...)})
	clear(steps)
	if got, err := seawall.Call(t.Context(), f, failing); got != "first" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// T13: no step starts for a caller that has left, and what the ones before could not do then is not held against them.
func TestChainEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFallback(degrade.FallbackConfig{Func: degrade.Chain(
		degrade.Func(func(ctx context.Context, _ error) (string, error) {
			cancel()
			return "", ctx.Err()
		}),
		degrade.Func(func(context.Context, error) (string, error) {
			t.Error("the second step ran")
			return "", nil
		}),
	)})
	if _, err := seawall.Call(ctx, f, failing); !errors.Is(err, errDown) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := f.Stats(); s != (degrade.FallbackStats{Left: 1}) {
		t.Errorf("stats %+v", s)
	}
}

func TestChainDoesNotShareItsStepsWithTheSliceThatItIsMadeOf(t *testing.T) {
	steps := []degrade.Step{degrade.Value("first")}
	f := newFallback(degrade.FallbackConfig{Func: degrade.Chain(steps...)})
	steps[0] = degrade.Value("changed")
	if got, _ := seawall.Call(t.Context(), f, failing); got != "first" {
		t.Errorf("got %q", got)
	}
}

func TestChainRefusesAStepThatIsNil(t *testing.T) {
	defer func() {
		if value := recover(); value != "degrade: Chain: a step is nil" {
			t.Errorf("panicked with %v", value)
		}
	}()
	degrade.Chain(degrade.Value(1), nil)
}

// T2, T44: a panic or a Goexit in the function is the caller's, and counts once.
func TestFallbackCountsAFunctionThatDoesNotReturn(t *testing.T) {
	f := newFallback(degrade.FallbackConfig{Func: degrade.Func(func(context.Context, error) (string, error) { panic("ouch") })})
	func() {
		defer func() {
			if value := recover(); value != "ouch" {
				t.Errorf("recovered %v", value)
			}
		}()
		_, _ = seawall.Call(t.Context(), f, failing)
	}()
	exits := newFallback(degrade.FallbackConfig{Func: degrade.Func(func(context.Context, error) (string, error) {
		runtime.Goexit()
		return "", nil
	})})
	var ended sync.WaitGroup
	ended.Go(func() { _, _ = seawall.Call(t.Context(), exits, failing) })
	ended.Wait()
	for _, f := range []*degrade.Fallback{f, exits} {
		if s := f.Stats(); s != (degrade.FallbackStats{Failed: 1}) {
			t.Errorf("stats %+v", s)
		}
	}
}

func TestFallbackUnderPlainDoLeavesNoError(t *testing.T) {
	f := degrade.NewFallback("none", degrade.FallbackConfig{Func: degrade.Value(0), Registry: new(seawall.Registry)})
	if err := f.Do(t.Context(), func(context.Context) error { return errDown }); err != nil {
		t.Fatal(err)
	}
}

func TestFallbackOfTheWrongTypeIsToldAndKeepsTheCause(t *testing.T) {
	f := degrade.NewFallback("typo", degrade.FallbackConfig{Func: degrade.Value(42), Registry: new(seawall.Registry)})
	_, err := seawall.Call(t.Context(), f, failing)
	if !errors.Is(err, seawall.ErrReplacement) || !errors.Is(err, errDown) {
		t.Fatalf("got %v", err)
	}
}

func TestFallbackLeavesWhatItIsNotFor(t *testing.T) {
	f := degrade.NewFallback("picky", degrade.FallbackConfig{
		Func:     degrade.Value("old"),
		When:     func(err error) bool { return !errors.Is(err, errDown) },
		Registry: new(seawall.Registry),
	})
	if _, err := seawall.Call(t.Context(), f, failing); err != errDown { //nolint:errorlint // untouched is the point
		t.Fatalf("got %v", err)
	}
	if s := f.Stats(); s != (degrade.FallbackStats{Left: 1}) {
		t.Fatalf("stats %+v", s)
	}
}

// T13: a caller that has left gets its own cancellation, and no fallback runs for it.
func TestFallbackDoesNotRunForACallerThatLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := degrade.NewFallback("late", degrade.FallbackConfig{
		Func: degrade.Func(func(context.Context, error) (string, error) {
			t.Error("the fallback ran")
			return "", nil
		}),
		Registry: new(seawall.Registry),
	})
	_, err := seawall.Call(ctx, f, func(ctx context.Context) (string, error) {
		cancel()
		return "", ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestFallbackThatFailsHidesNeitherError(t *testing.T) {
	errEmpty := errors.New("no copy yet")
	f := degrade.NewFallback("empty", degrade.FallbackConfig{
		Func:     degrade.Func(func(context.Context, error) (string, error) { return "", errEmpty }),
		Registry: new(seawall.Registry),
	})
	_, err := seawall.Call(t.Context(), f, failing)
	if !errors.Is(err, errDown) || !errors.Is(err, errEmpty) || !strings.Contains(err.Error(), `fallback "empty"`) {
		t.Fatalf("got %v", err)
	}
	if s := f.Stats(); s != (degrade.FallbackStats{Failed: 1}) {
		t.Fatalf("stats %+v", s)
	}
}

func TestFallbackWithoutAFunctionIsRefused(t *testing.T) {
	defer func() {
		if value := recover(); value != "degrade: FallbackConfig.Func is nil, want a function" {
			t.Errorf("panicked with %v", value)
		}
	}()
	degrade.NewFallback("nothing", degrade.FallbackConfig{})
}

func one(context.Context) (int, error) { return 1, nil }
