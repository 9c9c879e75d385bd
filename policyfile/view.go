package policyfile

import (
	"iter"
	"maps"
	"slices"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/foremost"
	"github.com/seawall-go/seawall/internal/keyed"
)

// view is a policy of a keyed chain in the registry, where those of the keys are not: there may be thousands.
type view struct {
	of   *Keyed
	id   id
	kind string
	name string // as the registry has it

	shown keyed.Places[string, seawall.Snapshot]
}

// show enters the policies of a chain into the registry, and lets go of those that are gone.
func (k *Keyed) show(spec *chainSpec) {
	views := map[id]*view{}
	for _, p := range spec.policies {
		id := p.id()
		v, known := k.views[id]
		if !known {
			v = &view{of: k, id: id, kind: p.settings.kind().shown(), name: p.name}
			seawall.Register(k.registry, v.kind, &v.name, v)
		}
		views[id] = v
	}
	k.views = views
}

const mostMembers = 32

// noSums are values of one policy, by its kind, that mean nothing when they are added up: ratios, lengths of time, levels,
// settings, and what is in a budget that keys may share.
var noSums = map[string][]string{
	"breaker":   {"failure.ratio", "slow.ratio", "share", "since", "reopen"},
	"brownout":  {"signal", "level", "level.manual"},
	"bulkhead":  {"expected_wait", "latency.baseline"},
	"hedge":     {"delay"},
	"ratelimit": {"rate", "burst"},
	"retry":     {"budget.available"},
	"throttle":  {"reject.ratio"},
	"timeout":   {"limit"},
}

// Snapshot returns the sums over the keys, of what adds up, and up to 32 of them: first those that are not closed or are
// forced, then the busiest. Keys that have been forgotten are no longer in the sums.
func (v *view) Snapshot() seawall.Snapshot {
	s := seawall.Snapshot{Kind: v.kind, Name: v.name, Mode: v.mode()}
	all := map[string]seawall.Snapshot{}
	for key, m := range v.members() { // which may tell events, so not below
		all[key] = m.Snapshot()
		s.Values = sum(s.Values, all[key].Values, noSums[v.kind])
	}
	s.Values = append(s.Values, seawall.Value{Name: "keys", V: float64(len(all))})
	s.Members = v.shown.Choose(maps.All(all), mostMembers, foremost.Claim)
	return s
}

// Config is the one in the file, with its defaults, for debug pages. It is nil for a policy that is just going.
func (v *view) Config() any {
	for _, p := range v.of.state.Load().spec.policies {
		if p.id() == v.id {
			return p.settings.resolved().config().Interface()
		}
	}
	return nil
}

// mode is the one in the file.
func (v *view) mode() (mode seawall.Mode) {
	for _, p := range v.of.state.Load().spec.policies {
		if m, ok := modeOf(p.settings); ok && p.id() == v.id {
			mode = *m
		}
	}
	return mode
}

// members returns the policy of each key.
func (v *view) members() iter.Seq2[string, seawall.Member] {
	return func(yield func(string, seawall.Member) bool) {
		for key, c := range v.of.state.Load().members.All() {
			if found, ok := c.current.Load().roster[v.id]; ok {
				if m, ok := found.built.policy().(seawall.Member); ok && !yield(key, m) {
					return
				}
			}
		}
	}
}

// sum adds values to those of the same name, but for some.
func sum(to, values []seawall.Value, without []string) []seawall.Value {
	for _, v := range values {
		if slices.Contains(without, v.Name) {
			continue
		}
		i := slices.IndexFunc(to, func(t seawall.Value) bool { return t.Name == v.Name })
		if i < 0 {
			to = append(to, v)
		} else {
			to[i].V += v.V
		}
	}
	return to
}
