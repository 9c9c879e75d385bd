package seawall

import (
	"context"
	"fmt"
	"strings"
)

// Pipeline is a chain of policies, and a [Policy] itself. It is immutable and safe for concurrent use.
type Pipeline struct {
	stages []stage
}

// Live is a policy that stands for a chain which may be exchanged while calls run, such as one from a policy file. [Call]
// asks it once for each call, and then walks that chain as if it were called itself. As a member of another chain it is a
// policy without a role.
type Live interface {
	Policy
	// Current returns the chain in force, never nil.
	Current() *Pipeline
}

// stage is a policy with its role looked up once. Exactly the field of its role is set; custom has none, a replacer may be an
// exerciser as well, and a repeater or a racer a stopwatch.
type stage struct {
	role     role
	policy   Policy
	gate     Gate
	scope    Scope
	repeater Repeater
	racer    Racer
	replacer Replacer

	exerciser Exerciser
	stopwatch Stopwatch

	inner *stage // the next one; nil for the innermost
}

type role uint8

const (
	customRole role = iota
	gateRole
	scopeRole
	repeaterRole
	racerRole
	replacerRole
)

// Chain puts policies around each other, the outermost first. A Pipeline among them contributes its own policies. The
// slice may be changed afterwards. Chain panics on a nil policy or Pipeline; without any policy the Pipeline just runs op. A
// nil pointer of another type may be a policy that does nothing, as that of a fault.Point is.
//
// A chain asks a policy that plays a role by that role, not by its Do. So a type that embeds a breaker is a breaker in a
// chain, whatever its own Do does; one that is to add to it holds the breaker in a named field.
//
// The usual order is fallback, total timeout, retry, hedge, breaker, bulkhead or rate limit, attempt timeout: each
// attempt asks the breaker, and is counted by it.
func Chain(outermostFirst ...Policy) *Pipeline {
	p := &Pipeline{}
	for i, policy := range outermostFirst {
		if policy == nil {
			panic(fmt.Sprintf("seawall: Chain: policy %d is nil", i))
		}
		if inner, ok := policy.(*Pipeline); ok {
			if inner == nil {
				panic(fmt.Sprintf("seawall: Chain: policy %d is a nil Pipeline", i))
			}
			p.stages = append(p.stages, inner.stages...)
			continue
		}
		p.stages = append(p.stages, newStage(policy))
	}
	for i := range len(p.stages) - 1 {
		p.stages[i].inner = &p.stages[i+1]
	}
	return p
}

// outermost returns the stage at which a walk begins, nil if there is none.
func (p *Pipeline) outermost() *stage {
	if len(p.stages) == 0 {
		return nil
	}
	return &p.stages[0]
}

func newStage(p Policy) stage {
	s := stage{policy: p}
	switch p := p.(type) {
	case Gate:
		s.role, s.gate = gateRole, p
	case Scope:
		s.role, s.scope = scopeRole, p
	case Repeater:
		s.role, s.repeater = repeaterRole, p
		s.stopwatch, _ = p.(Stopwatch)
	case Racer:
		s.role, s.racer = racerRole, p
		s.stopwatch, _ = p.(Stopwatch)
	case Replacer:
		s.role, s.replacer = replacerRole, p
		s.exerciser, _ = p.(Exerciser)
	}
	return s
}

// Do runs op through the policies. It does not start if ctx is done.
func (p *Pipeline) Do(ctx context.Context, op func(context.Context) error) error {
	_, err := run(ctx, p, errOp(op))
	return err
}

// Policies returns the members, the outermost first.
func (p *Pipeline) Policies() []Policy {
	members := make([]Policy, len(p.stages))
	for i := range p.stages {
		members[i] = p.stages[i].policy
	}
	return members
}

// String returns the members' texts joined by arrows, such as: retry "payments" → breaker "payments".
func (p *Pipeline) String() string {
	names := make([]string, len(p.stages))
	for i := range p.stages {
		names[i] = memberText(p.stages[i].policy)
	}
	return strings.Join(names, " → ")
}

// memberText returns what a policy says of itself, or its type.
func memberText(p Policy) string {
	if s, ok := p.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", p)
}
