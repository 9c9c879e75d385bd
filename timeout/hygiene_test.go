package timeout_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// mixedCall makes one call that ends in one of many ways, after its op has looked at its context in one of many ways.
func mixedCall(ctx context.Context, limit *timeout.Timeout, random *rand.Rand) {
	look, end := random.IntN(5), random.IntN(8)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if end == 7 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Microsecond)
		defer stop()
	}
	op := func(inner context.Context) error {
		switch look {
		case 0:
			_ = inner.Err()
		case 1:
			_ = inner.Done()
		case 2:
			var cancel context.CancelFunc
			inner, cancel = context.WithTimeout(inner, time.Hour)
			defer cancel()
		case 3:
			context.AfterFunc(inner, func() {})
		}
		switch end {
		case 0:
			return errDown
		case 1:
			panic("boom")
		case 2:
			runtime.Goexit()
		case 3:
			cancel()
			return inner.Err()
		case 4:
			time.Sleep(5 * time.Millisecond)
			return inner.Err()
		case 5, 7:
			<-inner.Done()
			return inner.Err()
		}
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		_ = limit.Do(ctx, op)
	}()
	<-done
}

// T44
func TestEveryCallHasExactlyOneResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newTimeout(t, time.Millisecond)
		const callers, each = 50, 1000
		var wg sync.WaitGroup
		for caller := range callers {
			random := rand.New(rand.NewPCG(44, uint64(caller)))
			calls := func() {
				for range each {
					mixedCall(t.Context(), limit, random)
				}
			}
			wg.Go(calls)
		}
		wg.Wait()
		if s := limit.Stats(); s.Calls() != callers*each {
			t.Errorf("%d results of %d calls: %+v", s.Calls(), callers*each, s)
		}
		for _, v := range limit.Snapshot().Values {
			if v.V == 0 {
				t.Errorf("no call ended as %s", v.Name)
			}
		}
	})
}

// T42: in a bubble, where an hour of timers costs nothing; a timer left running would keep its context.
func TestCallsLeaveNothingBehindOnALongLivedParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		defer cancel()
		short, long := newTimeout(t, time.Millisecond), newTimeout(t, 1000*time.Hour)
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		random := rand.New(rand.NewPCG(42, 42))
		round := func(n int) {
			for range n {
				mixedCall(parent, short, random)
				ctx, leave := enter(t, long, parent) // its timer would run for long
				_, cancelChild := context.WithTimeout(ctx, 999*time.Hour)
				_ = leave(nil)
				cancelChild()
			}
		}
		round(1000)
		synctest.Wait()
		goroutines, before := runtime.NumGoroutine(), heap()
		calls := 50_000
		if testing.Short() {
			calls = 10_000
		}
		round(calls)
		synctest.Wait()
		if grown := int64(heap()) - int64(before); grown > 256<<10 {
			t.Errorf("%d calls left %d KiB behind", 2*calls, grown>>10)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines, %d before", n, goroutines)
		}
	})
}

// T81
func TestCallAllocatesOneContext(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	limit, off := newTimeout(t, time.Minute), newTimeout(t, timeout.Off)
	total := newTimeout(t, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	look := func(ctx context.Context) error {
		_, _ = ctx.Deadline()
		_ = ctx.Value(key{})
		return ctx.Err()
	}
	value := func(context.Context) (int, error) { return 1, nil }
	chain := seawall.Chain(total, limit)
	for _, row := range []struct {
		name string
		most float64
		call func()
	}{
		{"Do", 1, func() { _ = limit.Do(ctx, succeed) }},
		{"Do, and a look at the context", 1, func() { _ = limit.Do(ctx, look) }},
		{"Call", 1, func() { _, _ = seawall.Call(ctx, limit, value) }},
		{"two in a chain", 2, func() { _ = chain.Do(ctx, look) }},
		{"off", 0, func() { _ = off.Do(ctx, look) }},
	} {
		if n := testing.AllocsPerRun(1000, row.call); n > row.most {
			t.Errorf("%s: %v allocations, want at most %v", row.name, n, row.most)
		}
	}
}
