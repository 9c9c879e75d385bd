package cache_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall/cache"
)

var sink int

func BenchmarkHit(b *testing.B) {
	ctx, load := context.Background(), always(1)
	c := newCache(b, cache.Config[string, int]{EarlyRefresh: 1, Jitter: 0.1})
	_, _ = c.Get(ctx, "a", load)
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sink, _ = c.Get(ctx, "a", load)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = c.Get(ctx, "a", load)
			}
		})
	})
}
