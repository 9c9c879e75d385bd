package telemetry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seawall-go/seawall"
)

// The histograms that [Config.Histograms] may name.
const (
	// QueueWait is how long calls waited in the queues of bulkheads and ratelimits, by outcome: admitted, rejected,
	// canceled. Calls that did not have to wait are not in it.
	QueueWait = "seawall.queue.wait"
	// AttemptDuration is how long the attempts of retries and hedges took, by outcome: success, failure, overload, ignored.
	// That of a retry around a hedge is a whole race. That of a gRPC stream goes to its first answer, or to its end if none
	// came; where the client sends, what that takes is part of it.
	AttemptDuration = "seawall.attempt.duration"
	// StaleAge is how old the copies are that caches, httpcaches and fallbacks give for answers, by why: of a cache its
	// [github.com/seawall-go/seawall/cache.Why], of an httpcache load_failed, refreshing or asked_for, and fallback.
	StaleAge = "seawall.stale.age"
)

// histogram is one that a program may opt into. Its boundaries, in seconds, are advice: a View of the SDK goes before them.
type histogram struct {
	Instrument
	measure    seawall.Measure
	boundaries []float64
}

var (
	fast  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	aging = []float64{.1, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400}
)

var histogramTable = []histogram{
	optIn(QueueWait, "Time that calls waited in a queue.", seawall.QueueWait, fast),
	optIn(AttemptDuration, "Time that attempts took.", seawall.AttemptDuration, fast),
	optIn(StaleAge, "Age of copies that were given for answers.", seawall.StaleAge, aging),
}

func optIn(name, description string, m seawall.Measure, boundaries []float64) histogram {
	return histogram{
		Instrument{Name: name, Unit: "s", Description: description, Type: Histogram, Attributes: []string{"seawall.kind", "seawall.outcome"}},
		m, boundaries,
	}
}

// AllHistograms returns the names of all, for [Config.Histograms].
func AllHistograms() (names []string) {
	for _, h := range histogramTable {
		names = append(names, h.Name)
	}
	return names
}

func validateHistograms(names []string) error {
	for i, name := range names {
		if !slices.Contains(AllHistograms(), name) {
			return fmt.Errorf("telemetry: Config.Histograms[%d] is %q, want one of %q", i, name, AllHistograms())
		}
	}
	return nil
}

// distributions writes into the histograms what the policies tell. Policies come to it for what they need once, and a call
// then finds its attributes prepared.
type distributions struct {
	maxNames    int
	instruments map[seawall.Measure]metric.Float64Histogram // never written to

	mu    sync.Mutex // guards the fields below
	known map[told]*outcomes
	names map[told]int // that are known, by measure and kind
}

// told is what is told of: a measure of a policy.
type told struct {
	measure    seawall.Measure
	kind, name string
}

func newDistributions(meter metric.Meter, cfg Config) (*distributions, error) {
	d := &distributions{
		maxNames: cfg.MaxNames, instruments: map[seawall.Measure]metric.Float64Histogram{},
		known: map[told]*outcomes{}, names: map[told]int{},
	}
	for _, h := range histogramTable {
		if !slices.Contains(cfg.Histograms, h.Name) {
			continue
		}
		instrument, err := meter.Float64Histogram(h.Name, metric.WithUnit(h.Unit), metric.WithDescription(h.Description),
			metric.WithExplicitBucketBoundaries(h.boundaries...))
		if err != nil {
			return nil, fmt.Errorf("telemetry: %s: %w", h.Name, err)
		}
		d.instruments[h.measure] = instrument
	}
	return d, nil
}

// prepare returns what takes a measure of a policy, nil if there is no histogram for it. Who comes when there are
// Config.MaxNames of its kind already shares one series with the others like it.
func (d *distributions) prepare(m seawall.Measure, kind, name string) seawall.Note {
	instrument := d.instruments[m]
	if instrument == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id, family := told{m, kind, label(name)}, told{m, kind, ""}
	if d.known[id] == nil && d.names[family] >= d.maxNames {
		id.name = other
	}
	o := d.known[id]
	if o == nil {
		o = &outcomes{instrument: instrument, kind: clean(kind), name: id.name}
		o.prepared.Store(&map[string][]metric.RecordOption{})
		d.known[id] = o
		d.names[family]++
	}
	return o.record
}

// outcomes are the series of one policy in one histogram.
type outcomes struct {
	instrument metric.Float64Histogram
	kind, name string

	mu       sync.Mutex // held while prepared is replaced
	prepared atomic.Pointer[map[string][]metric.RecordOption]
}

// maxOutcomes is how many words for an outcome have a series of their own.
const maxOutcomes = 16

func (o *outcomes) record(ctx context.Context, outcome string, took time.Duration) {
	if !o.instrument.Enabled(ctx) {
		return
	}
	options, ok := (*o.prepared.Load())[outcome]
	if !ok {
		options = o.add(outcome)
	}
	o.instrument.Record(ctx, took.Seconds(), options...)
}

// add prepares the attributes of an outcome.
func (o *outcomes) add(outcome string) []metric.RecordOption {
	o.mu.Lock()
	defer o.mu.Unlock()
	prepared := *o.prepared.Load()
	if options, ok := prepared[outcome]; ok {
		return options
	}
	if len(prepared) >= maxOutcomes {
		return prepared[other]
	}
	if len(prepared) == maxOutcomes-1 {
		outcome = other
	}
	options := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
		attribute.String("seawall.name", o.name), attribute.String("seawall.kind", o.kind),
		attribute.String("seawall.outcome", clean(outcome))))}
	next := maps.Clone(prepared)
	next[outcome] = options
	o.prepared.Store(&next)
	return options
}
