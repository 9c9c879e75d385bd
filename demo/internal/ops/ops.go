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

// Config is what a service has to be operated.
type Config struct {
	Registry *seawall.Registry         // of its policies
	Chains   map[string]seawall.Policy // in which they are; see [debugpage.Config]
	Checks   []health.Check
}

// New makes the operations of a service, and begins to run its checks.
func New(name string, cfg Config) (*Service, error) {
	s := &Service{health: health.New(name, health.Config{Registry: cfg.Registry})}
	collected := client.NewRegistry()
	exporter, err := prometheus.New(prometheus.WithRegisterer(collected))
	if err != nil {
		return nil, err
	}
	s.provider = metric.NewMeterProvider(metric.WithReader(exporter))
	s.metrics = promhttp.HandlerFor(collected, promhttp.HandlerOpts{})
	if s.exported, err = telemetry.Register(s.provider, telemetry.Config{Registry: cfg.Registry, Histograms: telemetry.AllHistograms()}); err != nil {
		return nil, errors.Join(err, s.provider.Shutdown(context.Background()))
	}
	if err := s.health.Add(cfg.Checks...); err != nil {
		return nil, errors.Join(err, s.exported.Unregister(), s.provider.Shutdown(context.Background()))
	}
	s.health.Start()
	s.page = debugpage.New(debugpage.Config{
		Registry: cfg.Registry, Health: s.health, Chains: cfg.Chains, Authorize: fromLoopback,
	})
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

// Admin is for a listener of its own: the probes in full, /metrics and /debug/seawall/, where who comes from this machine
// may force gates.
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

// Drain makes readiness fail from now on.
func (s *Service) Drain() { s.health.Drain() }

// Close ends the checks and all else in the background.
func (s *Service) Close(ctx context.Context) error {
	s.page.Close()
	return errors.Join(s.health.Stop(ctx), s.exported.Unregister(), s.provider.Shutdown(ctx))
}
