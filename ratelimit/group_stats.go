package ratelimit

import (
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
)

// GroupStats is what a group is doing and has done since it was made.
type GroupStats struct {
	Keys      int   // that are remembered
	Forgotten int64 // how many times a key was
	NoRoom    int64 // calls that were rejected because there was no room for their key; they are in Sum as well

	// Sum has the sums over all keys, also of those that were forgotten; Rate and Burst are those of each key, and Tokens
	// is 0. Its counts never decrease.
	Sum Stats
}

// Stats returns the numbers of one instant. It takes the locks of all keys, one after the other.
func (g *Group[K]) Stats() GroupStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	sum, waiting := g.retired, 0
	for _, e := range g.keys {
		counts, queued := e.limiter.read()
		sum.add(&counts)
		waiting += queued
	}
	noRoom := g.strangers.limited.Load()
	sum.allowed += g.strangers.allowed.Load()
	sum.shadowRejected += g.strangers.shadowRejected.Load()
	sum.rejected[limited] += noRoom
	sum.rejected[forced] += g.strangers.forced.Load()
	stats := GroupStats{Keys: len(g.keys), Forgotten: g.forgotten, NoRoom: noRoom, Sum: sum.stats()}
	s := g.settings.Load()
	stats.Sum.Rate, stats.Sum.Burst, stats.Sum.Waiting = s.Limiter.Rate, s.Limiter.Burst, waiting
	return stats
}

// maxMembers is how many keys are in a snapshot.
const maxMembers = 32

// Snapshot returns the mode, the sums of [Group.Stats], and if there is a Label up to 32 keys: first those whose mode was set
// by hand, then the busiest. One that is shown stays until it has had no call for a minute.
func (g *Group[K]) Snapshot() seawall.Snapshot {
	stats, s := g.Stats(), g.settings.Load()
	values := []seawall.Value{
		{Name: "rate", V: stats.Sum.Rate},
		{Name: "burst", V: float64(stats.Sum.Burst)},
		{Name: "keys", V: float64(stats.Keys)},
		{Name: "keys.forgotten", V: float64(stats.Forgotten)},
		{Name: "rejections.no_room", V: float64(stats.NoRoom)},
	}
	snapshot := seawall.Snapshot{
		Kind: kind, Name: g.name, Mode: s.Limiter.Mode, Values: append(values, stats.Sum.sums()...),
	}
	if s.Label == nil {
		return snapshot
	}
	for _, k := range g.foremost() {
		snapshot.Members = append(snapshot.Members, k.Snapshot())
	}
	return snapshot
}

// foremost returns the entries for a snapshot.
func (g *Group[K]) foremost() []*KeyLimiter[K] {
	g.mu.Lock()
	defer g.mu.Unlock()
	byKey := func(yield func(K, *KeyLimiter[K]) bool) {
		for _, e := range g.keys {
			if !yield(e.key, e) {
				return
			}
		}
	}
	return g.shown.Choose(byKey, maxMembers, func(e *KeyLimiter[K]) keyed.Claim {
		s := e.limiter.Stats()
		return keyed.Claim{First: e.byHand(), Calls: s.Allowed + s.Delayed + s.Canceled + s.Rejected.Total()}
	})
}
