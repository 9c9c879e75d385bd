package telemetry_test

import (
	"log/slog"
	"net/http"
	"runtime"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/telemetry"
)

// The bound of the policies is tested with telemetry, which knows no adapter.
func TestNoServerHasMoreThan32Series(t *testing.T) {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	reader := metric.NewManualReader()
	if _, err := telemetry.Register(metric.NewMeterProvider(metric.WithReader(reader)), telemetry.Config{Registry: r}); err != nil {
		t.Fatal(err)
	}
	all := []any{
		httpx.NewHandler("web", httpx.ServerConfig{Registry: r}, http.NotFoundHandler()),
		httpx.NewIdempotency("orders", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: r}),
		grpcx.NewServer("api", grpcx.ServerConfig{Registry: r}),
	}
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	count := func(set attribute.Set) {
		name, _ := set.Value("seawall.name")
		counts[name.AsString()]++
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch of := m.Data.(type) {
			case metricdata.Sum[float64]:
				for _, p := range of.DataPoints {
					count(p.Attributes)
				}
			case metricdata.Gauge[float64]:
				for _, p := range of.DataPoints {
					count(p.Attributes)
				}
			}
		}
	}
	for name, n := range counts {
		if n > 32 {
			t.Errorf("%s has %d series", name, n)
		}
	}
	for _, name := range []string{"web", "orders", "api"} {
		if counts[name] == 0 {
			t.Errorf("nothing is exported of %s: %v", name, counts)
		}
	}
	runtime.KeepAlive(all)
}
