package breaker_test

import (
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// model is the slow twin of a breaker: one goroutine, a list of outcomes, and the rules as the documentation tells them.
type model struct {
	cfg        breaker.Config // resolved
	now        func() time.Duration
	state      breaker.State // the stored one: an open breaker whose time is over is half-open from the next call on
	generation int
	since      time.Duration
	stats      breaker.Stats // the totals

	closed       naiveWindow   // the closed period
	openings     int           // in a row
	until        time.Duration // open
	out          int           // half-open: probes admitted and not given back
	latest       time.Duration
	good, failed int
}

// modelPermit is the model's side of a permit.
type modelPermit struct {
	generation int  // 0 if the breaker's state did not admit it
	off        bool // belongs to no breaker
}

func newModel(cfg breaker.Config, now func() time.Duration) *model {
	m := &model{cfg: cfg, now: now, generation: 1, since: now()}
	m.clear()
	return m
}

func (m *model) clear() { m.closed = naiveWindow{shape: m.cfg.Window, start: m.now()} }

func (m *model) enter(s breaker.State) {
	m.state, m.since = s, m.now()
	m.generation++
}

func (m *model) acquire() (p modelPermit, admitted bool) {
	switch m.cfg.Mode {
	case seawall.Off:
		return modelPermit{off: true}, true
	case seawall.ForcedOpen:
		m.stats.Rejected++
		return p, false
	}
	if m.state == breaker.Open && m.now() >= m.until {
		m.enter(breaker.HalfOpen)
		m.out, m.good, m.failed = 0, 0, 0
	}
	if m.state == breaker.HalfOpen && m.out >= m.cfg.Probes.Calls && m.now()-m.latest >= m.cfg.Probes.Timeout {
		m.failed = m.cfg.Probes.Calls - m.good
		m.judge()
	}
	switch {
	case m.state == breaker.Closed:
		return modelPermit{generation: m.generation}, true
	case m.state == breaker.HalfOpen && m.out < m.cfg.Probes.Calls:
		m.out++
		m.latest = m.now()
		return modelPermit{generation: m.generation}, true
	case m.cfg.Mode == seawall.Enforce:
		m.stats.Rejected++
		return p, false
	case m.cfg.Mode == seawall.Shadow:
		m.stats.ShadowRejected++
	}
	return modelPermit{}, true
}

func (m *model) done(p modelPermit, outcome seawall.Outcome) (counted bool) {
	if p.off {
		return false
	}
	current := p.generation == m.generation
	switch {
	case !current && p.generation != 0:
		m.stats.Late++
	case outcome == seawall.Ignored:
		m.stats.Ignored++
	case outcome == seawall.Overload:
		m.stats.Overloads++
	case outcome == seawall.Failure:
		m.stats.Calls.Failures++
	default:
		m.stats.Calls.Successes++
	}
	if !current {
		return false
	}
	neutral, failure := outcome == seawall.Ignored || outcome == seawall.Overload, outcome == seawall.Failure
	switch {
	case neutral && m.state == breaker.HalfOpen:
		m.out--
	case neutral:
	case m.state == breaker.HalfOpen:
		if failure {
			m.failed++
		} else {
			m.good++
		}
		m.judge()
	default:
		m.closed.outcomes = append(m.closed.outcomes, timedOutcome{m.now(), failure})
		calls, failures := m.closed.in(m.now())
		if failures > 0 && int(calls) >= m.cfg.MinCalls && m.reaches(int(failures), int(calls)) {
			m.open()
		}
	}
	return true
}

// reaches compares in integers: all rates of the test are whole percents.
func (m *model) reaches(failures, calls int) bool {
	return failures*100 >= int(m.cfg.FailureRate*100+0.5)*calls
}

func (m *model) open() {
	m.openings++
	if m.state == breaker.Closed && m.now()-m.since >= max(m.cfg.Window.Time, m.cfg.OpenFor) {
		m.openings = 1
	}
	base := m.cfg.OpenFor
	for range m.openings - 1 {
		base = min(2*base, m.cfg.MaxOpenFor)
	}
	low, high := base-base/5, min(base+base/5, m.cfg.MaxOpenFor)
	m.until = m.now() + low + (high-low)/2 // the test's random source says 0.5
	m.stats.Opened++
	m.enter(breaker.Open)
}

func (m *model) judge() {
	total := max(m.cfg.Probes.Calls, m.good+m.failed)
	switch {
	case m.reaches(m.failed, total):
		m.open()
	case !m.reaches(total-m.good, total): // even if all others failed
		m.enter(breaker.Closed)
		m.clear()
	}
}

func (m *model) update(cfg breaker.Config) {
	moved := cfg.Window != m.cfg.Window
	m.cfg = cfg
	switch {
	case m.state == breaker.Closed && moved:
		m.clear()
	case m.state == breaker.HalfOpen:
		m.judge()
	}
}

// snapshot returns what the breaker's Stats must be.
func (m *model) snapshot() breaker.Stats {
	s := m.stats
	s.State, s.Since = m.state, m.now()-m.since
	switch m.state {
	case breaker.Closed:
		calls, failures := m.closed.in(m.now())
		s.Window = breaker.Counts{Successes: calls - failures, Failures: failures}
	case breaker.Open:
		s.Reopen = max(0, m.until-m.now())
		if s.Reopen == 0 {
			s.State, s.Since = breaker.HalfOpen, m.now()-m.until
		}
	case breaker.HalfOpen:
		s.Window = breaker.Counts{Successes: int64(m.good), Failures: int64(m.failed)}
	}
	return s
}
