package fault

import (
	"errors"
	"io"
	"net"
	"sync"
)

// link is a connection of a client and that to its server.
type link struct {
	client *conn

	mu      sync.Mutex // guards the fields below
	server  net.Conn   // nil until it is reached
	aborted bool
}

// join takes the connection to the server in, and reports false, and closes it, if the link was aborted meanwhile.
func (l *link) join(server net.Conn) bool {
	l.mu.Lock()
	aborted := l.aborted
	l.server = server
	l.mu.Unlock()
	if aborted {
		_ = server.Close()
	}
	return !aborted
}

// abort closes both connections at once.
func (l *link) abort() {
	l.client.abort()
	l.mu.Lock()
	server := l.server
	l.aborted = true
	l.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
}

// run carries bytes in both directions, until both have ended or one has failed.
func (l *link) run() {
	client := l.client.outside()
	var up sync.WaitGroup
	up.Go(func() { l.carry(l.server, client) })
	l.carry(client, l.server)
	up.Wait()
	_ = client.Close() // what faults hold back is still sent
	_ = l.server.Close()
}

// carry copies one direction, and forwards its end. When that cannot be forwarded alone, or a fault has ended the client's
// connection, both end; and when the copy fails both are reset.
func (l *link) carry(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if e, ok := errors.AsType[*InjectedError](err); ok && e.Kind == HalfClose {
		_, err = io.Copy(io.Discard, from) // the server does not know, and the other direction goes on
	}
	r := l.client.ended.Load()
	if err != nil && (r == nil || !r.fault.closes()) {
		reset(l.client.inner)
		reset(l.server)
	}
	if err != nil || r != nil || !closeWrite(to) {
		l.abort()
	}
}

// closeWrite forwards an end, and reports false if it could not.
func closeWrite(to net.Conn) bool {
	w, ok := to.(closeWriter)
	return ok && w.CloseWrite() == nil
}

// reset lets the close of a connection of TCP be a reset.
func reset(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
}
