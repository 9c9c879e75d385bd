package health

import (
	"strings"
	"time"

	"github.com/seawall-go/seawall/internal/dice"
)

// verdict is what a check means for the whole, at one moment.
type verdict struct {
	status Status
	note   string // why it is not Pass, or the error of a failure that does not count yet
	cause  string // the check that is why this one fails
}

// refreshLocked judges everything anew, after something has changed, and renders what the handlers write. After Stop
// nothing changes but by Drain.
func (h *Health) refreshLocked() {
	if h.stopped {
		return
	}
	now := time.Now()
	if h.phase == Starting && h.started && len(h.missingLocked()) == 0 {
		h.enterLocked(Running)
	}
	whole := Pass
	for _, c := range h.checks {
		c.verdict = h.judgeLocked(c, now)
		whole = max(whole, c.status)
		if c.status != c.told && c.cause == "" {
			h.log(h.statusEvent(Change{
				Time: now, Health: h.name, Check: c.Name, From: c.told, To: c.status,
				FromPhase: h.phase, ToPhase: h.phase, Fails: c.fails, Err: c.note,
			}, c.Scope.String()))
			c.told = c.status
		}
	}
	for _, g := range h.gates {
		whole = max(whole, g.status)
	}
	h.becomeLocked(whole, now)
}

// becomeLocked makes the whole what its parts are, or less, and renders it.
func (h *Health) becomeLocked(whole Status, now time.Time) {
	if h.phase != Running {
		whole = Fail
	}
	if whole != h.status {
		h.log(h.statusEvent(Change{
			Time: now, Health: h.name, From: h.status, To: whole, FromPhase: h.phase, ToPhase: h.phase,
		}, ""))
		h.status = whole
	}
	h.renderLocked()
}

func (h *Health) enterLocked(p Phase) {
	now := time.Now()
	h.log(h.phaseEvent(Change{
		Time: now, Health: h.name, From: h.status, To: h.status, FromPhase: h.phase, ToPhase: p,
	}))
	h.phase, h.since = p, now
	h.begun = h.begun || p == Running
}

// missingLocked returns the critical checks that the start still waits for.
func (h *Health) missingLocked() (names []string) {
	for _, c := range h.checks {
		if c.Severity == Critical && !c.passed {
			names = append(names, c.Name)
		}
	}
	return names
}

// judgeLocked is the table of scope and severity.
func (h *Health) judgeLocked(c *check, now time.Time) verdict {
	if !c.failing {
		h.releaseLocked(c)
		switch {
		case !c.passed && c.fails == 0:
			return verdict{status: Warn, note: "has not run yet"}
		case !c.passed:
			return verdict{status: Warn, note: c.err}
		case c.stale(now, h.staleAfter(c)):
			return verdict{status: Warn, note: cut(strings.TrimSuffix("stale result: "+c.err, ": "))}
		}
		return verdict{note: c.err}
	}
	v := verdict{status: Warn, note: c.err, cause: h.causeLocked(c)}
	switch {
	case v.cause != "" || c.Severity == Optional:
	case c.Scope == Local:
		v.status = Fail
	case c.FailReadiness && h.ripeLocked(c):
		v.status = Fail
	}
	return v
}

func (h *Health) staleAfter(c *check) time.Duration {
	return time.Duration(h.cfg.StaleAfter) * c.Interval
}

// causeLocked returns the check that c's failure is a consequence of. Add lets no circle in.
//
// The two do not fall in the same moment: a cause whose last run has failed excuses c as well, so that it does not take the
// instance out until the cause has fallen too. It does not excuse what had failed on its own account before.
func (h *Health) causeLocked(c *check) string {
	for _, name := range c.DependsOn {
		cause := h.findLocked(name)
		if cause == nil || !cause.failing && (cause.fails == 0 || c.status == Fail) {
			continue
		}
		if further := h.causeLocked(cause); further != "" {
			return further
		}
		return name
	}
	return ""
}

// ripeLocked reports whether a shared check has failed for as long as this instance holds out.
func (h *Health) ripeLocked(c *check) bool {
	if c.held != nil || c.ripe {
		return c.ripe
	}
	hold := holdOf(h.cfg)
	if hold == 0 {
		c.ripe = true
		return true
	}
	var timer *time.Timer
	timer = time.AfterFunc(hold, func() {
		defer h.tell()
		h.mu.Lock()
		defer h.mu.Unlock()
		if c.held == timer { // it has not recovered meanwhile
			c.ripe = true
			h.refreshLocked()
		}
	})
	c.held = timer
	return false
}

func (h *Health) releaseLocked(c *check) {
	if c.held != nil {
		c.held.Stop()
	}
	c.held, c.ripe = nil, false
}

// holdOf draws how long an instance holds out.
func holdOf(cfg Config) time.Duration {
	if cfg.MaxHold <= 0 {
		return 0
	}
	return time.Duration(dice.Uint64N(uint64(cfg.MaxHold)))
}

// startIsLate logs what the start still waits for.
func (h *Health) startIsLate() {
	defer h.tell()
	h.mu.Lock()
	defer h.mu.Unlock()
	if missing := h.missingLocked(); !h.stopped && h.phase == Starting && len(missing) > 0 {
		h.log(startLateEvent(h.name, missing))
	}
}
