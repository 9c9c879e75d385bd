package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/dice"
)

// peers are the other caches of the same name, behind the backplane.
type peers struct {
	backplane Backplane
	breaker   *breaker.Breaker
	channel   string
	self      uint64 // sender of our messages

	mu     sync.Mutex // guards the fields below
	stop   func()     // of the subscription; nil while there is none
	closed bool

	sent, received, echoes, lost, gaps, unreadable atomic.Int64
}

// errBackplaneLimit is the cause of the context of a message that takes too long.
var errBackplaneLimit = errors.New("cache: the backplane took too long")

// attach makes what stands between the cache and its layer and peers.
func (c *Cache[K, V]) attach(cfg *Config[K, V]) {
	c.recovery = &recovery{waiting: map[string]*pending{}, stop: make(chan struct{})}
	if cfg.L2.Layer != nil {
		b := cfg.L2.Breaker
		if b.Registry == nil {
			b.Registry = cfg.Registry
		}
		c.second = &second[K, V]{layer: cfg.L2.Layer, breaker: breaker.New(c.shared+".l2", b), prefix: c.shared + ":"}
		// Nobody tells us of marks without a backplane: others may invalidate at any time.
		if c.marks.trust = max(c.marks.skew, time.Millisecond); cfg.Peers.Backplane != nil {
			c.marks.trust = 0
		}
	}
	if cfg.Peers.Backplane != nil {
		b := cfg.Peers.Breaker
		if b.Registry == nil {
			b.Registry = cfg.Registry
		}
		c.peers = &peers{
			backplane: cfg.Peers.Backplane, breaker: breaker.New(c.shared+".backplane", b),
			channel: "seawall.cache." + c.shared, self: dice.Uint64(),
		}
	}
}

// subscribe listens to the others. It reports whether that works now. Only New calls it, and the goroutine that tries
// again.
func (c *Cache[K, V]) subscribe() bool {
	p := c.peers
	stop, err := p.backplane.Subscribe(p.channel, Subscriber{Receive: c.receive, Gap: c.gap})
	if err != nil {
		return false
	}
	p.mu.Lock()
	late := p.closed
	if !late {
		p.stop = stop
	}
	p.mu.Unlock()
	if late { // Close has not seen it
		stop()
	}
	return true
}

// listening reports whether there is a subscription.
func (p *peers) listening() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stop != nil
}

// disconnect stops listening, and tries a last time to send what waits.
func (c *Cache[K, V]) disconnect(ctx context.Context) {
	c.recovery.end()
	c.flush(ctx, c.cfg.Load(), ctx.Done())
	if c.peers == nil {
		return
	}
	c.peers.mu.Lock()
	stop := c.peers.stop
	c.peers.stop, c.peers.closed = nil, true
	c.peers.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// send tells the others of changes of one kind and time, and puts aside what was not taken: by the backplane, or by the
// layer before, as waits says.
func (c *Cache[K, V]) send(ctx context.Context, cfg *Config[K, V], k changeKind, changes []change, waits []bool) {
	var err error
	if c.peers != nil {
		names := make([]string, len(changes))
		for i := range changes {
			names[i] = changes[i].name
		}
		err = c.publish(ctx, cfg, message{kind: k, wall: changes[0].wall, names: names})
	}
	for i, ch := range changes {
		// A message that was sent before the layer had changed is sent again when it has.
		c.recovery.put(c, ch, waits[i], c.peers != nil && (err != nil || waits[i]))
	}
}

func (c *Cache[K, V]) publish(ctx context.Context, cfg *Config[K, V], m message) error {
	p := c.peers
	m.sender = p.self
	data := m.encode()
	ctx = context.WithoutCancel(ctx)
	err := guarded(ctx, p.breaker, cfg.Peers.Limit, errBackplaneLimit, func(ctx context.Context) error {
		return p.backplane.Publish(ctx, p.channel, data)
	})
	if err != nil {
		p.lost.Add(1)
		return err
	}
	p.sent.Add(1)
	return nil
}

// receive takes a message of another cache.
func (c *Cache[K, V]) receive(data []byte) {
	m, err := decodeMessage(data)
	if err != nil {
		c.peers.unreadable.Add(1)
		c.gap() // it said that something is not right any more, and we do not know what
		return
	}
	if m.sender == c.peers.self {
		c.peers.echoes.Add(1)
		return
	}
	c.peers.received.Add(1)
	cfg := c.cfg.Load()
	switch m.kind {
	case expireAll:
		c.marks.all(soft, m.wall)
	case removeAll:
		c.clearLocally(m.wall)
	case expireTag, removeTag:
		d := soft
		if m.kind == removeTag {
			d = hard
		}
		for _, tag := range m.names {
			c.marks.tag(tag, d, m.wall)
		}
	case expireKey, removeKey, putKey:
		for _, name := range m.names {
			c.receiveKey(cfg, m, name)
		}
	}
}

// receiveKey takes what a message says of one key. What we have loaded later than it was sent is newer.
func (c *Cache[K, V]) receiveKey(cfg *Config[K, V], m message, name string) {
	c.markKey(m.kind, name, m.wall)
	key, err := decodeKey(cfg.DecodeKey, name)
	if err != nil {
		c.peers.unreadable.Add(1)
		c.gap()
		return
	}
	before := m.wall + int64(c.marks.skew)
	if m.kind == removeKey {
		c.removeLocally(key, before)
		return
	}
	c.expireLocally(key, before)
}

// decodeKey makes an error of a function that panics: the backplane's goroutine is not ours.
func decodeKey[K comparable](decode func(string) (K, error), name string) (key K, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = asPanic(value)
		}
	}()
	return decode(name)
}

// gap expires all that may have been invalidated without our knowledge. What was loaded before now is not taken from the
// second layer either: it may have been written there after the invalidation that we have missed.
func (c *Cache[K, V]) gap() {
	c.peers.gaps.Add(1)
	c.marks.missed(time.Now().UnixNano())
}
