package degrade_test

import (
	"context"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

// T81
func TestSuccessAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	idle := newFallback(degrade.FallbackConfig{Func: degrade.Value(1)})
	exercised := newFallback(degrade.FallbackConfig{Func: degrade.Value(1), AlwaysExercise: 1e-9})
	chain := seawall.Chain(exercised)
	signal := func() float64 { return 0.7 }
	full := newBrownout(degrade.BrownoutConfig{Signal: signal, Interval: time.Millisecond})
	off := newBrownout(degrade.BrownoutConfig{})
	if err := off.SetLevel(degrade.WithoutCritical); err != nil {
		t.Fatal(err)
	}
	shadow := newBrownout(degrade.BrownoutConfig{Mode: seawall.Shadow})
	_ = shadow.SetLevel(degrade.WithoutCritical)
	work, rejected := full.Work(seawall.Sheddable), off.Work(seawall.Sheddable)
	for _, c := range []struct {
		name string
		call func()
	}{
		{"a fallback", func() { _, _ = seawall.Call(ctx, idle, one) }},
		{"a fallback that is exercised at times", func() { _, _ = seawall.Call(ctx, exercised, one) }},
		{"such a one in a chain", func() { _, _ = seawall.Call(ctx, chain, one) }},
		{"a question", func() { full.Allows(ctx, seawall.Sheddable) }},
		{"work", func() { _ = work.Do(ctx, succeed) }},
		{"a question that is denied", func() { off.Allows(ctx, seawall.Sheddable) }},
		{"a rejection", func() { _ = rejected.Do(ctx, succeed) }},
		{"a shadow rejection", func() { _ = shadow.Do(ctx, succeed) }},
		{"the level", func() { full.Level() }},
	} {
		if n := testing.AllocsPerRun(1000, c.call); n != 0 {
			t.Errorf("%s allocates %v times", c.name, n)
		}
	}
}
