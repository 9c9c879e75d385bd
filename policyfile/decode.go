package policyfile

import (
	"cmp"
	"encoding"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// decoder fills the Config of one policy.
type decoder struct {
	*reader
	at    string // the path of the policy
	kind  kind
	lines map[string]int // of the keys that were given, by their path in the Config
	// budget is set if the file names a shared one in the place of its numbers.
	budget *yaml.Node
	zeros  []zero
}

// fill sets what the entries say. name is what a policy has beside its Config.
func (d *decoder) fill(config reflect.Value, path string, entries []entry, name func(entry)) {
	fields := fieldsOf(config.Type())
	for _, e := range entries {
		if path == "" && e.key == "name" && name != nil {
			name(e)
			continue
		}
		known := false
		for _, f := range fields {
			if f.key == e.key {
				known = true
				d.lines[join(path, f.key)] = e.line
				d.value(config.Field(f.index), join(path, f.key), e)
			}
		}
		if !known {
			d.add(e.line, join(d.path(path), pathKey(e.key)), "%s", unknown(e.key, keysOf(fields, path == "" && name != nil)))
		}
	}
}

func keysOf(fields []field, named bool) []string {
	var keys []string
	if named {
		keys = append(keys, "name")
	}
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	return keys
}

// path makes a path in the Config one in the file.
func (d *decoder) path(path string) string {
	if path == "" {
		return d.at
	}
	return join(d.at, path)
}

func (d *decoder) value(v reflect.Value, path string, e entry) {
	if v.Type() == budgetConfigType && isText(e.value) {
		d.budget = e.value
		return
	}
	if isStruct(v.Type()) {
		want := "a mapping"
		if v.Type() == budgetConfigType {
			want = "a mapping, or the name of a budget"
		}
		if entries, ok := d.mapping(e.value, d.path(path), want); ok {
			d.fill(v, path, entries, nil)
		}
		return
	}
	if why := d.scalar(v, path, e.value); why != "" {
		d.add(e.line, d.path(path), "is %s, want %s", describe(e.value), why)
	}
}

// scalar sets a single value, or returns what is wanted instead.
func (d *decoder) scalar(v reflect.Value, path string, n *yaml.Node) (want string) {
	words := wordsOf(d.kind.words(), path)
	want = describeType(v.Type(), words)
	if n.Kind != yaml.ScalarNode || n.Style&yaml.TaggedStyle != 0 || isNull(n) {
		return want
	}
	for _, w := range words {
		if isText(n) && n.Value == w.text {
			w.set(v)
			return ""
		}
	}
	if !setScalar(v, n) {
		return want
	}
	for _, w := range words {
		if w.value < 0 && w.is(v) { // a number that hides what it means
			v.SetZero()
			return cmp.Or(rangeOf(d.kind, path), want)
		}
	}
	if number(v) && v.IsZero() {
		d.zeros = append(d.zeros, zero{path, n.Value})
	}
	return ""
}

// zero is a key with the value 0.
type zero struct{ path, text string }

// refuseZeros makes problems of zeros that would not be zeros: they look like a value, and mean the default. It looks at
// the defaults of valid settings.
func (d *decoder) refuseZeros(s settings) {
	if len(d.zeros) == 0 {
		return
	}
	resolved := s.resolved().config()
	for _, z := range d.zeros {
		if at(resolved, z.path).IsZero() {
			continue
		}
		want := cmp.Or(rangeOf(d.kind, z.path), describeType(at(resolved, z.path).Type(), wordsOf(d.kind.words(), z.path)))
		d.add(d.lines[z.path], d.path(z.path), "is %s, want %s; leave it out for the default", z.text, want)
	}
}

// set sets a number to what the word stands for.
func (w word) set(v reflect.Value) {
	if v.CanFloat() {
		v.SetFloat(w.value)
	} else {
		v.SetInt(int64(w.value))
	}
}

// is reports whether a number is what the word stands for.
func (w word) is(v reflect.Value) bool {
	return v.CanFloat() && v.Float() == w.value || v.CanInt() && v.Int() == int64(w.value)
}

func wordsOf(words []word, path string) (found []word) {
	for _, w := range words {
		if w.key == path {
			found = append(found, w)
		}
	}
	return found
}

// number reports whether a zero is what a key that is left out would be, though it looks like a value.
func number(v reflect.Value) bool {
	return !hasText(v.Type()) && (v.CanInt() || v.CanUint() || v.CanFloat())
}

// setScalar sets what the text of a node says, if it says something of v's type.
func setScalar(v reflect.Value, n *yaml.Node) bool {
	tag := n.ShortTag()
	switch {
	case hasText(v.Type()):
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)) == nil
	case v.Type() == durationType:
		length, err := time.ParseDuration(n.Value)
		if err != nil || tag != "!!str" {
			return false
		}
		v.SetInt(int64(length))
	case v.CanInt():
		i, err := strconv.ParseInt(decimal(n.Value), 10, 64)
		if err != nil || tag != "!!int" || v.OverflowInt(i) {
			return false
		}
		v.SetInt(i)
	case v.CanUint():
		i, err := strconv.ParseUint(decimal(n.Value), 10, 64)
		if err != nil || tag != "!!int" || v.OverflowUint(i) {
			return false
		}
		v.SetUint(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || tag != "!!int" && tag != "!!float" || math.IsInf(f, 0) || math.IsNaN(f) {
			return false
		}
		v.SetFloat(f)
	case v.Kind() == reflect.Bool:
		if n.Value != "true" && n.Value != "false" || tag != "!!bool" {
			return false
		}
		v.SetBool(n.Value == "true")
	case v.Kind() == reflect.String:
		if !isText(n) {
			return false
		}
		v.SetString(n.Value)
	default:
		return false
	}
	return true
}

// decimal returns the digits of a number that all readers of YAML and JSON take for the same.
func decimal(text string) string {
	digits := strings.TrimLeft(text, "+-")
	if len(digits) > 1 && digits[0] == '0' {
		return "" // octal for some
	}
	return strings.ReplaceAll(text, "_", "")
}

// describeType says what values a type has.
func describeType(t reflect.Type, words []word) string {
	text := "text in quotes"
	switch v := reflect.New(t).Elem(); {
	case hasText(t):
		text = "one of " + strings.Join(textsOf(t), ", ")
	case t == durationType:
		text = "a duration such as 500ms"
	case v.CanInt() || v.CanUint():
		text = "a whole number"
	case v.CanFloat():
		text = "a number"
	case t.Kind() == reflect.Bool:
		text = "true or false"
	}
	for _, w := range words {
		text += ", or " + w.text
	}
	return text
}

// textsOf returns the texts of an enumeration, which are those of the values from 0 on.
func textsOf(t reflect.Type) (texts []string) {
	for i := range 256 {
		v := reflect.New(t).Elem()
		if !v.CanUint() && !v.CanInt() {
			return nil
		}
		v.Set(reflect.ValueOf(i).Convert(t))
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			break
		}
		if len(text) > 0 { // a zero that is only the default may have none
			texts = append(texts, string(text))
		}
	}
	return texts
}
