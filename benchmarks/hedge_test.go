package benchmarks_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"

	"github.com/seawall-go/seawall/hedge"
)

// hedgeDelay is how long the first attempt is given. In the benchmark it never takes as long.
const hedgeDelay = time.Second

// hedges start a second attempt when the first is late, after a fixed time and without a budget, except seawalldefault,
// which is whatever the zero Config is: it learns the time from the calls.
var hedges = []subject{
	{"seawall", func(w work) func() error {
		return seawallHedge(w, hedge.Config{Delay: hedgeDelay, Funding: hedge.NoBudget, Registry: registry()})
	}},
	{"seawalldefault", func(w work) func() error { return seawallHedge(w, hedge.Config{Registry: registry()}) }},
	{"failsafe", func(w work) func() error {
		executor := failsafe.With(hedgepolicy.NewWithDelay[struct{}](hedgeDelay))
		return func() error { return executor.Run(w.plain) }
	}},
}

func seawallHedge(w work, cfg hedge.Config) func() error {
	ctx, h := context.Background(), hedge.New("benchmark", cfg)
	return func() error { return h.Do(ctx, w.ctx) }
}

func BenchmarkHedge(b *testing.B) { compare(b, hedges) }

func TestBenchmarkedHedgesAreNotEmptyPaths(t *testing.T) {
	for _, s := range hedges {
		t.Run(s.library, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const usual, hung = hedgeDelay / 20, 10 * hedgeDelay
				var ran, hangs atomic.Int64 // attempts, and how many of the next ones hang
				call := s.build(doing(func() error {
					ran.Add(1)
					if hangs.Add(-1) >= 0 {
						time.Sleep(hung)
						return nil
					}
					time.Sleep(usual)
					return nil
				}))

				const calls = 200 // enough to learn from
				for range calls {
					if err := call(); err != nil {
						t.Fatal(err)
					}
				}
				if ran.Load() != calls {
					t.Fatalf("%d attempts in %d calls of which none was late", ran.Load(), calls)
				}

				ran.Store(0)
				hangs.Store(1)
				start := time.Now()
				if err := call(); err != nil || ran.Load() != 2 {
					t.Errorf("a late call had %d attempts and ended with %v", ran.Load(), err)
				}
				if took := time.Since(start); took < 2*usual || took > hedgeDelay+usual {
					t.Errorf("a late call took %v: it was not the second attempt that won", took)
				}
				time.Sleep(hung) // the loser does not look at its context
			})
		})
	}
}
