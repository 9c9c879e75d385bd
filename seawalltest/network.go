package seawalltest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

// NetworkConfig sets a [Network]. The zero value is one that takes no time and never fails.
type NetworkConfig struct {
	// Latency is how long bytes are under way in one direction. Default 0; up to 1h. To make a connection takes a round
	// trip.
	Latency time.Duration
	// Faults is what goes wrong, counted from the start of the network. The targets are the names of its listeners, and
	// each connection goes through the point of the listener it was made to, from the end of the client: see
	// [fault.Point.Conn].
	Faults fault.Plan
}

// Validate returns an error that names a field that is out of its range, its value, and the range.
func (c NetworkConfig) Validate() error {
	if c.Latency < 0 || c.Latency > time.Hour {
		return fmt.Errorf("Latency is %v, want 0s to 1h", c.Latency)
	}
	if err := c.Faults.Validate(); err != nil {
		return fmt.Errorf("Faults: %w", err)
	}
	return nil
}

// Network is a network in memory, for the bubbles of testing/synctest: who waits in it is durably blocked, so that time
// goes on. It is safe for concurrent use.
//
// Its connections are like those of TCP. They are buffered, 4 MiB in each direction: a write waits only while the buffer
// is full, which HTTP/2 relies on. Who waits in a write must not hold a mutex that others wait for, because in a bubble no
// time passes then. They have deadlines, and CloseWrite and SetLinger, and their errors are those of
// package net. Dial fits http.Transport.DialContext, and so gRPC:
//
//	grpc.NewClient("passthrough:///payments", grpc.WithContextDialer(
//		func(ctx context.Context, address string) (net.Conn, error) { return network.Dial(ctx, "tcp", address) }))
//
// Network's listeners go where others do, such as to grpc.Server.Serve.
type Network struct {
	cfg      NetworkConfig
	injector *fault.Injector

	mu        sync.Mutex // guards the fields below
	listeners map[string]*listener
	ends      map[*netConn]struct{} // that are open
	dialed    int
	closed    chan struct{} // closed with the network
}

// NewNetwork makes a network and starts its faults. [Run] makes one for each scenario. In a bubble it must be made there,
// and closed before the end. NewNetwork panics if cfg is not valid.
func NewNetwork(cfg NetworkConfig) *Network {
	if err := cfg.Validate(); err != nil {
		panic("seawalltest: NetworkConfig." + err.Error())
	}
	quiet := &seawall.Registry{} // the report has what a log would say
	quiet.SetLogger(slog.New(slog.DiscardHandler))
	n := &Network{
		cfg:      cfg,
		injector: fault.New("network", fault.Config{Plan: cfg.Faults, Registry: quiet}),

		listeners: map[string]*listener{},
		ends:      map[*netConn]struct{}{},
		closed:    make(chan struct{}),
	}
	if err := n.injector.Start(context.Background()); err != nil {
		panic(err) // it is ours, and new
	}
	return n
}

// Faults returns what carries out the faults of the network, with its counts, and with points for the kinds that are not
// for connections.
func (n *Network) Faults() *fault.Injector { return n.injector }

// Listen returns a listener under a name, such as "payments" or "payments:8443". The error is a *net.OpError that matches
// syscall.EADDRINUSE if there is one already, or net.ErrClosed if the network is closed.
func (n *Network) Listen(name string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := error(syscall.EADDRINUSE)
	if n.isClosed() {
		err = net.ErrClosed
	} else if n.listeners[name] == nil {
		l := &listener{network: n, addr: name, incoming: make(chan *netConn, backlog), closed: make(chan struct{})}
		n.listeners[name] = l
		return l, nil
	}
	return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: hostAddr(name), Err: err}
}

// backlog is how many connections wait to be accepted before further dials wait.
const backlog = 128

// Dial connects to a listener, by its name, or by its name and any port. It ends when ctx does. The errors are
// *net.OpError: syscall.ECONNREFUSED if there is no such listener or [fault.Down] is in force, or the error of ctx.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, dialError(network, address, net.UnknownNetworkError(network))
	}
	l := n.listener(address)
	if l == nil {
		if err := n.travel(ctx); err != nil {
			return nil, dialError(network, address, err)
		}
		return nil, dialError(network, address, syscall.ECONNREFUSED)
	}
	dial := n.injector.Point(l.addr).Dial(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := n.connect(ctx, l)
		if err != nil {
			return nil, dialError(network, address, err)
		}
		return c, nil
	})
	return dial(ctx, network, address)
}

func dialError(network, address string, err error) error {
	return &net.OpError{Op: "dial", Net: network, Addr: hostAddr(address), Err: err}
}

func (n *Network) listener(address string) *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.listeners[address]; l != nil {
		return l
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	return n.listeners[host]
}

// travel waits for a round trip.
func (n *Network) travel(ctx context.Context) error {
	if ctx.Err() != nil || n.cfg.Latency == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(2 * n.cfg.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-n.closed:
		return syscall.ECONNREFUSED
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connect makes the two ends of a connection, and gives one of them to a listener.
func (n *Network) connect(ctx context.Context, l *listener) (net.Conn, error) {
	if err := n.travel(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	if n.isClosed() {
		n.mu.Unlock()
		return nil, syscall.ECONNREFUSED
	}
	up, down := newNetStream(n.cfg.Latency), newNetStream(n.cfg.Latency)
	// Clients have the ephemeral ports of Linux, and start anew when they are through.
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 32768 + n.dialed%28232}
	client := &netConn{network: n, number: 2 * n.dialed, in: down, out: up, local: from, remote: hostAddr(l.addr)}
	server := &netConn{network: n, number: 2*n.dialed + 1, in: up, out: down, local: hostAddr(l.addr), remote: from}
	n.dialed++
	n.ends[client], n.ends[server] = struct{}{}, struct{}{}
	n.mu.Unlock()

	var err error
	select {
	case l.incoming <- server:
		select {
		case <-l.closed:
			l.refuseAll() // it may have looked before this one came
		default:
		}
		return client, nil
	case <-l.closed:
		err = syscall.ECONNREFUSED
	case <-ctx.Done():
		err = ctx.Err()
	}
	_, _ = client.Close(), server.Close()
	return nil, err
}

// Close closes the network: its listeners, and both ends of every connection. Its faults end. It returns nil.
func (n *Network) Close() error {
	n.injector.Stop()
	n.mu.Lock()
	if !n.isClosed() {
		close(n.closed)
	}
	var open []io.Closer
	for _, l := range n.listeners {
		open = append(open, l)
	}
	ends := make([]*netConn, 0, len(n.ends))
	for c := range n.ends {
		ends = append(ends, c)
	}
	n.mu.Unlock()
	slices.SortFunc(ends, func(a, b *netConn) int { return cmp.Compare(a.number, b.number) })
	for _, c := range ends {
		open = append(open, c)
	}
	for _, c := range open {
		_ = c.Close() // it may be closed already
	}
	return nil
}

func (n *Network) isClosed() bool {
	select {
	case <-n.closed:
		return true
	default:
		return false
	}
}

// hostAddr is the address of a listener.
type hostAddr string

func (hostAddr) Network() string  { return "tcp" }
func (a hostAddr) String() string { return string(a) }
