package bulkhead

import (
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
)

// GroupStats is what a [Group] is doing and has done since it was made.
type GroupStats struct {
	Keys int // members

	// Sum has the sums over all members, the forgotten ones included; Limit is that of each key, and ExpectedWait is 0.
	// What a member does that was forgotten while somebody held it is not in it. Its counts never decrease.
	Sum Stats
}

// Stats returns the sums. It asks each member.
func (g *Group[K]) Stats() GroupStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := GroupStats{Sum: g.retired}
	for _, m := range g.members.All() {
		of := m.Stats()
		s.Keys++
		s.Sum.count(of, m.retired)
		s.Sum.InUse += of.InUse
		s.Sum.Waiting += of.Waiting
		for l := range level(levels) {
			s.Sum.Levels.at(l).Waiting += of.Levels.at(l).Waiting
		}
	}
	s.Sum.Limit = g.cfg.Load().Bulkhead.Limit
	return s
}

// count adds what was counted up to now, from what had been counted before.
func (s *Stats) count(now, before Stats) {
	s.Admitted += now.Admitted - before.Admitted
	s.Waited += now.Waited - before.Waited
	s.Canceled += now.Canceled - before.Canceled
	s.Rejected.Full += now.Rejected.Full - before.Rejected.Full
	s.Rejected.QueueFull += now.Rejected.QueueFull - before.Rejected.QueueFull
	s.Rejected.QueueTimeout += now.Rejected.QueueTimeout - before.Rejected.QueueTimeout
	s.Rejected.Deadline += now.Rejected.Deadline - before.Rejected.Deadline
	s.Rejected.Shed += now.Rejected.Shed - before.Rejected.Shed
	s.Rejected.Forced += now.Rejected.Forced - before.Rejected.Forced
	s.ShadowRejected += now.ShadowRejected - before.ShadowRejected
	for l := range level(levels) {
		s.Levels.at(l).Admitted += now.Levels.at(l).Admitted - before.Levels.at(l).Admitted
		s.Levels.at(l).Rejected += now.Levels.at(l).Rejected - before.Levels.at(l).Rejected
	}
}

// maxMembers is how many keys are in a snapshot.
const maxMembers = 32

// Snapshot returns the mode, the sums of [Group.Stats], and if there are labels up to 32 members: first those whose mode
// was set by hand, then the busiest. One that is shown stays until it has had no call for a minute.
func (g *Group[K]) Snapshot() seawall.Snapshot {
	s, cfg := g.Stats(), g.cfg.Load()
	snapshot := seawall.Snapshot{
		Kind: kind, Name: g.name, Mode: cfg.Bulkhead.Mode,
		Values: append([]seawall.Value{{Name: "members", V: float64(s.Keys)}}, s.Sum.values()...),
	}
	if cfg.Label == nil {
		return snapshot
	}
	for _, b := range g.shown.Choose(g.All(), maxMembers, (*Bulkhead).claim) {
		snapshot.Members = append(snapshot.Members, b.Snapshot())
	}
	return snapshot
}

// claim says what makes a member worth showing.
func (b *Bulkhead) claim() keyed.Claim {
	s, mode := b.Stats(), b.settings.Load()
	return keyed.Claim{First: mode.Mode != mode.made, Calls: s.Admitted + s.Canceled + s.Rejected.Total()}
}
