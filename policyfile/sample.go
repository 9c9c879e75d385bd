package policyfile

import (
	"math"
	"reflect"
	"strings"
)

// sample returns valid settings in which only what has no default is set, to a number where it is one, and the paths of
// those numbers.
func sample(k kind, number float64) (s settings, required []string) {
	s = k.blank()
	for range s.config().NumField() {
		err := s.validate()
		if err == nil {
			return s, required
		}
		c := complaintOf(err, s)
		if c.path == "" {
			fillFunctions(s.config())
			continue
		}
		required = append(required, c.path)
		if v := at(s.config(), c.path); v.CanInt() || v.CanFloat() {
			v.Set(reflect.ValueOf(number).Convert(v.Type()))
		}
	}
	panic("policyfile: no sample of a " + k.key() + " is valid")
}

// fillFunctions gives a Config functions that are never called.
func fillFunctions(config reflect.Value) {
	for _, f := range config.Fields() {
		if f.Kind() == reflect.Func {
			f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value { panic("policyfile: a sample was used") }))
		}
	}
}

// rangeOf returns which values a key may have, in the words of the Config's own Validate; empty if it does not say.
func rangeOf(k kind, path string) string {
	s, _ := sample(k, 1)
	switch v := at(s.config(), path); {
	case v.CanInt():
		v.SetInt(math.MinInt64 >> (64 - v.Type().Bits()))
	case v.CanUint():
		v.SetUint(math.MaxUint64 >> (64 - v.Type().Bits()))
	case v.CanFloat():
		v.SetFloat(math.NaN())
	}
	err := s.validate()
	if err == nil {
		return ""
	}
	c := complaintOf(err, s)
	if c.path != path {
		return ""
	}
	_, want, _ := strings.Cut(c.text, ", want ")
	return want
}
