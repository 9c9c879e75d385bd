package policyfile

import (
	"log/slog"
	"slices"

	"github.com/seawall-go/seawall"
)

// replace takes over a content of the file. Everything that can fail comes before the first change.
func (s *Set) replace(data []byte) (Reloaded, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.tried = slices.Clone(data)
	now := s.current.Load()
	r, err := read(s.file, data, s.opts)
	if len(r.chains) > 0 { // else what is wrong with the file says more than the names of all that it lacks
		s.lacks(r)
	}
	if err != nil {
		return Reloaded{}, r.err()
	}
	to := &r.document
	to.keepBudgets(now.document)
	findings := r.try()
	unused := r.unused()
	if s.opts.Strict {
		r.refuse(findings, unused)
	}
	if err := r.err(); err != nil {
		return Reloaded{}, err
	}
	change, err := now.roster.changeTo(to.policies(false), "")
	if err != nil {
		return Reloaded{}, err
	}
	if err := s.commit(r, change); err != nil {
		return Reloaded{}, err
	}
	s.current.Store(&state{to, change.next, findings})
	if !slices.EqualFunc(findings, now.findings, func(a, b Finding) bool { return a.String() == b.String() }) {
		s.warn(findings)
	}
	for _, b := range unused {
		s.log(slog.LevelWarn, "seawall.config.binding_unused", slog.String("binding", b))
	}
	return difference(now.document, to), nil
}

// try makes all chains once for nobody: what cannot be made, though its settings are valid, is found before anything
// changes, and so is what hurts.
func (r *documentReader) try() (findings []Finding) {
	nowhere := (*seawall.Registry)(nil).Detached()
	for _, c := range r.chains {
		trial := roster{}
		for _, p := range c.policies {
			p = &policySpec{name: p.name, settings: p.settings.clone()}
			setRegistry(p.settings, nowhere)
			b, err := build(p, "")
			if err != nil {
				r.add(c.line, join("chains", pathKey(c.name)), "has %s", err)
				return nil
			}
			trial[p.id()] = member{p, b}
		}
		for _, f := range trial.pipeline(c).Lint() {
			findings = append(findings, Finding{c.name, f})
		}
	}
	return findings
}

// refuse makes problems of what is otherwise logged.
func (r *documentReader) refuse(findings []Finding, unused []string) {
	for _, f := range findings {
		r.add(r.chain(f.Chain).line, join("chains", pathKey(f.Chain)), "has a finding: %s", f.Finding)
	}
	for _, b := range unused {
		r.add(0, "", "has no %s, for which there is a binding", b)
	}
}

// unused returns the bindings that found no policy, such as: breaker "payments".
func (r *documentReader) unused() (unused []string) {
	for i, b := range r.bindings {
		if !r.bound[i] && b.name != "" {
			unused = append(unused, id{kindOfConfig(b.config).key(), b.name}.String())
		}
	}
	return unused
}

// commit lets go of the chains that are gone, unless the program has one, and changes the others.
func (s *Set) commit(r *documentReader, change change) error {
	gone, err := s.forget(r)
	if err != nil {
		return err
	}
	if err := change.apply(); err != nil {
		gone()
		return err
	}
	for _, c := range r.chains {
		if c.keyed {
			s.setKeyed(c)
		} else {
			s.setChain(c, change.next)
		}
	}
	return nil
}

// forget removes the chains that the file lacks, and returns what brings them back. It is an error if the program has
// one of them.
func (s *Set) forget(r *documentReader) (undo func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	plain, keyed := s.goneLocked(r)
	if err := r.err(); err != nil {
		return nil, err
	}
	for _, c := range plain {
		delete(s.chains, c.name)
	}
	for _, k := range keyed {
		delete(s.keyed, k.name)
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range plain {
			s.chains[c.name] = c
		}
		for _, k := range keyed {
			s.keyed[k.name] = k
		}
	}, nil
}

// lacks reports the chains that the program has or requires, and that are not in the file.
func (s *Set) lacks(r *documentReader) {
	for _, name := range s.opts.Require {
		if r.chain(name) == nil {
			r.add(0, join("chains", pathKey(name)), "is missing, the program requires it")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goneLocked(r)
}

// goneLocked returns the chains that the file lacks, and reports those that the program has.
func (s *Set) goneLocked(r *documentReader) (plain []*Chain, keyed []*Keyed) {
	for name, c := range s.chains {
		if spec := r.chain(name); spec == nil || spec.keyed {
			plain = append(plain, c)
			r.keeps(name, "a chain", c.used.Load())
		}
	}
	for name, k := range s.keyed {
		if spec := r.chain(name); spec == nil || !spec.keyed {
			keyed = append(keyed, k)
			r.keeps(name, "a keyed chain", k.used.Load())
		}
	}
	return plain, keyed
}

func (r *documentReader) keeps(name, what string, used bool) {
	if used {
		r.add(0, join("chains", pathKey(name)), "is missing, the program uses it as %s", what)
	}
}

func (s *Set) setChain(spec *chainSpec, members roster) {
	next := members.pipeline(spec)
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.chains[spec.name]
	if !known {
		c = &Chain{name: spec.name}
		s.chains[spec.name] = c
	}
	if !known || !slices.Equal(next.Policies(), c.Current().Policies()) {
		c.current.Store(next)
	}
}

func (s *Set) setKeyed(spec *chainSpec) {
	s.mu.Lock()
	k, known := s.keyed[spec.name]
	s.mu.Unlock()
	switch {
	case !known:
		k = newKeyed(spec, &s.opts) // without the lock: it may log
		s.mu.Lock()
		s.keyed[spec.name] = k
		s.mu.Unlock()
	case !spec.equal(k.state.Load().spec):
		k.update(spec)
	}
}

func (s *Set) warn(findings []Finding) {
	for _, f := range findings {
		s.log(slog.LevelWarn, "seawall.config.finding", slog.String("chain", f.Chain), slog.String("rule", f.Rule),
			slog.String("finding", f.Finding.String()))
	}
}

// difference says what a reload has changed.
func difference(from, to *document) (r Reloaded) {
	before, after := byID(from), byID(to)
	for _, p := range to.all() {
		switch old, known := before[p.id()]; {
		case !known:
			r.Added = append(r.Added, p.id().String())
		case !old.settings.equal(p.settings):
			r.Updated = append(r.Updated, p.id().String())
		}
	}
	for _, p := range from.all() {
		if after[p.id()] == nil {
			r.Removed = append(r.Removed, p.id().String())
		}
	}
	for _, c := range to.chains {
		if old := from.chain(c.name); old == nil || !old.sameMembers(c) {
			r.Chains = append(r.Chains, c.name)
		}
	}
	for _, c := range from.chains {
		if to.chain(c.name) == nil {
			r.Chains = append(r.Chains, c.name)
		}
	}
	return r
}

func (d *document) all() []*policySpec { return append(d.policies(false), d.policies(true)...) }

func byID(d *document) map[id]*policySpec {
	policies := map[id]*policySpec{}
	for _, p := range d.all() {
		policies[p.id()] = p
	}
	return policies
}
