package telemetry_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/telemetry"
)

// provider is a meter provider that collects when it is asked to. The SDK has its tests in the module conformance.
type provider struct {
	noop.MeterProvider
	meter
}

func (p *provider) Meter(string, ...metric.MeterOption) metric.Meter { return &p.meter }

type meter struct {
	noop.Meter
	units    map[string]string
	callback metric.Callback
	series   map[string]float64 // of the last collection
	twice    []string           // series that were observed more than once

	disabled   atomic.Bool // of the histograms
	mu         sync.Mutex  // guards recorded
	recorded   map[string][]float64
	boundaries map[string][]float64
}

type histogram struct {
	noop.Float64Histogram
	name string
	m    *meter
}

func (m *meter) Float64Histogram(name string, o ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	cfg := metric.NewFloat64HistogramConfig(o...)
	m.units[name] = cfg.Unit()
	if m.boundaries == nil {
		m.boundaries = map[string][]float64{}
	}
	m.boundaries[name] = cfg.ExplicitBucketBoundaries()
	return histogram{name: name, m: m}, nil
}

func (h histogram) Enabled(context.Context) bool { return !h.m.disabled.Load() }

func (h histogram) Record(_ context.Context, v float64, options ...metric.RecordOption) {
	set := metric.NewRecordConfig(options).Attributes()
	id := h.name + "{" + strings.ReplaceAll(set.Encoded(attribute.DefaultEncoder()), "seawall.", "") + "}"
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.m.recorded == nil {
		h.m.recorded = map[string][]float64{}
	}
	h.m.recorded[id] = append(h.m.recorded[id], v)
}

// told returns what the histograms have been told, and forgets it.
func (m *meter) told() map[string][]float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	told := m.recorded
	m.recorded = nil
	return told
}

type (
	counter struct {
		noop.Float64ObservableCounter
		name string
	}
	upDown struct {
		noop.Float64ObservableUpDownCounter
		name string
	}
	gauge struct {
		noop.Float64ObservableGauge
		name string
	}
)

func (m *meter) Float64ObservableCounter(name string, o ...metric.Float64ObservableCounterOption) (metric.Float64ObservableCounter, error) {
	m.units[name] = metric.NewFloat64ObservableCounterConfig(o...).Unit()
	return counter{name: name}, nil
}

func (m *meter) Float64ObservableUpDownCounter(name string, o ...metric.Float64ObservableUpDownCounterOption) (metric.Float64ObservableUpDownCounter, error) {
	m.units[name] = metric.NewFloat64ObservableUpDownCounterConfig(o...).Unit()
	return upDown{name: name}, nil
}

func (m *meter) Float64ObservableGauge(name string, o ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	m.units[name] = metric.NewFloat64ObservableGaugeConfig(o...).Unit()
	return gauge{name: name}, nil
}

func (m *meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.callback = f
	return noop.Registration{}, nil
}

type observer struct {
	noop.Observer
	m *meter
}

func (o observer) ObserveFloat64(to metric.Float64Observable, v float64, options ...metric.ObserveOption) {
	var name string
	switch to := to.(type) {
	case counter:
		name = to.name
	case upDown:
		name = to.name
	case gauge:
		name = to.name
	}
	set := metric.NewObserveConfig(options).Attributes()
	id := name + "{" + strings.ReplaceAll(set.Encoded(attribute.DefaultEncoder()), "seawall.", "") + "}"
	if _, there := o.m.series[id]; there {
		o.m.twice = append(o.m.twice, id)
	}
	o.m.series[id] = v
}

// bench is a registry with telemetry.
type bench struct {
	*provider
	t        *testing.T
	registry *seawall.Registry
}

func start(t *testing.T, cfg telemetry.Config) *bench {
	t.Helper()
	b := &bench{&provider{meter: meter{units: map[string]string{}}}, t, silent()}
	cfg.Registry = b.registry
	r, err := telemetry.Register(b.provider, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Unregister(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// collect collects once, as a reader does.
func (b *bench) collect() map[string]float64 {
	b.t.Helper()
	b.series, b.twice = map[string]float64{}, nil
	if err := b.callback(context.Background(), observer{m: &b.meter}); err != nil {
		b.t.Fatal(err)
	}
	if len(b.twice) > 0 {
		b.t.Errorf("observed more than once: %q", b.twice)
	}
	return maps.Clone(b.series)
}

// want checks series of the last collection.
func (b *bench) want(want map[string]float64) {
	b.t.Helper()
	for id, v := range want {
		got, there := b.series[id]
		if !there || got != v {
			b.t.Errorf("%s is %v (there: %t), want %v; there are\n%s", id, got, there, v, b.like(id))
		}
	}
}

func (b *bench) like(id string) string {
	name, _, _ := strings.Cut(id, "{")
	var lines []string
	for other, v := range b.series {
		if strings.HasPrefix(other, name+"{") {
			lines = append(lines, fmt.Sprint("\t", other, " ", v))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
