package breaker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// T44, T2: each call has exactly one outcome in the counts: 2,000 goroutines that make calls of all kinds.
func TestBreakerCountsEachCallExactlyOnce(t *testing.T) {
	for name, window := range map[string]breaker.Window{"calls": {Calls: 50}, "time": {Time: 20 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			b := newBreaker(breaker.Config{
				MinCalls: 10, Window: window, OpenFor: time.Millisecond, MaxOpenFor: 2 * time.Millisecond,
				Probes: breaker.Probes{Timeout: 5 * time.Millisecond},
				Slow:   breaker.SlowCalls{Over: 2 * time.Millisecond, Rate: 0.3}, ConsecutiveFailures: 20,
				Ramp: breaker.Ramp{Start: 0.2, Factor: 2, Step: time.Millisecond}, MaxRetryAfter: 2 * time.Millisecond,
			})
			const workers, each = 2000, 40
			var calls atomic.Int64
			held := make(chan *seawall.Permit, workers*each)
			var all sync.WaitGroup
			for i := range workers {
				all.Go(func() {
					mixedCalls(b, rand.New(rand.NewPCG(uint64(i), 1)), each, &calls, held)
				})
			}
			all.Wait()
			close(held)
			for p := range held { // the latest of all
				p.Done(nil)
				if p.Done(errDown) {
					t.Error("a second Done counted")
				}
			}
			s := b.Stats()
			if got := ended(s); got != calls.Load() || s.Hung != 0 {
				t.Errorf("%d calls, %d outcomes: %+v", calls.Load(), got, s)
			}
			for what, n := range map[string]int64{
				"successes": s.Calls.Successes, "failures": s.Calls.Failures, "overloads": s.Overloads,
				"ignored": s.Ignored, "late": s.Late, "rejected": s.Rejected.Open, "opened": s.Entered.Open,
				"slow calls": s.Slow, "ramps": s.Entered.Ramping, "rejected by the ramp": s.Rejected.Ramping,
			} {
				if n == 0 {
					t.Errorf("there are no %s, so nothing is proved of them", what)
				}
			}
		})
	}
}

// mixedCalls makes calls that end in all ways. It counts those that a breaker has to count.
func mixedCalls(b *breaker.Breaker, r *rand.Rand, n int, calls *atomic.Int64, held chan<- *seawall.Permit) {
	ctx := context.Background()
	dead, cancel := context.WithCancel(ctx)
	cancel()
	bad := false
	for range n {
		if r.IntN(100) == 0 {
			bad = !bad
			time.Sleep(time.Duration(r.IntN(1000)) * time.Microsecond)
		}
		calls.Add(1)
		way := r.IntN(24)
		if bad && way > 12 {
			way = 1
		}
		switch way {
		case 1, 2:
			_ = b.Do(ctx, fail)
		case 3:
			attempt(func() { _ = b.Do(ctx, panickingOp(1)) })
		case 4:
			attempt(func() { _ = b.Do(ctx, func(context.Context) error { runtime.Goexit(); return nil }) })
		case 5:
			ctx, cancel := context.WithCancel(ctx)
			_ = b.Do(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() })
		case 6:
			_ = b.Do(ctx, func(context.Context) error { return errOverload })
		case 7:
			calls.Add(-1)
			_ = b.Do(dead, fail)
		case 8:
			if p, err := b.Acquire(ctx); err == nil {
				held <- &p
			}
		case 9: // somebody else's call ends
			if p, err := b.Acquire(ctx); err == nil {
				var both sync.WaitGroup
				both.Go(func() { p.Done(nil) })
				p.Done(errDown)
				both.Wait()
			}
		case 10: // hangs for a while
			if p, err := b.Acquire(ctx); err == nil {
				time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
				p.Done(outcomes[r.IntN(len(outcomes))].err)
			}
		case 11: // a time limit, as the policy timeout has it
			ctx, cancel := context.WithTimeout(ctx, 100*time.Microsecond)
			ran := false
			err := b.Do(ctx, func(ctx context.Context) error { ran = true; <-ctx.Done(); return ctx.Err() })
			if !ran && !errors.Is(err, breaker.ErrOpen) {
				calls.Add(-1) // it was over before the call
			}
			cancel()
		case 12:
			_ = b.Do(ctx, func(context.Context) error { return downFor(time.Millisecond) })
		default:
			if b.Do(ctx, succeed) != nil {
				time.Sleep(time.Duration(r.IntN(500)) * time.Microsecond)
			}
		}
	}
}

// T41
func TestReadersOfABreakerDoNotRaceWithItsWriters(t *testing.T) {
	registry := quiet()
	b := newBreaker(breaker.Config{MinCalls: 2, OpenFor: time.Millisecond, Registry: registry})
	ctx := context.Background()
	writers := []func(i int){
		func(i int) { _ = b.Do(ctx, [...]func(context.Context) error{succeed, fail}[i%2]) },
		func(i int) {
			if p, err := b.Acquire(ctx); err == nil {
				p.Done(outcomes[i%len(outcomes)].err)
			}
		},
		func(i int) {
			_ = b.Update(breaker.Config{
				MinCalls: 1 + i%3, OpenFor: time.Millisecond, Window: breaker.Window{Calls: 3 + i%2},
				Probes: breaker.Probes{Calls: 1 + i%3}, Slow: breaker.SlowCalls{Over: time.Duration(1+i%4) * time.Millisecond},
				Ramp: breaker.Ramp{Start: 0.5, Step: time.Millisecond}, ConsecutiveFailures: i % 3,
			})
		},
		func(i int) {
			if p, err := b.Acquire(ctx); err == nil {
				time.Sleep(time.Duration(i%4) * time.Millisecond)
				p.Done(ends[i%len(ends)].err)
			}
		},
		func(i int) { _ = b.SetMode(seawall.Mode(i % 5)) },
	}
	readers := []func(){
		func() { _ = b.State() },
		func() { _ = b.Stats() },
		func() { _ = b.Snapshot() },
		func() { _ = b.String() + b.Name() },
		func() { _ = b.Config().Equal(breaker.Config{}) },
		func() { _ = b.Keep() },
		func() { _ = b.Traits() },
		func() { _ = registry.Snapshots() },
	}
	limit := time.Second
	if testing.Short() {
		limit = 100 * time.Millisecond
	}
	end := time.Now().Add(limit)
	var all sync.WaitGroup
	for _, write := range writers {
		all.Go(func() {
			for i := 0; time.Now().Before(end); i++ {
				write(i)
			}
		})
	}
	for _, read := range readers {
		all.Go(func() {
			for time.Now().Before(end) {
				read()
			}
		})
	}
	all.Wait()
}

// T42: calls leave nothing behind, however they end.
func TestCallsThroughABreakerLeaveNoGarbage(t *testing.T) {
	b := newBreaker(breaker.Config{
		MinCalls: 10, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond,
		Slow: breaker.SlowCalls{Over: time.Millisecond}, MaxRetryAfter: time.Millisecond,
	})
	r := rand.New(rand.NewPCG(1, 1))
	var calls atomic.Int64
	held := make(chan *seawall.Permit, 100_000)
	run := func(n int) {
		mixedCalls(b, r, n, &calls, held)
		for len(held) > 0 {
			(<-held).Done(nil)
		}
	}
	run(1000)
	before := heap()
	run(5_000)
	if grown := heap() - before; grown > 200_000 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	runtime.KeepAlive(held)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
