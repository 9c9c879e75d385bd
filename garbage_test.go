package seawall_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
)

// T42: contexts and timers are released on every way out.
func TestCallsOnALongLivedContextLeaveNoGarbage(t *testing.T) {
	captured(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g := &gate{}
	chain := seawall.Chain(&replacer{err: func(err error) error { return err }}, &scope{}, &repeater{attempts: 2},
		&racer{attempts: 2, delay: time.Hour}, g, repeats(2), &scope{})
	run := func(n int) {
		for i := range n {
			switch i % 5 {
			case 0:
				_, _ = seawall.Call(ctx, chain, one)
			case 1:
				_ = chain.Do(ctx, fail)
			case 2:
				attempt(func() { _ = chain.Do(ctx, bangOp) })
			case 3:
				attempt(func() { _ = chain.Do(ctx, func(context.Context) error { runtime.Goexit(); return nil }) })
			case 4:
				ctx, cancel := context.WithCancel(ctx)
				err := chain.Do(ctx, func(ctx context.Context) error {
					cancel()
					<-ctx.Done()
					return ctx.Err()
				})
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
		}
		waitFor(t, func() bool { return g.in.Load() == 0 })
	}
	run(1000)
	before := heap()
	calls := 100_000
	if raceEnabled {
		calls = 20_000
	}
	run(calls)
	if grown := heap() - before; grown > 500_000 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	runtime.KeepAlive(ctx)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
