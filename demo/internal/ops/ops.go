package ops

import (
	"context"
	"errors"
	"net/http"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/telemetry"
	"github.com/seawall-go/seawall/telemetry/debugpage"
)

// Service is the operations of one service.
type Service struct {
	health   *health.Health
	page     *debugpage.Page
	exported *telemetry.Registration
	provider *metric.MeterProvider
	metrics  http.Handler
}

// New makes the operations of a service whose policies are in a registry, and begins to run its checks.
func New(name string, registry *seawall.Registry, checks ...health.Check) (*Service, error) {
	s := &Service{health: health.New(name, health.Config{Registry: registry})}
	collected := client.NewRegistry()
	exporter, err := prometheus.New(prometheus.WithRegisterer(collected))
	if err != nil {
		return nil, err
	}
	s.provider = metric.NewMeterProvider(metric.WithReader(exporter))
	s.metrics = promhttp.HandlerFor(collected, promhttp.HandlerOpts{})
	if s.exported, err = telemetry.Register(s.provider, telemetry.Config{Registry: registry, Histograms: telemetry.AllHistograms()}); err != nil {
		return nil, errors.Join(err, s.provider.Shutdown(context.Background()))
	}
	if err := s.health.Add(checks...); err != nil {
		return nil, errors.Join(err, s.exported.Unregister(), s.provider.Shutdown(context.Background()))
	}
	s.health.Start()
	s.page = debugpage.New(debugpage.Config{Registry: registry, Health: s.health})
	return s, nil
}

// Public puts the probes before what the service itself serves: in short, as they may be seen by everybody.
func (s *Service) Public(next http.Handler) http.Handler {
	probes := s.health.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/livez", "/readyz", "/startupz":
			probes.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// Admin is for a listener of its own: the probes in full, /metrics and /debug/seawall/.
func (s *Service) Admin() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/livez", "/readyz", "/startupz"} {
		mux.Handle(path, s.health.AdminHandler())
	}
	mux.Handle("/metrics", s.metrics)
	mux.Handle("/debug/seawall/", s.page)
	mux.Handle("/{$}", http.RedirectHandler("/debug/seawall/", http.StatusFound))
	return mux
}

// Close ends the checks and all else in the background.
func (s *Service) Close(ctx context.Context) error {
	s.page.Close()
	return errors.Join(s.health.Stop(ctx), s.exported.Unregister(), s.provider.Shutdown(ctx))
}
