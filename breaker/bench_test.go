package breaker_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

func succeed(context.Context) error { return nil }

func BenchmarkDo(b *testing.B) {
	ctx := context.Background()
	for name, p := range map[string]seawall.Policy{
		"empty": seawall.Chain(),
		"time":  breaker.New("bench", breaker.Config{}),
		"calls": breaker.New("bench", breaker.Config{Window: breaker.Window{Calls: 100}}),
	} {
		b.Run(name+"/serial", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Do(ctx, succeed); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := p.Do(ctx, succeed); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
