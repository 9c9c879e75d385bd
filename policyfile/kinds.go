package policyfile

import (
	"reflect"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// kinds are the policies that a file can have, in the usual order of a chain.
var kinds = []kind{
	kindOf("fallback", degrade.NewFallback),
	kindOf("timeout", timeout.New, word{"limit", "off", "Off", float64(timeout.Off)}),
	kindOf("retry", retry.New,
		word{"max_attempts", "unlimited", "Unlimited", retry.Unlimited},
		word{"overload_delay", "none", "NoDelay", float64(retry.NoDelay)},
	),
	kindOf("hedge", hedge.New,
		word{"delay", "on_failure", "OnFailure", float64(hedge.OnFailure)},
		word{"latency.initial", "on_failure", "OnFailure", float64(hedge.OnFailure)},
	),
	kindOf("brownout", degrade.NewBrownout,
		word{"sheddable.enter", "never", "Never", degrade.Never},
		word{"sheddable_plus.enter", "never", "Never", degrade.Never},
		word{"critical.enter", "never", "Never", degrade.Never},
	),
	kindOf("breaker", breaker.New,
		word{"slow.over", "off", "NoSlowCalls", float64(breaker.NoSlowCalls)},
		word{"max_retry_after", "none", "NoRetryAfter", float64(breaker.NoRetryAfter)},
		word{"ramp.start", "off", "NoRamp", breaker.NoRamp},
	),
	kindOf("throttle", ratelimit.NewThrottle),
	kindOf("ratelimit", ratelimit.New,
		word{"rate", "unlimited", "Unlimited", ratelimit.Unlimited},
		word{"max_wait", "none", "NoWait", float64(ratelimit.NoWait)},
	),
	kindOf("bulkhead", bulkhead.New, bulkheadWords...),
	shownAs("bulkhead", kindOf("adaptive_bulkhead", bulkhead.NewAdaptive, bulkheadWords...)),
}

var bulkheadWords = []word{
	{"queue.limit", "none", "NoQueue", bulkhead.NoQueue},
	{"shares.critical_plus", "none", "NoShare", bulkhead.NoShare},
	{"shares.critical", "none", "NoShare", bulkhead.NoShare},
	{"shares.sheddable_plus", "none", "NoShare", bulkhead.NoShare},
	{"shares.sheddable", "none", "NoShare", bulkhead.NoShare},
}

// budgetKind reads the budgets, which are no policies but have a Config as those.
var budgetKind kind = &policyKind[seawall.BudgetConfig, seawall.Policy]{
	name:     "budget",
	defaults: func(cfg seawall.BudgetConfig) seawall.BudgetConfig { return seawall.NewBudget(cfg).Config() },
}

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

// vocabulary is what the values of a Config's keys may be.
type vocabulary interface {
	wordsAt(path string) []word
	rangeAt(path string) string // in the words of the Config's own Validate; empty if it does not say
}

// kind is a kind of policy, as a file knows it.
type kind interface {
	vocabulary
	key() string     // in the file
	shown() string   // in the registry, logs and errors
	words() []word   // of its keys
	blank() settings // all keys left out
}

// word stands in a file for a named constant of Go, which a number would hide.
type word struct {
	key      string // the path of the key that it is a value of
	text     string // as in a file
	constant string // its name in Go, as texts of errors have it
	value    float64
}

// subject is a Config that is checked.
type subject interface {
	// config is the Config, which can be changed through it.
	config() reflect.Value
	validate() error
	// wordFor returns the word that a key has for a constant of Go, or nothing.
	wordFor(constant, path string) string
	// zeros tells of a key whether 0 is its default, or means 0. The subject must be valid.
	zeros() func(path string) bool
}

// copied is a subject that a check may change a copy of.
type copied[S any] interface {
	subject
	clone() S
}

// settings are a policy's Config of whatever kind.
type settings interface {
	subject
	kind() kind
	clone() settings
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

// data is a Config: it can be wrong, and compares.
type data[C any] interface {
	Validate() error
	Equal(other C) bool
}

// live is a policy that can be changed while calls run.
type live[C any] interface {
	seawall.Policy
	Config() C
	Update(cfg C) error
}

// kindOf makes a kind of a policy's New.
func kindOf[C data[C], P live[C]](key string, build func(string, C) P, words ...word) *policyKind[C, P] {
	return &policyKind[C, P]{
		name:     key,
		nameSeen: key,
		known:    words,
		make:     build,
		defaults: func(cfg C) C { return build("", cfg).Config() },
		same:     func(a, b C) bool { return a.Equal(b) },
		read:     func(p P) C { return p.Config() },
		change:   func(p P, cfg C) error { return p.Update(cfg) },
	}
}

// shownAs is for a kind that has the name of another one everywhere but in files.
func shownAs[C data[C], P live[C]](name string, k *policyKind[C, P]) kind {
	k.nameSeen = name
	return k
}

type policyKind[C interface{ Validate() error }, P seawall.Policy] struct {
	name     string
	nameSeen string
	known    []word
	make     func(string, C) P
	defaults func(C) C // of a valid one that is in no registry
	same     func(a, b C) bool
	read     func(P) C
	change   func(P, C) error
}

func (k *policyKind[C, P]) key() string                { return k.name }
func (k *policyKind[C, P]) shown() string              { return k.nameSeen }
func (k *policyKind[C, P]) words() []word              { return k.known }
func (k *policyKind[C, P]) wordsAt(path string) []word { return wordsOf(k.known, path) }
func (k *policyKind[C, P]) rangeAt(path string) string { return rangeOf(k, path) }
func (k *policyKind[C, P]) blank() settings            { return &policySettings[C, P]{of: k} }

type policySettings[C interface{ Validate() error }, P seawall.Policy] struct {
	of  *policyKind[C, P]
	cfg C
}

func (s *policySettings[C, P]) kind() kind            { return s.of }
func (s *policySettings[C, P]) config() reflect.Value { return reflect.ValueOf(&s.cfg).Elem() }
func (s *policySettings[C, P]) validate() error       { return s.cfg.Validate() }

func (s *policySettings[C, P]) wordFor(constant, path string) string {
	return wordFor(s.of.known, constant, path)
}

func (s *policySettings[C, P]) zeros() func(path string) bool {
	resolved := s.resolved().config()
	return func(path string) bool { return at(resolved, path).IsZero() }
}

func (s *policySettings[C, P]) clone() settings {
	c := *s
	return &c
}

func (s *policySettings[C, P]) equal(other settings) bool {
	o, ok := other.(*policySettings[C, P])
	return ok && s.of.same(s.cfg, o.cfg)
}

func (s *policySettings[C, P]) resolved() settings {
	c := *s
	setRegistry(&c, (*seawall.Registry)(nil).Detached())
	c.cfg = s.of.defaults(c.cfg)
	return &c
}

func (s *policySettings[C, P]) build(name string) built {
	return &builtPolicy[C, P]{s.of, s.of.make(name, s.cfg)}
}

type builtPolicy[C interface{ Validate() error }, P seawall.Policy] struct {
	of *policyKind[C, P]
	p  P
}

func (b *builtPolicy[C, P]) policy() seawall.Policy { return b.p }
func (b *builtPolicy[C, P]) settings() settings     { return &policySettings[C, P]{b.of, b.of.read(b.p)} }

func (b *builtPolicy[C, P]) update(to settings) error {
	return b.of.change(b.p, to.(*policySettings[C, P]).cfg)
}
