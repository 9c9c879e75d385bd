package seawall_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
)

func TestContextCarriesItsFacts(t *testing.T) {
	ctx := t.Context()
	if seawall.Attempt(ctx) != 1 || !seawall.IsIdempotent(ctx) {
		t.Error("a fresh context has facts")
	}
	ctx = seawall.NotIdempotent(seawall.WithAttempt(ctx, 3))
	if seawall.Attempt(ctx) != 3 || seawall.IsIdempotent(ctx) {
		t.Error("the facts are lost")
	}
	if got := seawall.Attempt(seawall.WithAttempt(ctx, 2)); got != 2 {
		t.Errorf("the inner number is %d", got)
	}
}

func TestRemainingTimeIsReadAndCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, ok := seawall.Remaining(t.Context()); ok || !seawall.CanWait(t.Context(), 1<<62) {
			t.Error("a context without a deadline has one")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for _, c := range []struct {
			passed, left time.Duration
			wait         time.Duration
			can          bool
		}{
			{0, 10 * time.Second, 10*time.Second - 1, true},
			{0, 10 * time.Second, 10 * time.Second, false}, // it ends, but too late for anything after it
			{0, 10 * time.Second, 1 << 62, false},
			{0, 10 * time.Second, -1, true},
			{9 * time.Second, time.Second, time.Second, false},
			{time.Second, 0, 0, false},
			{time.Second, -time.Second, 0, false},
		} {
			time.Sleep(c.passed)
			left, ok := seawall.Remaining(ctx)
			if !ok || left != c.left || seawall.CanWait(ctx, c.wait) != c.can {
				t.Errorf("%v are left, want %v; can wait %v: %v", left, c.left, c.wait, !c.can)
			}
		}
	})
}

func TestRecordTakesNotesOfItsCall(t *testing.T) {
	ctx, record := seawall.WithRecord(t.Context())
	if seawall.RecordOf(ctx) != record || record.Facts() != (seawall.Facts{}) {
		t.Error("it is not the context's, or not empty")
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { // attempts of a race
			seawall.RecordOf(ctx).Note(func(f *seawall.Facts) { f.Hedges++ })
			_ = record.Facts()
		})
	}
	all.Wait()
	if got := record.Facts(); got != (seawall.Facts{Hedges: 100}) {
		t.Errorf("it says %+v", got)
	}
	other, _ := seawall.WithRecord(ctx)
	seawall.RecordOf(other).Note(func(f *seawall.Facts) { f.Retries = 1 })
	if record.Facts().Retries != 0 {
		t.Error("two calls share a record")
	}
}

func TestRecordThatNobodyAskedForIsHarmless(t *testing.T) {
	none := seawall.RecordOf(t.Context())
	none.Note(func(*seawall.Facts) { t.Error("noted") })
	if none != nil || none.Facts() != (seawall.Facts{}) {
		t.Errorf("there is one: %v", none)
	}
}
