package seawalltest

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// netConn is one end of a connection.
type netConn struct {
	network       *Network
	number        int
	in, out       *netStream
	local, remote net.Addr
	resets        atomic.Bool // Close resets the connection
	closed        atomic.Bool
}

// Read reads what has come.
func (c *netConn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.errorOf("read", err)
}

// Write waits only while the buffer is full.
func (c *netConn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.errorOf("write", err)
}

// errorOf makes errors like those of package net; the end of a stream stays what it is.
func (c *netConn) errorOf(op string, err error) error {
	if err == nil || op == "read" && err == errEndOfStream { //nolint:errorlint // it is ours, and bare
		return err
	}
	if errno, ok := err.(syscall.Errno); ok { //nolint:errorlint // likewise
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Close closes this end. The peer reads what was written, and then the end; it cannot write any more.
func (c *netConn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return c.errorOf("close", net.ErrClosed)
	}
	c.network.mu.Lock()
	delete(c.network.ends, c)
	c.network.mu.Unlock()
	if c.resets.Load() {
		c.out.closeWriter(net.ErrClosed, syscall.ECONNRESET)
		c.in.closeReader(syscall.ECONNRESET)
		return nil
	}
	c.out.closeWriter(net.ErrClosed, errEndOfStream)
	c.in.closeReader(syscall.EPIPE)
	return nil
}

// CloseWrite ends what this end writes; it may go on reading.
func (c *netConn) CloseWrite() error {
	if c.closed.Load() {
		return c.errorOf("close", net.ErrClosed)
	}
	c.out.closeWriter(syscall.EPIPE, errEndOfStream)
	return nil
}

// SetLinger with 0 makes Close reset the connection, as with TCP. Any other number makes it end well, which is the
// default.
func (c *netConn) SetLinger(sec int) error {
	if c.closed.Load() {
		return c.errorOf("set", net.ErrClosed)
	}
	c.resets.Store(sec == 0)
	return nil
}

func (c *netConn) LocalAddr() net.Addr  { return c.local }
func (c *netConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *netConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the deadline of Read.
func (c *netConn) SetReadDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.errorOf("set", net.ErrClosed)
	}
	c.in.setDeadline(&c.in.readBy, t)
	return nil
}

// SetWriteDeadline sets the deadline of Write.
func (c *netConn) SetWriteDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.errorOf("set", net.ErrClosed)
	}
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}
