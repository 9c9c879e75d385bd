package health

import (
	"cmp"
	"slices"
	"time"

	"github.com/seawall-go/seawall"
)

// Status returns how the whole does: what /readyz answers. Fail is also what it is before the start has finished, and
// from Drain on.
func (h *Health) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// Phase returns the phase.
func (h *Health) Phase() Phase {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.phase
}

// Alive reports whether no watchdog is overdue: what /livez answers.
func (h *Health) Alive() bool { return h.view.Load().live.code == 200 }

// CheckStatus returns what a check means for the whole. ok is false if there is none of that name.
func (h *Health) CheckStatus(name string) (s Status, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.findLocked(name)
	if c == nil {
		return Fail, false
	}
	return c.status, true
}

// maxMembers is how many checks, watchdogs and gates are in a snapshot.
const maxMembers = 32

// Snapshot returns the status of the whole as its state, and a member for each check, watchdog, and gate that has something
// to say, which has its kind in its name, such as: bulkhead stock. They have the values status.pass, status.warn and
// status.fail, of which one is 1; a check has since, in seconds, and fails, in a row, as well. If there are more than 32, it
// has those that fail, then those that warn, then the first ones; the value checks is how many checks and watchdogs there
// are. A verbose answer has them all, and [Health.Notes] what they say.
func (h *Health) Snapshot() seawall.Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := seawall.Snapshot{Kind: kind, Name: h.name, State: h.status.String(), Values: oneOf("status.", statusNames[:], int(h.status))}
	s.Values = append(s.Values, oneOf("phase.", phaseNames[:], int(h.phase))...)
	s.Values = append(s.Values, seawall.Value{Name: "checks", V: float64(len(h.checks) + len(h.watchdogs))})
	var of []Status
	add := func(kind, name string, status Status, more ...seawall.Value) {
		of = append(of, status)
		s.Members = append(s.Members, seawall.Snapshot{
			Kind: kind, Name: name, State: status.String(), Values: append(oneOf("status.", statusNames[:], int(status)), more...),
		})
	}
	for _, c := range h.checks {
		add("check", c.Name, c.status,
			seawall.Value{Name: "since", V: time.Since(c.since).Seconds()}, seawall.Value{Name: "fails", V: float64(c.fails)})
	}
	for _, w := range h.watchdogs {
		status := Pass
		if w.overdue.Load() {
			status = Fail
		}
		add("watchdog", w.name, status)
	}
	for _, g := range h.gates {
		add("gate", g.String(), g.status)
	}
	if len(s.Members) > maxMembers {
		s.Members = worst(s.Members, of)
	}
	return s
}

// Notes returns what the members of a Snapshot have to say, by their names: why one is not well, or in which mode a gate is.
// It includes the texts of errors, which may name hosts and users.
func (h *Health) Notes() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	notes := map[string]string{}
	for _, g := range h.gates {
		notes[g.String()] = g.note
	}
	for _, c := range h.checks {
		notes[c.Name] = c.note
	}
	for _, w := range h.watchdogs {
		notes[w.name] = w.note()
	}
	return notes
}

// worst returns the members that must be shown, in their order.
func worst(members []seawall.Snapshot, of []Status) []seawall.Snapshot {
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(of[b], of[a]) })
	order = order[:maxMembers]
	slices.Sort(order)
	shown := make([]seawall.Snapshot, maxMembers)
	for at, i := range order {
		shown[at] = members[i]
	}
	return shown
}

func oneOf(prefix string, names []string, current int) []seawall.Value {
	values := make([]seawall.Value, len(names))
	for i, name := range names {
		values[i].Name = prefix + name
		if i == current {
			values[i].V = 1
		}
	}
	return values
}

var _ seawall.Member = (*Health)(nil)
