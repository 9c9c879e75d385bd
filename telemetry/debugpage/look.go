package debugpage

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
)

// look gathers everything, or what is about one member only. It holds no lock while it asks.
func (p *Page) look(one *memberID) overview {
	o := overview{Build: build(), Started: p.started, Uptime: time.Since(p.started).Round(time.Second).String()}
	known := map[memberID]bool{}
	for _, m := range p.cfg.Registry.Members() {
		s, ok := p.snapshot(m)
		known[memberID{s.Kind, s.Name}] = ok
		if !ok {
			continue
		}
		id, of := memberID{s.Kind, s.Name}, ""
		if one != nil && *one != id {
			key := p.key(m, s, *one)
			if key == nil {
				continue
			}
			m, of = key, s.Name
			if s, ok = p.snapshot(m); !ok {
				continue
			}
		}
		if s.Kind == "fault" {
			for _, v := range s.Values {
				if kind, ok := strings.CutPrefix(v.Name, "active."); ok && v.V > 0 {
					o.Faults = append(o.Faults, s.Name+": "+kind)
				}
			}
		}
		f := p.member(s)
		f.Family, f.MadeAt = of, p.cfg.Registry.MadeAt(id.kind, id.name)
		if one != nil {
			events.Shield(p.cfg.Registry.Logger(), "debugpage", "config", func() { f.Settings = settingsOf(m) })
		}
		_, f.Gate = m.(gate)
		if _, keyed := m.(family); keyed {
			for i := range f.Keys {
				f.Keys[i].Gate = f.Gate
			}
		}
		o.Members = append(o.Members, f)
	}
	if one != nil { // its page has neither chains nor health
		return o
	}
	for _, name := range slices.Sorted(maps.Keys(p.cfg.Chains)) {
		o.Chains = append(o.Chains, p.chain(name, p.cfg.Chains[name], known))
	}
	if h := p.cfg.Health; h != nil {
		s, notes := h.Snapshot(), h.Notes()
		o.Health = &healthFacts{Status: s.State, Phase: h.Phase().String()}
		for _, c := range s.Members {
			status := checkStatus{Name: c.Name, Kind: c.Kind, Status: c.State, Note: notes[c.Name]}
			if since, ok := find(c, "since"); ok {
				status.Since = readable(since)
			}
			fails, _ := find(c, "fails")
			status.Fails = number(fails)
			o.Health.Checks = append(o.Health.Checks, status)
		}
	}
	return o
}

// family is a member with keys that are members themselves, of which a snapshot has only some.
type family interface {
	Member(name string) seawall.Member
}

// key returns the key that is asked for, if it is one of a family that has this snapshot.
func (p *Page) key(m seawall.Member, s seawall.Snapshot, asked memberID) (key seawall.Member) {
	of, ok := m.(family)
	if !ok || s.Kind != asked.kind || !strings.HasPrefix(asked.name, s.Name+"[") {
		return nil
	}
	events.Shield(p.cfg.Registry.Logger(), "debugpage", "key", func() { key = of.Member(asked.name) })
	return key
}

// snapshot returns a member's, and false if it panics.
func (p *Page) snapshot(m seawall.Member) (s seawall.Snapshot, ok bool) {
	events.Shield(p.cfg.Registry.Logger(), "debugpage", "snapshot", func() { s, ok = m.Snapshot(), true })
	return s, ok
}

// inForce returns the chain that a policy is at this moment: a policy alone is one of a single member.
func inForce(policy seawall.Policy) *seawall.Pipeline {
	switch policy := policy.(type) {
	case *seawall.Pipeline:
		return policy
	case seawall.Live:
		return policy.Current()
	}
	return seawall.Chain(policy)
}

func (p *Page) chain(name string, policy seawall.Policy, known map[memberID]bool) chainFacts {
	c, pipeline := chainFacts{Name: name}, inForce(policy)
	for _, policy := range pipeline.Policies() {
		l := link{Text: "policy"}
		if s, ok := policy.(fmt.Stringer); ok {
			l.Text = s.String()
		}
		if m, ok := policy.(seawall.Member); ok {
			if s, ok := p.snapshot(m); ok && known[memberID{s.Kind, s.Name}] {
				l.Kind, l.Name = s.Kind, s.Name
			}
		}
		c.Members = append(c.Members, l)
	}
	c.Members = append(c.Members, link{Text: "op"})
	for _, f := range pipeline.Lint() {
		c.Findings = append(c.Findings, finding{f.Rule, strings.Join(f.Policies, ", ") + ": " + f.Problem, f.Remedy})
	}
	return c
}

func (p *Page) member(s seawall.Snapshot) memberFacts {
	f := memberFacts{Kind: s.Kind, Name: s.Name, Mode: s.Mode.String(), State: s.State}
	for _, v := range s.Values {
		f.Values = append(f.Values, value{v.Name, number(v.V)})
	}
	if since, ok := find(s, "since"); ok {
		f.Since = readable(since)
	}
	for _, name := range []string{"members", "keys"} {
		if n, ok := find(s, name); ok {
			f.KeyCount = number(n).String()
		}
	}
	if f.KeyCount != "" {
		f.KeyStates = keyStates(s)
	}
	if active, ok := find(s, "active"); ok {
		f.Load = number(active).String()
		if limit, ok := find(s, "limit"); ok && f.KeyCount == "" { // that of a family is each key's
			f.Load += " of " + number(limit).String()
		}
	}
	f.Minute = p.minute(s)
	p.mu.Lock()
	f.Events = p.events.of(s.Kind, s.Name, f.KeyCount != "")
	p.mu.Unlock()
	for _, e := range f.Events {
		if e.Level == "WARN" || e.Level == "ERROR" {
			f.Last, f.LastType = e.Event, e.errorType
			break
		}
	}
	for _, m := range s.Members {
		f.Keys = append(f.Keys, p.member(m))
	}
	return f
}

// keyStates counts the keys of a family that are not in order. A family that does not count them itself has the foremost
// ones as members, which these are.
func keyStates(s seawall.Snapshot) (all []stateCount) {
	count := func(state string, n int) {
		if n == 0 || inOrder(state) {
			return
		}
		for i := range all {
			if all[i].State == state {
				all[i].N += n
				return
			}
		}
		all = append(all, stateCount{state, n})
	}
	counted := false
	for _, v := range s.Values {
		if state, ok := strings.CutPrefix(v.Name, "members."); ok {
			counted = true
			count(state, int(v.V))
		}
	}
	if !counted {
		for _, m := range s.Members {
			count(m.State, 1)
		}
	}
	return all
}

// minute returns what has ended between the samples of the last minute, the oldest first, and from the latest one up to the
// snapshot.
func (p *Page) minute(s seawall.Snapshot) (all []counts5s) {
	id := memberID{s.Kind, s.Name}
	p.mu.Lock()
	defer p.mu.Unlock()
	add := func(before, after counts) {
		all = append(all, counts5s{
			max(0, after.good-before.good), max(0, after.bad-before.bad), max(0, after.rejected-before.rejected),
		})
	}
	for i := 1; i < len(p.samples); i++ {
		before, known := p.samples[i-1][id]
		if after, still := p.samples[i][id]; known && still {
			add(before, after)
		}
	}
	if latest, known := p.samples[len(p.samples)-1][id]; known {
		if c, ok := countsOf(s); ok {
			add(latest, c)
		}
	}
	return all[max(0, len(all)-bars):]
}

func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	parts := []string{info.Main.Path + " " + info.Main.Version, info.GoVersion}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			parts = append(parts, s.Value)
		}
	}
	return strings.Join(parts, ", ")
}
