package fault_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

var _ seawall.Scope = (*fault.Point)(nil)

// work is an op that takes a time and ends with an error.
func work(d time.Duration, err error) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(d)
		return err
	}
}

func TestDoFailsACallBeforeOpRuns(t *testing.T) {
	p := started(t, failing(0, time.Hour, "a", 1), slow(0, time.Hour, "a", 40)).Point("a")
	err := p.Do(t.Context(), func(context.Context) error { t.Error("op ran"); return nil })
	if !errors.Is(err, fault.ErrInjected) {
		t.Fatal(err)
	}
}

func TestDoStretchesACallToItsFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(0, time.Hour, "a", 40), slow(0, time.Hour, "a", 1.5))
		begin, broken := time.Now(), errors.New("broken")
		if err := i.Point("a").Do(t.Context(), work(time.Second, broken)); !errors.Is(err, broken) {
			t.Error(err)
		}
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("took %v, want 60 s", took)
		}
		if s := i.Stats().Faults; s[0].Hits != 1 || s[1].Hits != 1 {
			t.Errorf("%d and %d hits, want 1 each", s[0].Hits, s[1].Hits)
		}
	})
}

// T45: a wait that a fault makes obeys the context.
func TestDoStopsStretchingWhenTheCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(0, time.Hour, "a", 40))
		gone, broken := errors.New("gone"), errors.New("broken")
		for _, opErr := range []error{nil, broken} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(3*time.Second, func() { cancel(gone) })
			begin, want := time.Now(), gone
			if opErr != nil {
				want = broken // what op said is known, and worth more
			}
			if err := i.Point("a").Do(ctx, work(time.Second, opErr)); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if took := time.Since(begin); took != 3*time.Second {
				t.Errorf("took %v, want 3 s", took)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := i.Point("a").Do(ctx, work(time.Second, nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's deadline passed, and the error is %v", err)
		}
	})
}

// T74: a fault that has ended holds nobody back, neither by its own end nor by Stop.
func TestDoStopsStretchingWhenTheFaultEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(0, 5*time.Second, "a", 40), slow(10*time.Second, time.Hour, "a", 40))
		begin := time.Now()
		err := i.Point("a").Do(t.Context(), work(time.Second, nil))
		if err != nil || time.Since(begin) != 5*time.Second {
			t.Errorf("ended after %v with %v, want 5 s", time.Since(begin), err)
		}
		until(begin, 10*time.Second)
		time.AfterFunc(2*time.Second, i.Stop)
		err = i.Point("a").Do(t.Context(), work(time.Second, nil))
		if err != nil || time.Since(begin) != 12*time.Second {
			t.Errorf("ended at %v with %v, want 12 s", time.Since(begin), err)
		}
	})
}

func TestDoFollowsAFactorThatChangesWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(0, time.Hour, "a", 10), slow(2*time.Second, 3*time.Second, "a", 100),
			slow(6*time.Second, time.Hour, "a", 2), capacity(0, time.Hour, "a", 0.5))
		begin := time.Now()
		_ = i.Point("a").Do(t.Context(), work(time.Second, nil))
		if took := time.Since(begin); took != 20*time.Second {
			t.Errorf("took %v, want 20 s", took)
		}
		if s := i.Stats().Faults; s[0].Hits != 1 || s[3].Hits != 0 {
			t.Errorf("%d hits of slow and %d of capacity, want 1 and 0", s[0].Hits, s[3].Hits)
		}
	})
}

func TestDoDoesNotStretchWhatBeganBeforeTheFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(time.Second, time.Hour, "a", 40))
		begin := time.Now()
		_ = i.Point("a").Do(t.Context(), work(2*time.Second, nil))
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("took %v, want 2 s", took)
		}
	})
}

// A point that is off hands on the context of the one around it, and must not wait in its place.
func TestNestedPointsDoNotStretchForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(0, time.Hour, "outer", 3), slow(2*time.Second, time.Hour, "inner", 100))
		begin := time.Now()
		chain := seawall.Chain(i.Point("outer"), i.Point("inner"), i.Point("off"))
		_ = chain.Do(t.Context(), work(4*time.Second, nil))
		if took := time.Since(begin); took != 12*time.Second {
			t.Errorf("took %v, want 12 s", took)
		}
		begin = time.Now()
		_ = chain.Do(t.Context(), work(time.Millisecond, nil))
		if took := time.Since(begin); took != 300*time.Millisecond {
			t.Errorf("took %v, want 300 ms", took)
		}
	})
}

// T2: a panic and a Goexit pass through, at once and unchanged.
func TestDoDoesNotHoldUpAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, begin := started(t, slow(0, time.Hour, "a", 40)).Point("a"), time.Now()
		func() {
			defer func() {
				if value := recover(); value != "boom" {
					t.Errorf("recovered %v", value)
				}
			}()
			_ = p.Do(t.Context(), func(context.Context) error { time.Sleep(time.Second); panic("boom") })
		}()
		var gone sync.WaitGroup
		gone.Go(func() {
			_ = p.Do(t.Context(), func(context.Context) error { time.Sleep(time.Second); runtime.Goexit(); return nil })
			t.Error("Goexit did not pass through")
		})
		gone.Wait()
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("took %v, want 2 s", took)
		}
	})
}

// T43: a time that would not fit is as long as times get, and not in the past.
func TestDoSurvivesATimeThatDoesNotFit(t *testing.T) {
	for _, d := range []time.Duration{0, 1, time.Hour, 720 * time.Hour, math.MaxInt64} {
		for _, by := range []float64{1, 1.5, 1000, 1_000_000} {
			got, exact := fault.Multiply(d, by), float64(d)*by
			if got < 0 || float64(got) > exact || exact < math.MaxInt64/8 && float64(got) < exact-1 {
				t.Errorf("%v times %v is %v", d, by, got)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		i := started(t, slow(0, 720*time.Hour, "a", 1000), slow(0, 720*time.Hour, "a", 1000))
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Hour)
		defer cancel()
		err := i.Point("a").Do(ctx, work(100*time.Hour, nil))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
}

func TestChainReturnsTheResultOfAStretchedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := seawall.Chain(started(t, slow(0, time.Hour, "a", 2)).Point("a"))
		got, err := seawall.Call(t.Context(), chain, func(ctx context.Context) (int, error) {
			type key struct{}
			child, cancel := context.WithCancel(context.WithValue(ctx, key{}, 1)) // the context is like any other
			defer cancel()
			time.Sleep(time.Second)
			return 42, child.Err()
		})
		if got != 42 || err != nil {
			t.Fatal(got, err)
		}
		if chain.String() != `fault "a"` {
			t.Error(chain)
		}
	})
}
