package seawalltest

import (
	"net"
	"sync"
)

// listener is a place of a [Network] to which connections are made.
type listener struct {
	network  *Network
	addr     string
	incoming chan *netConn
	once     sync.Once
	closed   chan struct{}
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed: // also if there are connections
	default:
		select {
		case c := <-l.incoming:
			return c, nil
		case <-l.closed:
		}
	}
	return nil, l.errorOf("accept", net.ErrClosed)
}

// Close ends the listener. Connections that were made and not accepted are reset.
func (l *listener) Close() error {
	err := l.errorOf("close", net.ErrClosed)
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, l.addr)
		l.network.mu.Unlock()
		close(l.closed)
		l.refuseAll()
		err = nil
	})
	return err
}

func (l *listener) refuseAll() {
	for {
		select {
		case c := <-l.incoming:
			_ = c.SetLinger(0)
			_ = c.Close()
		default:
			return
		}
	}
}

// Addr returns the name, as an address.
func (l *listener) Addr() net.Addr { return hostAddr(l.addr) }

func (l *listener) errorOf(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.Addr(), Err: err}
}
