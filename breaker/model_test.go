package breaker_test

import (
	"math"
	"slices"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// model is the slow twin of a breaker: one goroutine, lists of calls and outcomes, and the rules as the documentation
// tells them.
type model struct {
	cfg        breaker.Config // resolved
	now        func() time.Duration
	at         time.Duration // the instant that is looked at
	state      breaker.State // the stored one: an open breaker whose time is over is half-open from the next call on
	generation int
	since      time.Duration
	stats      breaker.Stats // the totals
	events     []breaker.Event

	running   []*modelPermit   // of this generation, in flight
	trackings []*modelTracking // of this generation, the one in force last
	run       int              // failures in a row
	hint      time.Duration    // a failing answer asked for no other call before; or none

	window    naiveWindow   // closed and ramping
	openings  int           // in a row
	openFor   time.Duration // open
	until     time.Duration
	out       int           // half-open: probes admitted and not given back
	latest    time.Duration // and when
	good, bad int
	slow      int
	step      *modelStep // ramping
}

// modelTracking is a time in which Slow.Over did not change. over is below 0 if no call is slow.
type modelTracking struct{ start, over time.Duration }

// modelStep is a step of the ramp.
type modelStep struct {
	share    int // in parts per million
	began    time.Duration
	arrivals int
	admitted int
	ended    time.Duration // when its first call did; or none
}

// modelPermit is the model's side of a permit.
type modelPermit struct {
	generation int  // 0 if the breaker's state did not admit it
	off        bool // belongs to no breaker
	start      time.Duration
	tracking   *modelTracking
	step       *modelStep
	hung       bool
}

// none is an instant that has not come, and never one that does not.
const (
	none  time.Duration = math.MinInt64
	never time.Duration = math.MaxInt64
)

func newModel(cfg breaker.Config, now func() time.Duration) *model {
	m := &model{cfg: cfg, now: now, at: now(), since: now()}
	m.begin(breaker.Closed)
	m.clear()
	return m
}

func (m *model) clear() { m.window = naiveWindow{shape: m.cfg.Window, start: m.at} }

func (m *model) begin(s breaker.State) {
	m.state, m.since = s, m.at
	m.generation++
	m.running, m.trackings = nil, nil
	m.track()
}

func (m *model) track() {
	m.trackings = append(m.trackings, &modelTracking{m.at, m.cfg.Slow.Over})
}

// enter begins a generation.
func (m *model) enter(s breaker.State, reason string, in breaker.WindowCounts) {
	m.tell(s, reason, in)
	m.begin(s)
	m.run, m.hint = 0, none
}

func (m *model) tell(s breaker.State, reason string, in breaker.WindowCounts) {
	e := breaker.Event{
		Name: "payments", From: m.state, To: s, Reason: reason, Calls: in.Calls, Failures: in.Failures, Slow: in.Slow,
	}
	switch s {
	case breaker.Closed:
		m.stats.Entered.Closed++
	case breaker.Open:
		m.stats.Entered.Open++
		e.OpenFor = m.openFor
	case breaker.HalfOpen:
		m.stats.Entered.HalfOpen++
	case breaker.Ramping:
		m.stats.Entered.Ramping++
	}
	m.events = append(m.events, e)
}

// due returns when a call that hangs is noticed to: when all those of its slice of time are slow.
func (p *modelPermit) due() time.Duration {
	if p.tracking.over < 0 || p.hung {
		return never
	}
	slice := time.Duration(1)
	for 2*slice <= p.tracking.over/8 {
		slice *= 2
	}
	return p.start - (p.start-p.tracking.start)%slice + slice + p.tracking.over
}

// deadline returns when the state changes without a call.
func (m *model) deadline() time.Duration {
	switch {
	case m.state == breaker.HalfOpen && m.out >= m.cfg.Probes.Calls:
		return m.latest + m.cfg.Probes.Timeout
	case m.state == breaker.Ramping && m.step.arrivals == 0:
		return m.step.began + m.cfg.Ramp.Step
	case m.state == breaker.Ramping && m.step.ended == none:
		return m.step.began + m.cfg.Ramp.Step + m.cfg.Probes.Timeout
	case m.state == breaker.Ramping:
		return max(m.step.began+m.cfg.Ramp.Step, m.step.ended)
	}
	return never
}

// catchUp lets everything happen that was due, in order.
func (m *model) catchUp() {
	for {
		first := never
		for _, p := range m.running {
			first = min(first, p.due())
		}
		m.at = min(first, m.deadline())
		if m.at > m.now() {
			m.at = m.now()
			return
		}
		if first > m.at {
			m.deadlineComes()
			continue
		}
		// At one instant, the calls of the tracking in force are noticed before those of the ones before it.
		last := len(m.trackings) - 1
		for _, t := range slices.Concat(m.trackings[last:], m.trackings[:last]) {
			if m.hang(t) {
				break
			}
		}
	}
}

// hang notices the calls of a tracking that are due.
func (m *model) hang(t *modelTracking) bool {
	n := 0
	for _, p := range m.running {
		if p.tracking == t && p.due() == m.at {
			n++
			p.hung = true
			if m.state != breaker.HalfOpen {
				m.window.hang(m.at)
			}
		}
	}
	m.slow += n
	m.stats.Slow += int64(n)
	if n > 0 {
		m.weigh()
	}
	return n > 0
}

func (m *model) deadlineComes() {
	switch {
	case m.state == breaker.HalfOpen:
		m.bad = m.cfg.Probes.Calls - m.good
		m.judge()
	case m.step.arrivals > 0 && m.step.ended == none:
		m.open("ramp_stalled", m.window.in(m.at))
	default:
		m.nextStep()
	}
}

func (m *model) nextStep() {
	share := int(math.Round(float64(m.step.share) * m.cfg.Ramp.Factor))
	if share < 1_000_000 && m.cfg.Ramp.Start < 1 {
		m.step = &modelStep{share: share, began: m.at, ended: none}
		return
	}
	m.tell(breaker.Closed, "ramp_completed", m.window.in(m.at))
	m.state, m.since, m.step = breaker.Closed, m.at, nil
}

func (m *model) acquire() (p *modelPermit, admitted bool) {
	m.catchUp()
	switch m.cfg.Mode {
	case seawall.Off:
		return &modelPermit{off: true}, true
	case seawall.ForcedOpen:
		m.stats.Rejected.Forced++
		return nil, false
	case seawall.Enforce, seawall.Shadow, seawall.ForcedClosed:
	}
	if m.state == breaker.Open && m.at >= m.until {
		m.enter(breaker.HalfOpen, "open_time_over", breaker.WindowCounts{})
		m.out, m.good, m.bad, m.slow = 0, 0, 0, 0
	}
	if m.ask() {
		p := &modelPermit{
			generation: m.generation, start: m.at, tracking: m.trackings[len(m.trackings)-1], step: m.step,
		}
		m.running = append(m.running, p)
		return p, true
	}
	switch m.cfg.Mode {
	case seawall.Enforce:
		switch m.state {
		case breaker.HalfOpen:
			m.stats.Rejected.Probing++
		case breaker.Ramping:
			m.stats.Rejected.Ramping++
		case breaker.Closed, breaker.Open:
			m.stats.Rejected.Open++
		}
		return nil, false
	case seawall.Shadow:
		m.stats.ShadowRejected++
	case seawall.ForcedClosed, seawall.ForcedOpen, seawall.Off:
	}
	return &modelPermit{}, true
}

func (m *model) ask() bool {
	switch m.state {
	case breaker.Closed:
		return true
	case breaker.HalfOpen:
		if m.out >= m.cfg.Probes.Calls {
			return false
		}
		m.out++
		m.latest = m.at
		return true
	case breaker.Ramping: // as soon as fewer are in than the share asks for
		m.step.arrivals++
		if m.step.admitted*1_000_000 >= m.step.share*m.step.arrivals {
			return false
		}
		m.step.admitted++
		return true
	case breaker.Open:
	}
	return false
}

func (m *model) done(p *modelPermit, v seawall.Verdict) (counted bool) {
	m.catchUp()
	if p.off {
		return false
	}
	current := p.generation == m.generation
	switch {
	case !current && p.generation != 0:
		m.stats.Late++
	case v.Outcome == seawall.Ignored:
		m.stats.Ignored++
	case v.Outcome == seawall.Overload:
		m.stats.Overloads++
	case v.Outcome == seawall.Failure:
		m.stats.Calls.Failures++
	default:
		m.stats.Calls.Successes++
	}
	if !current {
		return false
	}
	m.running = slices.DeleteFunc(m.running, func(other *modelPermit) bool { return other == p })
	becameSlow := !p.hung && p.tracking.over >= 0 && m.at-p.start >= p.tracking.over
	if becameSlow {
		m.stats.Slow++
	}
	if v.Outcome == seawall.Failure && v.After > 0 && m.cfg.MaxRetryAfter != breaker.NoRetryAfter {
		m.hint = max(m.hint, m.at+min(v.After, m.cfg.MaxRetryAfter))
	}
	if m.state == breaker.HalfOpen {
		m.endProbe(v.Outcome, becameSlow)
	} else {
		m.end(p, v.Outcome, becameSlow)
	}
	m.catchUp()
	return true
}

func (m *model) endProbe(outcome seawall.Outcome, slow bool) {
	if slow {
		m.slow++
	}
	switch outcome {
	case seawall.Success:
		m.good++
	case seawall.Failure:
		m.bad++
	case seawall.Overload, seawall.Ignored:
		m.out--
	}
	m.judge()
}

func (m *model) end(p *modelPermit, outcome seawall.Outcome, slow bool) {
	neutral, failure := outcome == seawall.Overload || outcome == seawall.Ignored, outcome == seawall.Failure
	switch {
	case p.hung:
		m.window.unhang(m.at, failure)
	case slow || !neutral:
		m.window.record(m.at, failure, slow)
	}
	if failure {
		m.run++
	} else if !neutral {
		m.run = 0
	}
	if p.hung || slow || !neutral {
		m.weigh()
	}
	if m.state == breaker.Ramping && p.step == m.step && m.step.ended == none {
		m.step.ended = m.at
	}
}

// weigh opens the breaker if there is reason to.
func (m *model) weigh() {
	if m.state == breaker.HalfOpen {
		m.judge()
		return
	}
	in, atLeast := m.window.in(m.at), m.cfg.MinCalls
	if m.state == breaker.Ramping {
		atLeast = min(atLeast, m.cfg.Probes.Calls)
	}
	switch enough := in.Calls >= int64(atLeast); {
	case enough && in.Failures > 0 && m.tooMany(int(in.Failures), int(in.Calls)):
		m.open("failure_rate", in)
	case enough && in.Slow > 0 && m.tooSlow(int(in.Slow), int(in.Calls)):
		m.open("slow_rate", in)
	case m.cfg.ConsecutiveFailures > 0 && m.run >= m.cfg.ConsecutiveFailures:
		m.open("consecutive_failures", in)
	}
}

// The rates compare in integers: all of the test are whole percents.
func (m *model) tooMany(failures, calls int) bool {
	return failures*100 >= int(m.cfg.FailureRate*100+0.5)*calls
}

func (m *model) tooSlow(slow, calls int) bool {
	return m.cfg.Slow.Over >= 0 && slow*100 >= int(m.cfg.Slow.Rate*100+0.5)*calls
}

func (m *model) open(reason string, in breaker.WindowCounts) {
	m.openings++
	if m.state == breaker.Closed && m.at-m.since >= max(m.cfg.Window.Time, m.cfg.OpenFor) {
		m.openings = 1
	}
	grown := float64(m.cfg.OpenFor)
	for range m.openings - 1 { // no rounding, by the factors of the test
		grown = min(grown*m.cfg.OpenGrowth, float64(m.cfg.MaxOpenFor))
	}
	base := time.Duration(grown)
	low, high := base-base/5, min(base+base/5, m.cfg.MaxOpenFor)
	m.openFor = low + (high-low)/2 // the test's random source says 0.5
	if m.hint > m.at {
		m.openFor = max(m.openFor, m.hint-m.at+(m.hint-m.at)/5/2)
	}
	m.until = m.at + m.openFor
	m.step = nil
	m.enter(breaker.Open, reason, in)
}

func (m *model) judge() {
	total := max(m.cfg.Probes.Calls, m.good+m.bad)
	in := breaker.WindowCounts{Calls: int64(m.good + m.bad), Failures: int64(m.bad), Slow: int64(m.slow)}
	hung := m.hung()
	switch {
	case m.tooMany(m.bad, total):
		m.open("probes_failed", in)
	case m.tooSlow(m.slow, total):
		m.open("probes_slow", in)
	case !m.tooMany(total-m.good, total) && !m.tooSlow(m.slow+max(0, total-m.good-m.bad-hung), total):
		// Even if all others failed, or were slow.
		if m.cfg.Ramp.Start < 1 {
			m.enter(breaker.Ramping, "probes_succeeded", in)
			m.step = &modelStep{share: int(m.cfg.Ramp.Start*1e6 + 0.5), began: m.at, ended: none}
		} else {
			m.enter(breaker.Closed, "probes_succeeded", in)
		}
		m.clear()
	}
}

func (m *model) hung() (n int) {
	for _, p := range m.running {
		if p.hung {
			n++
		}
	}
	return n
}

func (m *model) update(cfg breaker.Config) {
	m.catchUp()
	old := m.cfg
	m.cfg = cfg
	if cfg.Slow.Over != old.Slow.Over && m.state != breaker.Open {
		m.track()
	}
	if cfg.Window != old.Window {
		m.clear()
	}
	switch {
	case m.state == breaker.HalfOpen:
		m.judge()
	case m.state == breaker.Ramping && cfg.Ramp.Start == 1:
		m.nextStep()
	}
	if m.deadline() < m.at { // what would have happened then happens now
		m.deadlineComes()
	}
}

// snapshot returns what the breaker's Stats must be.
func (m *model) snapshot() breaker.Stats {
	m.catchUp()
	s := m.stats
	s.State, s.Since, s.Hung = m.state, m.at-m.since, int64(m.hung())
	switch m.state {
	case breaker.Closed:
		s.Window, s.Share = m.window.in(m.at), 1
	case breaker.Ramping:
		s.Window, s.Share = m.window.in(m.at), float64(m.step.share)/1e6
	case breaker.Open:
		s.Reopen = max(0, m.until-m.at)
		if s.Reopen == 0 {
			s.State, s.Since = breaker.HalfOpen, m.at-m.until
		}
	case breaker.HalfOpen:
		s.Window = breaker.WindowCounts{Calls: int64(m.good + m.bad), Failures: int64(m.bad), Slow: int64(m.slow)}
	}
	return s
}
