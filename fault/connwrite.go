package fault

import (
	"bytes"
	"errors"
	"os"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// errEnd is the chunk of a CloseWrite, and errClosed that of a Close which is held back.
var (
	errEnd    = errors.New("fault: end of what is written")
	errClosed = errors.New("fault: end of the connection")
)

// Write writes to the inner connection, or gives what it writes to the faults.
func (c *conn) Write(b []byte) (int, error) {
	if c.out.busy.Load() {
		return c.send(b)
	}
	n, err := c.inner.Write(b)
	if err != nil && c.out.isShut() { // the inner one was closed for that
		m, err := c.send(b[n:])
		return n + m, err
	}
	return n, err
}

// send puts bytes into the lane.
func (c *conn) send(b []byte) (n int, err error) {
	l := &c.out
	l.mu.Lock()
	for {
		now := mono.Now()
		switch {
		case l.broken != nil && l.felt > now:
			l.mu.Unlock()
			return n + len(b), nil // into the void
		case l.shut != nil:
			defer l.mu.Unlock()
			return n, l.shut
		case l.deadline <= now:
			defer l.mu.Unlock()
			return n, c.errorOf("write", os.ErrDeadlineExceeded)
		case len(b) == 0:
			l.mu.Unlock()
			return n, nil
		case !l.busy.Load():
			l.mu.Unlock()
			m, err := c.Write(b)
			return n + m, err
		case l.size < laneBuffer:
			k := min(len(b), laneBuffer-l.size)
			l.putLocked(chunk{data: bytes.Clone(b[:k])})
			n, b = n+k, b[k:]
			c.moveLocked()
		default:
			l.waitLocked(l.deadline)
		}
	}
}

// moveLocked starts to send what is in the lane. What was taken is sent whatever the deadline of later writes is.
func (c *conn) moveLocked() {
	if l := &c.out; !l.moving && len(l.queue) > 0 {
		l.moving = true
		_ = c.inner.SetWriteDeadline(time.Time{})
		c.movers.Go(c.move)
	}
}

// move sends what is in the lane until it is empty.
func (c *conn) move() {
	l := &c.out
	l.mu.Lock()
	for len(l.queue) > 0 {
		at, n := l.nextLocked(laneBuffer)
		if at > mono.Now() {
			l.waitLocked(at)
			continue
		}
		data, worn, end := l.takeLocked(at, n)
		if l.closing {
			_ = c.inner.SetWriteDeadline(time.Now().Add(linger))
		}
		l.mu.Unlock()
		err := c.pass(data, end)
		c.wear(l, worn)
		if err != nil {
			l.breakOff(err, 0)
		}
		l.mu.Lock()
	}
	l.moving = false
	if l.deadline != never {
		_ = c.inner.SetWriteDeadline(time.Now().Add(l.deadline - mono.Now()))
	}
	closing := l.closing
	l.changedLocked()
	l.mu.Unlock()
	if closing {
		_ = c.closeInner()
	}
}

// pass gives the inner connection bytes, or the end of them.
func (c *conn) pass(data []byte, end error) error {
	if len(data) > 0 {
		if _, err := c.inner.Write(data); err != nil {
			return err
		}
	}
	if end != errEnd { //nolint:errorlint // it is the chunk's own
		return nil
	}
	return c.inner.(closeWriter).CloseWrite() //nolint:forcetypeassert // who has put the end has looked
}
