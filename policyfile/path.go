package policyfile

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A path leads to a value in a Config, by the keys of fields, the "keys" of maps in quotes, and the [indexes] of slices:
// queue.limit, quotas[0].limit.rate, methods."/shop.v1.Shop/*".timeout.

// join makes a path longer by a key.
func join(path, key string) string {
	if path == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	return path + "." + key
}

// split returns the keys of a path. It takes names of Go as well, such as Methods["/shop.v1.Shop/*"].Timeout.
func split(path string) (keys []string) {
	for path != "" {
		end := max(1, keyLen(path))
		keys = append(keys, path[:end])
		path = strings.TrimPrefix(path[end:], ".")
	}
	return keys
}

// keyLen is the length of the first key of a path.
func keyLen(path string) int {
	switch quoted, err := strconv.QuotedPrefix(strings.TrimPrefix(path, "[")); {
	case err == nil && path[0] == '"':
		return len(quoted)
	case err == nil && path[0] == '[' && strings.HasPrefix(path[1+len(quoted):], "]"):
		return len(quoted) + len("[]")
	}
	if i := strings.IndexByte(path, ']'); i > 0 && path[0] == '[' {
		return i + 1
	}
	if i := strings.IndexAny(path[1:], ".["); i >= 0 {
		return i + 1
	}
	return len(path)
}

// cutLast returns what is before the last key of a path, and that key.
func cutLast(path string) (before, last string) {
	if keys := split(path); len(keys) > 0 {
		last = keys[len(keys)-1]
	}
	return strings.TrimSuffix(strings.TrimSuffix(path, last), "."), last
}

// itemKey makes the key of a path of an index in Go: [0] stays, and ["a"] is "a".
func itemKey(index string) string {
	if inside := strings.TrimSuffix(strings.TrimPrefix(index, "["), "]"); strings.HasPrefix(inside, `"`) {
		return inside
	}
	return index
}

// isCollection reports whether values of the type point to a struct, or hold several values.
func isCollection(t reflect.Type) bool {
	switch {
	case hasText(t):
		return false
	case t.Kind() == reflect.Pointer:
		return isStruct(t.Elem())
	case t.Kind() == reflect.Map:
		return t.Key().Kind() == reflect.String
	}
	return t.Kind() == reflect.Slice
}

// behind returns what a type points to, or the type itself.
func behind(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// stepType returns the type of what is behind a key, or nil.
func stepType(t reflect.Type, key string) reflect.Type {
	t = behind(t)
	switch {
	case key[0] == '[' && t.Kind() == reflect.Slice, key[0] == '"' && t.Kind() == reflect.Map:
		return t.Elem()
	case isStruct(t):
		if i := fieldWith(t, key); i >= 0 {
			return t.Field(i).Type
		}
	}
	return nil
}

// fieldWith returns the index of the field with a key, or -1.
func fieldWith(t reflect.Type, key string) int {
	fields := fieldsOf(t)
	if i := slices.IndexFunc(fields, func(f field) bool { return f.key == key }); i >= 0 {
		return fields[i].index
	}
	return -1
}

// at returns the value at a path of a Config. It is not valid if there is none.
func at(config reflect.Value, path string) reflect.Value {
	for _, key := range split(path) {
		if config = reflect.Indirect(config); !config.IsValid() || stepType(config.Type(), key) == nil {
			return reflect.Value{}
		}
		switch config.Kind() {
		case reflect.Map:
			name, err := strconv.Unquote(key)
			if err != nil {
				return reflect.Value{}
			}
			config = config.MapIndex(reflect.ValueOf(name).Convert(config.Type().Key()))
		case reflect.Slice:
			i, ok := indexOf(key)
			if !ok || i >= config.Len() {
				return reflect.Value{}
			}
			config = config.Index(i)
		default:
			config = config.Field(fieldWith(config.Type(), key))
		}
	}
	return config
}

func indexOf(key string) (i int, ok bool) {
	i, err := strconv.Atoi(strings.Trim(key, "[]"))
	return i, err == nil && i >= 0
}

// edit changes the value at a path that is in the type, and makes what is missing on the way to it. What pointers, maps
// and slices hold is copied before, because it may be somebody else's as well.
func edit(v reflect.Value, keys []string, change func(reflect.Value)) {
	if len(keys) == 0 {
		change(v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		to := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			to.Elem().Set(v.Elem())
		}
		edit(to.Elem(), keys, change)
		v.Set(to)
	case reflect.Map:
		name, _ := strconv.Unquote(keys[0]) // which the decoder has quoted
		key := reflect.ValueOf(name).Convert(v.Type().Key())
		to, item := reflect.MakeMap(v.Type()), reflect.New(v.Type().Elem()).Elem()
		for old, value := range v.Seq2() {
			to.SetMapIndex(old, value)
		}
		if old := to.MapIndex(key); old.IsValid() {
			item.Set(old)
		}
		edit(item, keys[1:], change)
		to.SetMapIndex(key, item)
		v.Set(to)
	case reflect.Slice:
		i, _ := indexOf(keys[0])
		to := reflect.MakeSlice(v.Type(), max(v.Len(), i+1), max(v.Len(), i+1))
		reflect.Copy(to, v)
		edit(to.Index(i), keys[1:], change)
		v.Set(to)
	default:
		edit(v.Field(fieldWith(v.Type(), keys[0])), keys[1:], change)
	}
}
