package benchmarks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"

	"github.com/seawall-go/seawall/timeout"
)

// limited is one library's way to limit the time of a call. exceeded is what a call ends with that has taken too long.
type limited struct {
	library  string
	exceeded error
	plain    func(w work) (call func() error) // the operation does not look at its context
	watched  func(w work) (call func() error) // it asks for the end of its context
}

var timeouts = []limited{
	{"seawall", timeout.ErrExceeded, seawallTimeout, seawallTimeout},
	{
		"failsafe", failsafetimeout.ErrExceeded,
		func(w work) func() error {
			executor := failsafe.With(failsafetimeout.New[struct{}](limit))
			return func() error { return executor.Run(w.plain) }
		},
		func(w work) func() error {
			executor := failsafe.With(failsafetimeout.New[struct{}](limit))
			return func() error { return executor.RunWithExecution(w.exec) }
		},
	},
	{"stdlib", context.DeadlineExceeded, stdlibTimeout, stdlibTimeout},
}

func seawallTimeout(w work) func() error {
	ctx, t := context.Background(), timeout.New("benchmark", timeout.Config{Limit: limit, Registry: registry()})
	return func() error { return t.Do(ctx, w.ctx) }
}

// stdlibTimeout is what one writes without a library.
func stdlibTimeout(w work) func() error {
	parent := context.Background()
	return func() error {
		ctx, cancel := context.WithTimeout(parent, limit)
		defer cancel()
		return w.ctx(ctx)
	}
}

func BenchmarkTimeout(b *testing.B) {
	for _, s := range timeouts {
		b.Run(s.library, func(b *testing.B) {
			plain, watched := s.plain(static), s.watched(watching)
			b.Run("plain/serial", func(b *testing.B) { serial(b, plain) })
			b.Run("plain/parallel", func(b *testing.B) { parallel(b, plain) })
			b.Run("watched/serial", func(b *testing.B) { serial(b, watched) })
			b.Run("watched/parallel", func(b *testing.B) { parallel(b, watched) })
		})
	}
}

func TestBenchmarkedTimeoutsAreNotEmptyPaths(t *testing.T) {
	var within time.Duration // by when the operation sees the end of its context
	see := func(end <-chan struct{}) error {
		select {
		case <-end:
			return context.DeadlineExceeded
		case <-time.After(within):
			return nil
		}
	}
	waiting := work{
		ctx:  func(ctx context.Context) error { return see(ctx.Done()) },
		exec: func(exec failsafe.Execution[struct{}]) error { return see(exec.Canceled()) },
	}
	for _, s := range timeouts {
		t.Run(s.library, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				call := s.watched(waiting)
				for _, c := range []struct {
					takes, took time.Duration
					want        error
				}{{limit / 2, limit / 2, nil}, {2 * limit, limit, s.exceeded}} {
					within = c.takes
					start := time.Now()
					if err := call(); !errors.Is(err, c.want) || time.Since(start) != c.took {
						t.Errorf("a call of %v took %v and ended with %v, want %v and %v",
							c.takes, time.Since(start), err, c.took, c.want)
					}
				}

				ran := 0
				call = s.plain(doing(func() error { ran++; return nil }))
				if err := call(); err != nil || ran != 1 {
					t.Errorf("a quick call ran %d times and ended with %v", ran, err)
				}
			})
		})
	}
}
