package degrade_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

func BenchmarkFallback(b *testing.B) {
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		share float64
	}{{"idle", 0}, {"exercised", 1e-12}} {
		chain := seawall.Chain(newFallback(degrade.FallbackConfig{Func: degrade.Value(1), AlwaysExercise: c.share}))
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = seawall.Call(ctx, chain, one)
			}
		})
	}
	b.Run("none", func(b *testing.B) {
		chain := seawall.Chain()
		for b.Loop() {
			_, _ = seawall.Call(ctx, chain, one)
		}
	})
}

func BenchmarkBrownout(b *testing.B) {
	ctx := context.Background()
	full := newBrownout(degrade.BrownoutConfig{Signal: func() float64 { return 0 }})
	off := newBrownout(degrade.BrownoutConfig{})
	_ = off.SetLevel(degrade.WithoutSheddablePlus)
	for name, f := range map[string]func(){
		"full":     func() { full.Allows(ctx, seawall.Sheddable) },
		"rejected": func() { off.Allows(ctx, seawall.Sheddable) },
		"work":     func() { _ = full.Work(seawall.Sheddable).Do(ctx, succeed) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
	b.Run("full/parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				full.Allows(ctx, seawall.Sheddable)
			}
		})
	})
}

func BenchmarkGather(b *testing.B) {
	ctx := context.Background()
	g := newGather(degrade.GatherConfig{})
	var x, y, z int
	for name, parts := range map[string][]degrade.Part{
		"one":   {degrade.Section("x", nil, &x, one)},
		"three": {degrade.Section("x", nil, &x, one), degrade.Section("y", nil, &y, one), degrade.Section("z", nil, &z, one)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = g.Do(ctx, parts...)
			}
		})
	}
}
