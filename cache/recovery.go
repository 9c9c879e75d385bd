package cache

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// recovery is what could not be sent to the second layer or to the others: the last change of each key and tag, the layer
// before the message. While there is something, one goroutine tries again from time to time.
type recovery struct {
	mu      sync.Mutex // guards the fields below
	waiting map[string]*pending
	running bool
	ended   bool

	stop      chan struct{} // closed when the cache is
	folded    atomic.Int64  // changes that became one of everything
	recovered atomic.Int64
}

// pending is a change that waits.
type pending struct {
	change
	layer, message bool // who must still learn of it
}

// waiter is what the recovery needs of its cache.
type waiter interface {
	queueLimit() int
	startRecovery() bool
}

// id is that of the change which a newer one takes the place of.
func (ch change) id() string {
	switch {
	case ch.kind.ofKey():
		return keyID(ch.name)
	case ch.kind == expireTag:
		return "e" + tagID(ch.name)
	case ch.kind == removeTag:
		return "r" + tagID(ch.name)
	case ch.kind == removeAll:
		return "r"
	}
	return "e"
}

// put notes what came of a change: it waits, or it has been taken, and then an older one of the same waits no longer.
func (r *recovery) put(c waiter, ch change, layer, message bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := ch.id()
	old := r.waiting[id]
	if !layer && !message {
		if old != nil && old.wall <= ch.wall {
			delete(r.waiting, id)
		}
		return
	}
	if old != nil {
		if old.wall > ch.wall {
			return // the newer one wins
		}
		// What the older one took away, and nobody knows yet, this one must not bring back.
		if ch.kind == expireKey && old.layer && old.kind != expireKey {
			ch.kind = removeKey
		}
		layer, message = layer || old.layer, message || old.message
	}
	if old == nil && len(r.waiting) >= c.queueLimit() {
		ch, layer, message = r.foldLocked(ch, layer, message)
		id = ch.id()
	}
	r.waiting[id] = &pending{ch, layer, message}
	if !r.running && !r.ended {
		r.running = c.startRecovery()
	}
}

// foldLocked makes one change of everything that waits.
func (r *recovery) foldLocked(ch change, layer, message bool) (change, bool, bool) {
	all := change{kind: expireAll, wall: ch.wall}
	removes := func(k changeKind) bool { return k == removeKey || k == removeTag || k == removeAll }
	if removes(ch.kind) {
		all.kind = removeAll
	}
	for _, p := range r.waiting {
		if removes(p.kind) {
			all.kind = removeAll
		}
		all.wall = max(all.wall, p.wall)
		layer, message = layer || p.layer, message || p.message
	}
	r.folded.Add(int64(len(r.waiting)) + 1)
	clear(r.waiting)
	return all, layer, message
}

// due returns what waits, the oldest first.
func (r *recovery) due() []*pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*pending, 0, len(r.waiting))
	for _, p := range r.waiting {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pending) int { return cmp.Or(cmp.Compare(a.wall, b.wall), cmp.Compare(a.id(), b.id())) })
	return all
}

// sent takes a change out, unless a newer one has taken its place.
func (r *recovery) sent(p *pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[p.id()] == p {
		delete(r.waiting, p.id())
		r.recovered.Add(1)
	}
}

// owes returns who must still learn of a change. Close may send at the same time as the goroutine that tries again.
func (r *recovery) owes(p *pending) (layer, message bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.layer, p.message
}

// layerDone notes that the second layer has learned of a change.
func (r *recovery) layerDone(p *pending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.layer = false
}

func (r *recovery) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}

// rest reports whether nothing is left to do, and if so lets go of the goroutine.
func (r *recovery) rest(listening bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 && listening {
		r.running = false
		return true
	}
	return false
}

// end stops the goroutine.
func (r *recovery) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.ended = true
		close(r.stop)
	}
}

// begin starts the goroutine, if it does not run.
func (r *recovery) begin(c waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running && !r.ended {
		r.running = c.startRecovery()
	}
}

func (c *Cache[K, V]) queueLimit() int { return c.cfg.Load().Peers.Queue }

// startRecovery starts the goroutine that tries again, unless the cache is closed.
func (c *Cache[K, V]) startRecovery() bool {
	fs := &c.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.closed {
		return false
	}
	fs.running.Go(func() {
		c.tryAgain()
	})
	return true
}

// tryAgain sends what waits from time to time, until nothing is left.
func (c *Cache[K, V]) tryAgain() {
	for {
		timer := time.NewTimer(c.cfg.Load().Peers.RecoverEvery)
		select {
		case <-c.recovery.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		listening := c.peers == nil || c.peers.listening()
		if !listening && c.subscribe() {
			c.gap() // nobody knows what there was before
			listening = true
		}
		c.flush(context.Background(), c.cfg.Load(), c.recovery.stop)
		if c.recovery.rest(listening) {
			return
		}
	}
}

// flush sends what waits, as far as it is taken, and begins nothing more when done is closed.
func (c *Cache[K, V]) flush(ctx context.Context, cfg *Config[K, V], done <-chan struct{}) {
	for _, p := range c.recovery.due() {
		select {
		case <-done:
			return
		default:
		}
		layer, others := c.recovery.owes(p)
		if layer {
			if c.changeSecond(ctx, cfg, p.change, true) != nil {
				continue
			}
			c.recovery.layerDone(p)
		}
		if others && c.peers != nil {
			if c.publish(ctx, cfg, message{kind: p.kind, wall: p.wall, names: []string{p.name}}) != nil {
				continue
			}
		}
		c.recovery.sent(p)
	}
}
