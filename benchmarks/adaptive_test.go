package benchmarks_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/seawall-go/seawall/bulkhead"
)

// adaptives take a slot and give it back by hand, at a limit that they move themselves; a call that finds none waits. Both
// begin at 20.
var adaptives = []subject{
	{"seawall", func(w work) func() error {
		ctx := context.Background()
		a := bulkhead.NewAdaptive("benchmark", bulkhead.AdaptiveConfig{Registry: registry()})
		return func() error {
			permit, err := a.Acquire(ctx)
			if err != nil {
				return err
			}
			err = w.plain()
			permit.Done(err)
			return err
		}
	}},
	{"failsafe", func(w work) func() error {
		ctx, a := context.Background(), adaptivelimiter.NewWithDefaults[struct{}]()
		return func() error {
			permit, err := a.AcquirePermit(ctx)
			if err != nil {
				return err
			}
			err = w.plain()
			permit.Record()
			return err
		}
	}},
}

func BenchmarkAdaptive(b *testing.B) { compare(b, adaptives) }

func TestBenchmarkedAdaptivesAreNotEmptyPaths(t *testing.T) {
	const initial = 20
	for _, s := range adaptives {
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
				for range initial + 1 {
					calls.Go(func() {
						if err := call(); err != nil {
							t.Error(err)
						}
					})
				}
				synctest.Wait()
				if got := inside.Load(); got != initial {
					t.Errorf("%d calls are inside, want %d", got, initial)
				}
				close(leave)
				calls.Wait()
				if got := ran.Load(); got != initial+1 {
					t.Errorf("%d calls ran, want %d", got, initial+1)
				}
			})
		})
	}
}
