package cache

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// Expire ends the time to live of keys, here, in the second layer and in the other processes: the next call loads anew.
// The values remain for as long as Config.MaxStale allows, should that fail. A load under way is not kept.
//
// This process forgets at once. Second layer and backplane make no errors: what they do not take now waits for them. So
// it is with all verbs that invalidate. They wait for both, at the most for their limits, whatever ctx says.
func (c *Cache[K, V]) Expire(ctx context.Context, keys ...K) { c.invalidate(ctx, expireKey, keys) }

// Remove removes keys, here, in the second layer and in the other processes: their values are not served any more,
// whatever happens.
func (c *Cache[K, V]) Remove(ctx context.Context, keys ...K) { c.invalidate(ctx, removeKey, keys) }

// ExpireTags does what [Cache.Expire] does with all entries that have one of the tags ([Tags]). It costs the same however
// many that are.
func (c *Cache[K, V]) ExpireTags(ctx context.Context, tags ...string) {
	c.invalidateTags(ctx, expireTag, soft, tags)
}

// RemoveTags does what [Cache.Remove] does with all entries that have one of the tags. Their memory is free when somebody
// asks for them, or when they are evicted.
func (c *Cache[K, V]) RemoveTags(ctx context.Context, tags ...string) {
	c.invalidateTags(ctx, removeTag, hard, tags)
}

// ExpireAll does what [Cache.Expire] does with all entries.
func (c *Cache[K, V]) ExpireAll(ctx context.Context) {
	wall := time.Now().UnixNano()
	c.marks.all(soft, wall)
	c.counts.expired.Add(1)
	c.announce(ctx, expireAll, wall, "")
}

// Clear does what [Cache.Remove] does with all entries.
func (c *Cache[K, V]) Clear(ctx context.Context) {
	wall := time.Now().UnixNano()
	c.clearLocally(wall)
	c.counts.removed.Add(1)
	c.announce(ctx, removeAll, wall, "")
}

func (c *Cache[K, V]) clearLocally(wall int64) {
	c.marks.all(hard, wall)
	c.store.InvalidateAll() // the mark is what counts, this is for the memory
}

func (c *Cache[K, V]) invalidate(ctx context.Context, k changeKind, keys []K) {
	if len(keys) == 0 {
		return
	}
	cfg, wall := c.cfg.Load(), time.Now().UnixNano()
	names := make([]string, 0, len(keys))
	for _, key := range keys {
		if cfg.shared() {
			names = append(names, cfg.EncodeKey(key))
			c.markKey(k, names[len(names)-1], wall)
		}
		if k == removeKey {
			c.counts.removed.Add(1)
			c.removeLocally(key, 0)
		} else {
			c.counts.expired.Add(1)
			c.expireLocally(key, 0)
		}
	}
	c.announce(ctx, k, wall, names...)
}

// markKey remembers a key's invalidation for what the second layer may still say of it.
func (c *Cache[K, V]) markKey(k changeKind, name string, wall int64) {
	if c.second == nil {
		return
	}
	d := soft
	if k == removeKey {
		d = hard
	}
	c.marks.key(name, d, wall, k == putKey)
}

func (c *Cache[K, V]) invalidateTags(ctx context.Context, k changeKind, d depth, tags []string) {
	if len(tags) == 0 {
		return
	}
	wall := time.Now().UnixNano()
	for _, tag := range tags {
		c.marks.tag(tag, d, wall)
		if d == hard {
			c.counts.removed.Add(1)
		} else {
			c.counts.expired.Add(1)
		}
	}
	c.announce(ctx, k, wall, tags...)
}

// announce changes the second layer, and then tells the others.
func (c *Cache[K, V]) announce(ctx context.Context, k changeKind, wall int64, names ...string) {
	if c.second == nil && c.peers == nil || len(names) == 0 {
		return
	}
	cfg := c.cfg.Load()
	changes, waits := make([]change, len(names)), make([]bool, len(names))
	for i, name := range names {
		changes[i] = change{kind: k, name: name, wall: wall}
		waits[i] = c.changeSecond(ctx, cfg, changes[i], false) != nil
	}
	c.send(ctx, cfg, k, changes, waits)
}

// edit changes the entry of a key, if there is one and it is not newer than before, under the lock under which entries are
// kept. What stays says whether it stays in the store.
func (c *Cache[K, V]) edit(key K, before int64, stays func(*entry[V]) bool) {
	c.store.Compute(key, func(e *entry[V], found bool) (*entry[V], otter.ComputeOp) {
		if !found || before != 0 && e.wall > before || stays(e) {
			return nil, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
}
