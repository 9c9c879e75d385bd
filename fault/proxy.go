package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// ProxyConfig sets a [Proxy].
type ProxyConfig struct {
	// Listen is the address on which the proxy takes connections. Default "127.0.0.1:0", a free port of this machine.
	Listen string `json:"listen" yaml:"listen"`
	// Upstream is the address to which it forwards them, such as "127.0.0.1:5432". It must be given.
	Upstream string `json:"upstream" yaml:"upstream"`
	// DialTimeout is how long the proxy tries to reach Upstream. Default 10 s; 1 ms to 1h. The connection of the client is
	// open meanwhile, and is reset after it.
	DialTimeout time.Duration `json:"dial_timeout" yaml:"dial_timeout"`

	// Listener is what the proxy listens on in the place of Listen, and closes. nil is a listener of TCP on Listen.
	Listener net.Listener `json:"-" yaml:"-"`
	// Dial reaches Upstream. nil is that of a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error) `json:"-" yaml:"-"`
}

const (
	defaultListen      = "127.0.0.1:0"
	defaultDialTimeout = 10 * time.Second
)

// Validate returns an error that names what is out of its range.
func (c ProxyConfig) Validate() error {
	if c.Upstream == "" {
		return errors.New(`fault: ProxyConfig.Upstream is "", want an address such as "127.0.0.1:5432"`)
	}
	if c.DialTimeout != 0 && !within(c.DialTimeout, time.Millisecond, longest) {
		return fmt.Errorf("fault: ProxyConfig.DialTimeout is %v, want 1ms to 1h", c.DialTimeout)
	}
	return nil
}

// Equal reports whether two configurations have equal addresses and times; listener and function are left aside.
func (c ProxyConfig) Equal(other ProxyConfig) bool {
	return c.Listen == other.Listen && c.Upstream == other.Upstream && c.DialTimeout == other.DialTimeout
}

func (c ProxyConfig) withDefaults() ProxyConfig {
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = defaultDialTimeout
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	return c
}

// Proxy forwards connections of TCP to an upstream through a point, for programs that cannot be changed, or are not in
// Go. It knows nothing of what is spoken over them. It feels the kinds for connections, on those that are open as well as
// on new ones; what the client sends goes upstream, and what the server sends downstream.
//
// The end of one direction is forwarded alone, and a reset as a reset. While [Down] acts the proxy does not listen, so
// clients are refused with ECONNREFUSED; they are refused by the kernel and not counted: the fault counts a hit for the
// proxy, and one for each connection that it resets. At the end of the fault the proxy listens at the same address. On
// Unix it is kept meanwhile; on other systems another program may take it, and the proxy tries until it has it again.
// With a toxicity below 1, or a Listener in its configuration, a proxy goes on listening, and resets what it accepts.
// [Blackhole] accepts connections, and reaches for the upstream when that ends.
//
// A Proxy must be closed. It is safe for concurrent use.
type Proxy struct {
	cfg     ProxyConfig
	point   *Point
	door    *door
	leave   context.CancelFunc
	running sync.WaitGroup // the goroutine that accepts, and one for each link

	mu     sync.Mutex // guards the fields below
	closed bool
	links  map[*link]struct{}
	stats  ProxyStats
}

// ProxyStats is what a proxy has done so far.
type ProxyStats struct {
	Open     int    // connections of clients that are open now
	Accepted uint64 // connections of clients in all
	Failed   uint64 // connections for which the upstream was not reached
}

// NewProxy listens, and forwards until Close. A nil point is one that feels nothing. The error is that of
// [ProxyConfig.Validate], or of the listener.
func NewProxy(point *Point, cfg ProxyConfig) (*Proxy, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if point == nil {
		point = newPoint("")
	}
	ctx, leave := context.WithCancel(context.Background())
	l, given := cfg.Listener, cfg.Listener != nil
	if !given {
		var err error
		if l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen); err != nil {
			leave()
			return nil, fmt.Errorf("fault: proxy to %s: %w", cfg.Upstream, err)
		}
	}
	p := &Proxy{cfg: cfg, point: point, door: newDoor(point, l, given), leave: leave, links: map[*link]struct{}{}}
	p.running.Go(func() { p.accept(ctx) })
	return p, nil
}

// Addr returns the address of the listener, for clients to dial. It stays the same.
func (p *Proxy) Addr() net.Addr { return p.door.address }

// Config returns the configuration with its defaults.
func (p *Proxy) Config() ProxyConfig { return p.cfg }

// Stats returns what the proxy has done so far.
func (p *Proxy) Stats() ProxyStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Open = len(p.links)
	return s
}

// String returns such as: fault proxy 127.0.0.1:49152 to 127.0.0.1:5432.
func (p *Proxy) String() string {
	return fmt.Sprintf("%s proxy %v to %s", kind, p.Addr(), p.cfg.Upstream)
}

// Close stops listening, closes all connections, and waits until nothing of the proxy runs. What faults hold back is
// lost. The error is that of the listener. It may be called several times.
func (p *Proxy) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	open := slices.Collect(maps.Keys(p.links))
	p.mu.Unlock()
	p.leave()
	for _, l := range open {
		l.abort()
	}
	var err error
	if first {
		err = p.door.close()
	}
	p.running.Wait()
	return err
}

// The times for which a proxy waits that could not accept, such as for a lack of descriptors.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

func (p *Proxy) accept(ctx context.Context) {
	pause := firstPause
	for {
		l, moved, stuck := p.door.way()
		if l != nil {
			if inner, err := l.Accept(); err == nil {
				pause = firstPause
				p.running.Go(func() { p.forward(ctx, inner) })
				continue
			}
		}
		timer := time.NewTimer(pause)
		if l != nil || stuck {
			pause = min(2*pause, lastPause)
		} else {
			timer.Stop() // it is shut for a fault
		}
		select {
		case <-timer.C:
			p.door.settle()
		case <-moved:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// enter takes a link in, and reports false if the proxy is closed.
func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) exit(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// forward carries one connection from its beginning to its end.
func (p *Proxy) forward(ctx context.Context, inner net.Conn) {
	p.mu.Lock()
	p.stats.Accepted++
	p.mu.Unlock()
	number := p.point.count.Add(1)
	l := &link{client: p.point.wrap(inner, Downstream, number)}
	if !p.enter(l) {
		l.abort()
		l.client.movers.Wait()
		return
	}
	defer p.exit(l)
	defer l.client.movers.Wait()
	if l.client.ended.Load() != nil {
		return // refused, and closed
	}
	server, err := p.reach(ctx, number)
	if err != nil {
		reset(inner)
		l.abort()
		return
	}
	if l.join(server) {
		l.run()
	}
}

// reach dials the upstream, for the connection of a number.
func (p *Proxy) reach(ctx context.Context, number uint64) (net.Conn, error) {
	if err := p.point.admit(ctx, number); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.DialTimeout)
	defer cancel()
	server, err := p.cfg.Dial(ctx, "tcp", p.cfg.Upstream)
	if err != nil {
		p.mu.Lock()
		p.stats.Failed++
		p.mu.Unlock()
	}
	return server, err
}
