package fault_test

import (
	"context"
	"testing"
	"time"

	"github.com/seawall-go/seawall/fault"
)

var sink float64 // keeps results alive

// BenchmarkPoint pairs each answer of a point with the same one while nothing acts.
func BenchmarkPoint(b *testing.B) {
	i := newInjector(slow(0, time.Hour, "on", 2), failing(0, time.Hour, "on", 0.5))
	if err := i.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer i.Stop()
	ctx := context.Background()
	for _, target := range []string{"off", "on"} {
		p := i.Point(target)
		b.Run("slow/"+target, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = p.Slow()
			}
		})
		b.Run("err/"+target, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Err(ctx)
			}
		})
	}
	b.Run("do/off", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = i.Point("off").Do(ctx, nothing)
		}
	})
}

// BenchmarkPointParallel shows that cores do not contend while nothing acts.
func BenchmarkPointParallel(b *testing.B) {
	p := newInjector(fault.Fault{For: 1, Kind: fault.Slow, Target: "a", Factor: 2}).Point("a")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if p.Slow() != 1 {
				b.Fail()
			}
		}
	})
}
