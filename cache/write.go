package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Put makes a value the one of a key: write-through. Config.Store writes it to the source first, if there is one; then it
// goes to the second layer, into the memory, and to the other processes, whose copies expire. A load of the key that is
// under way is not kept.
//
// If Store fails, its error is returned and nothing changes. If its outcome is unknown, because it panics or calls
// runtime.Goexit, or by its error ([ErrUnknownOutcome]), the key is expired. So it is if two writes of a key overlap in
// this process, as nobody can say which of them the source has seen last. In different processes the last message wins.
//
// Second layer and backplane make no errors: what they do not take waits for them.
func (c *Cache[K, V]) Put(ctx context.Context, key K, value V, what ...About) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cfg := c.cfg.Load()
	var a about
	for _, say := range what {
		say(&a)
	}
	from := c.born()
	if cfg.Store == nil {
		c.putLocally(ctx, cfg, key, value, from, a, func() bool { return false })
		return nil
	}
	return c.writeThrough(ctx, cfg, key, value, from, a)
}

// write is the writes of one key that overlap.
type write struct {
	running int // guarded by the lock of flights
	clash   atomic.Bool
}

func (c *Cache[K, V]) writeThrough(ctx context.Context, cfg *Config[K, V], key K, value V, from born, a about) error {
	w := c.beginWrite(key)
	expire := true // also of a panic
	defer func() {
		c.endWrite(key, w)
		if expire {
			c.Expire(context.WithoutCancel(ctx), key)
		}
	}()
	if err := cfg.Store(ctx, key, value); err != nil {
		expire = isUnknown(ctx, err)
		return err
	}
	if !w.clash.Load() {
		c.putLocally(ctx, cfg, key, value, from, a, w.clash.Load)
	}
	expire = w.clash.Load()
	return nil
}

// isUnknown reports whether a write that ended with err may have happened.
func isUnknown(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, ErrUnknownOutcome) || errors.Is(err, context.Canceled) {
		return true
	}
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

func (c *Cache[K, V]) beginWrite(key K) *write {
	fs := &c.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	w, ok := fs.writes[key]
	if !ok {
		w = &write{}
		fs.writes[key] = w
	}
	if w.running++; w.running > 1 {
		w.clash.Store(true)
	}
	return w
}

func (c *Cache[K, V]) endWrite(key K, w *write) {
	fs := &c.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if w.running--; w.running == 0 {
		delete(fs.writes, key)
	}
}

// putLocally puts a value that the source has.
func (c *Cache[K, V]) putLocally(ctx context.Context, cfg *Config[K, V], key K, value V, from born, a about, revoked func() bool) {
	e := c.newEntry(cfg, key, c.hand(value), from, a)
	e.delta = 0 // how long a load takes is not known
	e.freshUntil(time.Duration(e.fresh.Load()), cfg.EarlyRefresh)
	if !cfg.shared() {
		c.revoke(key, false)
		c.keep(key, e, revoked)
		return
	}
	name := cfg.EncodeKey(key)
	ch := change{kind: putKey, name: name, wall: e.wall}
	c.markKey(putKey, name, e.wall)
	c.revoke(key, false) // after the mark: a load that begins now takes nothing older from the layer
	if c.second != nil {
		if data, ttl, err := c.pack(cfg, name, e); err == nil {
			ch.data, ch.ttl = data, ttl
		} // else what the layer has is removed
	}
	waits := c.changeSecond(ctx, cfg, ch, false) != nil
	c.keep(key, e, revoked)
	c.send(ctx, cfg, ch.kind, []change{ch}, []bool{waits})
}

// expireLocally ends the time to live of a key in this process. An entry that is newer than before stays; 0 is none.
func (c *Cache[K, V]) expireLocally(key K, before int64) {
	c.revoke(key, true)
	c.edit(key, before, func(e *entry[V]) bool {
		e.expire()
		return true
	})
}

// removeLocally removes a key from this process.
func (c *Cache[K, V]) removeLocally(key K, before int64) {
	c.revoke(key, true)
	c.edit(key, before, func(e *entry[V]) bool {
		e.end()
		return false
	})
}
