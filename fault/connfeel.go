package fault

import (
	"cmp"
	"io"
	"slices"
	"syscall"
	"time"
)

// feel puts what acts at the point in force on the connection. It reports whether that has ended it, or one of its
// directions; then the caller cuts it, outside of all locks. The caller holds the point's mu.
func (c *conn) feel(e *effects, p pace) (cut bool) {
	var in, out []*run
	met := c.meets(e)
	c.setFuses(met)
	for _, r := range met {
		f := r.fault
		atOnce := f.counts() && f.Bytes == 0
		switch {
		case f.Kind == Down, f.Kind == LimitData && atOnce, f.Kind == ResetPeer && atOnce && f.Timeout == 0:
			r.hits.Add(1)
			return c.end(r, p)
		case f.Kind == ResetPeer && atOnce:
			continue // its fuse burns
		case f.Kind == HalfClose && atOnce:
			cut = c.half(r, p) || cut
			continue
		}
		if f.Kind == Blackhole || f.Stream.covers(c.in.direction) {
			in = append(in, r)
		}
		if f.Kind == Blackhole || f.Stream.covers(c.out.direction) {
			out = append(out, r)
		}
	}
	lostIn, lostOut := c.in.act(in, p), c.out.act(out, p)
	if r := cmp.Or(lostIn, lostOut); r != nil {
		return c.end(r, p)
	}
	return cut
}

// meets returns the faults that hit the connection.
func (c *conn) meets(e *effects) (met []*run) {
	if e != nil {
		for _, r := range e.wire {
			if r.meets(c.number) {
				met = append(met, r)
			}
		}
	}
	return met
}

// setFuses starts the timers of the faults that end the connection after a time, and stops those of others.
func (c *conn) setFuses(met []*run) {
	for r, timer := range c.fuses {
		if !slices.Contains(met, r) {
			timer.Stop()
			delete(c.fuses, r)
		}
	}
	for _, r := range met {
		if r.fault.Timeout == 0 || c.fuses[r] != nil {
			continue
		}
		if c.fuses == nil {
			c.fuses = map[*run]*time.Timer{}
		}
		c.fuses[r] = time.AfterFunc(r.fault.Timeout+c.in.lag, func() { c.burn(r) })
	}
}

// burn ends the connection if the fault still acts.
func (c *conn) burn(r *run) {
	c.point.mu.Lock()
	cut := c.fuses[r] != nil && c.end(r, atOnce)
	if cut {
		r.hits.Add(1)
	}
	c.point.mu.Unlock()
	if cut {
		c.cut()
	}
}

// wear ends what a fault that counts bytes has used up; r may be nil.
func (c *conn) wear(l *lane, r *run) {
	switch {
	case r == nil:
	case r.fault.Kind == HalfClose:
		if c.halfLane(l, r, atOnce) {
			c.cut()
		}
	case c.end(r, scattered):
		r.hits.Add(1)
		c.cut()
	}
}

// end breaks the connection off, and reports whether it was this call that did so.
func (c *conn) end(r *run, p pace) bool {
	if !c.ended.CompareAndSwap(nil, r) {
		return false
	}
	lag := c.out.lag + 1
	if p == atOnce {
		lag = 0
	}
	read, errno := io.EOF, syscall.EPIPE
	if !r.fault.closes() {
		errno = syscall.ECONNRESET
		read = c.errorOf("read", &wireError{r.injected, errno, false})
	}
	// Who has read that it is over does not write any more, so what is read comes last.
	c.out.breakOff(c.errorOf("write", &wireError{r.injected, errno, false}), lag)
	c.in.breakOff(read, lag)
	return true
}

// closes reports whether the fault ends a connection as a peer does that closes it, and not by a reset.
func (f Fault) closes() bool { return f.Kind == LimitData || f.Kind == Timeout }

// half ends those directions of the connection that the fault is in, and reports whether it was this call that did so.
func (c *conn) half(r *run, p pace) bool {
	in := r.fault.Stream.covers(c.in.direction) && c.halfLane(&c.in, r, p)
	out := r.fault.Stream.covers(c.out.direction) && c.halfLane(&c.out, r, p)
	return in || out
}

// halfLane ends one direction, and reports whether it was this call that did so.
func (c *conn) halfLane(l *lane, r *run, p pace) bool {
	if l.isBroken() {
		return false
	}
	err, lag := io.EOF, l.lag
	if l == &c.out {
		err = c.errorOf("write", &wireError{r.injected, syscall.EPIPE, false})
	}
	if p == atOnce {
		lag = 0
	}
	if !l.breakOff(err, lag) {
		return false
	}
	r.hits.Add(1)
	return true
}

// cut closes the inner connection of one that has ended, or what has ended of it. The caller holds no lock.
func (c *conn) cut() {
	r := c.ended.Load()
	if r == nil {
		c.cutHalves()
		return
	}
	if l, ok := c.inner.(interface{ SetLinger(sec int) error }); ok && !r.fault.closes() {
		_ = l.SetLinger(0) // TCP sends a reset then
	}
	_ = c.closeInner()
}

// cutHalves wakes a Read that waits for what does not come any more, and lets the peer read the end of what does not go
// any more. Without CloseWrite it reads nothing any more.
func (c *conn) cutHalves() {
	if c.in.isBroken() {
		_ = c.inner.SetReadDeadline(time.Now())
	}
	if w, ok := c.inner.(closeWriter); ok && c.out.isBroken() {
		_ = w.CloseWrite()
	}
}
