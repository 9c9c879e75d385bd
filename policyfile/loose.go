package policyfile

import (
	"reflect"
	"regexp"
	"strings"
	"unicode"
)

// loose is a Config of no kind that this package knows, though there may be such in it. What is not known is asked of
// its Validate.
type loose[C any] struct {
	cfg  C
	base C // what Validate is asked with
}

var _ copied[*loose[struct{}]] = (*loose[struct{}])(nil)

func (s *loose[C]) config() reflect.Value { return reflect.ValueOf(&s.cfg).Elem() }
func (s *loose[C]) clone() *loose[C]      { return &loose[C]{s.cfg, s.base} }

func (s *loose[C]) validate() error {
	if v, ok := any(&s.cfg).(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// wordFor goes by the name of the constant alone, where no kind knows the key.
func (s *loose[C]) wordFor(constant, path string) string {
	if k, _, rest := s.known(path); k != nil {
		return wordFor(k.words(), constant, rest)
	}
	if v := at(s.config(), path); !v.IsValid() || !number(v) {
		return ""
	}
	return wordOf(constant)
}

// wordOf makes a word of the name of a constant.
func wordOf(constant string) string {
	if rest, found := strings.CutPrefix(constant, "No"); found && rest != "" && unicode.IsUpper(rune(rest[0])) {
		return "none"
	}
	var word strings.Builder
	for i, c := range constant {
		if unicode.IsUpper(c) && i > 0 {
			word.WriteByte('_')
		}
		word.WriteRune(unicode.ToLower(c))
	}
	return word.String()
}

// constantIn finds the constant that a text of Validate allows beside a range.
var constantIn = regexp.MustCompile(`, or ([A-Z]\w*)$`)

func (s *loose[C]) wordsAt(path string) []word {
	if k, _, rest := s.known(path); k != nil {
		return wordsOf(k.words(), rest)
	}
	key := path
	path = firstItem(path)
	t := s.config().Type()
	for _, key := range split(path) {
		t = stepType(t, key)
	}
	if !number(reflect.New(t).Elem()) {
		return nil
	}
	err := s.with(path, spoil).validate()
	if err == nil {
		return nil
	}
	constant := constantIn.FindStringSubmatch(firstLine(err))
	w := word{key: key, value: -1}
	if constant == nil || wantOf(s.with(path, spoil)).path != path || wantOf(s.with(path, w.set)).path == path {
		return nil
	}
	w.text, w.constant = wordOf(constant[1]), constant[1]
	return []word{w}
}

func (s *loose[C]) rangeAt(path string) string {
	if k, _, rest := s.known(path); k != nil {
		return rangeOf(k, rest)
	}
	path = firstItem(path)
	if w := wantOf(s.with(path, spoil)); w.path == path {
		return w.want
	}
	return ""
}

// firstItem leads to the first item in the place of any other: they are all alike, and a list may be long.
func firstItem(path string) string { return index.ReplaceAllString(path, "[0]") }

var index = regexp.MustCompile(`\[\d+\]`)

// with returns the base with one value changed.
func (s *loose[C]) with(path string, change func(reflect.Value)) *loose[C] {
	c := &loose[C]{cfg: s.base}
	edit(c.config(), split(path), change)
	return c
}

// zeros goes by the defaults of kinds; of others it takes what Validate says.
func (s *loose[C]) zeros() func(path string) bool {
	return func(path string) bool {
		k, outer, rest := s.known(path)
		if k == nil {
			return strings.HasPrefix(s.rangeAt(path), "0 ") && len(s.wordsAt(path)) == 0
		}
		p := k.blank()
		cfg := reflect.Indirect(at(s.config(), outer))
		if !cfg.IsValid() { // it was taken out
			return true
		}
		p.config().Set(cfg)
		return p.validate() == nil && p.zeros()(rest)
	}
}

// known returns the kind whose Config is the innermost around a path, with the path of that, and the rest of it.
func (s *loose[C]) known(path string) (k kind, outer, rest string) {
	t, walked := s.config().Type(), ""
	for _, key := range append([]string{""}, split(path)...) {
		if key != "" {
			t, walked, rest = stepType(t, key), join(walked, key), join(rest, key)
		}
		if t == nil {
			return nil, "", ""
		}
		if found := kindWith(behind(t)); found != nil {
			k, outer, rest = found, walked, ""
		}
	}
	return k, outer, rest
}

// kindWith returns the kind whose Config has the type, or nil.
func kindWith(t reflect.Type) kind {
	for _, k := range append([]kind{budgetKind}, kinds...) {
		if k.blank().config().Type() == t {
			return k
		}
	}
	return nil
}
