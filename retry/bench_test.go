package retry_test

import (
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

func BenchmarkDo(b *testing.B) {
	ctx := b.Context()
	for _, bench := range []struct {
		name   string
		policy seawall.Policy
	}{
		{"empty", seawall.Chain()},
		{"retry", retry.New("bench", retry.Config{Registry: &seawall.Registry{}})},
		{"no_budget", retry.New("bench", retry.Config{Registry: &seawall.Registry{}, Funding: retry.NoBudget})},
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

func BenchmarkExhausted(b *testing.B) {
	r := retry.New("bench", retry.Config{
		Registry: &seawall.Registry{}, Backoff: retry.Backoff{Kind: retry.Immediate}, Funding: retry.NoBudget,
	})
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Do(b.Context(), down); err == nil {
			b.Fatal("no error")
		}
	}
}
