package bulkhead

import (
	"time"

	"github.com/seawall-go/seawall"
)

// AdaptiveStats is what an adaptive bulkhead is doing and has done since it was made. Every call that was admitted is
// counted once in Outcomes, when it has ended. The counts never decrease.
type AdaptiveStats struct {
	Stats // of the slots and the queue; its Limit is the one in force, which a drain lowers for a moment

	Learned  int           // the limit that was found
	Baseline time.Duration // latency of a call that does not wait for others; 0 if it is not known
	Drains   int64         // times that the limit was lowered to measure the baseline

	Outcomes Outcomes
}

// Outcomes counts ended calls by what they said about the dependency.
type Outcomes struct {
	Successes int64
	Failures  int64
	Overloads int64
	Ignored   int64

	// Dropped are those of the others that spoke for a lower limit: overloads, timeouts, failures that were slow, and, for
	// [AIMD], slow successes.
	Dropped int64
}

// Total returns the number of calls that have ended.
func (o Outcomes) Total() int64 { return o.Successes + o.Failures + o.Overloads + o.Ignored }

// Stats returns the numbers of this instant. It takes two locks for a moment; calls that need neither go on. Calls that
// are just passing may be in one number and not yet in another.
func (a *Adaptive) Stats() AdaptiveStats {
	a.mu.Lock()
	s := AdaptiveStats{Learned: a.algorithm.learned(), Baseline: a.algorithm.baseline(), Drains: a.drains}
	a.mu.Unlock()
	t := a.ends.sum()
	s.Outcomes = Outcomes{
		Successes: t.n[endedWell] + t.n[endedLate],
		Failures:  t.n[endedFailed] + t.n[endedTimedOut] + t.n[endedInVain],
		Overloads: t.n[endedOverloaded],
		Ignored:   t.n[endedIgnored],
		Dropped:   t.n[endedLate] + t.n[endedTimedOut] + t.n[endedOverloaded],
	}
	s.Stats = a.engine.Stats()
	return s
}

// Snapshot returns the mode and the numbers of [Adaptive.Stats], for the registry: those of a [Bulkhead], and more.
func (a *Adaptive) Snapshot() seawall.Snapshot {
	s, snapshot := a.Stats(), a.engine.Snapshot()
	snapshot.Values = append(snapshot.Values,
		seawall.Value{Name: "latency.baseline", V: s.Baseline.Seconds()},
		seawall.Value{Name: "limit.learned", V: float64(s.Learned)},
		seawall.Value{Name: "drains", V: float64(s.Drains)},
		seawall.Value{Name: "outcomes.success", V: float64(s.Outcomes.Successes)},
		seawall.Value{Name: "outcomes.failure", V: float64(s.Outcomes.Failures)},
		seawall.Value{Name: "outcomes.overload", V: float64(s.Outcomes.Overloads)},
		seawall.Value{Name: "outcomes.ignored", V: float64(s.Outcomes.Ignored)},
		seawall.Value{Name: "outcomes.dropped", V: float64(s.Outcomes.Dropped)},
	)
	return snapshot
}
