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

var goName = regexp.MustCompile(`\b[A-Z]\w*(\.[A-Z]\w*|\[\d+\]|\["([^"\\]|\\.)*"\])*`)

// sentence is an error of Validate: the field, a verb, and what the field is or has.
var sentence = regexp.MustCompile(`^(.*?) (is|has) (.*)$`)

// constants are Go's names of values of enumerations, which occur in the texts of errors.
var constants = map[string]string{
	"FromBudget": "funding: budget",
	"Contribute": "funding: contribute",
	"NoBudget":   "funding: none",
}

func complaintOf(err error, s subject) complaint {
	line := firstLine(err)
	t := s.config().Type()
	c := complaint{text: "is refused: " + line}
	parts := sentence.FindStringSubmatch(line)
	if parts == nil {
		return c
	}
	head, verb, tail := parts[1], parts[2], parts[3]
	found := true
	for _, name := range goName.FindAllString(head, -1) {
		var path string
		if path, found = resolve(t, c.path, name); found {
			c.path = path
		}
	}
	if !found {
		return c
	}
	if v := at(s.config(), c.path); v.IsValid() && v.Type() == budgetConfigType {
		if _, rest, ok := strings.Cut(tail, "}, want zero "); ok { // the numbers as Go prints them
			tail = "set, want nothing " + rest
		}
		tail = strings.Replace(tail, "set, want nil ", "set, want nothing ", 1)
	}
	inside, _ := cutLast(c.path)
	c.text = verb + " " + goName.ReplaceAllStringFunc(tail, func(name string) string {
		for _, from := range []string{c.path, inside, ""} {
			if path, ok := resolve(t, from, name); ok {
				c.mentions = append(c.mentions, path)
				return path
			}
		}
		for _, path := range append([]string{c.path}, c.mentions...) {
			if text := s.wordFor(name, path); text != "" {
				return text
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
		if t = stepType(t, key); t == nil {
			return "", false
		}
	}
	t = behind(t)
	names := split(name)
	if own, _, _ := strings.Cut(t.Name(), "["); names[0] == own { // without the arguments of a generic type
		if names = names[1:]; len(names) == 0 {
			return "", false
		}
	}
	for _, name := range names {
		t = behind(t)
		if name[0] == '[' && isCollection(t) {
			path, t = join(path, itemKey(name)), t.Elem()
			continue
		}
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

// firstLine is the first of errors that are joined: the others come up once it is mended.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// complaints returns everything that is wrong with settings, and what is left of them without that, if they can be
// mended. Validate tells one thing at a time, so what it tells is taken out, and it is asked again; what is wrong
// only with the default in its place does not count.
func complaints[S copied[S]](s S) (all []complaint, mended S, ok bool) {
	s = s.clone()
	reset := map[string]bool{}
	for {
		err := s.validate()
		if err == nil {
			return all, s, true
		}
		c := complaintOf(err, s)
		if !slices.ContainsFunc(append(c.mentions, c.path), func(path string) bool { return within(reset, path) }) {
			all = append(all, c)
		}
		path := c.path
		for path != "" && !mendable(s, path) {
			path, _ = cutLast(path)
		}
		if path == "" || len(all) > maxProblems {
			return all, s, false
		}
		reset[path] = true
		edit(s.config(), split(path), reflect.Value.SetZero)
	}
}

// mendable reports whether the default in the place of the value at a path would be another one.
func mendable(s subject, path string) bool {
	v := at(s.config(), path)
	return v.IsValid() && !v.IsZero()
}

// within reports whether one of the paths is a path or leads to it.
func within(paths map[string]bool, path string) bool {
	for ; path != ""; path, _ = cutLast(path) {
		if paths[path] {
			return true
		}
	}
	return false
}
