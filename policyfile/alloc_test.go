package policyfile_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/policyfile"
)

func answer(context.Context) (int, error) { return 5, nil }

// T81
func TestCallsThroughAChainDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	set := parse(t, "chains: {a: [retry, bulkhead], k: {per_key: , policies: [bulkhead]}}", policyfile.Options{})
	a, k, ctx := set.Chain("a"), set.Keyed("k"), t.Context()
	tenant := string([]byte("tenant"))
	for _, c := range []struct {
		name string
		want float64
		call func()
	}{
		{"Call", 0, func() { _, _ = seawall.Call(ctx, a, answer) }},
		{"Do", 0, func() { _ = a.Do(ctx, succeed) }},
		{"Call of For", 0, func() { _, _ = seawall.Call(ctx, k.For(tenant), answer) }},
	} {
		if got := testing.AllocsPerRun(1000, c.call); got != c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
}
