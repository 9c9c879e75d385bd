package policyfile

import (
	"iter"
	"slices"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
)

// view is a policy of a keyed chain in the registry, where those of the keys are not: there may be thousands.
type view struct {
	of   *Keyed
	id   id
	kind string
	name string // as the registry has it
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

// Snapshot returns the sums over the keys, of what adds up, and up to 32 of them, those that must be kept first. Keys that
// have been forgotten are no longer in the sums.
func (v *view) Snapshot() seawall.Snapshot {
	s := seawall.Snapshot{Kind: v.kind, Name: v.name, Mode: v.mode()}
	keys := 0
	for m := range v.members() {
		keys++
		s.Values = sum(s.Values, m.Snapshot().Values, noSums[v.kind])
	}
	s.Values = append(s.Values, seawall.Value{Name: "keys", V: float64(keys)})
	for _, m := range keyed.Foremost(v.members(), mostMembers, mustKeep) {
		s.Members = append(s.Members, m.Snapshot())
	}
	return s
}

func mustKeep(m seawall.Member) bool {
	k, ok := m.(seawall.Keeper)
	return ok && k.Keep()
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
func (v *view) members() iter.Seq[seawall.Member] {
	return func(yield func(seawall.Member) bool) {
		for _, c := range v.of.state.Load().members.All() {
			if found, ok := c.current.Load().roster[v.id]; ok {
				if m, ok := found.built.policy().(seawall.Member); ok && !yield(m) {
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
