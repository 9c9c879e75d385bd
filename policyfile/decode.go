package policyfile

import (
	"cmp"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"
)

// decoder fills a Config.
type decoder struct {
	*reader
	at     string // the path of the Config in the file
	words  vocabulary
	lines  map[string]int // of the keys that were given, by their path in the Config
	shares bool           // whether a budget can be named in the place of its numbers
	// budget is set if the file names a shared one in the place of its numbers.
	budget *yaml.Node
	zeros  []zero
	broken []string // keys whose values could not be read, by their path in the Config
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
	if d.shares && v.Type() == budgetConfigType && isText(e.value) {
		d.budget = e.value
		return
	}
	switch {
	case isStruct(v.Type()):
		want := "a mapping"
		if d.shares && v.Type() == budgetConfigType {
			want = "a mapping, or the name of a budget"
		}
		if entries, ok := d.mapping(e.value, d.path(path), want); ok {
			d.fill(v, path, entries, nil)
		}
		return
	case isCollection(v.Type()):
		d.collection(v, path, e)
		return
	}
	if why := d.scalar(v, path, e.value); why != "" {
		d.add(e.line, d.path(path), "is %s, want %s", describe(e.value), why)
		d.broken = append(d.broken, path)
	}
}

// misread reports whether a complaint is about the default that stands in the place of a value that could not be read.
func (d *decoder) misread(c complaint) bool {
	return slices.ContainsFunc(d.broken, func(path string) bool {
		return c.path == path || slices.Contains(c.mentions, path)
	})
}

// scalar sets a single value, or returns what is wanted instead.
func (d *decoder) scalar(v reflect.Value, path string, n *yaml.Node) (want string) {
	words := d.words.wordsAt(path)
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
			return cmp.Or(d.words.rangeAt(path), want)
		}
	}
	if number(v) && v.IsZero() {
		d.zeros = append(d.zeros, zero{path, n.Value, v.Type()})
	}
	return ""
}

// zero is a key with the value 0.
type zero struct {
	path, text string
	of         reflect.Type
}

// refuseZeros makes problems of zeros that would not be zeros: they look like a value, and mean the default. It looks
// at the defaults of valid settings.
func (d *decoder) refuseZeros(s subject) {
	if len(d.zeros) == 0 {
		return
	}
	isZero := s.zeros()
	for _, z := range d.zeros {
		if isZero(z.path) {
			continue
		}
		want := cmp.Or(d.words.rangeAt(z.path), describeType(z.of, d.words.wordsAt(z.path)))
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

// wordFor returns the word of a key that stands for a constant, or nothing.
func wordFor(words []word, constant, path string) string {
	for _, w := range words {
		if w.key == path && w.constant == constant {
			return w.text
		}
	}
	return ""
}
