package bulkhead_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

func TestBulkheadLetsNoMoreInThanItsLimit(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 3, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
	permits := fill(t, b, 3)
	_, err := b.Acquire(t.Context())
	wantReason(t, err, seawall.ReasonFull)
	if !permits[1].Done(nil) {
		t.Error("Done is false for a permit that held a slot")
	}
	permits[1] = acquire(t, b)
	_, err = b.Acquire(t.Context())
	wantReason(t, err, seawall.ReasonFull)
	for _, p := range permits {
		p.Done(errors.New("the end of a call is not judged"))
	}
	wantIdle(t, b)
	if s := b.Stats(); s.Admitted != 4 || s.Rejected.Full != 2 || s.Rejected.Total() != 2 || s.Waited != 0 {
		t.Errorf("stats are %+v, want 4 admitted and 2 rejected", s)
	}
}

func TestBulkheadReturnsTheErrorOfOp(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 1})
	failure := errors.New("sold out")
	err := b.Do(t.Context(), func(context.Context) error { return failure })
	if err != failure { //nolint:errorlint // it must not be wrapped
		t.Errorf("Do returned %v, want op's error itself", err)
	}
	wantIdle(t, b)
}

// T2
func TestBulkheadGivesTheSlotBackAfterAPanic(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 1})
	value := errors.New("boom")
	var recovered any
	var stack string
	func() {
		defer func() { recovered, stack = recover(), string(debug.Stack()) }()
		_ = b.Do(t.Context(), panicsWith(value))
	}()
	if recovered != any(value) {
		t.Errorf("recovered %v, want the value that op panicked with", recovered)
	}
	if !strings.Contains(stack, "panicsWith") {
		t.Errorf("the stack does not name op:\n%s", stack)
	}
	wantIdle(t, b)
	if s := b.Stats(); s.Admitted != 1 {
		t.Errorf("%d admitted, want 1", s.Admitted)
	}
}

func panicsWith(value any) func(context.Context) error {
	return func(context.Context) error { panic(value) }
}

// T2
func TestBulkheadGivesTheSlotBackAfterGoexit(t *testing.T) {
	for name, policy := range map[string]func(*bulkhead.Bulkhead) seawall.Policy{
		"alone":      func(b *bulkhead.Bulkhead) seawall.Policy { return b },
		"in a chain": func(b *bulkhead.Bulkhead) seawall.Policy { return seawall.Chain(b) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBulkhead(bulkhead.Config{Limit: 1})
			var wg sync.WaitGroup
			wg.Go(func() {
				_ = policy(b).Do(t.Context(), func(context.Context) error {
					runtime.Goexit()
					return nil
				})
			})
			wg.Wait()
			wantIdle(t, b)
		})
	}
}

// T2: the slot of a call that panics goes to the one that waits for it.
func TestBulkheadWakesAWaiterAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(bulkhead.Config{Limit: 1})
		var waiter *attempt
		func() {
			defer func() { _ = recover() }()
			_ = b.Do(t.Context(), func(ctx context.Context) error {
				waiter = start(ctx, b)
				panic("boom")
			})
		}()
		wantAdmitted(t, waiter)
		waiter.permit.Done(nil)
		wantIdle(t, b)
	})
}

// T5: calls share nothing but the slots. Two bulkheads around one call, or one twice, hold a slot each.
func TestBulkheadSharesNothingBetweenInnerCalls(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 4, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
	twice := forked{}
	var most atomic.Int64
	err := seawall.Chain(b, twice, b).Do(t.Context(), func(context.Context) error {
		most.Store(max(most.Load(), int64(b.Stats().InUse)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := most.Load(); n < 2 || n > 3 {
		t.Errorf("%d slots in use at the most, want 2 or 3: one of the outer call and one for each inner one", n)
	}
	wantIdle(t, b)
	if s := b.Stats(); s.Admitted != 3 {
		t.Errorf("%d admitted, want 3", s.Admitted)
	}
}

// forked runs op twice at once.
type forked struct{}

func (forked) Do(ctx context.Context, op func(context.Context) error) error {
	var errs [2]error
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = op(ctx) })
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}

// T5: with one slot the inner call is rejected at once. It must not wait for the slot that its own caller holds.
func TestBulkheadWithoutAQueueDoesNotDeadlockOnItself(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
	err := seawall.Chain(b, b).Do(t.Context(), succeed)
	wantReason(t, err, seawall.ReasonFull)
	wantIdle(t, b)
}

// T13
func TestBulkheadRunsAndCountsNothingForADeadContext(t *testing.T) {
	left := errors.New("the caller left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(left)
	for mode := seawall.Enforce; mode <= seawall.Off; mode++ {
		b := newBulkhead(bulkhead.Config{Limit: 1, Mode: mode})
		ran := false
		err := b.Do(ctx, func(context.Context) error {
			ran = true
			return nil
		})
		if ran || err != left { //nolint:errorlint // it must not be wrapped
			t.Errorf("%v: op ran: %v, error %v, want it not to run and the cause", mode, ran, err)
		}
		if _, err := b.Acquire(ctx); err != left { //nolint:errorlint // it must not be wrapped
			t.Errorf("%v: Acquire returned %v, want the cause itself", mode, err)
		}
		if s := b.Stats(); s != (bulkhead.Stats{Limit: 1}) {
			t.Errorf("%v: counted %+v, want nothing", mode, s)
		}
	}
}

// T31
func TestBulkheadTakesTheFirstDoneOnly(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 2})
	first, second := acquire(t, b), acquire(t, b)
	if !first.Done(nil) || first.Done(nil) {
		t.Error("Done must be true once, then false")
	}
	wantCounts(t, b, 1, 0)
	var told atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if second.Done(nil) {
				told.Add(1)
			}
		})
	}
	wg.Wait()
	if told.Load() != 1 {
		t.Errorf("%d of two concurrent Dones counted, want 1", told.Load())
	}
	wantIdle(t, b)
}

// T31
func TestBulkheadTakesTheFirstDoneOnlyAfterAnUpdate(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 2})
	permits := fill(t, b, 2)
	if err := b.Update(bulkhead.Config{Limit: 1}); err != nil {
		t.Fatal(err)
	}
	for _, p := range permits {
		if !p.Done(nil) || p.Done(nil) {
			t.Error("Done must be true once, then false")
		}
	}
	wantIdle(t, b)
}

func TestBulkheadIgnoresTicketsThatItDidNotIssue(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Limit: 1})
	acquire(t, b)
	issued := bulkhead.SlotTicket()
	if b.Release(seawall.Ticket{}, nil) || b.Release(seawall.Ticket{Generation: 99}, nil) {
		t.Error("Release took a ticket that no bulkhead issues")
	}
	wantCounts(t, b, 1, 0)
	if !b.Release(issued, nil) {
		t.Error("Release refused the ticket of a call that is in")
	}
	if b.Release(issued, nil) {
		t.Error("Release took a ticket while no slot was in use")
	}
	wantIdle(t, b)
}

func TestBulkheadFoldsItsCountOfAdmissions(t *testing.T) {
	for _, mode := range []seawall.Mode{seawall.Enforce, seawall.ForcedClosed, seawall.Shadow} {
		b := newBulkhead(bulkhead.Config{Limit: 2, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Mode: mode})
		b.Preset(1, bulkhead.MaxAdmitted-2)
		for i := range 5 {
			permit := acquire(t, b)
			wantCounts(t, b, 2, 0)
			if got, want := b.Stats().Admitted, int64(bulkhead.MaxAdmitted-2+i+1); got != want {
				t.Fatalf("%v: %d admitted after %d calls, want %d", mode, got, i+1, want)
			}
			permit.Done(nil)
		}
		wantCounts(t, b, 1, 0)
	}
}

func TestBulkheadOutlivesMoreCallsThanItCanCount(t *testing.T) {
	b := newBulkhead(bulkhead.Config{Mode: seawall.ForcedClosed})
	b.Preset(bulkhead.MaxInUse-1, 0)
	last, beyond := acquire(t, b), acquire(t, b)
	wantCounts(t, b, bulkhead.MaxInUse, 0)
	if beyond.Done(nil) {
		t.Error("a call that held no slot gave one back")
	}
	if !last.Done(nil) {
		t.Error("a call that held a slot did not give it back")
	}
	wantCounts(t, b, bulkhead.MaxInUse-1, 0)
}
