package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

func weighing(t *testing.T, n int) context.Context {
	t.Helper()
	return context.WithValue(t.Context(), weightKey{}, n)
}

func newWeighing(limit int) *bulkhead.Bulkhead {
	return newBulkhead(bulkhead.Config{Limit: limit, Queue: bulkhead.Queue{Limit: 20}, Weight: weightOf})
}

func TestBulkheadGivesAHeavyCallAllItsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newWeighing(10)
		heavy, light := start(weighing(t, 7), b), start(t.Context(), b)
		wantCounts(t, b, 8, 0)
		waits := start(weighing(t, 3), b)
		wantCounts(t, b, 8, 1)
		light.permit.Done(nil)
		wantAdmitted(t, waits)
		wantCounts(t, b, 10, 0)
		heavy.permit.Done(nil)
		wantCounts(t, b, 3, 0)
		waits.permit.Done(nil)
		wantIdle(t, b)
		if s := b.Stats(); s.Admitted != 3 {
			t.Errorf("%d admitted, want 3 calls", s.Admitted)
		}
	})
}

// A call that needs many slots is not passed by for ever by calls that need few.
func TestBulkheadDoesNotStarveAHeavyCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newWeighing(4)
		var wg sync.WaitGroup
		done := make(chan struct{})
		for range 8 {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						_ = b.Do(t.Context(), pause)
					}
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		heavy := start(weighing(t, 4), b)
		time.Sleep(20 * time.Millisecond)
		wantAdmitted(t, heavy)
		if s := b.Stats(); s.InUse != 4 {
			t.Errorf("%d slots in use, want those of the heavy call only", s.InUse)
		}
		if heavy.took > 3*time.Millisecond {
			t.Errorf("it waited %v, want the time that the others before it needed", heavy.took)
		}
		close(done)
		heavy.permit.Done(nil)
		wg.Wait()
		wantIdle(t, b)
	})
}

// A heavy call that leaves the queue had kept others from slots that were too few for it.
func TestBulkheadLosesNoWakeupWhenAHeavyCallLeaves(t *testing.T) {
	for name, end := range map[string]func(cancel context.CancelFunc){
		"canceled": func(cancel context.CancelFunc) { cancel() },
		"expired":  func(context.CancelFunc) { time.Sleep(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newWeighing(3)
				holder := start(weighing(t, 2), b)
				ctx, cancel := context.WithCancel(weighing(t, 3))
				defer cancel()
				heavy := start(ctx, b)
				time.Sleep(time.Millisecond)
				light := start(t.Context(), b)
				wantCounts(t, b, 2, 2)
				end(cancel)
				if heavy.settle(t) == nil {
					t.Fatal("the heavy call got in")
				}
				wantAdmitted(t, light)
				light.permit.Done(nil)
				holder.permit.Done(nil)
				wantIdle(t, b)
			})
		})
	}
}

// A more important call goes before one that waits for more slots than are free.
func TestBulkheadLetsTheMoreImportantOvertakeAHeavyCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newWeighing(3)
		holder := start(weighing(t, 2), b)
		heavy := start(weighing(t, 3), b)
		important := startAt(t, b, seawall.CriticalPlus)
		wantAdmitted(t, important)
		equal := start(t.Context(), b)
		wantCounts(t, b, 3, 2)
		holder.permit.Done(nil)
		important.permit.Done(nil)
		wantAdmitted(t, heavy)
		heavy.permit.Done(nil)
		wantAdmitted(t, equal)
		equal.permit.Done(nil)
		wantIdle(t, b)
	})
}

func TestBulkheadKeepsTheWeightWithinTheLimit(t *testing.T) {
	for _, tc := range []struct{ weight, want int }{
		{math.MinInt, 1}, {-1, 1}, {0, 1}, {1, 1}, {5, 5}, {6, 5}, {math.MaxInt, 5},
	} {
		for _, mode := range []seawall.Mode{seawall.Enforce, seawall.ForcedClosed, seawall.Shadow} {
			b := newWeighing(5)
			_ = b.SetMode(mode)
			permit, err := b.Acquire(weighing(t, tc.weight))
			if err != nil {
				t.Fatal(err)
			}
			wantCounts(t, b, tc.want, 0)
			permit.Done(nil)
			wantIdle(t, b)
		}
	}
}

// A call that is heavier than the limit runs alone, also if the limit has changed while it waited.
func TestBulkheadRunsACallAloneThatIsHeavierThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newWeighing(2)
		holder := start(t.Context(), b)
		heavy, light := start(weighing(t, 100), b), start(t.Context(), b)
		wantCounts(t, b, 1, 2)
		update(t, b, bulkhead.Config{Limit: 4, Queue: bulkhead.Queue{Limit: 20}})
		wantCounts(t, b, 1, 2)
		holder.permit.Done(nil)
		wantAdmitted(t, heavy)
		wantCounts(t, b, 4, 1)
		update(t, b, bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 20}})
		heavy.permit.Done(nil)
		wantAdmitted(t, light)
		light.permit.Done(nil)
		wantIdle(t, b)
	})
}

// In shadow mode a call over the limit counts with its weight.
func TestBulkheadShadowJudgesByWeight(t *testing.T) {
	b := newBulkhead(bulkhead.Config{
		Limit: 3, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Weight: weightOf, Mode: seawall.Shadow,
	})
	var permits []*seawall.Permit
	for i, want := range []int64{0, 1, 1, 2} {
		permit, err := b.Acquire(weighing(t, []int{2, 2, 1, 1}[i]))
		if err != nil {
			t.Fatal(err)
		}
		permits = append(permits, &permit)
		if got := b.Stats().ShadowRejected; got != want {
			t.Errorf("after call %d: %d would have been rejected, want %d", i, got, want)
		}
	}
	wantCounts(t, b, 6, 0)
	for _, p := range permits {
		p.Done(nil)
	}
	wantIdle(t, b)
}

// A Weight that panics holds nothing.
func TestBulkheadSurvivesAWeightThatPanics(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 1, Weight: func(context.Context) int { panic("boom") }})
	func() {
		defer func() { _ = recover() }()
		_ = b.Do(t.Context(), succeed)
	}()
	wantIdle(t, b)
	_ = b.Update(bulkhead.Config{Limit: 2})
	if b.Config().Weight == nil {
		t.Error("an Update changed the weight")
	}
}

type rowsKey struct{}

func ExampleConfig_weight() {
	reports := bulkhead.New("reports", bulkhead.Config{
		Limit: 10,
		Weight: func(ctx context.Context) int {
			rows, _ := ctx.Value(rowsKey{}).(int)
			return rows / 1000 // slots for what it reads; at least one
		},
		Registry: &seawall.Registry{},
	})
	for _, rows := range []int{50, 3000, 1_000_000} {
		ctx := context.WithValue(context.Background(), rowsKey{}, rows)
		_ = reports.Do(ctx, func(context.Context) error {
			fmt.Println(rows, "rows take", reports.Stats().InUse, "of", reports.Config().Limit, "slots")
			return nil
		})
	}
	// Output:
	// 50 rows take 1 of 10 slots
	// 3000 rows take 3 of 10 slots
	// 1000000 rows take 10 of 10 slots
}

// A call that asks for more than there is takes all that there is, and so its wait is no longer than for that: reckoned
// by what it asked for, a call meant to run alone would be turned away whenever others wait, and all who came after it.
func TestBulkheadForetellsTheWaitForTheSlotsThatThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = 10 * time.Millisecond
		b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 9}, Weight: weightOf}, step, 1)
		ctx, cancel := context.WithCancel(weighing(t, 1000))
		alone, after := start(ctx, b), start(t.Context(), b)
		wantCounts(t, b, 1, 3)
		if got := b.Stats().ExpectedWait; got != 4*step {
			t.Errorf("the expected wait is %v, want one step for each of three and the newcomer", got)
		}
		if err := b.Update(bulkhead.Config{Limit: 3, Queue: bulkhead.Queue{Limit: 9}}); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, b, 2, 2)
		if got := b.Stats().ExpectedWait; got != 5*(step/3) {
			t.Errorf("with three slots it is %v, want a third of a step for each of 3, 1 and the newcomer", got)
		}
		cancel()
		wantAdmitted(t, after)
		if err := alone.settle(t); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want the cancellation", err)
		}
		after.permit.Done(nil)
		end()
	})
}
