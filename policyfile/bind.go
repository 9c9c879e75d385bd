package policyfile

import (
	"fmt"
	"reflect"
)

// Binding gives policies what cannot be in a file: classifiers, listeners, fallbacks, and a registry.
type Binding struct {
	config   reflect.Type
	name     string // empty for all
	complete func(config reflect.Value)
}

// Bind makes a Binding for the policy of a kind that has the name. The kind is that of the Config, so
//
//	policyfile.Bind("payments", func(cfg *breaker.Config) { cfg.Classify = classify })
//
// is for the breaker "payments". complete gets the Config as the file has it, a key that is left out still zero, and
// may set what has no key in files. To change another field is a [Problem]: the file would not be what is in force. In
// a keyed chain all keys get the same functions. complete runs at each load, and so also on the goroutine of
// [Set.Watch]; a policy whose keys stay what they are keeps the functions that it has.
//
// Bind panics if complete is nil, or C is the Config of no kind that a file can have.
func Bind[C any](name string, complete func(cfg *C)) Binding {
	if name == "" {
		panic("policyfile: Bind: the name is empty")
	}
	b := BindAll(complete)
	b.name = name
	return b
}

// BindAll makes a Binding as [Bind] does, for all policies of the kind. Those of a name come after it, wherever they
// are in the [Options].
func BindAll[C any](complete func(cfg *C)) Binding {
	if complete == nil {
		panic("policyfile: Bind: the function is nil")
	}
	t := reflect.TypeFor[C]()
	if kindOfConfig(t) == nil {
		panic(fmt.Sprintf("policyfile: Bind: no policy of a file has a %v", t))
	}
	return Binding{config: t, complete: func(v reflect.Value) { complete(v.Addr().Interface().(*C)) }}
}

func kindOfConfig(t reflect.Type) kind {
	for _, k := range kinds {
		if k.blank().config().Type() == t {
			return k
		}
	}
	return nil
}

// bind applies the bindings for a policy, those for all first.
func (r *documentReader) bind(p *policySpec, d *decoder, line int) {
	before, applied := p.settings.clone(), false
	config := p.settings.config()
	for _, named := range []bool{false, true} {
		for i, b := range r.bindings {
			if b.config != config.Type() || named != (b.name != "") || named && b.name != p.name {
				continue
			}
			r.bound[i], applied = true, true
			b.complete(config)
		}
	}
	if !applied {
		return
	}
	for l := range leaves(config) {
		if was := at(before.config(), l.path); !was.Equal(l.value) {
			r.add(line, d.path(l.path), "is changed by a binding from %v to %v, want what is in the file", was, l.value)
			l.value.Set(was)
		}
	}
}
