package health

import (
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
)

const bulkheadKind = "bulkhead"

// family is a member of the registry with members of its own by key, of which its snapshot has only some.
type family interface {
	Name() string
	Member(name string) seawall.Member
}

// snapshots returns those of the registry. A key that Config.FailWhenFull names is among the members of its family, whether
// or not that would show it.
func (r *gateReading) snapshots() []seawall.Snapshot {
	snapshots := r.cfg.Registry.Snapshots()
	for _, name := range r.cfg.FailWhenFull {
		of, _, ok := strings.Cut(name, "[")
		if !ok || isNamed(snapshots, name) {
			continue
		}
		for _, m := range r.cfg.Registry.Members() {
			f, ok := m.(family)
			if !ok || f.Name() != of {
				continue
			}
			events.Shield(r.cfg.Registry.Logger(), kind, name, func() {
				if key := f.Member(name); key != nil {
					adopt(snapshots, of, key.Snapshot())
				}
			})
		}
	}
	return snapshots
}

// adopt puts a key among the members of its family.
func adopt(snapshots []seawall.Snapshot, of string, key seawall.Snapshot) {
	for i := range snapshots {
		if snapshots[i].Kind == key.Kind && snapshots[i].Name == of {
			snapshots[i].Members = append(slices.Clip(snapshots[i].Members), key)
		}
	}
}

// isNamed reports whether a limit of concurrent calls has the name, or a key of a family of such.
func isNamed(snapshots []seawall.Snapshot, name string) bool {
	return slices.ContainsFunc(snapshots, func(s seawall.Snapshot) bool {
		return limits(s) && s.Name == name || isNamed(s.Members, name)
	})
}

// mayCome reports whether there is a family with such names, of which each is there from its first use on. That a family
// has no labels shows as soon as it has keys.
func mayCome(snapshots []seawall.Snapshot, name string) bool {
	of, _, ok := strings.Cut(name, "[")
	return ok && slices.ContainsFunc(snapshots, func(s seawall.Snapshot) bool {
		return s.Name == of && (limits(s) || s.Kind == bulkheadKind) && has(s, "members") &&
			(len(s.Members) > 0 || valueOf(s, "members") == 0)
	})
}

// limits reports whether a snapshot is of what can be full.
func limits(s seawall.Snapshot) bool { return has(s, "limit") && has(s, "active") }

func has(s seawall.Snapshot, name string) bool {
	return slices.ContainsFunc(s.Values, func(v seawall.Value) bool { return v.Name == name })
}

// misnamed warns of names in Config.FailWhenFull that nothing has had for StartDeadline: most likely one is misspelled, and
// the instance would stay in service however full it is. It is no error, since the policy may be made later.
func (r *gateReading) misnamed(snapshots []seawall.Snapshot, now time.Time) (gates []gate) {
	unknown := map[string]time.Time{}
	for _, name := range r.cfg.FailWhenFull {
		if _, twice := unknown[name]; twice || isNamed(snapshots, name) || mayCome(snapshots, name) {
			continue
		}
		since, ok := r.unknown[name]
		if !ok {
			since = now
		}
		unknown[name] = since
		if now.Sub(since) >= r.cfg.StartDeadline {
			gates = append(gates, gate{bulkheadKind, name, Warn, "fail_when_full: no bulkhead has this name"})
		}
	}
	r.unknown = unknown
	return gates
}
