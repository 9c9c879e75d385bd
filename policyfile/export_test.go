package policyfile

import (
	"reflect"
	"slices"

	"github.com/seawall-go/seawall"
)

// Equal reports whether two sets have the same file in force, whatever its form.
func Equal(a, b *Set) bool {
	from, to := a.current.Load().document, *b.current.Load().document
	budgets := slices.EqualFunc(from.budgets, to.budgets, func(a, b *budgetSpec) bool {
		return a.name == b.name && a.budget.Config() == b.budget.Config()
	})
	return budgets && slices.EqualFunc(from.chains, to.chains, func(a, b *chainSpec) bool {
		return a.name == b.name && a.sameMembers(b) && slices.EqualFunc(a.policies, b.policies, samePolicy)
	})
}

// samePolicy takes budgets of one name for one.
func samePolicy(a, b *policySpec) bool {
	x, y := a.settings.clone(), b.settings.clone()
	setBudget(x, nil)
	setBudget(y, nil)
	return a.budget == b.budget && x.equal(y)
}

// Kind is a kind of policy, for tests that go over all of them.
type Kind struct{ kind }

func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i, k := range kinds {
		all[i] = Kind{k}
	}
	return all
}

func (k Kind) Key() string          { return k.key() }
func (k Kind) Shown() string        { return k.shown() }
func (k Kind) Config() reflect.Type { return k.blank().config().Type() }

// Keys returns the paths of the keys with a single value.
func (k Kind) Keys() (paths []string) {
	for l := range leaves(k.blank().config()) {
		paths = append(paths, l.path)
	}
	return paths
}

// Sample is settings with what is required.
func (k Kind) Sample() Settings {
	s, _ := sample(k.kind, 1)
	return Settings{s}
}

// Words returns the words of a key.
func (k Kind) Words(path string) (texts []string) {
	for _, w := range wordsOf(k.words(), path) {
		texts = append(texts, w.text)
	}
	return texts
}

// WordKeys returns the keys that have words.
func (k Kind) WordKeys() (paths []string) {
	for _, w := range k.words() {
		paths = append(paths, w.key)
	}
	return paths
}

// Settings are a Config under test.
type Settings struct{ settings }

func (s Settings) At(path string) reflect.Value { return at(s.config(), path) }
func (s Settings) Validate() error              { return s.validate() }
func (s Settings) Clone() Settings              { return Settings{s.clone()} }

// Complaint is the path of what is wrong, or empty.
func (s Settings) Complaint() string {
	if err := s.validate(); err != nil {
		return complaintOf(err, s.settings).path
	}
	return ""
}

// Text is how a file has the value of a key.
func (s Settings) Text(path string) string { return scalarText(s.At(path), path, s.kind()) }

// ConfigOf is what a set's file says of a policy.
func (s *Set) ConfigOf(kind, name string) reflect.Value {
	return byID(s.current.Load().document)[id{kind, name}].settings.config()
}

// At is the value at a path of a Config.
func At(config reflect.Value, path string) reflect.Value { return at(config, path) }

// MarshalsText reports whether a type's values are texts.
func MarshalsText(t reflect.Type) bool { return hasText(t) }

// AddKind adds a kind, and returns what removes it.
func AddKind[C data[C], P live[C]](key string, build func(string, C) P) (remove func()) {
	before := kinds
	kinds = append(slices.Clone(kinds), kindOf(key, build))
	return func() { kinds = before }
}

// Pipelines returns the plain chains without using them.
func (s *Set) Pipelines() (pipelines []*seawall.Pipeline) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.chains {
		pipelines = append(pipelines, c.Current())
	}
	return pipelines
}
