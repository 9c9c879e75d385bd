package policyfile

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Text returns the file as it is in force, in YAML: defaults are filled in, and marked by a comment. It reads back as
// an equal file. A mode that was set by hand is not in it.
func (s *Set) Text() string {
	var p printer
	p.document(s.current.Load().document)
	return p.String()
}

// WriteTo writes the [Set.Text].
func (s *Set) WriteTo(w io.Writer) (n int64, err error) {
	written, err := io.WriteString(w, s.Text())
	return int64(written), err
}

// printer writes YAML. It is not the library's, because that knows no comment for a single value of a struct.
type printer struct{ strings.Builder }

func (p *printer) line(depth int, text string) {
	p.WriteString(strings.Repeat("  ", depth) + text + "\n")
}

func (p *printer) document(d *document) {
	if len(d.budgets) > 0 {
		p.line(0, "budgets:")
	}
	for _, b := range d.budgets {
		p.line(1, quote(b.name)+":")
		spec := &policySpec{settings: budgetKind.blank()}
		p.settings(2, "", reflect.ValueOf(b.cfg), reflect.ValueOf(b.budget.Config()), spec)
	}
	p.line(0, "chains:")
	for _, c := range d.chains {
		p.line(1, quote(c.name)+":")
		depth := 2
		if c.keyed {
			p.line(2, "per_key:")
			p.line(3, fmt.Sprintf("max_keys: %d", c.maxKeys))
			p.line(2, "policies:")
			depth = 3
		}
		for _, spec := range c.policies {
			p.policy(depth, spec)
		}
	}
}

func (p *printer) policy(depth int, spec *policySpec) {
	p.line(depth, "- "+spec.settings.kind().key()+":")
	p.line(depth+2, "name: "+quote(spec.name))
	p.settings(depth+2, "", spec.settings.config(), spec.settings.resolved().config(), spec)
}

// settings writes the keys of a Config. What is zero although defaults are filled in does not apply, and is left out.
func (p *printer) settings(depth int, path string, given, resolved reflect.Value, spec *policySpec) {
	for _, f := range fieldsOf(given.Type()) {
		path, given, resolved := join(path, f.key), given.Field(f.index), resolved.Field(f.index)
		switch {
		case given.Type() == budgetConfigType && spec.budget != "":
			p.line(depth, f.key+": "+quote(spec.budget))
		case isStruct(given.Type()):
			if !resolved.IsZero() {
				p.line(depth, f.key+":")
				p.settings(depth+1, path, given, resolved, spec)
			}
		case !resolved.IsZero() || !number(resolved):
			text := scalarText(resolved, path, spec.settings.kind())
			if text == "" {
				continue
			}
			if given.IsZero() {
				text += " # default"
			}
			p.line(depth, f.key+": "+text)
		}
	}
}

// scalarText returns a single value as a file has it.
func scalarText(v reflect.Value, path string, k kind) string {
	for _, w := range wordsOf(k.words(), path) {
		if w.is(v) {
			return w.text
		}
	}
	switch {
	case hasText(v.Type()):
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			panic("policyfile: " + err.Error()) // it was checked
		}
		return string(text)
	case v.Type() == durationType:
		return durationText(time.Duration(v.Int()))
	case v.CanFloat():
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case v.Kind() == reflect.String:
		return quote(v.String())
	}
	return fmt.Sprint(v)
}

// durationText is a duration without the zeros at its end: 1m and not 1m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// quote returns a text as a file has it: in quotes, unless it means itself.
func quote(text string) string {
	if isPlain(text) {
		return text
	}
	return quoted(text)
}

// quoted returns a text in the quotes that YAML and JSON share.
func quoted(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("policyfile: " + err.Error()) // a string always has a form
	}
	return string(quoted)
}
