package degrade

import (
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

// callEnd is how a call of a Gather ended.
type callEnd uint8

const (
	whole callEnd = iota
	partial
	failed
	canceled
	callEndCount
)

type gatherCounts struct {
	calls    [callEndCount]atomic.Int64
	sections [stateCount]atomic.Int64
	canceled atomic.Int64 // sections without a result that the context may be to blame for
}

// GatherStats are the counts since [NewGather]. Each call is counted once when it ends, and so is each of its sections.
type GatherStats struct {
	Calls    GatherCalls
	Sections SectionCounts
}

// GatherCalls counts calls.
type GatherCalls struct {
	Whole    int64 // all sections were whole
	Partial  int64 // a section was missing, degraded or stale
	Failed   int64 // a required section was missing, or a section panicked
	Canceled int64 // those that failed because their caller had canceled them
}

// SectionCounts counts sections.
type SectionCounts struct {
	Whole    int64
	Degraded int64
	Stale    int64
	Missing  int64
	Canceled int64 // those without a result because the caller had left, or because a required section had failed
}

// count counts a call that has ended.
func (c *gatherCounts) count(r Report, loads []load, end callEnd) {
	for i := range loads {
		if loads[i].canceled {
			c.canceled.Add(1)
		} else {
			c.sections[r.Sections[i].State].Add(1)
		}
	}
	c.calls[end].Add(1)
}

// Stats returns the counts.
func (g *Gather) Stats() GatherStats {
	c := &g.counts
	return GatherStats{
		Calls: GatherCalls{
			Whole:    c.calls[whole].Load(),
			Partial:  c.calls[partial].Load(),
			Failed:   c.calls[failed].Load(),
			Canceled: c.calls[canceled].Load(),
		},
		Sections: SectionCounts{
			Whole:    c.sections[Whole].Load(),
			Degraded: c.sections[Degraded].Load(),
			Stale:    c.sections[Stale].Load(),
			Missing:  c.sections[Missing].Load(),
			Canceled: c.canceled.Load(),
		},
	}
}

// Snapshot returns the Stats in the form of the registry.
func (g *Gather) Snapshot() seawall.Snapshot {
	s := g.Stats()
	return seawall.Snapshot{Kind: gatherKind, Name: g.name, Values: []seawall.Value{
		{Name: "parallel", V: float64(g.Config().Parallel)},
		{Name: "calls.whole", V: float64(s.Calls.Whole)},
		{Name: "served.partial", V: float64(s.Calls.Partial)},
		{Name: "calls.failed", V: float64(s.Calls.Failed)},
		{Name: "calls.canceled", V: float64(s.Calls.Canceled)},
		{Name: "sections.whole", V: float64(s.Sections.Whole)},
		{Name: "sections.degraded", V: float64(s.Sections.Degraded)},
		{Name: "sections.stale", V: float64(s.Sections.Stale)},
		{Name: "sections.missing", V: float64(s.Sections.Missing)},
		{Name: "sections.canceled", V: float64(s.Sections.Canceled)},
	}}
}
