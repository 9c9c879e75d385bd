package policyfile

import (
	"reflect"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// kinds are the policies that a file can have, in the order of a chain.
var kinds = []kind{
	fixed("fallback", degrade.NewFallback),
	changing("timeout", timeout.New, word{"limit", "off", "Off", int64(timeout.Off)}),
	changing("retry", retry.New,
		word{"max_attempts", "unlimited", "Unlimited", retry.Unlimited},
		word{"overload_delay", "none", "NoDelay", int64(retry.NoDelay)},
	),
	changing("breaker", breaker.New),
	changing("bulkhead", bulkhead.New, word{"queue.limit", "none", "NoQueue", bulkhead.NoQueue}),
}

// budgetKind reads the budgets, which are no policies but have a Config as those.
var budgetKind kind = &kindOf[seawall.BudgetConfig, seawall.Policy]{name: "budget"}

func kindNamed(key string) kind {
	for _, k := range kinds {
		if k.key() == key {
			return k
		}
	}
	return nil
}

func kindKeys() []string {
	keys := make([]string, len(kinds))
	for i, k := range kinds {
		keys[i] = k.key()
	}
	return keys
}

// kind is a kind of policy, as a file knows it.
type kind interface {
	key() string     // in the file
	words() []word   // of its keys
	blank() settings // all keys left out
}

// word stands in a file for a named constant, which a number would hide.
type word struct {
	key      string // the path of the key that it is a value of
	text     string // as in a file
	constant string // its name in Go, as texts of errors have it
	value    int64
}

// settings are a Config of whatever kind.
type settings interface {
	kind() kind
	// config is the Config, which can be changed through it.
	config() reflect.Value
	clone() settings
	validate() error
	// equal is about what a file can say, and the shared budget.
	equal(other settings) bool
	// resolved returns a copy with the defaults filled in. The settings must be valid.
	resolved() settings
	build(name string) built
}

// built is a policy in use.
type built interface {
	policy() seawall.Policy
	// settings are the ones in force.
	settings() settings
	update(to settings) error
}

// checked is a Config that can be wrong.
type checked interface{ Validate() error }

// data is a Config that compares.
type data[C any] interface {
	checked
	Equal(other C) bool
}

// live is a policy that can be changed while calls run.
type live[C any] interface {
	seawall.Policy
	Config() C
	Update(cfg C) error
}

func changing[C data[C], P live[C]](key string, build func(string, C) P, words ...word) kind {
	k := &kindOf[C, P]{name: key, known: words, make: build}
	k.same = func(a, b C) bool { return a.Equal(b) }
	k.read = func(p P) C { return p.Config() }
	k.change = func(p P, cfg C) error { return p.Update(cfg) }
	return k
}

// fixed is a kind whose Config has nothing that a file can say.
func fixed[C checked, P seawall.Policy](key string, build func(string, C) P) kind {
	return &kindOf[C, P]{name: key, make: build, same: func(C, C) bool { return true }}
}

type kindOf[C checked, P seawall.Policy] struct {
	name   string
	known  []word
	make   func(string, C) P
	same   func(a, b C) bool
	read   func(P) C        // nil for a fixed kind
	change func(P, C) error // nil for a fixed kind
}

func (k *kindOf[C, P]) key() string     { return k.name }
func (k *kindOf[C, P]) words() []word   { return k.known }
func (k *kindOf[C, P]) blank() settings { return &settingsOf[C, P]{of: k} }

type settingsOf[C checked, P seawall.Policy] struct {
	of  *kindOf[C, P]
	cfg C
}

func (s *settingsOf[C, P]) kind() kind            { return s.of }
func (s *settingsOf[C, P]) config() reflect.Value { return reflect.ValueOf(&s.cfg).Elem() }
func (s *settingsOf[C, P]) validate() error       { return s.cfg.Validate() }

func (s *settingsOf[C, P]) clone() settings {
	c := *s
	return &c
}

func (s *settingsOf[C, P]) equal(other settings) bool {
	o, ok := other.(*settingsOf[C, P])
	return ok && s.of.same(s.cfg, o.cfg)
}

// resolved makes a policy that nobody uses, because only that knows its defaults.
func (s *settingsOf[C, P]) resolved() settings {
	if s.of.read == nil {
		return s
	}
	c := *s
	setRegistry(&c, (*seawall.Registry)(nil).Detached())
	c.cfg = s.of.read(s.of.make("", c.cfg))
	return &c
}

func (s *settingsOf[C, P]) build(name string) built {
	return &builtOf[C, P]{settingsOf[C, P]{of: s.of, cfg: s.cfg}, s.of.make(name, s.cfg)}
}

type builtOf[C checked, P seawall.Policy] struct {
	made settingsOf[C, P]
	p    P
}

func (b *builtOf[C, P]) policy() seawall.Policy { return b.p }

func (b *builtOf[C, P]) settings() settings {
	s := b.made
	if s.of.read != nil {
		s.cfg = s.of.read(b.p)
	}
	return &s
}

func (b *builtOf[C, P]) update(to settings) error {
	if b.made.of.change == nil {
		return nil
	}
	return b.made.of.change(b.p, to.(*settingsOf[C, P]).cfg)
}
