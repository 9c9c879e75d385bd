package debugpage

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
)

// setting is one field of a configuration that is in force.
type setting struct {
	Field   string `json:"field"` // as it is in a policy file
	Value   string `json:"value"`
	Default bool   `json:"default"` // it is what it would be if it were not set
}

// settingsOf returns the data of a member's Config, nil if it has none. It knows a configuration by two methods that all
// kinds have: Config of the member, and Equal of what that returns, which takes a field that is 0 for its default. So a
// field has its default if nothing changes when it is 0. That holds for defaults that depend on other fields as well, for
// the adapters, which this package must not import, and for members of the program's own.
func settingsOf(m seawall.Member) []setting {
	method := reflect.ValueOf(m).MethodByName("Config")
	if !method.IsValid() || method.Type().NumIn() != 0 || method.Type().NumOut() != 1 {
		return nil
	}
	cfg := method.Call(nil)[0]
	if cfg.Kind() == reflect.Interface {
		cfg = cfg.Elem()
	}
	if cfg.Kind() != reflect.Struct {
		return nil
	}
	all := leaves(cfg, "", nil)
	settings := make([]setting, len(all))
	for i, l := range all {
		settings[i] = setting{Field: l.field, Value: l.text, Default: isDefault(cfg, l.path)}
	}
	return settings
}

// leaf is a field with a value of its own, and the way to it.
type leaf struct {
	field, text string
	path        []int
}

// leaves returns the fields that have a name in files, those of nested structs as window.time. A nested struct that is
// behind a pointer, and not there, is one field.
func leaves(v reflect.Value, prefix string, path []int) (all []leaf) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" || name == "" && !field.Anonymous {
			continue
		}
		at := append(append([]int{}, path...), i)
		inner := v.Field(i)
		if inner.Kind() == reflect.Pointer && !inner.IsNil() {
			inner = inner.Elem()
		}
		if _, says := reflect.TypeAssert[fmt.Stringer](inner); inner.Kind() == reflect.Struct && !says {
			within := prefix
			if name != "" {
				within += name + "."
			}
			all = append(all, leaves(inner, within, at)...)
			continue
		}
		all = append(all, leaf{prefix + name, text(inner), at})
	}
	return all
}

// isDefault reports whether a configuration means the same without a field.
func isDefault(cfg reflect.Value, path []int) bool {
	equal := cfg.MethodByName("Equal")
	if !equal.IsValid() || equal.Type().NumIn() != 1 || equal.Type().In(0) != cfg.Type() || equal.Type().NumOut() != 1 ||
		equal.Type().Out(0).Kind() != reflect.Bool {
		return false
	}
	without := reflect.New(cfg.Type()).Elem()
	without.Set(cfg)
	at := without
	for _, i := range path {
		if at.Kind() == reflect.Pointer { // what it points to is not ours to change
			own := reflect.New(at.Type().Elem())
			own.Elem().Set(at.Elem())
			at.Set(own)
			at = own.Elem()
		}
		at = at.Field(i)
	}
	at.SetZero()
	return equal.Call([]reflect.Value{without})[0].Bool()
}

// text writes a value as it is written in a file.
func text(v reflect.Value) string {
	if d, ok := reflect.TypeAssert[time.Duration](v); ok && d == -1 {
		return "off"
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() || v.Kind() != reflect.Pointer && v.Len() == 0 {
			return "none"
		}
	default:
	}
	return strings.TrimSpace(fmt.Sprint(v.Interface()))
}
