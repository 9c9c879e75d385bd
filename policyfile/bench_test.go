package policyfile_test

import (
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/policyfile"
)

func BenchmarkCall(b *testing.B) {
	set, err := policyfile.Parse([]byte("chains: {a: [retry, bulkhead], k: {per_key: , policies: [retry, bulkhead]}}"),
		policyfile.Options{Registry: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	a, k, ctx := set.Chain("a"), set.Keyed("k"), b.Context()
	fixed, tenant := a.Current(), string([]byte("tenant"))
	for _, c := range []struct {
		name string
		call func()
	}{
		{"Pipeline", func() { _, _ = seawall.Call(ctx, fixed, answer) }},
		{"Chain", func() { _, _ = seawall.Call(ctx, a, answer) }},
		{"For", func() { _, _ = seawall.Call(ctx, k.For(tenant), answer) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.call()
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	file := []byte("chains: {a: [timeout, retry, breaker, bulkhead: {limit: 5, queue: {limit: none}}, timeout: {name: b}]}")
	opts := policyfile.Options{Registry: quiet()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policyfile.Parse(file, opts); err != nil {
			b.Fatal(err)
		}
	}
}
