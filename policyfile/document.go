package policyfile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/seawall-go/seawall"
	"go.yaml.in/yaml/v4"
)

// document is what a file says. Nothing in it serves calls yet, but for the budgets, which are part of the settings.
type document struct {
	budgets []*budgetSpec
	chains  []*chainSpec
}

type budgetSpec struct {
	name   string
	cfg    seawall.BudgetConfig
	budget *seawall.Budget
}

type chainSpec struct {
	name     string
	line     int
	keyed    bool
	maxKeys  int // of a keyed chain
	policies []*policySpec
}

type policySpec struct {
	name     string
	settings settings
	budget   string // the name of the shared one; empty if there is none
}

// id is what a policy is known by: it is unique in a file, and the same after a reload.
type id struct{ kind, name string }

func (p *policySpec) id() id { return id{p.settings.kind().key(), p.name} }

// String returns such as: breaker "payments".
func (i id) String() string { return i.kind + ` "` + i.name + `"` }

const (
	defaultMaxKeys = 1000
	mostKeys       = 1_000_000
)

// documentReader reads a document.
type documentReader struct {
	reader
	document
	bindings   []Binding
	bound      []bool // which of the bindings found a policy
	registry   *seawall.Registry
	detached   *seawall.Registry // for the policies of keyed chains
	taken      map[id]taken
	budgetKeys []string
}

// taken is where a name was given.
type taken struct {
	path string
	line int
}

// read reads a file.
func read(file string, data []byte, opts Options) (*documentReader, error) {
	r := &documentReader{
		reader:   reader{problems: problems{file: file}},
		bindings: opts.Bind,
		bound:    make([]bool, len(opts.Bind)),
		registry: opts.Registry,
		detached: opts.Registry.Detached(),
		taken:    map[id]taken{},
	}
	if root := r.parse(data); root != nil {
		r.top(root)
	}
	return r, r.err()
}

func (r *documentReader) top(root *yaml.Node) {
	entries, ok := r.mapping(root, "", "a mapping with chains")
	if !ok {
		return
	}
	var chains *entry
	for i, e := range entries {
		switch {
		case e.key == "budgets":
			r.readBudgets(e)
		case e.key == "chains":
			chains = &entries[i]
		case strings.HasPrefix(e.key, "x-"): // a place for anchors
		default:
			r.add(e.line, pathKey(e.key), "%s", unknown(e.key, []string{"budgets", "chains", "x-..."}))
		}
	}
	if chains == nil {
		r.add(root.Line, "", "has no chains")
		return
	}
	named, ok := r.mapping(chains.value, "chains", "a mapping from names to chains")
	if ok && len(named) == 0 {
		r.add(chains.line, "chains", "is empty")
	}
	for _, e := range named {
		if r.name(e.key, e.line, join("chains", pathKey(e.key))) {
			r.readChain(e)
		}
	}
}

// name reports whether a name is fit for logs and metrics.
func (r *documentReader) name(name string, line int, path string) bool {
	const most = 64
	if name == "" || len(name) > most || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		r.add(line, path, "is a bad name, want 1 to %d bytes that print", most)
		return false
	}
	return true
}

func (r *documentReader) readBudgets(e entry) {
	named, ok := r.mapping(e.value, "budgets", "a mapping from names to budgets")
	if !ok {
		return
	}
	for _, e := range named {
		path := join("budgets", pathKey(e.key))
		r.budgetKeys = append(r.budgetKeys, e.key)
		if !r.name(e.key, e.line, path) {
			continue
		}
		s := budgetKind.blank()
		d := &decoder{reader: &r.reader, at: path, kind: s.kind(), lines: map[string]int{}}
		if !isNull(e.value) {
			entries, ok := r.mapping(e.value, path, "a mapping with ratio and burst")
			if !ok {
				continue
			}
			d.fill(s.config(), "", entries, nil)
		}
		if r.check(d, s, e.line) {
			cfg := s.config().Interface().(seawall.BudgetConfig)
			r.budgets = append(r.budgets, &budgetSpec{e.key, cfg, seawall.NewBudget(cfg)})
		}
	}
}

// check reports what is wrong with settings, each thing at the line of its key.
func (r *documentReader) check(d *decoder, s settings, line int) (ok bool) {
	all, mended := complaints(s)
	for _, c := range all {
		at := line
		for path := c.path; path != ""; path, _ = cutLast(path) {
			if given, ok := d.lines[path]; ok {
				at = given
				break
			}
		}
		text := c.text
		if c.path == "" {
			text += " (see policyfile.Bind)" // keys that a file can have are found
		}
		r.add(at, d.path(c.path), "%s", text)
	}
	if mended != nil {
		d.refuseZeros(mended)
	}
	return len(all) == 0
}

func (r *documentReader) readChain(e entry) {
	path := join("chains", pathKey(e.key))
	c := &chainSpec{name: e.key, line: e.line}
	policies, line := e.value, e.line
	if e.value.Kind == yaml.MappingNode {
		entries, _ := r.mapping(e.value, path, "")
		policies = nil
		for _, e := range entries {
			switch e.key {
			case "policies":
				policies, line = e.value, e.line
			case "per_key":
				r.readPerKey(c, e, join(path, e.key))
			default:
				r.add(e.line, join(path, pathKey(e.key)), "%s", unknown(e.key, []string{"per_key", "policies"}))
			}
		}
		if policies == nil {
			r.add(e.line, path, "has no policies")
			return
		}
		path = join(path, "policies")
	}
	items, ok := r.sequence(policies, path, "a sequence of policies, the outermost first")
	if ok && len(items) == 0 {
		r.add(line, path, "is empty")
	}
	for i, item := range items {
		r.readPolicy(c, item, fmt.Sprintf("%s[%d]", path, i))
	}
	r.chains = append(r.chains, c)
}

func (r *documentReader) readPerKey(c *chainSpec, e entry, path string) {
	c.keyed, c.maxKeys = true, defaultMaxKeys
	if isNull(e.value) {
		return
	}
	entries, _ := r.mapping(e.value, path, "a mapping with max_keys")
	for _, e := range entries {
		path := join(path, pathKey(e.key))
		if e.key != "max_keys" {
			r.add(e.line, path, "%s", unknown(e.key, []string{"max_keys"}))
			continue
		}
		v := reflect.ValueOf(&c.maxKeys).Elem()
		if e.value.Kind != yaml.ScalarNode || !setScalar(v, e.value) || c.maxKeys < 1 || c.maxKeys > mostKeys {
			r.add(e.line, path, "is %s, want 1 to %d", describe(e.value), mostKeys)
		}
	}
}

func (r *documentReader) readPolicy(c *chainSpec, item *yaml.Node, path string) {
	var e entry
	switch {
	case isText(item):
		e = entry{key: item.Value, line: item.Line}
	case item.Kind == yaml.MappingNode:
		entries, _ := r.mapping(item, path, "")
		if len(entries) != 1 {
			r.add(item.Line, path, "has %d keys, want one: the kind of a policy", len(entries))
			return
		}
		e = entries[0]
	default:
		r.add(item.Line, path, "is %s, want a policy such as retry: {max_attempts: 3}", describe(item))
		return
	}
	k := kindNamed(e.key)
	if k == nil {
		r.add(e.line, join(path, pathKey(e.key)), "%s", unknown(e.key, kindKeys()))
		return
	}
	p := &policySpec{name: c.name, settings: k.blank()}
	d := &decoder{reader: &r.reader, at: join(path, e.key), kind: k, lines: map[string]int{}}
	if e.value != nil && !isNull(e.value) {
		entries, ok := r.mapping(e.value, d.at, "a mapping with the settings of a policy")
		if !ok {
			return
		}
		d.fill(p.settings.config(), "", entries, func(e entry) {
			if !isText(e.value) {
				r.add(e.line, d.path("name"), "is %s, want text in quotes", describe(e.value))
			} else if r.name(e.value.Value, e.line, d.path("name")) {
				p.name = e.value.Value
			}
		})
	}
	r.complete(c, p, d, e.line)
	c.policies = append(c.policies, p)
}

// complete gives a policy what its own entries do not say, and then looks at the whole.
func (r *documentReader) complete(c *chainSpec, p *policySpec, d *decoder, line int) {
	if before, twice := r.taken[p.id()]; twice {
		r.add(line, d.at, "has the same name as %s, line %d, which is %q: give one of them another by name", before.path,
			before.line, p.name)
	} else {
		r.taken[p.id()] = taken{d.at, line}
	}
	if d.budget != nil {
		p.budget = d.budget.Value
		if b := budgetNamed(r.budgets, p.budget); b != nil {
			setBudget(p.settings, b.budget)
		} else if !slices.Contains(r.budgetKeys, p.budget) {
			r.add(d.budget.Line, d.path("budget"), "names the budget %q, which %s", p.budget, unknown(p.budget, r.budgetKeys))
		}
	}
	r.bind(p, d, line)
	registry := r.registry
	if c.keyed {
		registry = r.detached
	}
	if v, ok := fieldOf(p.settings, registryType); ok && v.IsNil() {
		v.Set(reflect.ValueOf(registry))
	}
	r.check(d, p.settings, line)
}

func budgetNamed(budgets []*budgetSpec, name string) *budgetSpec {
	for _, b := range budgets {
		if b.name == name {
			return b
		}
	}
	return nil
}

// policies returns the policies of the plain chains, or of the keyed ones.
func (d *document) policies(keyed bool) (policies []*policySpec) {
	for _, c := range d.chains {
		if c.keyed == keyed {
			policies = append(policies, c.policies...)
		}
	}
	return policies
}

// chain returns a chain, or nil.
func (d *document) chain(name string) *chainSpec {
	i := slices.IndexFunc(d.chains, func(c *chainSpec) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return d.chains[i]
}

// keepBudgets takes over the budgets of an earlier document whose numbers are the same, with the tokens that are in them.
func (d *document) keepBudgets(earlier *document) {
	for _, b := range d.budgets {
		before := budgetNamed(earlier.budgets, b.name)
		if before == nil || before.budget.Config() != b.budget.Config() {
			continue
		}
		b.budget = before.budget
		for _, c := range d.chains {
			for _, p := range c.policies {
				if p.budget == b.name {
					setBudget(p.settings, b.budget)
				}
			}
		}
	}
}

func (c *chainSpec) equal(other *chainSpec) bool {
	return c.keyed == other.keyed && c.maxKeys == other.maxKeys && slices.EqualFunc(c.policies, other.policies, (*policySpec).equal)
}

// sameMembers reports whether two chains have the same policies in the same order, whatever their settings.
func (c *chainSpec) sameMembers(other *chainSpec) bool {
	return c.keyed == other.keyed && c.maxKeys == other.maxKeys &&
		slices.EqualFunc(c.policies, other.policies, func(a, b *policySpec) bool { return a.id() == b.id() })
}

func (p *policySpec) equal(other *policySpec) bool {
	return p.id() == other.id() && p.settings.equal(other.settings)
}
