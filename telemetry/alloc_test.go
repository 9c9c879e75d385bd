package telemetry_test

import (
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry"
	"github.com/seawall-go/seawall/timeout"
)

// T81: policies count for themselves, and a call knows nothing of who reads.
func TestCallsAllocateNothingMoreWithTelemetry(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	b := start(t, telemetry.Config{})
	r := b.registry
	chain := seawall.Chain(
		retry.New("p", retry.Config{Registry: r}),
		breaker.New("p", breaker.Config{Registry: r}),
		bulkhead.New("p", bulkhead.Config{Registry: r}),
	)
	limit := timeout.New("p", timeout.Config{Limit: time.Second, Registry: r})
	ctx := t.Context()
	b.collect()
	if n := testing.AllocsPerRun(1000, func() { _ = chain.Do(ctx, pass) }); n != 0 {
		t.Errorf("a call allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { _ = limit.Do(ctx, pass) }); n > 1 {
		t.Errorf("a call with a limit allocates %v times", n)
	}
	b.collect()
}
