package fault_test

import (
	"context"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

// T73, T81: off allocates nothing, and neither do faults that change nothing, nor an answer of one that does.
func TestPointsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	i := started(t, slow(0, time.Hour, "idle", 1), capacity(0, time.Hour, "idle", 1), failing(0, time.Hour, "idle", 0),
		slow(0, time.Hour, "on", 2), capacity(0, time.Hour, "on", 0.5), failing(0, time.Hour, "on", 0.5),
		capacity(0, time.Hour, "less", 0.5))
	ctx := context.Background()
	key := fault.WithKey(ctx, 1<<40)
	for _, test := range []struct {
		name  string
		point *fault.Point
	}{
		{"off", i.Point("off")},
		{"idle", i.Point("idle")},
		{"less", i.Point("less")},
		{"on", i.Point("on")},
		{"nil", nil},
	} {
		chain := seawall.Chain(test.point)
		call := func(context.Context) (int, error) { return 1, nil }
		for name, f := range map[string]func(){
			"Slow":      func() { test.point.Slow() },
			"Capacity":  func() { test.point.Capacity() },
			"Err":       func() { _ = test.point.Err(ctx) },
			"Err keyed": func() { _ = test.point.Err(key) },
			"Do":        func() { _ = test.point.Do(ctx, nothing) },
			"Call":      func() { _, _ = seawall.Call(ctx, chain, call) },
		} {
			if test.name == "on" && (name == "Do" || name == "Call") {
				continue // a stretched call has a context of its own
			}
			if n := testing.AllocsPerRun(200, f); n != 0 {
				t.Errorf("%s, %s: %v allocations", test.name, name, n)
			}
		}
	}
}
