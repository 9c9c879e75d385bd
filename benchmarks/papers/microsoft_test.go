package papers_test

import "time"

// microsoft is the breaker of Microsoft.Extensions.Http.Resilience as it comes: 10 % failures of at least 100 calls in
// 30 s, kept in ten parts that begin with their first event; looked at after failures only; open for 5 s; one probe. It is
// for one goroutine, and calls that take no time.
type microsoft struct {
	parts  []part // the oldest first
	open   bool
	until  time.Time
	probes bool // the call that runs is one
}

type part struct {
	began           time.Time
	calls, failures int
}

const (
	microsoftWindow = 30 * time.Second
	microsoftBreak  = 5 * time.Second
	microsoftRate   = 0.1
	microsoftCalls  = 100
)

// ask returns nil if the breaker is open.
func (m *microsoft) ask() (done func(error)) {
	if m.open {
		if time.Now().Before(m.until) {
			return nil
		}
		m.probes = true
	}
	return m.done
}

func (m *microsoft) done(err error) {
	switch {
	case m.probes:
		if m.probes, m.open = false, err != nil; m.open {
			m.until = time.Now().Add(microsoftBreak)
		} else {
			m.parts = nil
		}
		return
	case m.count(err) && m.trips():
		m.open, m.until = true, time.Now().Add(microsoftBreak)
	}
}

// count notes a call, and returns whether it failed.
func (m *microsoft) count(err error) (failed bool) {
	now := time.Now()
	if n := len(m.parts); n == 0 || now.Sub(m.parts[n-1].began) >= microsoftWindow/10 {
		m.parts = append(m.parts, part{began: now})
	}
	for now.Sub(m.parts[0].began) >= microsoftWindow {
		m.parts = m.parts[1:]
	}
	p := &m.parts[len(m.parts)-1]
	p.calls++
	if err != nil {
		p.failures++
	}
	return err != nil
}

func (m *microsoft) trips() bool {
	calls, failures := 0, 0
	for _, p := range m.parts {
		calls, failures = calls+p.calls, failures+p.failures
	}
	return calls >= microsoftCalls && float64(failures) >= microsoftRate*float64(calls)
}
