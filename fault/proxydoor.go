package fault

import (
	"context"
	"net"
	"sync"
)

// door is where a proxy listens. While [Down] hits all who come it is shut, so that the kernel refuses them as it does
// where nobody listens. It opens again at the same address, which nobody else gets meanwhile if the system lets it be
// kept.
type door struct {
	point   *Point
	address net.Addr
	given   bool // the listener is the caller's, and stays open

	mu       sync.Mutex    // guards the fields below. Held while it opens and shuts
	listener net.Listener  // nil while it is shut
	place    *place        // nil while it is open, and where none can be kept
	moved    chan struct{} // closed when it has been opened, or that has failed
	closed   bool
}

// newDoor takes a listener, and shuts it at once if that is what acts.
func newDoor(p *Point, l net.Listener, given bool) *door {
	d := &door{point: p, address: l.Addr(), given: given, listener: l, moved: make(chan struct{})}
	p.mu.Lock()
	p.doors[d] = struct{}{}
	p.mu.Unlock()
	d.settle()
	return d
}

// settle opens or shuts the door, by what acts at the point now. The caller holds no lock.
func (d *door) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.point.refusesAll()
	switch {
	case d.closed || d.given:
	case r != nil && d.listener != nil:
		_ = d.listener.Close()
		d.listener, d.place = nil, keep(d.address)
		r.hits.Add(1)
	case r == nil && d.listener == nil:
		d.openLocked()
		close(d.moved)
		d.moved = make(chan struct{})
	}
}

// openLocked leaves the door shut if it cannot be opened.
func (d *door) openLocked() {
	l, err := d.place.open()
	if err != nil {
		l, err = (&net.ListenConfig{}).Listen(context.Background(), d.address.Network(), d.address.String())
	}
	d.place = nil
	if err == nil {
		d.listener = l
	}
}

// way returns the listener, or nil while the door is shut, what tells when to ask again, and whether it could not be
// opened when it should have been.
func (d *door) way() (l net.Listener, moved <-chan struct{}, stuck bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.listener, d.moved, d.listener == nil && !d.closed && d.point.refusesAll() == nil
}

// close shuts the door for ever. The error is that of the listener.
func (d *door) close() error {
	d.point.mu.Lock()
	delete(d.point.doors, d)
	d.point.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.listener
	d.place.leave()
	d.listener, d.place, d.closed = nil, nil, true
	if l == nil {
		return nil
	}
	return l.Close()
}

// refusesAll returns a fault of Down that no connection gets past, or nil.
func (p *Point) refusesAll() *run {
	if e := p.effects.Load(); e != nil {
		for _, r := range e.wire {
			if r.fault.Kind == Down && r.threshold == thresholdOf(1) {
				return r
			}
		}
	}
	return nil
}
