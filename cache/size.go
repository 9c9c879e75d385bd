package cache

import (
	"math"
	"reflect"
)

// overhead is what an entry takes beside its key and value, about: its own struct and otter's node.
const overhead = 256

// weigh returns what an entry counts for, at least 1: otter never evicts what weighs nothing. With bounds of both kinds an
// entry weighs at least its share of the bytes, which keeps both. 0 is too large to be kept.
func (c *Cache[K, V]) weigh(cfg *Config[K, V], key K, value V, a about) uint32 {
	if cfg.MaxBytes == 0 {
		return 1
	}
	size := max(cfg.Size(key, value), 1)
	for _, tag := range a.tags {
		size += int64(len(tag))
	}
	return share(cfg.MaxEntries, cfg.MaxBytes, size+int64(len(a.validator)))
}

// share returns what a size counts for.
func share(maxEntries int, maxBytes, size int64) uint32 {
	if maxEntries > 0 {
		entries := int64(maxEntries)
		size = max(size, (maxBytes+entries-1)/entries)
	}
	if size > maxBytes || size > math.MaxUint32 {
		return 0
	}
	return uint32(size)
}

// sizeOf is the default of Config.Size: what the key and the value take with all that they point to, but for channels,
// functions and what is deeper than 16 steps.
func sizeOf[K comparable, V any](key K, value V) int64 {
	s := sizer{}
	return overhead + s.deep(reflect.ValueOf(&key).Elem(), 16) + s.deep(reflect.ValueOf(&value).Elem(), 16)
}

// sizer has seen these pointers: what is shared counts once, and a circle ends.
type sizer map[uintptr]struct{}

// deep returns the size of a value with what it points to.
func (s sizer) deep(v reflect.Value, depth int) int64 {
	return int64(v.Type().Size()) + s.behind(v, depth)
}

// behind returns the size of what a value points to.
func (s sizer) behind(v reflect.Value, depth int) (size int64) {
	if depth == 0 || flat(v.Type()) {
		return 0
	}
	switch v.Kind() {
	case reflect.String:
		return int64(v.Len())
	case reflect.Pointer:
		if v.IsNil() || s.met(v.Pointer()) {
			return 0
		}
		return s.deep(v.Elem(), depth-1)
	case reflect.Interface:
		if v.IsNil() {
			return 0
		}
		return s.deep(v.Elem(), depth-1)
	case reflect.Slice:
		if v.IsNil() || v.Cap() > 0 && s.met(v.Pointer()) {
			return 0
		}
		size = int64(v.Cap()) * int64(v.Type().Elem().Size())
		for i := range v.Len() {
			size += s.behind(v.Index(i), depth-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			size += s.behind(v.Index(i), depth-1)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			size += s.behind(field, depth-1)
		}
	case reflect.Map:
		if v.IsNil() || s.met(v.Pointer()) {
			return 0
		}
		for entries := v.MapRange(); entries.Next(); {
			size += 16 + s.deep(entries.Key(), depth-1) + s.deep(entries.Value(), depth-1)
		}
	}
	return size
}

// flat reports whether values of a type point to nothing, so that a long slice of them need not be walked.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if !flat(field.Type) {
				return false
			}
		}
		return true
	case reflect.String, reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return false
	}
	return true
}

func (s sizer) met(p uintptr) bool {
	_, met := s[p]
	s[p] = struct{}{}
	return met
}
