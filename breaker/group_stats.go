package breaker

import (
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
)

// GroupStats is what a [Group] says of itself at one moment.
type GroupStats struct {
	// Members by their state.
	Closed, Open, HalfOpen, Ramping int
	// Totals are the sums over all members, the forgotten ones included. What ends with a forgotten member is in
	// none of them.
	Totals
}

// Keys returns how many members there are.
func (s GroupStats) Keys() int { return s.Closed + s.Open + s.HalfOpen + s.Ramping }

// Stats returns the states and the sums. It asks each member.
func (g *Group[K]) Stats() GroupStats {
	s := g.stats()
	for _, b := range g.All() {
		b.deliver()
	}
	return s
}

func (g *Group[K]) stats() (s GroupStats) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.Totals = g.retired
	for _, m := range g.members.All() {
		if m.gone {
			continue
		}
		of := m.stats()
		s.Totals = s.plus(of.Totals)
		switch of.State {
		case Closed:
			s.Closed++
		case Open:
			s.Open++
		case HalfOpen:
			s.HalfOpen++
		case Ramping:
			s.Ramping++
		}
	}
	return s
}

// maxMembers is how many keys are in a snapshot.
const maxMembers = 32

// Snapshot returns the Stats in the form of the registry, with up to 32 of the members: first those that are not closed or
// whose mode was set by hand, then the busiest. One that is shown stays until it has had no call for a minute. Without labels
// it has the sums only.
func (g *Group[K]) Snapshot() seawall.Snapshot {
	s, cfg := g.Stats(), g.cfg.Load()
	value := func(name string, n int) seawall.Value { return seawall.Value{Name: name, V: float64(n)} }
	snapshot := seawall.Snapshot{
		Kind: kind, Name: g.name, Mode: cfg.Breaker.Mode,
		Values: append([]seawall.Value{
			value("members", s.Keys()),
			value("members.closed", s.Closed),
			value("members.open", s.Open),
			value("members.half_open", s.HalfOpen),
			value("members.ramping", s.Ramping),
		}, s.values()...),
	}
	if cfg.Label == nil {
		return snapshot
	}
	for _, b := range g.shown.Choose(g.All(), maxMembers, (*Breaker).claim) {
		snapshot.Members = append(snapshot.Members, b.Snapshot())
	}
	return snapshot
}

// claim says what makes a member worth showing.
func (b *Breaker) claim() keyed.Claim {
	s, e := b.stats(), b.era.Load()
	return keyed.Claim{
		First: s.State != Closed || e.settings.Mode != b.mode,
		Calls: s.Calls.Successes + s.Calls.Failures + s.Overloads + s.Ignored + s.Late + s.Rejected.Total(),
	}
}
