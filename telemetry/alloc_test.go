package telemetry_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/cache"
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

// adding is a provider whose histograms count what they are told, and keep nothing.
type adding struct {
	noop.MeterProvider
	told atomic.Int64
}

type addingMeter struct {
	noop.Meter
	told *atomic.Int64
}

type addingHistogram struct {
	noop.Float64Histogram
	told *atomic.Int64
}

func (a *adding) Meter(string, ...metric.MeterOption) metric.Meter { return addingMeter{told: &a.told} }

func (m addingMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return addingHistogram{told: m.told}, nil
}

func (addingHistogram) Enabled(context.Context) bool { return true }
func (h addingHistogram) Record(_ context.Context, _ float64, _ ...metric.RecordOption) {
	h.told.Add(1)
}

// T81: nor with the histograms, that are told of each call.
func TestCallsAllocateNothingMoreWithHistograms(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	var provider adding
	r := silent()
	registration, err := telemetry.Register(&provider, telemetry.Config{Histograms: telemetry.AllHistograms(), Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = registration.Unregister() }()
	again := retry.New("p", retry.Config{Registry: r})
	chain := seawall.Chain(again, breaker.New("p", breaker.Config{Registry: r}), bulkhead.New("p", bulkhead.Config{Registry: r}))
	prices := cache.New("p", cache.Config[string, int]{TTL: time.Hour, MaxStale: time.Hour, RetryEvery: time.Hour, Registry: r})
	ctx := t.Context()
	load := func(context.Context, string) (int, error) { return 1, nil }
	down := func(context.Context, string) (int, error) { return 0, errDown }
	_, _ = prices.Get(ctx, "a", load)
	prices.Expire(ctx, "a")
	_, _ = prices.Get(ctx, "a", down)                                 // which is not tried again for RetryEvery
	waits := seawall.NewTiming(r, seawall.QueueWait, "bulkhead", "p") // a call that waits allocates anyway
	for name, call := range map[string]func(){
		"a retry in a chain": func() { _ = chain.Do(ctx, pass) },
		"a retry by itself":  func() { _ = again.Do(ctx, pass) },
		"a stale answer":     func() { _, _ = prices.Get(ctx, "a", down) },
		"a wait":             func() { waits.Tell(ctx, "admitted", time.Second) },
	} {
		before := provider.told.Load()
		if n := testing.AllocsPerRun(1000, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
		if told := provider.told.Load() - before; told != 1001 {
			t.Errorf("%s told %d times", name, told)
		}
	}
}
