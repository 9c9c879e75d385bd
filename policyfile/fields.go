package policyfile

import (
	"encoding"
	"iter"
	"reflect"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
)

// field is a field of a Config, or of a struct in one, that a file can set.
type field struct {
	key   string // in the file
	name  string // in Go
	index int
}

// fieldsOf returns the fields that have a key.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.IsExported() && key != "" && key != "-" {
			fields = append(fields, field{key, f.Name, i})
		}
	}
	return fields
}

// leaf is a key with a single value.
type leaf struct {
	path  string // the keys on the way to it, such as queue.limit
	value reflect.Value
}

// leaves walks the single values of a Config.
func leaves(config reflect.Value) iter.Seq[leaf] {
	return func(yield func(leaf) bool) { walkLeaves("", config, yield) }
}

func walkLeaves(path string, v reflect.Value, yield func(leaf) bool) bool {
	if !isStruct(v.Type()) {
		return yield(leaf{path, v})
	}
	for _, f := range fieldsOf(v.Type()) {
		if !walkLeaves(join(path, f.key), v.Field(f.index), yield) {
			return false
		}
	}
	return true
}

// isStruct reports whether a value of the type has keys of its own, and no text.
func isStruct(t reflect.Type) bool { return t.Kind() == reflect.Struct && !hasText(t) }

// hasText reports whether values of the type are texts, such as a Mode.
func hasText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

var (
	durationType     = reflect.TypeFor[time.Duration]()
	budgetType       = reflect.TypeFor[*seawall.Budget]()
	budgetConfigType = reflect.TypeFor[seawall.BudgetConfig]()
	registryType     = reflect.TypeFor[*seawall.Registry]()
	modeType         = reflect.TypeFor[seawall.Mode]()
)

// fieldOf returns the first field of a Config that has the type.
func fieldOf(s settings, t reflect.Type) (v reflect.Value, ok bool) {
	config := s.config()
	for i := range config.NumField() {
		if config.Type().Field(i).Type == t {
			return config.Field(i), true
		}
	}
	return v, false
}

func setRegistry(s settings, r *seawall.Registry) {
	if v, ok := fieldOf(s, registryType); ok {
		v.Set(reflect.ValueOf(r))
	}
}

// setBudget sets the shared budget.
func setBudget(s settings, b *seawall.Budget) {
	if v, ok := fieldOf(s, budgetType); ok {
		v.Set(reflect.ValueOf(b))
	}
}

// modeOf returns the mode of a gate's settings.
func modeOf(s settings) (mode *seawall.Mode, ok bool) {
	v, ok := fieldOf(s, modeType)
	if !ok {
		return nil, false
	}
	return v.Addr().Interface().(*seawall.Mode), true
}
