package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// priorities, the most important first.
var priorities = []seawall.Priority{seawall.CriticalPlus, seawall.Critical, seawall.SheddablePlus, seawall.Sheddable}

// none guarantees nothing to any level.
var none = bulkhead.Shares{
	CriticalPlus: bulkhead.NoShare, Critical: bulkhead.NoShare, SheddablePlus: bulkhead.NoShare, Sheddable: bulkhead.NoShare,
}

func startAt(t *testing.T, b *bulkhead.Bulkhead, p seawall.Priority) *attempt {
	t.Helper()
	return start(seawall.WithPriority(t.Context(), p), b)
}

func TestBulkheadServesTheMoreImportantFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 10}, Shares: none})
		holder := acquire(t, b)
		arrivals := []seawall.Priority{
			seawall.Sheddable, seawall.Critical, seawall.CriticalPlus, seawall.SheddablePlus,
			seawall.CriticalPlus, seawall.Sheddable, seawall.Critical, seawall.SheddablePlus,
		}
		waiting := make([]*attempt, len(arrivals))
		for i, p := range arrivals {
			waiting[i] = startAt(t, b, p)
		}
		levels := b.Stats().Levels
		for p, l := range map[string]bulkhead.Level{
			"critical-plus": levels.CriticalPlus, "critical": levels.Critical,
			"sheddable-plus": levels.SheddablePlus, "sheddable": levels.Sheddable,
		} {
			if l != (bulkhead.Level{Waiting: 2}) {
				t.Errorf("%s: %+v, want two to wait", p, l)
			}
		}
		for _, turn := range []int{2, 4, 1, 6, 3, 7, 0, 5} {
			holder.Done(nil)
			wantAdmitted(t, waiting[turn])
			holder = waiting[turn].permit
		}
		holder.Done(nil)
		wantIdle(t, b)
		if got := b.Stats().Levels.Sheddable; got != (bulkhead.Level{Admitted: 2}) {
			t.Errorf("sheddable: %+v, want two admitted", got)
		}
	})
}

// A full queue makes room for the more important, at the cost of the least important one that came last.
func TestBulkheadShedsTheLeastImportantWhenTheQueueIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 3}})
		holder := acquire(t, b)
		critical := startAt(t, b, seawall.Critical)
		first, last := startAt(t, b, seawall.Sheddable), startAt(t, b, seawall.Sheddable)

		equal := startAt(t, b, seawall.Sheddable)
		wantReason(t, equal.settle(t), seawall.ReasonQueueFull)
		plus := startAt(t, b, seawall.SheddablePlus)
		wantReason(t, last.settle(t), seawall.ReasonShed)
		if err := last.err.Error(); err != `bulkhead "inventory": shed` {
			t.Errorf("text is %q", err)
		}
		top := startAt(t, b, seawall.CriticalPlus)
		wantReason(t, first.settle(t), seawall.ReasonShed)
		wantCounts(t, b, 1, 3)
		second := startAt(t, b, seawall.CriticalPlus)
		wantReason(t, plus.settle(t), seawall.ReasonShed)

		for _, a := range []*attempt{top, second, critical} {
			holder.Done(nil)
			wantAdmitted(t, a)
			holder = a.permit
		}
		holder.Done(nil)
		wantIdle(t, b)
		s := b.Stats()
		if s.Rejected.Shed != 3 || s.Rejected.QueueFull != 1 || s.Rejected.Total() != 4 {
			t.Errorf("rejections are %+v, want 3 shed and 1 for want of a place", s.Rejected)
		}
		if s.Levels.Sheddable.Rejected != 3 || s.Levels.SheddablePlus.Rejected != 1 {
			t.Errorf("levels are %+v, want 3 and 1 rejected", s.Levels)
		}
	})
}

// Nobody has to leave for a newcomer that would not be served in time itself.
func TestBulkheadShedsNobodyForACallThatComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 3}}, 100*time.Millisecond, 1)
		low := seawall.WithPriority(t.Context(), seawall.Sheddable)
		low, cancel := context.WithCancel(low)
		waiting := []*attempt{start(low, b), start(low, b)}
		ctx, hurry := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer hurry()
		late := start(ctx, b)
		wantReason(t, late.settle(t), seawall.ReasonDeadline)
		wantCounts(t, b, 1, 3)
		cancel()
		for _, a := range waiting {
			if err := a.settle(t); err == nil {
				t.Error("it got in")
			}
		}
		end()
	})
}

// A newcomer's wait is foretold by those who go before it, not by those who wait behind it.
func TestBulkheadForetellsTheWaitFromThoseAheadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = 100 * time.Millisecond
		b, end := steadyQueue(t, bulkhead.Config{Queue: bulkhead.Queue{Limit: 20, MaxWait: time.Minute}}, step, 4)
		low, cancel := context.WithCancel(seawall.WithPriority(t.Context(), seawall.Sheddable))
		waiting := []*attempt{start(low, b), start(low, b), start(low, b)}
		wantCounts(t, b, 1, 7)
		if got := b.Stats().ExpectedWait; got != 5*step {
			t.Errorf("a critical newcomer has to expect %v, want the time of the four critical ones before it", got)
		}
		for p, want := range map[seawall.Priority]time.Duration{
			seawall.CriticalPlus: step, seawall.Critical: 5 * step, seawall.SheddablePlus: 5 * step, seawall.Sheddable: 8 * step,
		} {
			ctx, hurry := context.WithTimeout(seawall.WithPriority(t.Context(), p), step/2)
			late := start(ctx, b)
			wantReason(t, late.settle(t), seawall.ReasonDeadline)
			if r, _ := errors.AsType[*seawall.RejectedError](late.err); r.RetryAfter() != want {
				t.Errorf("%v: retry-after is %v, want %v", p, r.RetryAfter(), want)
			}
			hurry()
		}
		cancel()
		for _, a := range waiting {
			_ = a.settle(t)
		}
		end()
	})
}

// What is due to a level comes sooner than its place behind all others lets expect.
func TestBulkheadForetellsTheWaitForAGuaranteedSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = 100 * time.Millisecond
		cfg := bulkhead.Config{
			Queue:  bulkhead.Queue{Limit: 50, MaxWait: time.Minute},
			Shares: bulkhead.Shares{Critical: bulkhead.NoShare, Sheddable: 0.5},
		}
		b, end := steadyQueue(t, cfg, step, 20) // two of the level above got in, so that one slot is due
		ctx, hurry := context.WithTimeout(seawall.WithPriority(t.Context(), seawall.Sheddable), step/2)
		defer hurry()
		late := start(ctx, b)
		wantReason(t, late.settle(t), seawall.ReasonDeadline)
		if r, _ := errors.AsType[*seawall.RejectedError](late.err); r.RetryAfter() != step {
			t.Errorf("retry-after is %v, want %v", r.RetryAfter(), step)
		}
		end()
	})
}

// flood makes calls of a level that always wait, n at a time, until the context ends, and counts those that get in.
func flood(ctx context.Context, b *bulkhead.Bulkhead, p seawall.Priority, n int, served *atomic.Int64, wg *sync.WaitGroup) {
	ctx = seawall.WithPriority(ctx, p)
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				if b.Do(ctx, pause) == nil {
					served.Add(1)
				} else {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
}

func pause(context.Context) error {
	time.Sleep(time.Millisecond)
	return nil
}

// servedUnderFlood returns which part of the slots each level gets while all of them ask for more than there is.
func servedUnderFlood(t *testing.T, cfg bulkhead.Config, callers int) (parts map[seawall.Priority]float64) {
	seconds := 10
	if raceEnabled {
		seconds = 4
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(cfg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
		defer cancel()
		served := map[seawall.Priority]*atomic.Int64{}
		var wg sync.WaitGroup
		for _, p := range priorities {
			served[p] = &atomic.Int64{}
			flood(ctx, b, p, callers, served[p], &wg)
		}
		wg.Wait()
		wantIdle(t, b)
		parts = map[seawall.Priority]float64{}
		total := 0.0
		for _, p := range priorities {
			total += float64(served[p].Load())
		}
		if total < float64(1000*seconds-10) {
			t.Errorf("%v calls served in %d s by one slot, want 1 each millisecond", total, seconds)
		}
		for _, p := range priorities {
			parts[p] = float64(served[p].Load()) / total
		}
	})
	return parts
}

func TestBulkheadGivesEachLevelWhatIsGuaranteedToIt(t *testing.T) {
	for name, tc := range map[string]struct {
		shares bulkhead.Shares
		want   []float64
	}{
		"default": {bulkhead.Shares{}, []float64{0.74, 0.2, 0.05, 0.01}},
		"none":    {none, []float64{1, 0, 0, 0}},
		"all of it": {
			bulkhead.Shares{CriticalPlus: 0.1, Critical: 0.2, SheddablePlus: 0.3, Sheddable: 0.4},
			[]float64{0.1, 0.2, 0.3, 0.4},
		},
		"most to the last": {
			bulkhead.Shares{Critical: bulkhead.NoShare, SheddablePlus: bulkhead.NoShare, Sheddable: 0.9},
			[]float64{0.1, 0, 0, 0.9},
		},
	} {
		// In a queue with room for all, in one that is always full, and in one of two places only.
		for _, places := range []int{100, 8, 2} {
			if places != 8 && (raceEnabled || testing.Short()) {
				continue
			}
			cfg := bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: places, MaxWait: time.Minute}, Shares: tc.shares}
			got := servedUnderFlood(t, cfg, 10)
			for i, p := range priorities {
				if math.Abs(got[p]-tc.want[i]) > 0.012 {
					t.Errorf("%s, %d places: %v gets %.3f of the slots, want %.3f", name, places, p, got[p], tc.want[i])
				}
			}
		}
	}
}

// What a level does not ask for goes to the others, the most important first.
func TestBulkheadLeavesNoSlotFreeForALevelThatDoesNotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{
			Limit: 1, Queue: bulkhead.Queue{Limit: 100, MaxWait: time.Minute}, Shares: bulkhead.Shares{CriticalPlus: 0.7},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var high, low atomic.Int64
		var wg sync.WaitGroup
		flood(ctx, b, seawall.SheddablePlus, 5, &high, &wg)
		flood(ctx, b, seawall.Sheddable, 5, &low, &wg)
		wg.Wait()
		if h, l := high.Load(), low.Load(); h+l < 9990 || l < 80 || l > 120 {
			t.Errorf("%d and %d calls served, want 10000, and one of a hundred from the last level", h, l)
		}
		wantIdle(t, b)
	})
}

// T62: with nothing configured and no helper called, at twice the load that can be served, the least important calls are
// shed first and the most important last; and there is no goroutine that does it.
func TestBulkheadShedsByPriorityFromNewOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{}) // 64 at once, and 40 ms each: 1600 in a second
		var sent, served [5]atomic.Int64
		var wg, sources sync.WaitGroup
		for _, p := range priorities {
			sources.Go(func() {
				ctx := seawall.WithPriority(t.Context(), p)
				poisson(rand.New(rand.NewPCG(62, uint64(p))), steadily(800), 5*time.Second, func(int) {
					sent[p].Add(1)
					wg.Go(func() {
						if b.Do(ctx, serve) == nil {
							served[p].Add(1)
						}
					})
				})
			})
		}
		sources.Wait()
		wg.Wait()
		part := func(p seawall.Priority) float64 { return float64(served[p].Load()) / float64(sent[p].Load()) }
		if part(seawall.CriticalPlus) < 0.99 {
			t.Errorf("%.3f of the most important calls served, want all: there is twice the room for them",
				part(seawall.CriticalPlus))
		}
		for i, p := range priorities[1:] {
			if part(p) > part(priorities[i]) {
				t.Errorf("%.3f of %v served, and %.3f of %v", part(p), p, part(priorities[i]), priorities[i])
			}
		}
		if p := part(seawall.Critical); p < 0.75 {
			t.Errorf("%.3f of the critical calls served, want more than three quarters", p)
		}
		if p := part(seawall.Sheddable); p > 0.1 {
			t.Errorf("%.3f of the sheddable calls served, want hardly any", p)
		}
		wantIdle(t, b)
	})
	before := runtime.NumGoroutine()
	kept := make([]*bulkhead.Bulkhead, 100)
	for i := range kept {
		kept[i] = newBulkhead(bulkhead.Config{Shedding: bulkhead.ByUser, Queue: bulkhead.Queue{Order: bulkhead.AdaptiveLIFO}})
		_ = kept[i].Do(t.Context(), succeed)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines for a hundred bulkheads", n-before)
	}
	runtime.KeepAlive(kept)
}

// T32: whatever a context says, there are four levels.
func TestBulkheadTakesAnyPriorityForOneOfTheFour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		var waiting []*attempt
		for _, p := range []seawall.Priority{0, 5, 99, 255} {
			waiting = append(waiting, startAt(t, b, p))
		}
		if l := b.Stats().Levels.Critical; l.Waiting != len(waiting) {
			t.Errorf("critical: %+v, want all to wait there", l)
		}
		for _, a := range waiting {
			holder.Done(nil)
			wantAdmitted(t, a)
			holder = a.permit
		}
		holder.Done(nil)
		wantIdle(t, b)
	})
}

func ExampleConfig_priorities() {
	inventory := bulkhead.New("inventory", bulkhead.Config{
		Limit:    1,
		Queue:    bulkhead.Queue{Limit: 1},
		Registry: &seawall.Registry{},
	})
	ctx := context.Background()
	prefetch := make(chan error, 1)
	_ = inventory.Do(ctx, func(ctx context.Context) error {
		go func() {
			ctx := seawall.WithPriority(ctx, seawall.SheddablePlus)
			prefetch <- inventory.Do(ctx, reserve) // waits in the only place
		}()
		for inventory.Stats().Waiting == 0 {
			runtime.Gosched()
		}
		ctx, cancel := context.WithTimeout(seawall.WithPriority(ctx, seawall.CriticalPlus), 50*time.Millisecond)
		defer cancel()
		_ = inventory.Do(ctx, reserve) // takes the place
		return nil
	})
	fmt.Println(<-prefetch)
	// Output: bulkhead "inventory": shed
}
