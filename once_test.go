package seawall_test

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
)

// T44: each call through a chain has one end at each of its gates, and one for its caller.
func TestChainEndsEachCallExactlyOnce(t *testing.T) {
	captured(t)
	outer, middle, inner := &gate{name: "outer"}, &gate{name: "middle"}, &gate{name: "inner"}
	chain := seawall.Chain(outer, &scope{name: "total"}, &repeater{attempts: 2}, middle,
		&racer{attempts: 2, delay: 50 * time.Microsecond}, inner, &scope{name: "attempt"})
	const workers, each = 50, 2000
	var ran, returned, results, closed atomic.Int64
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 44))
			for range each {
				way, full := r.IntN(16), r.IntN(20) == 0
				if full {
					middle.full.Store(r.IntN(2) == 0)
				}
				panicked, exited := attempt(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					_, err := seawall.CallDiscard(ctx, chain, func(ctx context.Context) (int, error) {
						ran.Add(1)
						switch way {
						case 0, 1, 2:
							return 0, errDown
						case 3:
							return 0, bangOp(ctx)
						case 4:
							runtime.Goexit()
						case 5:
							cancel()
							return 0, ctx.Err()
						case 6: // a second attempt starts
							time.Sleep(100 * time.Microsecond)
						}
						results.Add(1)
						return 1, nil
					}, func(int) { closed.Add(1) })
					if err == nil {
						returned.Add(1)
					}
				})
				if p, ok := panicked.(*seawall.AttemptPanic); (panicked != nil) != ok || ok && !errors.Is(p, errBang) {
					t.Errorf("a panic with %v", panicked)
				}
				if exited && way != 4 || panicked != nil && way != 3 {
					t.Errorf("way %d: exited %v, panicked %v", way, exited, panicked)
				}
			}
		})
	}
	all.Wait()
	waitFor(t, func() bool { return inner.in.Load() == 0 }) // losers
	if got := outer.ended(); got != workers*each {
		t.Errorf("%d calls, %d ends at the outer gate", workers*each, got)
	}
	if outer.in.Load() != 0 || middle.in.Load() != 0 {
		t.Errorf("%d, %d calls are still inside", outer.in.Load(), middle.in.Load())
	}
	if got := inner.ended(); got != ran.Load() {
		t.Errorf("op ran %d times, %d ends at the inner gate", ran.Load(), got)
	}
	if got := returned.Load(); got != outer.count(seawall.Success) {
		t.Errorf("%d successes returned, and %d at the outer gate", got, outer.count(seawall.Success))
	}
	waitFor(t, func() bool { return closed.Load()+returned.Load() == results.Load() })
	for o := seawall.Success; o <= seawall.Ignored; o++ {
		if o != seawall.Overload && outer.count(o) == 0 {
			t.Errorf("no call was a %v, so nothing is proved of it", o)
		}
	}
	if middle.rejected.Load() == 0 {
		t.Error("no call was rejected")
	}
}

// waitFor waits for what goroutines do after a call has returned.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to an end")
		}
	}
}
