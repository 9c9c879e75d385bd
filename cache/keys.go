package cache

import (
	"reflect"
	"strconv"
)

// plainKeys writes keys that are strings or integers. For others it returns nil: no text that we could make of them is
// sure to be another one for another key.
func plainKeys[K comparable]() (encode func(K) string, decode func(string) (K, error)) {
	t := reflect.TypeFor[K]()
	switch t.Kind() {
	case reflect.String:
		return func(k K) string { return reflect.ValueOf(k).String() },
			func(s string) (k K, err error) {
				reflect.ValueOf(&k).Elem().SetString(s)
				return k, nil
			}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(k K) string { return strconv.FormatInt(reflect.ValueOf(k).Int(), 10) },
			func(s string) (k K, err error) {
				n, err := strconv.ParseInt(s, 10, t.Bits())
				reflect.ValueOf(&k).Elem().SetInt(n)
				return k, err
			}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(k K) string { return strconv.FormatUint(reflect.ValueOf(k).Uint(), 10) },
			func(s string) (k K, err error) {
				n, err := strconv.ParseUint(s, 10, t.Bits())
				reflect.ValueOf(&k).Elem().SetUint(n)
				return k, err
			}
	}
	return nil, nil
}
