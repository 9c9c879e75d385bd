package degrade_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var errDown = errors.New("down")

func failing(context.Context) (string, error) { return "", errDown }

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

// T81
func TestFallbackAllocatesNothingOnSuccess(t *testing.T) {
	f := degrade.NewFallback("idle", degrade.FallbackConfig{Func: degrade.Value(1), Registry: new(seawall.Registry)})
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _ = seawall.Call(ctx, f, one) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func one(context.Context) (int, error) { return 1, nil }
