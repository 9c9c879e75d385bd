package timeout_test

import (
	"context"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// uses are what an operation may want of its context.
var uses = []struct {
	name string
	use  func(context.Context)
}{
	{"untouched", func(context.Context) {}},
	{"err", func(ctx context.Context) { _ = ctx.Err() }},
	{"done", func(ctx context.Context) { _ = ctx.Done() }},
	{"child", func(ctx context.Context) {
		_, cancel := context.WithCancel(ctx)
		cancel()
	}},
}

// BenchmarkContext compares the context of a call with that of the standard library, both under a cancelable parent.
func BenchmarkContext(b *testing.B) {
	parent, cancel := context.WithCancel(b.Context())
	defer cancel()
	limit := timeout.New("bench", timeout.Config{Limit: time.Minute, Registry: &seawall.Registry{}})
	for _, u := range uses {
		b.Run("seawall/"+u.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, err := limit.Enter(parent)
				if err != nil {
					b.Fatal(err)
				}
				u.use(ctx)
				if err := limit.Leave(parent, ctx, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("stdlib/"+u.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := context.WithTimeout(parent, time.Minute)
				u.use(ctx)
				cancel()
			}
		})
	}
}

func BenchmarkDo(b *testing.B) {
	ctx := b.Context()
	for _, bench := range []struct {
		name   string
		policy seawall.Policy
	}{
		{"empty", seawall.Chain()},
		{"off", timeout.New("bench", timeout.Config{Limit: timeout.Off, Registry: &seawall.Registry{}})},
		{"timeout", timeout.New("bench", timeout.Config{Registry: &seawall.Registry{}})},
	} {
		b.Run(bench.name+"/serial", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.policy.Do(ctx, succeed); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := bench.policy.Do(ctx, succeed); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
