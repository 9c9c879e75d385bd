package fault

import (
	"context"
	"net"
	"syscall"
)

// Listener returns a listener whose connections go through the point, as servers' ends: what they write goes downstream.
// See [Point.Conn]. It resets the connections that [Down] refuses, and does not return them.
func (p *Point) Listener(inner net.Listener) net.Listener {
	if p == nil {
		return inner
	}
	return &listener{inner, p}
}

type listener struct {
	net.Listener

	point *Point
}

// Accept returns the next connection that is not refused.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := l.point.wrap(inner, Downstream, l.point.count.Add(1))
		if r := c.ended.Load(); r == nil || r.fault.Kind != Down {
			return c.outside(), nil
		}
	}
}

// Dial returns a function that dials as dial does, and whose connections go through the point, as clients' ends: see
// [Point.Conn]. It fits the DialContext of an http.Transport. While [Down] hits a dial it fails at once, with a
// *net.OpError that matches [ErrInjected] and syscall.ECONNREFUSED. While [Blackhole] does, it waits until that ends, or
// fails with the cause of its context.
func (p *Point) Dial(
	dial func(ctx context.Context, network, address string) (net.Conn, error),
) func(ctx context.Context, network, address string) (net.Conn, error) {
	if p == nil {
		return dial
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		number := p.count.Add(1)
		if err := p.admit(ctx, number); err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Addr: dialed{network, address}, Err: err}
		}
		inner, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return p.wrap(inner, Upstream, number).outside(), nil
	}
}

// admit returns when a dial may go on, or the error with which it fails.
func (p *Point) admit(ctx context.Context, number uint64) error {
	for {
		r := p.stops(number)
		if r == nil {
			return nil
		}
		r.hits.Add(1)
		if r.fault.Kind == Down {
			return &wireError{r.injected, syscall.ECONNREFUSED, true}
		}
		select {
		case <-r.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// stops returns the fault that a dial does not get past.
func (p *Point) stops(number uint64) *run {
	if e := p.effects.Load(); e != nil {
		for _, r := range e.wire {
			if (r.fault.Kind == Down || r.fault.Kind == Blackhole) && !r.isOver() && r.meets(number) {
				return r
			}
		}
	}
	return nil
}

// dialed is an address that was dialed in vain.
type dialed struct{ network, address string }

func (d dialed) Network() string { return d.network }
func (d dialed) String() string  { return d.address }
