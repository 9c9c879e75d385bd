package benchmarks_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	failsafebulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"golang.org/x/sync/semaphore"

	"github.com/seawall-go/seawall/bulkhead"
)

const slots = 64

// bulkheads take a slot and give it back by hand; a call that finds none waits.
var bulkheads = []subject{
	{"seawall", func(w work) func() error {
		ctx, b := context.Background(), bulkhead.New("benchmark", bulkhead.Config{Limit: slots, Registry: registry()})
		return func() error {
			permit, err := b.Acquire(ctx)
			if err != nil {
				return err
			}
			err = w.plain()
			permit.Done(err)
			return err
		}
	}},
	{"failsafe", func(w work) func() error {
		ctx, b := context.Background(), failsafebulkhead.New[struct{}](slots)
		return func() error {
			if err := b.AcquirePermit(ctx); err != nil {
				return err
			}
			err := w.plain()
			b.ReleasePermit()
			return err
		}
	}},
	{"xsync", func(w work) func() error {
		ctx, s := context.Background(), semaphore.NewWeighted(slots)
		return func() error {
			if err := s.Acquire(ctx, 1); err != nil {
				return err
			}
			err := w.plain()
			s.Release(1)
			return err
		}
	}},
}

func BenchmarkBulkhead(b *testing.B) { compare(b, bulkheads) }

func TestBenchmarkedBulkheadsAreNotEmptyPaths(t *testing.T) {
	for _, s := range bulkheads {
		t.Run(s.library, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inside, ran atomic.Int64
				leave := make(chan struct{})
				call := s.build(doing(func() error {
					inside.Add(1)
					<-leave
					inside.Add(-1)
					ran.Add(1)
					return nil
				}))

				var calls sync.WaitGroup
				for range slots + 1 {
					calls.Go(func() {
						if err := call(); err != nil {
							t.Error(err)
						}
					})
				}
				synctest.Wait()
				if got := inside.Load(); got != slots {
					t.Errorf("%d calls are inside, want %d", got, slots)
				}
				close(leave)
				calls.Wait()
				if got := ran.Load(); got != slots+1 {
					t.Errorf("%d calls ran, want %d", got, slots+1)
				}
			})
		})
	}
}
