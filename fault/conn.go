package fault

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Conn returns a connection that goes through the point: it is inner, and feels the faults of the kinds for connections,
// also those that start later. inner is the end of the client, so its writes go upstream; [Point.Listener] is for those
// of a server. The connection must be closed, because the point holds it until then.
//
// While nothing acts a Write costs one atomic load and a Read two, and neither allocates. While something does, what is
// written is held back in memory, 4 MiB at the most, and sent by a goroutine that ends with the fault; what is read is
// read ahead by another one. Deadlines mean the same as without the point. Close does not wait: what was written and is
// held back is still sent, as by a kernel, and then inner is closed. If inner has CloseWrite, the connection has it too.
//
// The errors of a connection that a fault has cut are *net.OpError, and match [ErrInjected] and syscall.ECONNRESET. If
// inner has SetLinger, as those of TCP have, it is closed such that its peer sees a reset as well.
func (p *Point) Conn(inner net.Conn) net.Conn {
	if p == nil {
		return inner
	}
	return p.wrap(inner, Upstream, p.count.Add(1)).outside()
}

// conn is a connection through a point.
type conn struct {
	inner  net.Conn
	point  *Point
	number uint64 // of the point's connections and dials
	in     lane   // what is read
	out    lane   // what is written
	closed atomic.Bool
	ended  atomic.Pointer[run] // what has cut it
}

// wrap makes a connection whose writes go in a direction, and puts in force what acts now.
func (p *Point) wrap(inner net.Conn, writes Stream, number uint64) *conn {
	c := &conn{inner: inner, point: p, number: number}
	c.in.deadline, c.out.deadline = never, never
	now := mono.Now()
	c.in.free, c.out.free, c.in.felt, c.out.felt = now, now, now, now
	c.in.lag, c.out.lag = lagOf(number), lagOf(number)
	c.in.direction, c.out.direction = Upstream, Downstream
	if writes == Upstream {
		c.in.direction, c.out.direction = Downstream, Upstream
	}
	p.mu.Lock()
	p.conns[c] = struct{}{}
	cut := c.feel(p.effects.Load(), atOnce)
	p.mu.Unlock()
	if cut {
		c.cut()
	}
	return c
}

// outside is the connection with the methods that the inner one has.
func (c *conn) outside() net.Conn {
	if _, ok := c.inner.(closeWriter); ok {
		return &halfConn{c}
	}
	return c
}

// feel puts what acts at the point in force on the connection. It reports whether that has ended it; then the caller cuts
// it, outside of all locks.
func (c *conn) feel(e *effects, p pace) (cut bool) {
	var in, out []*run
	if e != nil {
		for _, r := range e.wire {
			if !r.meets(c.number) {
				continue
			}
			if f := r.fault; f.Kind == Down || f.Kind == ResetPeer && f.Bytes == 0 {
				return c.end(r)
			}
			if r.fault.Stream.covers(c.in.direction) {
				in = append(in, r)
			}
			if r.fault.Stream.covers(c.out.direction) {
				out = append(out, r)
			}
		}
	}
	c.in.act(in, p)
	c.out.act(out, p)
	return false
}

// end breaks the connection off, and reports whether it was this call that did so.
func (c *conn) end(r *run) bool {
	if !c.ended.CompareAndSwap(nil, r) {
		return false
	}
	r.hits.Add(1)
	// Who has read that it is over does not write any more, so what is read comes last.
	c.out.breakOff(c.errorOf("write", &wireError{r.injected, syscall.ECONNRESET, false}), c.out.lag+1)
	c.in.breakOff(c.errorOf("read", &wireError{r.injected, syscall.ECONNRESET, false}), c.in.lag+1)
	return true
}

// cut closes the inner connection of one that has ended.
func (c *conn) cut() {
	if l, ok := c.inner.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0) // TCP sends a reset then
	}
	_ = c.closeInner()
}

func (c *conn) closeInner() error {
	c.point.mu.Lock()
	delete(c.point.conns, c)
	c.point.mu.Unlock()
	return c.inner.Close()
}

// errorOf makes errors like those of package net.
func (c *conn) errorOf(op string, err error) error {
	e := &net.OpError{Op: op, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	if e.Source != nil {
		e.Net = e.Source.Network()
	}
	return e
}

// linger is how long the peer of a closed connection has to take what was written before.
const linger = 5 * time.Second

// Close closes the connection: see [Point.Conn].
func (c *conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return c.errorOf("close", net.ErrClosed)
	}
	c.in.breakOff(c.errorOf("read", net.ErrClosed), 0)
	l := &c.out
	l.mu.Lock()
	if l.broken == nil {
		l.shut = c.errorOf("write", net.ErrClosed)
	}
	l.felt = min(l.felt, mono.Now())
	l.closing = l.moving
	lingers := l.moving
	l.changedLocked()
	if lingers {
		_ = c.inner.SetWriteDeadline(time.Now().Add(linger))
	}
	l.mu.Unlock()
	if lingers {
		_ = c.inner.SetReadDeadline(time.Now()) // for a Read that waits there
		return nil
	}
	err := c.closeInner()
	if c.ended.Load() != nil {
		return nil // it was closed when it was cut
	}
	return err
}

// LocalAddr returns the inner connection's.
func (c *conn) LocalAddr() net.Addr { return c.inner.LocalAddr() }

// RemoteAddr returns the inner connection's.
func (c *conn) RemoteAddr() net.Addr { return c.inner.RemoteAddr() }

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the deadline of Read.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.closed.Load() {
		return c.errorOf("set", net.ErrClosed)
	}
	c.in.setDeadlineLocked(t)
	return c.inner.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of Write. What Write has taken is sent without one.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.closed.Load() {
		return c.errorOf("set", net.ErrClosed)
	}
	c.out.setDeadlineLocked(t)
	if c.out.moving {
		return nil // it is the mover's until that ends
	}
	return c.inner.SetWriteDeadline(t)
}

type closeWriter interface{ CloseWrite() error }

// halfConn is a connection that can close its writing side alone.
type halfConn struct{ *conn }

// CloseWrite ends what is written: the peer reads to the end, and may go on writing.
func (c *halfConn) CloseWrite() error {
	l := &c.out
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut != nil {
		return l.shut
	}
	if l.busy.Load() {
		l.putLocked(chunk{end: errEnd})
		l.shut = c.errorOf("write", os.NewSyscallError("write", syscall.EPIPE))
		c.moveLocked()
		return nil
	}
	return c.inner.(closeWriter).CloseWrite() //nolint:forcetypeassert // outside has looked
}

// wireError is a failure of a connection or a dial that is made by a fault. It looks like that of a kernel.
type wireError struct {
	injected *InjectedError
	errno    syscall.Errno
	unsent   bool // nothing was sent
}

func (e *wireError) Error() string   { return e.errno.Error() + " (" + e.injected.Error() + ")" }
func (e *wireError) Unwrap() []error { return []error{e.injected, e.errno} }

// Verdict is that of the injected error, but that a call may be repeated of which nothing was sent.
func (e *wireError) Verdict() seawall.Verdict {
	v := e.injected.Verdict()
	if e.unsent {
		v.Repeat = seawall.RepeatAlways
	}
	return v
}
