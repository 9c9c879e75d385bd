package timeout

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// scope is the context of one call. Most operations look at their context at most, so it begins as a deadline and a
// parent: Err compares the clock. As soon as it matters, it becomes a context of the standard library, once and for
// all:
//
//   - Done is asked for, which is also what package context does to derive from it: a live one, with timer and channel,
//     derived from the parent. It is found by Value, so that package context treats the scope as one of its own:
//     children register with it, without a goroutine, and inherit its cause.
//   - Err finds the limit over: one that has ended with our cause, which all calls with the same bound share.
//   - The call ends: one that is canceled, shared by all calls.
type scope struct {
	parent   context.Context
	bound    *bound
	deadline time.Time
	ours     bool                     // the limit comes before the caller's deadline
	became   atomic.Pointer[standard] // nil as long as nothing matters
}

// standard is what a scope becomes.
type standard struct {
	context.Context
	cancel context.CancelFunc // nil if it is shared: it is not derived from the scope's parent, and has ended
}

// left is what a scope becomes at the end of its call.
var left = canceledContext()

func canceledContext() *standard {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &standard{Context: ctx}
}

// expiredContext returns a context that has ended at a deadline.
func expiredContext(cause error) *standard {
	ctx, cancel := context.WithDeadlineCause(context.Background(), time.Time{}, cause)
	cancel()
	return &standard{Context: ctx}
}

// enter makes the context of one call.
func (b *bound) enter(parent context.Context) *scope {
	c := &scope{}
	c.start(parent, b)
	return c
}

// start makes a zero scope the context of a call that starts now.
func (c *scope) start(parent context.Context, b *bound) {
	c.parent, c.bound, c.deadline, c.ours = parent, b, time.Now().Add(b.limit), true
	if d, ok := parent.Deadline(); ok && !c.deadline.Before(d) {
		c.deadline, c.ours = d, false
	}
}

// scopeOf returns the scope that Enter made of outer, and the timedScope if it is part of one; nil if Enter made none.
func scopeOf(outer, inner context.Context) (*scope, *timedScope) {
	switch c := inner.(type) {
	case *scope:
		if o, same := outer.(*scope); !same || o != c {
			return c, nil
		}
	case *timedScope:
		if o, same := outer.(*timedScope); !same || o != c {
			return &c.scope, c
		}
	}
	return nil, nil
}

// Deadline returns the limit or the caller's deadline, whichever is earlier.
func (c *scope) Deadline() (time.Time, bool) { return c.deadline, true }

// Done makes the scope live.
func (c *scope) Done() <-chan struct{} {
	s := c.became.Load()
	switch {
	case s != nil:
	case c.parent.Err() != nil:
		s = c.settled()
	default:
		s = c.live() // which compares the clock, and so is right also if the limit is over
	}
	return s.Done()
}

// Err returns nil, context.Canceled or context.DeadlineExceeded. An end that it has told once is final.
func (c *scope) Err() error {
	if s := c.settled(); s != nil {
		return s.Err()
	}
	return nil
}

// Value finds the parent's values, and for package context the standard context that the scope has become.
func (c *scope) Value(key any) any {
	if s := c.became.Load(); s != nil {
		if v := s.Value(key); v != nil || s.cancel != nil {
			return v
		}
	}
	return c.parent.Value(key)
}

// String returns such as: context.Background.timeout("payments", 500ms).
func (c *scope) String() string {
	parent := fmt.Sprintf("%T", c.parent)
	if s, ok := c.parent.(fmt.Stringer); ok {
		parent = s.String()
	}
	return fmt.Sprintf("%s.%s(%q, %v)", parent, kind, c.bound.exceeded.Name, c.bound.limit)
}

// settled returns what the scope has become. If it has ended, and nobody has seen that, it becomes something here.
func (c *scope) settled() *standard {
	if s := c.became.Load(); s != nil {
		return s
	}
	err := c.parent.Err()
	switch {
	case c.over(err):
		return c.become(c.bound.expired)
	case err != nil:
		return c.live()
	}
	return nil
}

// over reports whether the limit has ended the call, by the clock; parent is the parent's error. A deadline of the
// parent's comes later than the limit, whichever timer fires first. A cancellation, of which nobody knows when it was,
// counts as earlier.
func (c *scope) over(parent error) bool {
	return c.ours && (parent == nil || parent == context.DeadlineExceeded) && //nolint:errorlint // never wrapped
		time.Until(c.deadline) <= 0
}

// live makes the scope a context derived from its parent, unless it has become something already.
func (c *scope) live() *standard {
	s := &standard{}
	if c.ours {
		s.Context, s.cancel = context.WithDeadlineCause(c.parent, c.deadline, c.bound.exceeded)
	} else {
		s.Context, s.cancel = context.WithCancel(c.parent)
	}
	return c.become(s)
}

// become makes the scope s, unless it has become something already, and returns what it is.
func (c *scope) become(s *standard) *standard {
	if c.became.CompareAndSwap(nil, s) {
		return s
	}
	s.release()
	return c.became.Load()
}

func (s *standard) release() {
	if s.cancel != nil {
		s.cancel()
	}
}

// exceeded reports whether it is the limit that has ended the call. It goes by the clock, unless the scope is known to
// have been canceled: an operation that hands the deadline to something else, such as a connection, can be faster
// than the timer.
func (c *scope) exceeded() bool {
	err := c.parent.Err()
	if s := c.became.Load(); s != nil && s.Err() != nil {
		err = s.Err()
	}
	return c.over(err)
}

// leave ends the scope, and gives back what it holds.
func (c *scope) leave() { c.become(left).release() }
