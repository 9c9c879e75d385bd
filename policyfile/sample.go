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

// rangeOf returns which values a key may have, in the words of the Config's own Validate; empty if it does not say. It
// gives the key an impossible value. If that makes another key necessary, it tries what that may be.
func rangeOf(k kind, path string) string {
	s, _ := sample(k, 1)
	spoil(at(s.config(), path))
	needed := wantOf(s)
	if needed.path == path || needed.path == "" {
		return needed.want
	}
	other := at(s.config(), needed.path)
	if !number(other) || !other.IsZero() {
		return ""
	}
	for _, value := range []float64{1, 0.5, 1000} {
		other.Set(reflect.ValueOf(value).Convert(other.Type()))
		if c := wantOf(s); c.path == path {
			return c.want
		}
	}
	return ""
}

// spoil sets a number to an impossible value.
func spoil(v reflect.Value) {
	switch {
	case v.CanInt():
		v.SetInt(math.MinInt64 >> (64 - v.Type().Bits()))
	case v.CanUint():
		v.SetUint(math.MaxUint64 >> (64 - v.Type().Bits()))
	case v.CanFloat():
		v.SetFloat(math.NaN())
	}
}

// wanted is what Validate wants of a key.
type wanted struct{ path, want string }

func wantOf(s subject) wanted {
	err := s.validate()
	if err == nil {
		return wanted{}
	}
	c := complaintOf(err, s)
	_, want, _ := strings.Cut(c.text, ", want ")
	if c.path == "" {
		want = ""
	}
	return wanted{c.path, want}
}
