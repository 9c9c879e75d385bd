package bulkhead_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T81: neither a call that gets in nor one that is rejected because all is full allocates, in any mode.
func TestBulkheadFastPathDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	configs := []bulkhead.Config{{
		Queue: bulkhead.Queue{Order: bulkhead.AdaptiveLIFO}, Shedding: bulkhead.ByUser,
		Weight: func(context.Context) int { return 3 },
	}}
	for mode := seawall.Enforce; mode <= seawall.Off; mode++ {
		configs = append(configs, bulkhead.Config{Mode: mode})
	}
	for _, cfg := range configs {
		b := newBulkhead(cfg)
		chain := seawall.Chain(b, b)
		for what, run := range map[string]func(){
			"Do":          func() { _ = b.Do(ctx, succeed) },
			"a chain":     func() { _ = chain.Do(ctx, succeed) },
			"the permit":  func() { acquireAndEnd(ctx, b) },
			"with a dead": func() { _ = b.Do(canceledContext, succeed) },
		} {
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%v, %v: %s allocates %v times", cfg.Mode, cfg.Shedding, what, n)
			}
		}
	}
	for name, queue := range map[string]bulkhead.Queue{
		"no queue": {Limit: bulkhead.NoQueue}, "a full queue": {Limit: 1},
	} {
		b := newBulkhead(bulkhead.Config{Limit: 1, Queue: queue})
		acquire(t, b)
		waiting, cancel := context.WithCancel(ctx)
		left := make(chan struct{})
		go func() {
			defer close(left)
			acquireAndEnd(waiting, b)
		}()
		for queue.Limit == 1 && b.Stats().Waiting == 0 {
			runtime.Gosched() // a bubble would count allocations of its own
		}
		if n := testing.AllocsPerRun(100, func() { acquireAndEnd(ctx, b) }); n != 0 {
			t.Errorf("%s: a rejection allocates %v times", name, n)
		}
		cancel()
		<-left
	}
}

var canceledContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func acquireAndEnd(ctx context.Context, b *bulkhead.Bulkhead) {
	permit, err := b.Acquire(ctx)
	if err == nil {
		permit.Done(nil)
	}
}
