package policyfile

import (
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"
)

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
	d := &decoder{reader: &r.reader, at: join(path, e.key), words: k, lines: map[string]int{}, shares: true}
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
	name := id{p.settings.kind().shown(), p.name}
	if before, twice := r.taken[name]; twice {
		r.add(line, d.at, "has the same name as %s, line %d, which is %q: give one of them another by name", before.path,
			before.line, p.name)
	} else {
		r.taken[name] = taken{d.at, line}
	}
	if d.budget != nil {
		p.budget = d.budget.Value
		if b := budgetNamed(r.budgets, p.budget); b != nil {
			setBudget(p.settings, b.budget)
		} else if !slices.Contains(r.budgetKeys, p.budget) {
			why := unknown(p.budget, r.budgetKeys)
			if p.budget == "none" {
				why += "; to have none, leave it out and give funding: none"
			}
			r.add(d.budget.Line, d.path("budget"), "names the budget %q, which %s", p.budget, why)
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
	check(d, p.settings, line, seeBind)
}
