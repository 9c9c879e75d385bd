package retry_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

// T81
func TestFirstSuccessAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r, _ := newRetry(t, retry.Config{})
	ctx, _ := seawall.WithRecord(t.Context())
	value := func(context.Context) (int, error) { return 1, nil }
	chain := seawall.Chain(r, r)
	for name, f := range map[string]func(){
		"Do":              func() { _ = r.Do(ctx, succeed) },
		"Call":            func() { _, _ = seawall.Call(ctx, r, value) },
		"in a chain":      func() { _ = chain.Do(ctx, succeed) },
		"budget not full": func() { r.Budget().Take(); _ = r.Do(ctx, succeed) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
