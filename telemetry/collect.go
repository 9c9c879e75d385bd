package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
)

// other is the name, or key, of what is folded.
const other = "_other"

// collector turns snapshots into observations. It remembers who is exported under a name of its own, and what was folded.
type collector struct {
	cfg         Config
	observables []metric.Float64Observable // by the rows of the table

	// mu guards the fields below. Several readers may collect at once, and it is held from the taking of the snapshots on:
	// older ones that are read after newer ones would look as if everything had begun anew.
	mu       sync.Mutex
	places   map[string]map[string]bool // by kind: the names that are exported
	folded   map[string]bool            // that was logged, by kind
	known    map[series]*option
	round    int
	names    *fold            // of the names that found no place
	families map[policy]*fold // of the members that a snapshot does not have
}

type policy struct{ kind, name string }

// series is what one series is known by.
type series struct {
	row        int
	name, key  string
	attributes attributes
}

// attributes are the values of a row's attributes, in their order.
type attributes [2]string

// option is the attribute set of a series, kept from round to round.
type option struct {
	metric.ObserveOption
	round int     // the last one that used it
	high  float64 // the highest value so far
}

func newCollector(cfg Config) *collector {
	return &collector{
		cfg: cfg, places: map[string]map[string]bool{}, folded: map[string]bool{}, known: map[series]*option{},
		names: newFold(), families: map[policy]*fold{},
	}
}

func (c *collector) collect(ctx context.Context, observer metric.Observer) {
	for _, name := range c.observeAll(observer) {
		events.Shield(c.cfg.Registry.Logger(), "telemetry", name, func() {
			c.cfg.Registry.Log(ctx, slog.LevelWarn, "seawall.telemetry.folded", slog.String("name", name))
		})
	}
}

// observeAll returns the names that are folded for the first time.
func (c *collector) observeAll(observer metric.Observer) (fresh []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	snapshots := c.cfg.Registry.Snapshots()
	fresh = c.placeLocked(snapshots)
	c.round++
	c.names.begin()
	living := map[policy]bool{}
	for _, s := range snapshots {
		if !c.places[s.Kind][s.Name] {
			c.foldName(s)
			continue
		}
		id := policy{s.Kind, s.Name}
		living[id] = true
		if c.families[id] != nil || len(s.Members) > 0 && s.Kind != "health" { // a family is one also while it is empty
			c.family(observer, id, s)
			continue
		}
		name := label(s.Name)
		for i, r := range table {
			if r.applies(s.Kind) {
				r.read(s, func(v float64, values ...string) { c.observe(observer, v, series{i, name, "", attributesOf(values)}) })
			}
		}
	}
	c.names.each(func(i int, a attributes, v float64) { c.observe(observer, v, series{i, other, "", a}) })
	c.sweepLocked(living)
	return fresh
}

func attributesOf(values []string) (a attributes) {
	for i, v := range values {
		a[i] = clean(v)
	}
	return a
}

// placeLocked gives places to names, first come first served; who has one keeps it until it is gone. It returns the names
// that have found none for the first time.
func (c *collector) placeLocked(snapshots []seawall.Snapshot) (fresh []string) {
	here := map[string]map[string]bool{}
	for _, s := range snapshots {
		if here[s.Kind] == nil {
			here[s.Kind] = map[string]bool{}
		}
		here[s.Kind][s.Name] = true
	}
	for kind, names := range c.places {
		for name := range names {
			if !here[kind][name] {
				delete(names, name)
			}
		}
	}
	for _, s := range snapshots {
		names := c.places[s.Kind]
		if names == nil {
			names = map[string]bool{}
			c.places[s.Kind] = names
		}
		switch {
		case names[s.Name]:
		case len(names) < c.cfg.MaxNames:
			names[s.Name] = true
		case !c.folded[s.Kind]:
			c.folded[s.Kind] = true
			fresh = append(fresh, s.Name)
		}
	}
	return fresh
}

func (r row) applies(kind string) bool { return r.kinds == nil || slices.Contains(r.kinds, kind) }

// foldName adds the counters of a policy that has no place to those of the others.
func (c *collector) foldName(s seawall.Snapshot) {
	for i, r := range table {
		if r.Type == Counter && r.applies(s.Kind) {
			r.read(s, func(v float64, values ...string) {
				c.names.grow(sum{i, attributesOf(values)}, policy{s.Kind, s.Name}, v)
			})
		}
	}
}

// family exports the members that the snapshot has, and as one series what all the others add up to.
func (c *collector) family(observer metric.Observer, id policy, s seawall.Snapshot) {
	f := c.families[id]
	if f == nil {
		f = newFold()
		c.families[id] = f
	}
	f.begin()
	name := label(s.Name)
	members := byKey(s)
	for i, r := range table {
		if !r.applies(s.Kind) {
			continue
		}
		if r.Name == "seawall.gate.mode" { // the family has one
			r.read(s, func(v float64, values ...string) { c.observe(observer, v, series{i, name, "", attributesOf(values)}) })
			continue
		}
		shown := map[attributes]float64{} // by the members, to be taken from the sums
		for _, m := range members {
			r.read(m.Snapshot, func(v float64, values ...string) {
				a := attributesOf(values)
				c.observe(observer, v, series{i, name, m.key, a})
				shown[a] += v
				if r.Type == Counter {
					f.hide(sum{i, a}, policy{s.Kind, m.key}, v)
				}
			})
		}
		if r.Type == Gauge || r.Name == "seawall.breaker.state" {
			continue
		}
		r.read(s, func(v float64, values ...string) {
			a := attributesOf(values)
			if r.Type == Counter {
				f.grow(sum{i, a}, policy{s.Kind, ""}, v)
			} else if rest := v - shown[a]; rest > 0 {
				c.observe(observer, rest, series{i, name, other, a})
			}
		})
	}
	f.each(func(i int, a attributes, v float64) { c.observe(observer, v, series{i, name, other, a}) })
}

func (c *collector) observe(observer metric.Observer, v float64, of series) {
	o := c.option(of)
	// A number that is the difference of two, which are not read in the same moment, may go back by a few. That is not to
	// be seen: a counter that goes back has begun anew. One that has lost more than half has.
	if table[of.row].derived && v < o.high && v > o.high/2 {
		v = o.high
	}
	o.high = v
	observer.ObserveFloat64(c.observables[of.row], v, o.ObserveOption)
}

// option returns the attribute set of a series, which is made once.
func (c *collector) option(of series) *option {
	o := c.known[of]
	if o == nil {
		row := table[of.row]
		set := make([]attribute.KeyValue, 0, 2+len(row.Attributes))
		set = append(set, attribute.String("seawall.name", of.name))
		if of.key != "" {
			set = append(set, attribute.String("seawall.key", of.key))
		}
		for n, key := range row.Attributes {
			set = append(set, attribute.String(key, of.attributes[n]))
		}
		o = &option{ObserveOption: metric.WithAttributeSet(attribute.NewSet(set...))}
		c.known[of] = o
	}
	o.round = c.round
	return o
}

// sweepLocked forgets what is gone.
func (c *collector) sweepLocked(living map[policy]bool) {
	for of, o := range c.known {
		if o.round != c.round {
			delete(c.known, of)
		}
	}
	for id := range c.families {
		if !living[id] {
			delete(c.families, id)
		}
	}
}
