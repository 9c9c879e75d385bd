package policyfile

import (
	"slices"

	"github.com/seawall-go/seawall"
)

// document is what a file says. Nothing in it serves calls yet, but for the budgets, which are part of the settings.
type document struct {
	budgets []*budgetSpec
	chains  []*chainSpec
}

type budgetSpec struct {
	name   string
	cfg    seawall.BudgetConfig
	budget *seawall.Budget
}

type chainSpec struct {
	name     string
	line     int
	keyed    bool
	maxKeys  int // of a keyed chain
	policies []*policySpec
}

type policySpec struct {
	name     string
	settings settings
	budget   string // the name of the shared one; empty if there is none
}

// id is what a policy is known by: it is unique in a file, and the same after a reload.
type id struct{ kind, name string }

func (p *policySpec) id() id { return id{p.settings.kind().key(), p.name} }

// String returns such as: breaker "payments".
func (i id) String() string { return i.kind + ` "` + i.name + `"` }

const (
	defaultMaxKeys = 1000
	mostKeys       = 1_000_000
)

func budgetNamed(budgets []*budgetSpec, name string) *budgetSpec {
	for _, b := range budgets {
		if b.name == name {
			return b
		}
	}
	return nil
}

// policies returns the policies of the plain chains, or of the keyed ones.
func (d *document) policies(keyed bool) (policies []*policySpec) {
	for _, c := range d.chains {
		if c.keyed == keyed {
			policies = append(policies, c.policies...)
		}
	}
	return policies
}

// chain returns a chain, or nil.
func (d *document) chain(name string) *chainSpec {
	i := slices.IndexFunc(d.chains, func(c *chainSpec) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return d.chains[i]
}

// keepBudgets takes over the budgets of an earlier document whose numbers are the same, with the tokens that are in
// them.
func (d *document) keepBudgets(earlier *document) {
	for _, b := range d.budgets {
		before := budgetNamed(earlier.budgets, b.name)
		if before == nil || before.budget.Config() != b.budget.Config() {
			continue
		}
		b.budget = before.budget
		for _, c := range d.chains {
			for _, p := range c.policies {
				if p.budget == b.name {
					setBudget(p.settings, b.budget)
				}
			}
		}
	}
}

func (c *chainSpec) equal(other *chainSpec) bool {
	return c.keyed == other.keyed && c.maxKeys == other.maxKeys &&
		slices.EqualFunc(c.policies, other.policies, (*policySpec).equal)
}

// sameMembers reports whether two chains have the same policies in the same order, whatever their settings.
func (c *chainSpec) sameMembers(other *chainSpec) bool {
	return c.keyed == other.keyed && c.maxKeys == other.maxKeys &&
		slices.EqualFunc(c.policies, other.policies, func(a, b *policySpec) bool { return a.id() == b.id() })
}

func (p *policySpec) equal(other *policySpec) bool {
	return p.id() == other.id() && p.settings.equal(other.settings)
}
