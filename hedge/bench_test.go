package hedge_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

func BenchmarkDo(b *testing.B) {
	fixed, _ := newHedge(b, hedge.Config{Delay: time.Minute})
	followed, _ := newHedge(b, hedge.Config{})
	for _, bench := range []struct {
		name   string
		policy seawall.Policy
	}{{"empty", seawall.Chain()}, {"race", racer{}}, {"fixed", fixed}, {"followed", followed}} {
		b.Run(bench.name+"/serial", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.policy.Do(b.Context(), succeed); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := bench.policy.Do(b.Context(), succeed); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
