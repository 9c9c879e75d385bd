package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

func succeed(context.Context) error { return nil }

func BenchmarkDo(b *testing.B) {
	ctx := context.Background()
	off := breaker.SlowCalls{Over: breaker.NoSlowCalls}
	peer := gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{Interval: 10 * time.Second, BucketPeriod: time.Second})
	nothing := func() (struct{}, error) { return struct{}{}, nil }
	through := func(p seawall.Policy) func() error { return func() error { return p.Do(ctx, succeed) } }
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"empty", through(seawall.Chain())},
		{"time", through(newBreaker(breaker.Config{}))},
		{"time without slow", through(newBreaker(breaker.Config{Slow: off}))},
		{"calls", through(newBreaker(breaker.Config{Window: breaker.Window{Calls: 100}}))},
		{"calls without slow", through(newBreaker(breaker.Config{Window: breaker.Window{Calls: 100}, Slow: off}))},
		{"gobreaker", func() error {
			_, err := peer.Execute(nothing)
			return err
		}},
	} {
		b.Run(c.name+"/serial", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.call(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkRejection(b *testing.B) {
	open := newBreaker(breaker.Config{MinCalls: 1, OpenFor: 24 * time.Hour})
	_ = open.Do(b.Context(), fail)
	b.ReportAllocs()
	for b.Loop() {
		if err := open.Do(b.Context(), succeed); err == nil {
			b.Fatal("admitted")
		}
	}
}
