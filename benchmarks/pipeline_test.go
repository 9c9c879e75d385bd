package benchmarks_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go"
	failsafebulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/fallback"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

const limit = time.Second

// scenario is what a pipeline has beside fallback, retry, breaker and bulkhead, and how its operation behaves.
type scenario struct {
	name    string
	timed   bool // a limit for each attempt
	watched bool // the operation looks at its context
}

var scenarios = []scenario{{"notimeout", false, false}, {"timeout", true, false}, {"timeoutwatched", true, true}}

// pipeline builds the policies around the work, and returns one call. replaced is told of each error that the fallback
// replaces.
type pipeline func(w work, s scenario, replaced func(error)) (call func() error)

var pipelines = []struct {
	library string
	build   pipeline
}{
	{"seawall", func(w work, s scenario, replaced func(error)) func() error {
		return seawallPipeline(w, s, replaced, unfundedRetry(), breaker.Config{
			FailureRate: failureRate,
			MinCalls:    minCalls,
			Window:      breaker.Window{Time: windowTime},
			Slow:        breaker.SlowCalls{Over: breaker.NoSlowCalls}, // of which the peers know nothing
			Registry:    registry(),
		}, bulkhead.Config{
			Limit:    slots,
			Queue:    bulkhead.Queue{Limit: bulkhead.NoQueue},
			Registry: registry(),
		})
	}},
	{"seawalldefault", func(w work, s scenario, replaced func(error)) func() error {
		return seawallPipeline(w, s, replaced, retry.Config{Registry: registry()},
			breaker.Config{Registry: registry()}, bulkhead.Config{Limit: slots, Registry: registry()})
	}},
	{"failsafe", func(w work, s scenario, replaced func(error)) func() error {
		policies := []failsafe.Policy[struct{}]{
			fallback.NewWithFunc(func(exec failsafe.Execution[struct{}]) (struct{}, error) {
				replaced(exec.LastError())
				return struct{}{}, nil
			}),
			failsafeRetry(),
			failsafeBreaker(),
			failsafebulkhead.New[struct{}](slots),
		}
		if s.timed {
			policies = append(policies, failsafetimeout.New[struct{}](limit))
		}
		executor := failsafe.With(policies...)
		if s.watched {
			return func() error { return executor.RunWithExecution(w.exec) }
		}
		return func() error { return executor.Run(w.plain) }
	}},
}

func seawallPipeline(
	w work, s scenario, replaced func(error), r retry.Config, b breaker.Config, bh bulkhead.Config,
) func() error {
	policies := []seawall.Policy{
		degrade.NewFallback("benchmark", degrade.FallbackConfig{
			Func: func(_ context.Context, err error) (any, error) {
				replaced(err)
				return struct{}{}, nil
			},
			Registry: registry(),
		}),
		retry.New("benchmark", r),
		breaker.New("benchmark", b),
		bulkhead.New("benchmark", bh),
	}
	if s.timed {
		policies = append(policies, timeout.New("benchmark", timeout.Config{Limit: limit, Registry: registry()}))
	}
	ctx, chain := context.Background(), seawall.Chain(policies...)
	return func() error { return chain.Do(ctx, w.ctx) }
}

func BenchmarkPipeline(b *testing.B) {
	for _, p := range pipelines {
		b.Run(p.library, func(b *testing.B) {
			for _, s := range scenarios {
				b.Run(s.name, func(b *testing.B) {
					w := static
					if s.watched {
						w = watching
					}
					call := p.build(w, s, func(err error) { b.Error("replaced", err) })
					b.Run("serial", func(b *testing.B) { serial(b, call) })
					b.Run("parallel", func(b *testing.B) { parallel(b, call) })
				})
			}
		})
	}
}

func TestBenchmarkedPipelinesAreNotEmptyPaths(t *testing.T) {
	for _, p := range pipelines {
		t.Run(p.library, func(t *testing.T) {
			for name, test := range map[string]func(*testing.T, pipeline){
				"fallback after retries": testFallbackAfterRetries,
				"open breaker":           testOpenBreaker,
				"full bulkhead":          testFullBulkhead,
				"timeout":                testTimeout,
			} {
				t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, p.build) }) })
			}
		})
	}
}

var errDown = errors.New("down")

func testFallbackAfterRetries(t *testing.T, build pipeline) {
	ran, fell := 0, 0
	call := build(doing(func() error { ran++; return errDown }), scenario{timed: true}, func(error) { fell++ })
	if err := call(); err != nil || ran != attempts || fell != 1 {
		t.Errorf("error %v, %d runs, %d fallbacks; want nil, %d, 1", err, ran, fell, attempts)
	}
}

func testOpenBreaker(t *testing.T, build pipeline) {
	ran, fell := 0, 0
	call := build(doing(func() error { ran++; return errDown }), scenario{timed: true}, func(error) { fell++ })
	const calls = 100
	for range calls {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	if ran < minCalls || ran > calls || fell != calls {
		t.Errorf("%d runs and %d fallbacks of %d calls that fail: the breaker did not open", ran, fell, calls)
	}
}

func testFullBulkhead(t *testing.T, build pipeline) {
	var inside, fell atomic.Int64
	leave := make(chan struct{})
	call := build(doing(func() error {
		inside.Add(1)
		<-leave
		return nil
	}), scenario{}, func(error) { fell.Add(1) })

	var calls sync.WaitGroup
	for range slots + 1 {
		calls.Go(func() {
			if err := call(); err != nil {
				t.Error(err)
			}
		})
	}
	// Long enough for the one without a slot to wait in a queue or to retry, and to give up.
	time.Sleep(time.Minute)
	if inside.Load() != slots || fell.Load() != 1 {
		t.Errorf("%d calls are inside and %d fell back, want %d and 1", inside.Load(), fell.Load(), slots)
	}
	close(leave)
	calls.Wait()
}

func testTimeout(t *testing.T, build pipeline) {
	late := func() error {
		time.Sleep(5 * limit)
		return errDown
	}
	obedient := work{
		ctx: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		exec: func(exec failsafe.Execution[struct{}]) error {
			<-exec.Canceled()
			return context.Canceled
		},
	}
	for _, s := range scenarios {
		var reason error
		w := doing(late)
		if s.watched {
			w = obedient
		}
		start := time.Now()
		if err := build(w, s, func(err error) { reason = err })(); err != nil {
			t.Fatal(err)
		}
		exceeded := errors.Is(reason, timeout.ErrExceeded) || errors.Is(reason, failsafetimeout.ErrExceeded)
		if exceeded != s.timed {
			t.Errorf("%s: the attempts ended with %v", s.name, reason)
		}
		if took := time.Since(start); s.watched != (took < attempts*3*limit) {
			t.Errorf("%s: took %v", s.name, took)
		}
	}
}
