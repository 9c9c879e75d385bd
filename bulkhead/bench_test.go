package bulkhead_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// bench runs a call in serial and in parallel.
func bench(b *testing.B, name string, call func() error) {
	b.Run(name+"/serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := call(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := call(); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkDo has the empty chain as its baseline: what a call costs that no policy guards.
func BenchmarkDo(b *testing.B) {
	ctx := context.Background()
	for _, p := range []struct {
		name   string
		policy seawall.Policy
	}{
		{"empty", seawall.Chain()},
		{"bulkhead", newBulkhead(bulkhead.Config{})},
		{"off", newBulkhead(bulkhead.Config{Mode: seawall.Off})},
	} {
		bench(b, p.name, func() error { return p.policy.Do(ctx, succeed) })
	}
}

// BenchmarkPermit is a slot taken and given back, with a buffered channel as its baseline: the semaphore that one gets
// without a library.
func BenchmarkPermit(b *testing.B) {
	ctx := context.Background()
	slots := make(chan struct{}, 64)
	bench(b, "channel", func() error {
		select {
		case slots <- struct{}{}:
			<-slots
			return nil
		default:
			return bulkhead.ErrFull
		}
	})
	g := newBulkhead(bulkhead.Config{Limit: 64})
	bench(b, "bulkhead", func() error {
		permit, err := g.Acquire(ctx)
		if err == nil {
			permit.Done(nil)
		}
		return err
	})
}

// BenchmarkRejection is what a call costs that is turned away.
func BenchmarkRejection(b *testing.B) {
	ctx := context.Background()
	g := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}})
	if _, err := g.Acquire(ctx); err != nil {
		b.Fatal(err)
	}
	bench(b, "full", func() error {
		if _, err := g.Acquire(ctx); err == nil {
			return bulkhead.ErrFull
		}
		return nil
	})

	q := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 1, MaxWait: time.Hour}})
	if _, err := q.Acquire(ctx); err != nil {
		b.Fatal(err)
	}
	waiting, cancel := context.WithCancel(ctx)
	left := make(chan struct{})
	go func() {
		defer close(left)
		acquireAndEnd(waiting, q)
	}()
	for q.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	bench(b, "queue_full", func() error {
		if _, err := q.Acquire(ctx); err == nil {
			return bulkhead.ErrFull
		}
		return nil
	})
	cancel()
	<-left
}

// BenchmarkWait is a call that has to wait for its turn: four callers share one slot.
func BenchmarkWait(b *testing.B) {
	ctx := context.Background()
	g := newBulkhead(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 1000}})
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := g.Do(ctx, succeed); err != nil {
				b.Error(err)
			}
		}
	})
}
