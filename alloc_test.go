package seawall_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall"
)

// T81
func TestChainAllocatesNothingOnSuccess(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	gates := seawall.Chain(&gate{}, &gate{})
	chain := seawall.Chain(&replacer{value: 1}, &repeater{attempts: 3}, &gate{}, &repeater{attempts: 2}, &gate{})
	discard := func(int) {}
	op := &counting{}
	full, empty := &gate{}, seawall.Chain()
	for _, c := range []struct {
		name string
		call func()
	}{
		{"gates", func() { _ = gates.Do(ctx, succeed) }},
		{"gates, a failure", func() { _ = gates.Do(ctx, fail) }},
		{"a chain", func() { _ = chain.Do(ctx, succeed) }},
		{"a chain with a value", func() { _, _ = seawall.Call(ctx, chain, one) }},
		{"a chain with a discard function", func() { _, _ = seawall.CallDiscard(ctx, chain, one, discard) }},
		{"a chain with an operation", func() { _, _ = seawall.CallOperation(ctx, chain, op) }},
		{"a policy by itself", func() { _ = full.Do(ctx, succeed) }},
		{"a permit", func() {
			p, _ := full.Acquire(ctx)
			p.Done(nil)
		}},
		{"no policy", func() { _ = empty.Do(ctx, succeed) }},
	} {
		if n := testing.AllocsPerRun(1000, c.call); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
