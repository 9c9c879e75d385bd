package policyfile

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// complaint is the error of a Config's Validate in the words of a file. Those errors name the field as Go does, such as
// "breaker: Config.FailureRate is 1.5, want 0.000001 to 1", or with the struct that found it,
// "retry: Config.Backoff: retry: Backoff.Max is 1s, want at least Base, which is 2s".
type complaint struct {
	path     string   // in the Config; empty if it is about no key
	text     string   // such as: is 1.5, want 0.000001 to 1
	mentions []string // other paths in the text
}

var goName = regexp.MustCompile(`\b[A-Z]\w*(\.[A-Z]\w*)*`)

// constants are Go's names of values of enumerations, which occur in the texts of errors.
var constants = map[string]string{
	"FromBudget": "funding: budget",
	"Contribute": "funding: contribute",
	"NoBudget":   "funding: none",
}

func complaintOf(err error, s settings) complaint {
	t := s.config().Type()
	head, tail, found := strings.Cut(err.Error(), " is ")
	if !found {
		return complaint{text: "is refused: " + err.Error()}
	}
	var c complaint
	for _, name := range goName.FindAllString(head, -1) {
		path, ok := resolve(t, c.path, name)
		if !ok {
			return complaint{text: "is refused: " + err.Error()}
		}
		c.path = path
	}
	if at(s.config(), c.path).Type() == budgetConfigType {
		if _, rest, ok := strings.Cut(tail, "}, want zero "); ok { // the numbers as Go prints them
			tail = "set, want nothing " + rest
		}
		tail = strings.Replace(tail, "set, want nil ", "set, want nothing ", 1)
	}
	inside, _ := cutLast(c.path)
	c.text = "is " + goName.ReplaceAllStringFunc(tail, func(name string) string {
		for _, from := range []string{c.path, inside, ""} {
			if path, ok := resolve(t, from, name); ok {
				c.mentions = append(c.mentions, path)
				return path
			}
		}
		for _, w := range s.kind().words() {
			if w.constant == name && (w.key == c.path || slices.Contains(c.mentions, w.key)) {
				return w.text
			}
		}
		if text, ok := constants[name]; ok {
			return text
		}
		return name
	})
	return c
}

// resolve follows a name of Go, such as Config.Queue.Limit or Queue.Limit, from a path in a Config.
func resolve(t reflect.Type, from, name string) (path string, ok bool) {
	path = from
	for _, key := range split(from) {
		if !isStruct(t) {
			return "", false
		}
		i := slices.IndexFunc(fieldsOf(t), func(f field) bool { return f.key == key })
		t = t.Field(fieldsOf(t)[i].index).Type
	}
	names := strings.Split(name, ".")
	if names[0] == t.Name() {
		if names = names[1:]; len(names) == 0 {
			return "", false
		}
	}
	for _, name := range names {
		if !isStruct(t) {
			return "", false
		}
		if f, found := t.FieldByName(name); found && f.Type == budgetType {
			name = budgetFieldOf(t) // the key of both is that of the numbers
		}
		fields := fieldsOf(t)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			return "", false
		}
		path, t = join(path, fields[i].key), t.Field(fields[i].index).Type
	}
	return path, true
}

// budgetFieldOf returns the name of the field with the numbers of a budget.
func budgetFieldOf(t reflect.Type) string {
	for i := range t.NumField() {
		if t.Field(i).Type == budgetConfigType {
			return t.Field(i).Name
		}
	}
	return ""
}

func split(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, ".")
}

// cutLast returns what is before the last key of a path, and that key.
func cutLast(path string) (before, last string) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// at returns the value at a path of a Config.
func at(config reflect.Value, path string) reflect.Value {
	for _, key := range split(path) {
		fields := fieldsOf(config.Type())
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		config = config.Field(fields[i].index)
	}
	return config
}

// complaints returns everything that is wrong with settings, and what is left of them without that: nil if they cannot
// be mended. Validate tells one thing at a time, so what it tells is taken out, and it is asked again; what is wrong
// only with the default in its place does not count.
func complaints(s settings) (all []complaint, mended settings) {
	s = s.clone()
	reset := map[string]bool{}
	for {
		err := s.validate()
		if err == nil {
			return all, s
		}
		c := complaintOf(err, s)
		if !slices.ContainsFunc(c.mentions, func(path string) bool { return reset[path] }) && !reset[c.path] {
			all = append(all, c)
		}
		if c.path == "" || reset[c.path] || at(s.config(), c.path).IsZero() {
			return all, nil
		}
		reset[c.path] = true
		at(s.config(), c.path).SetZero()
	}
}
