package telemetry

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/metric"

	"github.com/seawall-go/seawall"
)

const scope = "github.com/seawall-go/seawall/telemetry"

// Config sets [Register]. A zero field is its default.
type Config struct {
	// MaxNames is how many names are exported for each kind of policy. Default 256; 1 to 10,000. The counters of the
	// others are folded into one series, whose name is _other.
	MaxNames int `json:"max_names" yaml:"max_names"`
	// Histograms names those that are to be there: [QueueWait], [AttemptDuration], [StaleAge]. Default none: what a policy
	// counts costs nothing to export, but a histogram is told of calls while they run. Each of its calls then costs one or
	// two readings of the clock and what the SDK takes to record a value, and no allocation of ours.
	Histograms []string `json:"histograms" yaml:"histograms"`
	// Registry is whose policies are exported. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	if c.MaxNames < 0 || c.MaxNames > 10_000 {
		return fmt.Errorf("telemetry: Config.MaxNames is %d, want 1 to 10,000", c.MaxNames)
	}
	return validateHistograms(c.Histograms)
}

// Registration is what [Register] has set up.
type Registration struct {
	registration metric.Registration
	unobserve    func()
}

// Unregister ends the export. It may be called more than once.
func (r *Registration) Unregister() error {
	r.unobserve()
	return r.registration.Unregister()
}

// Register makes the instruments at a meter provider, and has them filled whenever its readers collect. Policies that are
// made later are exported as well. It returns an error if cfg is not valid, or the provider refuses.
//
// Register once for each registry and provider: twice, and each series comes twice.
func Register(provider metric.MeterProvider, cfg Config) (*Registration, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if provider == nil {
		return nil, fmt.Errorf("telemetry: the meter provider is nil")
	}
	if cfg.MaxNames == 0 {
		cfg.MaxNames = 256
	}
	meter := provider.Meter(scope)
	c := newCollector(cfg)
	var all []metric.Observable
	for _, r := range table {
		o, err := r.make(meter)
		if err != nil {
			return nil, fmt.Errorf("telemetry: %s: %w", r.Name, err)
		}
		c.observables = append(c.observables, o)
		all = append(all, o)
	}
	distributions, err := newDistributions(meter, cfg)
	if err != nil {
		return nil, err
	}
	registration, err := meter.RegisterCallback(func(ctx context.Context, observer metric.Observer) error {
		c.collect(ctx, observer)
		return nil
	}, slices.Clip(all)...)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	r := &Registration{registration, func() {}}
	if len(cfg.Histograms) > 0 {
		r.unobserve = cfg.Registry.Observe(distributions.prepare)
	}
	return r, nil
}

// make makes the instrument. All are of float64: Prometheus has nothing else, and ratios and seconds need it.
func (r row) make(m metric.Meter) (metric.Float64Observable, error) {
	switch r.Type {
	case UpDownCounter:
		return m.Float64ObservableUpDownCounter(r.Name, metric.WithUnit(r.Unit), metric.WithDescription(r.Description))
	case Gauge:
		return m.Float64ObservableGauge(r.Name, metric.WithUnit(r.Unit), metric.WithDescription(r.Description))
	}
	return m.Float64ObservableCounter(r.Name, metric.WithUnit(r.Unit), metric.WithDescription(r.Description))
}
