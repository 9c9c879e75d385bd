package health

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seawall-go/seawall/internal/dice"
)

// check is a Check at work: its state, and the goroutine that runs it. Everything but the Check itself is guarded by the
// health's lock.
type check struct {
	Check
	h *Health
	state
	verdict // by the last judgement

	cancel context.CancelFunc // of its goroutine
	run    *run               // the one that is under way
	told   Status             // what the last event said
	held   *time.Timer        // until a shared check may make the instance not ready
	ripe   bool               // held has come
	old    *time.Timer        // until the last result is stale
}

// run is one run of a check.
type run struct {
	check   *check
	began   time.Time
	overdue *time.Timer
	late    bool // it has been counted as a failure, so that its result is not
}

func newCheck(h *Health, c Check) *check {
	return &check{Check: c, h: h, state: state{since: time.Now()}, verdict: verdict{status: Warn}, told: Warn}
}

func (c *check) startLocked() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.h.loops.Go(func() { c.loop(ctx) })
}

func (c *check) stopLocked() {
	if c.cancel != nil {
		c.cancel()
	}
	if c.run != nil {
		c.run.overdue.Stop()
	}
	if c.held != nil {
		c.held.Stop()
	}
	if c.old != nil {
		c.old.Stop()
	}
}

// loop runs the check until ctx ends. A check that leaves by runtime.Goexit takes this goroutine with it: then another one
// goes on.
func (c *check) loop(ctx context.Context) {
	returned := false
	defer func() {
		if !returned {
			c.h.loops.Go(func() { c.wait(ctx); c.loop(ctx) })
		}
	}()
	for ctx.Err() == nil {
		c.once(ctx)
		c.wait(ctx)
	}
	returned = true
}

// wait lets the interval pass.
func (c *check) wait(ctx context.Context) {
	c.h.mu.Lock()
	interval := c.Interval
	if !c.passed {
		interval = min(interval, time.Second)
	}
	c.h.mu.Unlock()
	timer := time.NewTimer(jittered(interval, c.h.cfg.Jitter))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// jittered returns d, up to the share of jitter longer or shorter.
func jittered(d time.Duration, jitter float64) time.Duration {
	spread := int64(float64(d) * max(0, jitter))
	return d - time.Duration(spread) + time.Duration(dice.Uint64N(uint64(2*spread)+1))
}

var (
	errTimeout = errors.New("health: the check took too long")
	errGoexit  = errors.New("the check has ended its goroutine")
)

// once runs the check once.
func (c *check) once(parent context.Context) {
	ctx, cancel := context.WithTimeoutCause(parent, c.Timeout, errTimeout)
	defer cancel()
	r := &run{check: c, began: time.Now()}
	c.h.mu.Lock()
	c.run = r
	c.h.runs[r] = true
	r.overdue = time.AfterFunc(c.Timeout, r.isOverdue)
	c.h.mu.Unlock()

	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
		if parent.Err() == nil { // else it is being stopped, and nobody wants to know
			r.end(err)
		} else {
			r.forget()
		}
	}()
	err = c.Run(ctx)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // a result that comes too late is none
	}
}

// panicError is a panic of a check.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// isOverdue counts a failure when the check has not come back in time, and one more for each interval that passes: there
// is no other run that could.
func (r *run) isOverdue() {
	c := r.check
	defer c.h.tell()
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	if c.run != r {
		return
	}
	now := time.Now()
	r.late = true
	r.overdue.Reset(c.Interval)
	c.failure(now, c.Fall, fmt.Sprintf("still running after %v", now.Sub(r.began).Round(time.Millisecond)))
	c.h.refreshLocked()
}

// end takes the run's result.
func (r *run) end(err error) {
	c, now := r.check, time.Now()
	why := textOf(err) // it is the check's code that writes it, so no lock is held
	defer c.h.tell()
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	r.overLocked()
	c.ended(now, now.Sub(r.began))
	c.agesLocked()
	switch {
	case err == nil && !r.late:
		c.success(now, c.Rise)
	case err == nil:
		c.err = errTimeout.Error()
	case r.late:
		c.err = why
	default:
		c.failure(now, c.Fall, why)
	}
	if p, ok := err.(*panicError); ok { //nolint:errorlint // one that is wrapped is a value that the check returned
		c.h.log(panicEvent(c.h.name, c.Name, why, p.stack))
	}
	c.h.refreshLocked()
}

// forget ends a run whose result is not wanted.
func (r *run) forget() {
	r.check.h.mu.Lock()
	defer r.check.h.mu.Unlock()
	r.overLocked()
}

func (r *run) overLocked() {
	r.overdue.Stop()
	r.check.run = nil
	delete(r.check.h.runs, r)
}

// agesLocked has the check judged again when its last result has become stale, which nothing else need notice.
func (c *check) agesLocked() {
	if c.h.findLocked(c.Name) != c || c.h.stopped {
		return
	}
	after := c.h.staleAfter(c) + time.Nanosecond
	if c.old != nil {
		c.old.Reset(after)
		return
	}
	c.old = time.AfterFunc(after, func() {
		defer c.h.tell()
		c.h.mu.Lock()
		defer c.h.mu.Unlock()
		c.h.refreshLocked()
	})
}

// textOf returns an error's text, cut to what fits into an answer. That of nil is empty.
func textOf(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("an error of type %T, whose text panics", err)
		}
	}()
	return cut(err.Error())
}

func cut(text string) string {
	const limit = 200
	text = strings.ToValidUTF8(text, "?")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit-3], "") + "..."
	}
	return text
}
