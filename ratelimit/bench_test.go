package ratelimit_test

import (
	"context"
	"testing"

	"golang.org/x/time/rate"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// bench runs a call in serial and in parallel.
func bench(b *testing.B, name string, call func() error) {
	b.Run(name+"/serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := call(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := call(); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// plenty is a rate that no benchmark reaches, but that the bucket has to count.
var plenty = ratelimit.Config{Rate: 1e9, Burst: 1_000_000}

// BenchmarkPermit has x/time/rate itself as its baseline.
func BenchmarkPermit(b *testing.B) {
	ctx := context.Background()
	bare := rate.NewLimiter(1e9, 1_000_000)
	bench(b, "xtimerate", func() error {
		if !bare.Allow() {
			return ratelimit.ErrLimited
		}
		return nil
	})
	l := newLimiter(plenty)
	bench(b, "limiter", func() error {
		permit, err := l.Acquire(ctx)
		if err == nil {
			permit.Done(nil)
		}
		return err
	})
}

// BenchmarkDo has the empty chain as its baseline: what a call costs that no policy guards.
func BenchmarkDo(b *testing.B) {
	ctx := context.Background()
	for _, p := range []struct {
		name   string
		policy seawall.Policy
	}{
		{"empty", seawall.Chain()},
		{"limiter", newLimiter(plenty)},
		{"off", newLimiter(ratelimit.Config{Rate: 1, Mode: seawall.Off})},
	} {
		bench(b, p.name, func() error { return p.policy.Do(ctx, succeed) })
	}
}

// BenchmarkRejection is what a call costs that is turned away.
func BenchmarkRejection(b *testing.B) {
	ctx := context.Background()
	l := newLimiter(ratelimit.Config{Rate: 1, Burst: 1})
	drain(ctx, l)
	bench(b, "limited", func() error {
		_, _ = l.Acquire(ctx)
		return nil
	})
}
