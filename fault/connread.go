package fault

import (
	"bytes"
	"errors"
	"net"
	"os"

	"github.com/seawall-go/seawall/internal/mono"
)

// Read reads from the inner connection, when the faults let it.
func (c *conn) Read(b []byte) (int, error) {
	if c.in.busy.Load() {
		return c.receive(b)
	}
	n, err := c.inner.Read(b)
	if !c.in.busy.Load() {
		return n, err
	}
	// A fault has come while this waited for its bytes.
	l := &c.in
	l.mu.Lock()
	if l.broken == nil {
		if n == 0 && (err == nil || isTimeout(err)) {
			l.mu.Unlock()
			return 0, err
		}
		c.arrivedLocked(b[:n], err)
	}
	l.mu.Unlock()
	return c.receive(b)
}

// receive reads what the lane lets through.
func (c *conn) receive(b []byte) (int, error) {
	l := &c.in
	l.mu.Lock()
	for {
		at, n := never, 0
		if len(l.queue) > 0 {
			at, n = l.nextLocked(len(b))
		}
		now := mono.Now()
		switch {
		case l.broken != nil && l.felt <= now:
			defer l.mu.Unlock()
			return 0, l.broken
		case l.broken != nil:
			l.waitLocked(l.felt)
			continue
		case l.deadline <= now:
			defer l.mu.Unlock()
			return 0, c.errorOf("read", os.ErrDeadlineExceeded)
		case !l.busy.Load():
			l.mu.Unlock()
			return c.Read(b)
		case len(b) == 0:
			l.mu.Unlock()
			return 0, nil
		case at <= now:
			data, worn, end := l.takeLocked(at, n)
			l.mu.Unlock()
			copy(b, data)
			c.wear(l, worn)
			if n > 0 && end == nil || worn != nil {
				return n, nil
			}
			return n, end
		}
		c.readAheadLocked()
		l.waitLocked(min(at, l.deadline))
	}
}

// readAheadLocked starts to read from the inner connection, so that it is known when bytes come.
func (c *conn) readAheadLocked() {
	l := &c.in
	ended := len(l.queue) > 0 && l.queue[len(l.queue)-1].end != nil
	if !l.moving && !ended && !l.deaf && l.size < laneBuffer {
		l.moving = true
		c.movers.Go(c.readAhead)
	}
}

// readAhead reads as long as a fault acts. Its last Read may go on after that; then it gets what comes next.
func (c *conn) readAhead() {
	l := &c.in
	buf := make([]byte, 16<<10)
	for {
		n, err := c.inner.Read(buf)
		l.mu.Lock()
		if l.broken == nil {
			c.arrivedLocked(buf[:n], err)
		}
		if err != nil || l.broken != nil || len(l.acting) == 0 || l.size >= laneBuffer {
			l.moving = false
			l.changedLocked()
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// arrivedLocked takes what the inner connection has given. A deadline that has passed is no end.
func (c *conn) arrivedLocked(data []byte, err error) {
	if err != nil && isTimeout(err) {
		err = nil
	}
	if len(data) > 0 || err != nil {
		c.in.putLocked(chunk{data: bytes.Clone(data), end: err})
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
