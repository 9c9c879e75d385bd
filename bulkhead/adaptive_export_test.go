package bulkhead

import (
	"time"

	"github.com/seawall-go/seawall"
)

// Ending is the end of a call in a simulation.
type Ending struct {
	Now, Took time.Duration
	InFlight  int // when it began, with itself
	Outcome   seawall.Outcome
	TimedOut  bool
}

// Model is an algorithm without slots, goroutines and clock: it is told of each end, and says what the limit is.
type Model struct {
	algorithm algorithm
	plan      plan
	period    period
}

// NewModel makes the algorithm of a configuration, which begins at now.
func NewModel(cfg AdaptiveConfig, now time.Duration) *Model {
	cfg = cfg.withDefaults()
	m := &Model{algorithm: newAlgorithm(cfg, cfg.Initial)}
	m.start(m.algorithm.begin(now), now)
	return m
}

func (m *Model) start(p plan, now time.Duration) { m.plan, m.period = p, period{begin: now} }

// Limit returns the limit in force.
func (m *Model) Limit() int { return m.plan.limit }

// Learned returns the limit that was found.
func (m *Model) Learned() int { return m.algorithm.learned() }

// Baseline returns the latency without waiting.
func (m *Model) Baseline() time.Duration { return m.algorithm.baseline() }

// Observe is told of an end, in the order of time.
func (m *Model) Observe(e Ending) {
	p := &m.period
	p.full = p.full || e.InFlight >= m.plan.limit
	switch {
	case e.Outcome == seawall.Success && e.Took <= m.plan.late:
		p.succeeded++
		p.latency += min(e.Took, m.plan.clip)
	case e.Outcome == seawall.Failure && e.Took <= m.plan.slow && !e.TimedOut:
		p.failed++
	case e.TimedOut && e.Took <= m.plan.vain:
	case e.Outcome != seawall.Ignored:
		p.dropped++
	}
	if e.Now >= m.plan.until && p.calls() >= m.plan.calls {
		p.end = e.Now
		m.start(m.algorithm.learn(*p), e.Now)
	}
}

// Stripes returns how many stripes the counters of a have, and how far apart they are in memory.
func (a *Adaptive) Stripes() int { return len(a.ends.stripes) }
