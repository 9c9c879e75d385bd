package bulkhead_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// oneSlot has room in its queue for all that a test needs.
var oneSlot = bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 10}}

func TestBulkheadServesInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		var waiting []*attempt
		for range 5 {
			waiting = append(waiting, start(t.Context(), b))
		}
		wantCounts(t, b, 1, 5)
		holder.Done(nil)
		for i, a := range waiting {
			wantAdmitted(t, a)
			if i+1 < len(waiting) && waiting[i+1].ended {
				t.Fatalf("call %d got in before its turn", i+1)
			}
			wantCounts(t, b, 1, len(waiting)-i-1)
			a.permit.Done(nil)
		}
		wantIdle(t, b)
		if s := b.Stats(); s.Admitted != 6 || s.Waited != 5 {
			t.Errorf("%d admitted, %d after a wait, want 6 and 5", s.Admitted, s.Waited)
		}
	})
}

// A slot that comes free is not there for the asking while others wait for it.
func TestBulkheadLetsNoNewcomerOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		first := start(t.Context(), b)
		holder.Done(nil) // without giving the first one a chance to run
		newcomer := start(t.Context(), b)
		wantAdmitted(t, first)
		if newcomer.ended {
			t.Fatal("a newcomer overtook a call that waited")
		}
		first.permit.Done(nil)
		wantAdmitted(t, newcomer)
		newcomer.permit.Done(nil)
	})
}

// T34: the bound holds under simultaneous arrival.
func TestBulkheadQueueHoldsItsBoundWhenAThousandArriveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 10}})
		holder := acquire(t, b)
		const arrivals = 1000
		errs := make([]error, arrivals)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = b.Do(t.Context(), succeed) })
		}
		synctest.Wait()
		wantCounts(t, b, 1, 10)
		if s := b.Stats(); s.Rejected.QueueFull != arrivals-10 {
			t.Errorf("%d rejected, want %d", s.Rejected.QueueFull, arrivals-10)
		}
		holder.Done(nil)
		wg.Wait()
		served := 0
		for _, err := range errs {
			if err == nil {
				served++
				continue
			}
			wantReason(t, err, seawall.ReasonQueueFull)
		}
		if served != 10 {
			t.Errorf("%d served, want the 10 that waited", served)
		}
		wantIdle(t, b)
	})
}

// T34
func TestBulkheadLetsACanceledCallLeaveTheQueueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		gone := errors.New("the client hung up")
		ctx, cancel := context.WithCancelCause(t.Context())
		leaver, stayer := start(ctx, b), start(t.Context(), b)
		time.Sleep(100 * time.Millisecond)
		cancel(gone)
		err := leaver.settle(t)
		if !errors.Is(err, gone) {
			t.Errorf("error is %v, want one that matches the cause", err)
		}
		if want := `bulkhead "inventory": gave up waiting: the client hung up`; err.Error() != want {
			t.Errorf("text is %q, want %q", err, want)
		}
		if errors.Is(err, seawall.ErrRejected) || errors.Is(err, bulkhead.ErrFull) {
			t.Error("the caller's cancellation is taken for a rejection")
		}
		if v := seawall.Classify(err); v != (seawall.Verdict{Outcome: seawall.Ignored}) {
			t.Errorf("judged as %+v, want it ignored: the dependency was not asked", v)
		}
		if leaver.took != 100*time.Millisecond {
			t.Errorf("it left after %v, want at once", leaver.took)
		}
		wantCounts(t, b, 1, 1)
		holder.Done(nil)
		wantAdmitted(t, stayer)
		stayer.permit.Done(nil)
		wantIdle(t, b)
		if s := b.Stats(); s.Canceled != 1 || s.Rejected.Total() != 0 || s.Admitted != 2 {
			t.Errorf("stats are %+v, want 1 canceled, none rejected, 2 admitted", s)
		}
	})
}

// Only the caller's own deadline yields context.DeadlineExceeded.
func TestBulkheadTellsTheCallersDeadlineFromItsOwnLimit(t *testing.T) {
	const limit = 50 * time.Millisecond
	for name, tc := range map[string]struct {
		deadline time.Duration
		took     time.Duration
		own      bool
	}{
		"the deadline is nearer":     {limit - 1, limit - 1, false},
		"both at the same instant":   {limit, limit, false},
		"the bulkhead's limit comes": {limit + 1, limit, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{MaxWait: limit}})
				holder := acquire(t, b)
				ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
				defer cancel()
				a := start(ctx, b)
				time.Sleep(2 * limit)
				err := a.settle(t)
				if errors.Is(err, context.DeadlineExceeded) == tc.own || errors.Is(err, bulkhead.ErrFull) != tc.own {
					t.Errorf("error is %v, which is the bulkhead's own: want %v", err, tc.own)
				}
				if a.took != tc.took {
					t.Errorf("waited %v, want %v", a.took, tc.took)
				}
				if s := b.Stats(); s.Rejected.QueueTimeout+s.Canceled != 1 || (s.Canceled == 0) != tc.own {
					t.Errorf("counted %+v", s)
				}
				holder.Done(nil)
				wantIdle(t, b)
			})
		})
	}
}

// dyingContext is a context whose end comes to light exactly when the test wants.
type dyingContext struct {
	context.Context
	deadline time.Time
	asked    int // how often Err was asked
	dead     int // from which asking on it is dead; 0 is never
	done     chan struct{}
}

func (c *dyingContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }
func (c *dyingContext) Done() <-chan struct{}       { return c.done }

func (c *dyingContext) Err() error {
	c.asked++
	if c.dead > 0 && c.asked >= c.dead {
		return context.DeadlineExceeded
	}
	return nil
}

// T30: a grant that races with the end of the context is returned, and nothing starts with a dead context.
func TestBulkheadPassesOnASlotThatCameWhenTheContextDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		dying := start(&dyingContext{Context: t.Context(), dead: 2}, b) // alive at first, dead when the slot comes
		next := start(t.Context(), b)
		wantCounts(t, b, 1, 2)
		holder.Done(nil)
		if err := dying.settle(t); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want that of the context", err)
		}
		wantAdmitted(t, next)
		wantCounts(t, b, 1, 0)
		next.permit.Done(nil)
		wantIdle(t, b)
		if s := b.Stats(); s.Admitted != 2 || s.Canceled != 1 {
			t.Errorf("stats are %+v, want 2 admitted and 1 canceled", s)
		}
	})
}

// T30: with nobody else in the queue the slot becomes free.
func TestBulkheadFreesASlotThatCameWhenTheContextDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		dying := start(&dyingContext{Context: t.Context(), dead: 2}, b)
		holder.Done(nil)
		if err := dying.settle(t); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want that of the context", err)
		}
		wantIdle(t, b)
	})
}

// slowContext takes its time to say by which channel it ends.
type slowContext struct {
	context.Context
	pause time.Duration
}

func (c slowContext) Done() <-chan struct{} {
	time.Sleep(c.pause)
	return c.Context.Done()
}

// A caller that was given its slot in time has it, also if it finds out only when its time has run out as well.
func TestBulkheadKeepsASlotThatWasGrantedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 32 { // which of the two it sees first is a matter of luck
			b := newBulkhead(oneSlot)
			holder := acquire(t, b)
			a := start(slowContext{t.Context(), 2 * time.Second}, b)
			time.Sleep(time.Second / 2)
			holder.Done(nil)
			time.Sleep(2 * time.Second)
			wantAdmitted(t, a)
			wantCounts(t, b, 1, 0)
			a.permit.Done(nil)
			wantIdle(t, b)
		}
	})
}

// A waiter whose deadline has passed when its turn comes is passed over, also if it has not noticed yet.
func TestBulkheadGivesNoSlotToACallWhoseTimeHasRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		late := &dyingContext{
			Context: t.Context(), deadline: time.Now().Add(5 * time.Millisecond), done: make(chan struct{}),
		}
		expired, next := start(late, b), start(t.Context(), b)
		time.Sleep(5 * time.Millisecond)
		holder.Done(nil)
		wantAdmitted(t, next)
		if expired.ended {
			t.Fatalf("the call whose time had run out ended with %v before its context did", expired.err)
		}
		wantCounts(t, b, 1, 0)
		late.dead = 1
		close(late.done)
		if err := expired.settle(t); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want that of the context", err)
		}
		next.permit.Done(nil)
		wantIdle(t, b)
	})
}

// A deadline that has passed is not queued for, even if the context does not say so yet.
func TestBulkheadQueuesNobodyWhoseDeadlineHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(oneSlot)
		holder := acquire(t, b)
		a := start(&dyingContext{Context: t.Context(), deadline: time.Now()}, b)
		wantReason(t, a.settle(t), seawall.ReasonDeadline)
		holder.Done(nil)
		wantIdle(t, b)
	})
}

// T30
func TestBulkheadWakesAllThatFitWhenTheLimitGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 5}})
		permits := fill(t, b, 1)
		var waiting []*attempt
		for range 5 {
			waiting = append(waiting, start(t.Context(), b))
		}
		update(t, b, bulkhead.Config{Limit: 4, Queue: bulkhead.Queue{Limit: 5}})
		wantCounts(t, b, 4, 2)
		for _, a := range waiting[:3] {
			wantAdmitted(t, a)
			permits = append(permits, a.permit)
		}
		for _, p := range permits {
			p.Done(nil)
		}
		for _, a := range waiting[3:] {
			wantAdmitted(t, a)
			a.permit.Done(nil)
		}
		wantIdle(t, b)
	})
}

// T30, T75: the surplus drains, the count never goes below zero, and those that wait keep their place in a queue that
// has become shorter.
func TestBulkheadDrainsTheSurplusWhenTheLimitShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{Limit: 4, Queue: bulkhead.Queue{Limit: 3}})
		permits := fill(t, b, 4)
		waiting := []*attempt{start(t.Context(), b), start(t.Context(), b), start(t.Context(), b)}
		update(t, b, bulkhead.Config{Limit: 2, Queue: bulkhead.Queue{Limit: 1}})
		wantCounts(t, b, 4, 3)
		_, err := b.Acquire(t.Context())
		wantReason(t, err, seawall.ReasonQueueFull)
		for i, inUse := range []int{3, 2} {
			if !permits[i].Done(nil) {
				t.Error("Done is false for a permit from before the Update")
			}
			wantCounts(t, b, inUse, 3)
		}
		permits[2].Done(nil)
		wantAdmitted(t, waiting[0])
		wantCounts(t, b, 2, 2)
		update(t, b, bulkhead.Config{Limit: 2, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
		wantCounts(t, b, 2, 2)
		permits[3].Done(nil)
		waiting[0].permit.Done(nil)
		for _, a := range waiting[1:] {
			wantAdmitted(t, a)
			a.permit.Done(nil)
		}
		wantIdle(t, b)
	})
}

// meddlingContext changes the bulkhead while the bulkhead asks it for its deadline, between the two looks at the
// settings of a call that has to wait.
type meddlingContext struct {
	context.Context
	meddle func()
}

func (c meddlingContext) Deadline() (time.Time, bool) {
	c.meddle()
	return c.Context.Deadline()
}

// T30, T46: settings that change under a call that is about to wait are those by which it waits, or need not.
func TestBulkheadLetsNobodyWaitByOldSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		meddle func(*testing.T, *bulkhead.Bulkhead)
		want   seawall.Reason
	}{
		"a larger limit": {func(t *testing.T, b *bulkhead.Bulkhead) {
			if err := b.Update(bulkhead.Config{Limit: 2}); err != nil {
				t.Error(err)
			}
		}, ""},
		"no queue": {func(t *testing.T, b *bulkhead.Bulkhead) {
			cfg := bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}}
			if err := b.Update(cfg); err != nil {
				t.Error(err)
			}
		}, seawall.ReasonFull},
		"forced open": {func(_ *testing.T, b *bulkhead.Bulkhead) {
			_ = b.SetMode(seawall.ForcedOpen)
		}, seawall.ReasonForced},
		"forced closed": {func(_ *testing.T, b *bulkhead.Bulkhead) {
			_ = b.SetMode(seawall.ForcedClosed)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBulkhead(oneSlot)
				holder := acquire(t, b)
				a := start(meddlingContext{t.Context(), func() { tc.meddle(t, b) }}, b)
				if err := a.settle(t); tc.want != "" {
					wantReason(t, err, tc.want)
				} else if err != nil {
					t.Errorf("error is %v, want none", err)
				}
				a.permit.Done(nil)
				holder.Done(nil)
				wantIdle(t, b)
			})
		})
	}
}

func update(t *testing.T, b *bulkhead.Bulkhead, cfg bulkhead.Config) {
	t.Helper()
	if err := b.Update(cfg); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}
