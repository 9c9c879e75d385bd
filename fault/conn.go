package fault

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
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
// The errors of a connection that a fault has reset are *net.OpError, and match [ErrInjected] and syscall.ECONNRESET. If
// inner has SetLinger, as those of TCP have, it is closed such that its peer sees a reset as well. One that a fault has
// closed, or a direction of it, gives io.EOF to who reads, and to who writes an error that matches ErrInjected and
// syscall.EPIPE. What is closed stays so after the fault.
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
	number uint64         // of the point's connections and dials
	in     lane           // what is read
	out    lane           // what is written
	movers sync.WaitGroup // its goroutines
	closed atomic.Bool
	ended  atomic.Pointer[run]  // what has cut it
	fuses  map[*run]*time.Timer // of faults that end it after a time. Guarded by the point's mu
}

// wrap makes a connection whose writes go in a direction, and puts in force what acts now.
func (p *Point) wrap(inner net.Conn, writes Stream, number uint64) *conn {
	c := &conn{inner: inner, point: p, number: number}
	c.in.number, c.out.number = number, number
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

func (c *conn) closeInner() error {
	c.point.mu.Lock()
	delete(c.point.conns, c)
	c.setFuses(nil)
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
	if l.broken == nil && slices.ContainsFunc(l.acting, func(a acting) bool { return a.run.fault.Kind == SlowClose }) {
		l.putLocked(chunk{end: errClosed})
		c.moveLocked()
	}
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

// abort closes the connection, and what is held back is lost. It waits for no goroutine.
func (c *conn) abort() {
	c.out.breakOff(c.errorOf("write", net.ErrClosed), 0)
	c.in.breakOff(c.errorOf("read", net.ErrClosed), 0)
	_ = c.closeInner()
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
	if e, ok := errors.AsType[*InjectedError](l.shut); ok && e.Kind == HalfClose {
		return nil // a fault was first
	}
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
