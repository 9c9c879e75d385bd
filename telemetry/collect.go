package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seawall-go/seawall"
)

// other is the name, or key, of what is folded.
const other = "_other"

// collector turns snapshots into observations. It remembers who is exported under a name of its own, and what was folded.
type collector struct {
	cfg         Config
	observables []metric.Float64Observable // by the rows of the table

	mu       sync.Mutex                 // guards the fields below; several readers may collect at once
	places   map[string]map[string]bool // by kind: the names that are exported
	folded   map[string]bool            // that was logged
	options  map[string]option
	round    int
	names    *fold            // of the names that found no place
	families map[string]*fold // of the members that a snapshot does not have, by kind and name
}

// option is the attribute set of a series, kept from round to round.
type option struct {
	metric.ObserveOption
	round int // the last one that used it
}

func newCollector(cfg Config) *collector {
	return &collector{
		cfg: cfg, places: map[string]map[string]bool{}, folded: map[string]bool{}, options: map[string]option{},
		names: newFold(), families: map[string]*fold{},
	}
}

func (c *collector) collect(ctx context.Context, observer metric.Observer) {
	snapshots := c.cfg.Registry.Snapshots()
	c.mu.Lock()
	fresh := c.placeLocked(snapshots)
	c.round++
	c.names.begin()
	living := map[string]bool{}
	for _, s := range snapshots {
		if !c.places[s.Kind][s.Name] {
			c.foldName(s)
			continue
		}
		id := s.Kind + "\x00" + s.Name
		living[id] = true
		if len(s.Members) > 0 && s.Kind != "health" {
			c.family(observer, id, s)
			continue
		}
		for i, r := range table {
			if r.applies(s.Kind) {
				r.read(s, func(v float64, attributes ...string) { c.observe(observer, i, v, s.Name, "", attributes) })
			}
		}
	}
	c.names.each(func(i int, attributes []string, v float64) { c.observe(observer, i, v, other, "", attributes) })
	c.sweepLocked(living)
	c.mu.Unlock()
	for _, name := range fresh {
		c.cfg.Registry.Log(ctx, slog.LevelWarn, "seawall.telemetry.folded", slog.String("name", name))
	}
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
			r.read(s, func(v float64, attributes ...string) { c.names.grow(i, attributes, s.Kind+"\x00"+s.Name, v) })
		}
	}
}

// family exports the members that the snapshot has, and as one series what all the others add up to.
func (c *collector) family(observer metric.Observer, id string, s seawall.Snapshot) {
	f := c.families[id]
	if f == nil {
		f = newFold()
		c.families[id] = f
	}
	f.begin()
	for i, r := range table {
		if !r.applies(s.Kind) {
			continue
		}
		if r.Name == "seawall.gate.mode" { // the family has one
			r.read(s, func(v float64, attributes ...string) { c.observe(observer, i, v, s.Name, "", attributes) })
			continue
		}
		shown := map[string]float64{} // by the members, to be taken from the sums
		for _, m := range s.Members {
			r.read(m, func(v float64, attributes ...string) {
				c.observe(observer, i, v, s.Name, keyOf(s, m), attributes)
				shown[strings.Join(attributes, "\x00")] += v
				if r.Type == Counter {
					f.shrink(i, attributes, m.Name, v)
				}
			})
		}
		if r.Type == Gauge || r.Name == "seawall.breaker.state" {
			continue
		}
		r.read(s, func(v float64, attributes ...string) {
			if r.Type == Counter {
				f.grow(i, attributes, "", v)
			} else if rest := v - shown[strings.Join(attributes, "\x00")]; rest > 0 {
				c.observe(observer, i, rest, s.Name, other, attributes)
			}
		})
	}
	f.each(func(i int, attributes []string, v float64) { c.observe(observer, i, v, s.Name, other, attributes) })
}

// keyOf is the key by which a member of a family is known: that in psp[eu].
func keyOf(family, member seawall.Snapshot) string {
	if key, ok := strings.CutPrefix(member.Name, family.Name+"["); ok {
		return strings.TrimSuffix(key, "]")
	}
	return member.Name
}

func (c *collector) observe(observer metric.Observer, i int, v float64, name, key string, attributes []string) {
	observer.ObserveFloat64(c.observables[i], v, c.option(i, name, key, attributes))
}

// option returns the attribute set of a series, which is made once.
func (c *collector) option(i int, name, key string, attributes []string) metric.ObserveOption {
	id := strings.Join(append([]string{table[i].Name, name, key}, attributes...), "\x00")
	o, ok := c.options[id]
	if !ok {
		set := make([]attribute.KeyValue, 0, 2+len(attributes))
		set = append(set, attribute.String("seawall.name", name))
		if key != "" {
			set = append(set, attribute.String("seawall.key", key))
		}
		for n, a := range attributes {
			set = append(set, attribute.String(table[i].Attributes[n], a))
		}
		o.ObserveOption = metric.WithAttributeSet(attribute.NewSet(set...))
	}
	o.round = c.round
	c.options[id] = o
	return o.ObserveOption
}

// sweepLocked forgets what is gone.
func (c *collector) sweepLocked(living map[string]bool) {
	for id, o := range c.options {
		if o.round != c.round {
			delete(c.options, id)
		}
	}
	for id := range c.families {
		if !living[id] {
			delete(c.families, id)
		}
	}
}
