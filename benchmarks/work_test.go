package benchmarks_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/failsafe-go/failsafe-go"

	"github.com/seawall-go/seawall"
)

// work is one operation in the shapes that the libraries ask for.
type work struct {
	ctx   func(context.Context) error
	plain func() error
	value func() (struct{}, error)
	exec  func(failsafe.Execution[struct{}]) error // for an operation that looks at its context, in failsafe-go
}

// static is the operation of all benchmarks. Its functions capture nothing, so what is allocated is the library's.
var static = work{ctx: succeedCtx, plain: succeed, value: succeedValue}

// watching is an operation that asks for the end of its context, as all that goes over a network do.
var watching = work{ctx: watchCtx, exec: watchExec}

//go:noinline
func succeedCtx(context.Context) error { return nil }

//go:noinline
func succeed() error { return nil }

//go:noinline
func succeedValue() (struct{}, error) { return struct{}{}, nil }

//go:noinline
func watchCtx(ctx context.Context) error { return watch(ctx.Done()) }

//go:noinline
func watchExec(exec failsafe.Execution[struct{}]) error { return watch(exec.Canceled()) }

func watch(end <-chan struct{}) error {
	select {
	case <-end:
		return context.Canceled
	default:
		return nil
	}
}

// doing is the work of a test: what is to be observed.
func doing(op func() error) work {
	return work{
		ctx:   func(context.Context) error { return op() },
		plain: op,
		value: func() (struct{}, error) { return struct{}{}, op() },
	}
}

// subject is one library's way to do what a benchmark is about. build makes the policies, and returns one call of w
// through them.
type subject struct {
	library string
	build   func(w work) (call func() error)
}

// compare runs the calls of all subjects, by one goroutine and by as many as there are CPUs.
func compare(b *testing.B, subjects []subject) {
	b.Helper()
	for _, s := range subjects {
		b.Run(s.library, func(b *testing.B) {
			call := s.build(static)
			b.Run("serial", func(b *testing.B) { serial(b, call) })
			b.Run("parallel", func(b *testing.B) { parallel(b, call) })
		})
	}
}

func serial(b *testing.B, call func() error) {
	b.ReportAllocs()
	for b.Loop() {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
}

func parallel(b *testing.B, call func() error) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// registry is a silent one for a policy, so that policies of equal names do not meet, and none writes between results.
func registry() *seawall.Registry {
	r := &seawall.Registry{}
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// BenchmarkNothing is the price of the harness itself, which is in all other numbers.
func BenchmarkNothing(b *testing.B) {
	compare(b, []subject{{"none", func(w work) func() error {
		ctx := context.Background()
		return func() error { return w.ctx(ctx) }
	}}})
}
