//go:build !race

package telemetry_test

import (
	"context"
	"log/slog"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry"
)

// T81: with the SDK behind it a histogram is told of a call, and nothing is allocated.
func TestHistogramsOfTheSDKCostNoAllocation(t *testing.T) {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	provider := metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
	registration, err := telemetry.Register(provider, telemetry.Config{Registry: r, Histograms: telemetry.AllHistograms()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = registration.Unregister() }()
	again := retry.New("mail", retry.Config{Registry: r})
	ctx, pass := t.Context(), func(context.Context) error { return nil }
	if n := testing.AllocsPerRun(1000, func() { _ = again.Do(ctx, pass) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
