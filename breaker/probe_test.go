package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// full is a gate that has no room.
type full struct{ seawall.Issuer }

func (full) Acquire(context.Context) (seawall.Permit, error) {
	return seawall.Permit{}, seawall.Reject("bulkhead", "inner", seawall.ReasonFull, seawall.ErrRejected, 0)
}

func (g full) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, g, op)
}

// probeEnds are the ways in which a probe can end, and when the next one must be admitted at the latest.
var probeEnds = []struct {
	name    string
	end     func(t *testing.T, b *breaker.Breaker)
	neutral bool // the slot is free at once; else this was the failure of the only probe
}{
	{"canceled by the caller", func(t *testing.T, b *breaker.Breaker) {
		ctx, cancel := context.WithCancel(t.Context())
		_ = b.Do(ctx, func(ctx context.Context) error {
			cancel()
			return ctx.Err()
		})
	}, true},
	{"ignored", func(t *testing.T, b *breaker.Breaker) { acquire(t, b).Done(errIgnored) }, true},
	{"overload", func(t *testing.T, b *breaker.Breaker) { acquire(t, b).Done(errOverload) }, true},
	{"rejected by an inner gate", func(t *testing.T, b *breaker.Breaker) {
		if err := seawall.Chain(b, full{}).Do(t.Context(), succeed); !errors.Is(err, seawall.ErrRejected) {
			t.Fatal(err)
		}
	}, true},
	{"rejected by a gate deeper inside", func(t *testing.T, b *breaker.Breaker) {
		outer := newBreaker(breaker.Config{MinCalls: 1})
		if err := seawall.Chain(b, outer, full{}).Do(t.Context(), succeed); !errors.Is(err, seawall.ErrRejected) {
			t.Fatal(err)
		}
		wantState(t, outer, breaker.Closed)
	}, true},
	{"failed", func(t *testing.T, b *breaker.Breaker) { acquire(t, b).Done(errDown) }, false},
	{"caller's deadline", func(t *testing.T, b *breaker.Breaker) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = b.Do(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
	}, false},
	{"panicked", func(_ *testing.T, b *breaker.Breaker) {
		attempt(func() { _ = b.Do(context.Background(), panickingOp("probe")) })
	}, false},
	{"exited", func(_ *testing.T, b *breaker.Breaker) {
		attempt(func() { _ = b.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil }) })
	}, false},
	{"hung", func(t *testing.T, b *breaker.Breaker) {
		acquire(t, b)
		time.Sleep(b.Config().Probes.Timeout - 1)
		reject(t, b)
		wantState(t, b, breaker.HalfOpen)
		time.Sleep(time.Nanosecond)
		reject(t, b) // this call finds the time over
	}, false},
}

// T4
func TestProbeGivesItsSlotBackHoweverItEnds(t *testing.T) {
	for _, c := range probeEnds {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(breaker.Config{
					MinCalls: 1, Probes: breaker.Probes{Calls: 1}, Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls},
				})
				halfOpen(t, b)
				for range 20 { // more often than there are slots
					opened := b.Stats().Entered.Open
					c.end(t, b)
					if c.neutral {
						wantState(t, b, breaker.HalfOpen)
						continue
					}
					wantState(t, b, breaker.Open)
					if got := b.Stats().Entered.Open; got != opened+1 {
						t.Fatalf("opened %d times, want once", got-opened)
					}
					if left := b.Stats().Reopen; left > b.Config().MaxOpenFor {
						t.Fatalf("stays open for %v", left)
					}
					waitOpen(t, b)
				}
				acquire(t, b).Done(nil)
				wantState(t, b, breaker.Closed)
			})
		})
	}
}

// T4, T51: those that have not ended when the time is over are failures, whatever the others were.
func TestHungProbesCountAsFailuresAfterTheirTime(t *testing.T) {
	for _, c := range []struct{ good, hung int }{{0, 5}, {1, 4}, {2, 3}} {
		t.Run(fmt.Sprintf("%d of %d hang", c.hung, c.good+c.hung), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told events
				b := newBreaker(breaker.Config{
					MinCalls: 1, OnStateChange: told.add, Slow: breaker.SlowCalls{Over: breaker.NoSlowCalls},
				})
				halfOpen(t, b)
				var hung []*seawall.Permit
				for range c.hung {
					hung = append(hung, acquire(t, b))
				}
				for range c.good {
					acquire(t, b).Done(nil)
				}
				time.Sleep(b.Config().Probes.Timeout)
				wantState(t, b, breaker.Open) // T51: without a call
				if r := rejection(t, b); r.Reason != seawall.ReasonOpen {
					t.Errorf("rejected because %q", r.Reason)
				}
				all := told.list()
				if last := all[len(all)-1]; last.Calls != 5 || last.Failures != int64(c.hung) {
					t.Errorf("the event says %+v", last)
				}
				for _, p := range hung {
					if p.Done(nil) {
						t.Error("a probe counted after its time")
					}
				}
			})
		})
	}
}

// T6
func TestHalfOpenBreakerLetsNoStampedeThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{})
		trip(t, b)
		wait := b.Stats().Reopen
		limit := int64(b.Config().Probes.Calls)
		var inside, most, ran, rejected atomic.Int64
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				time.Sleep(wait)
				start := time.Now()
				err := b.Do(t.Context(), func(context.Context) error {
					now := inside.Add(1)
					for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
					}
					ran.Add(1)
					time.Sleep(time.Second)
					inside.Add(-1)
					return nil
				})
				if errors.Is(err, breaker.ErrOpen) {
					rejected.Add(1)
					if waited := time.Since(start); waited != 0 {
						t.Errorf("rejected after %v", waited)
					}
				}
			})
		}
		all.Wait()
		if most.Load() != limit || ran.Load() != limit || rejected.Load() != 1000-limit {
			t.Errorf("%d probes, %d at once, %d rejections; want %d probes", ran.Load(), most.Load(), rejected.Load(), limit)
		}
		wantState(t, b, breaker.Closed)
	})
}

// T6: the last probe is taken by one of those who have seen that it is free.
func TestLastProbeIsTakenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 1, Probes: breaker.Probes{Calls: 2}})
		halfOpen(t, b)
		acquire(t, b)
		const callers = 8
		var begun, admitted atomic.Int64
		var all sync.WaitGroup
		b.HoldUp(func() {
			for range callers {
				all.Go(func() {
					begun.Add(1)
					if _, err := b.Acquire(t.Context()); err == nil {
						admitted.Add(1)
					}
				})
			}
			for i := 0; begun.Load() < callers || i < 1000; i++ { // until they have come to the lock
				runtime.Gosched()
			}
		})
		all.Wait()
		if n := admitted.Load(); n != 1 {
			t.Errorf("%d probes are out, want 2", n+1)
		}
	})
}

// T43: a time that does not end is none that has passed. In a bubble the clock is too young for the sum to overflow.
func TestProbeTimeoutDoesNotOverflow(t *testing.T) {
	b := newBreaker(breaker.Config{
		MinCalls: 1, OpenFor: time.Millisecond, Probes: breaker.Probes{Calls: 1, Timeout: math.MaxInt64},
	})
	trip(t, b)
	for b.State() != breaker.HalfOpen {
		runtime.Gosched()
	}
	acquire(t, b)
	reject(t, b)
	wantState(t, b, breaker.HalfOpen)
}

// T47, the ratio part
func TestRecoveryIsJudgedByTheRatioOfItsProbes(t *testing.T) {
	for _, c := range []struct {
		ends  string // the probes in order, f for a failure
		state breaker.State
	}{
		{"fssssss", breaker.Closed}, // T47: 10 % failures close it; six good ones decide, whatever the other three do
		{"ssssss", breaker.Closed},
		{"ffffssssss", breaker.Closed},
		{"fsfsfsfsss", breaker.Closed},
		{"fffff", breaker.Open},
		{"sssssfffff", breaker.Open}, // half is enough
		{"fsfsfsfsf", breaker.Open},
		{"fsffsff", breaker.Open},
	} {
		t.Run(c.ends, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker(breaker.Config{Probes: breaker.Probes{Calls: 10}})
				halfOpen(t, b)
				for i, end := range c.ends {
					wantState(t, b, breaker.HalfOpen) // not decided before the last of them
					if end == 'f' {
						acquire(t, b).Done(errDown)
					} else {
						acquire(t, b).Done(nil)
					}
					if i == len(c.ends)-1 {
						wantState(t, b, c.state)
					}
				}
			})
		})
	}
}
