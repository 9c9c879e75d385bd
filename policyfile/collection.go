package policyfile

import (
	"fmt"
	"reflect"
	"strconv"
)

// collection sets what is behind a pointer, over what is there, or all of a slice or a map.
func (d *decoder) collection(v reflect.Value, path string, e entry) {
	switch v.Kind() {
	case reflect.Pointer:
		to := reflect.New(v.Type().Elem()) // the old one is the caller's
		if !v.IsNil() {
			to.Elem().Set(v.Elem())
		}
		d.value(to.Elem(), path, e)
		v.Set(to)
	case reflect.Slice:
		items, ok := d.sequence(e.value, d.path(path), "a sequence")
		if !ok {
			d.broken = append(d.broken, path)
			return
		}
		to := reflect.MakeSlice(v.Type(), len(items), len(items))
		for i, item := range items {
			d.item(to.Index(i), join(path, fmt.Sprintf("[%d]", i)), entry{line: item.Line, value: item})
		}
		v.Set(to)
	case reflect.Map:
		entries, ok := d.mapping(e.value, d.path(path), "a mapping")
		if !ok {
			d.broken = append(d.broken, path)
			return
		}
		to := reflect.MakeMap(v.Type())
		for _, e := range entries {
			item := reflect.New(v.Type().Elem()).Elem()
			d.item(item, join(path, strconv.Quote(e.key)), e)
			to.SetMapIndex(reflect.ValueOf(e.key).Convert(v.Type().Key()), item)
		}
		v.Set(to)
	}
}

func (d *decoder) item(v reflect.Value, path string, e entry) {
	d.lines[path] = e.line
	d.value(v, path, e)
}
