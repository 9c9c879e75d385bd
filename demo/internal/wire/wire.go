// Package wire is how the components of a box office reach each other: over loopback TCP, or in memory for tests in
// virtual time, where nothing may wait for a real socket.
package wire

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Wire listens and dials.
type Wire interface {
	// Listen opens a listener of the arm with this number. The address is chosen; ask the listener.
	Listen(ctx context.Context, arm int) (net.Listener, error)
	// Dial connects to the address of a listener.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// TCP is real sockets on loopback. Each arm has a loopback address of its own where the system has more than one: a
// storm of timed-out attempts leaves thousands of closed connections behind, and each address has its own ports.
type TCP struct{}

// Listen listens on 127.0.0.(2+arm), or on 127.0.0.1 where there is no such address.
func (TCP) Listen(ctx context.Context, arm int) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.%d:0", 2+arm))
	if err != nil {
		l, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return l, err
}

// Dial connects within a second: on loopback more means that the other side is full.
func (TCP) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: time.Second}
	return dialer.DialContext(ctx, network, address)
}

// Memory is pairs of net.Pipe. The zero value is ready.
type Memory struct {
	mu        sync.Mutex // guards the fields below
	listeners map[string]*listener
	last      int
}

// Listen makes a listener with an address that only this Memory knows.
func (m *Memory) Listen(_ context.Context, arm int) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners == nil {
		m.listeners = map[string]*listener{}
	}
	m.last++
	l := &listener{
		address: address(fmt.Sprintf("127.0.0.%d:%d", 2+arm, m.last)),
		conns:   make(chan net.Conn), closed: make(chan struct{}),
	}
	m.listeners[l.address.String()] = l
	return l, nil
}

// Dial waits until the listener accepts.
func (m *Memory) Dial(ctx context.Context, network, to string) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[to]
	m.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: address(to), Err: fmt.Errorf("connection refused")}
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- conn{theirs, l.address}:
		return conn{ours, l.address}, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.address, Err: fmt.Errorf("connection refused")}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.address, Err: context.Cause(ctx)}
	}
}

type listener struct {
	address address
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return l.address }

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// conn gives a pipe the addresses that servers look at.
type conn struct {
	net.Conn
	address address
}

func (c conn) LocalAddr() net.Addr  { return c.address }
func (c conn) RemoteAddr() net.Addr { return c.address }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
