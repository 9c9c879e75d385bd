package policyfile

import (
	"errors"
	"fmt"

	"github.com/seawall-go/seawall"
)

// roster is policies in use, with what a file said of them.
type roster map[id]member

type member struct {
	spec  *policySpec
	built built
}

// change is what makes one roster of another: what is new has been made, and what stays is to be updated.
type change struct {
	next    roster
	updates []update
}

type update struct {
	id      id
	policy  built
	to      settings
	earlier settings
}

// changeTo compares a roster with what a file says now, and makes what is new, under the name with the suffix. It
// changes nothing that is in use.
func (r roster) changeTo(specs []*policySpec, suffix string) (c change, err error) {
	c.next = roster{}
	for _, spec := range specs {
		id := spec.id()
		old, known := r[id]
		if !known {
			b, err := build(spec, suffix)
			if err != nil {
				return change{}, err
			}
			c.next[id] = member{spec, b}
			continue
		}
		c.next[id] = member{spec, old.built}
		if !spec.settings.equal(old.spec.settings) {
			now := old.built.settings()
			c.updates = append(c.updates, update{id, old.built, keepMode(spec.settings, old.spec.settings, now), now})
		}
	}
	return c, nil
}

// build makes a policy. It does not panic, though the settings are checked already: a file must not end a program.
func build(spec *policySpec, suffix string) (b built, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a %v that cannot be made: %v", spec.id(), v)
		}
	}()
	return spec.settings.build(spec.name + suffix), nil
}

// keepMode returns the new settings with the mode that is in force, if that was set by hand and the file has the same
// as before: who changes a limit does not mean to close a breaker that somebody has forced open.
func keepMode(to, from, now settings) settings {
	to = to.clone()
	mode, ok := modeOf(to)
	if !ok {
		return to
	}
	before, _ := modeOf(from)
	inForce, _ := modeOf(now)
	if *mode == *before {
		*mode = *inForce
	}
	return to
}

// apply updates what stays. If one is refused, which a checked file should not meet, those before it go back.
func (c change) apply() error {
	for i, u := range c.updates {
		err := u.policy.update(u.to)
		if err == nil {
			continue
		}
		errs := []error{fmt.Errorf("policyfile: %v: %w", u.id, err)}
		for _, done := range c.updates[:i] {
			errs = append(errs, done.policy.update(done.earlier))
		}
		return errors.Join(errs...)
	}
	return nil
}

// pipeline puts the policies of a chain together.
func (r roster) pipeline(c *chainSpec) *seawall.Pipeline {
	policies := make([]seawall.Policy, len(c.policies))
	for i, p := range c.policies {
		policies[i] = r[p.id()].built.policy()
	}
	return seawall.Chain(policies...)
}
