package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/mono"
)

// Layer is a second layer behind the memory of the process, shared by several: a Redis, a file, a table. It stores bytes,
// and may lose them. It is used by many goroutines at once. Package cachetest holds what is expected of one as tests.
//
// Each call gets a context with a deadline, and must heed it.
type Layer interface {
	// Get returns what was set under a key, and false if there is nothing.
	Get(ctx context.Context, key string) (data []byte, found bool, err error)
	// Set stores data, which it must not keep or change, for ttl and no longer, which is more than 0.
	Set(ctx context.Context, key string, data []byte, ttl time.Duration) error
	// Delete removes a key. It is no error if there is none.
	Delete(ctx context.Context, key string) error
}

// second is the second layer as the cache uses it: with limits and a breaker, in the format of payloads.
type second[K comparable, V any] struct {
	layer   Layer
	breaker *breaker.Breaker
	prefix  string
	counts  layerCounts
}

type layerCounts struct {
	hits, misses, errors, skipped, corrupt, writes atomic.Int64
}

// errLayerLimit is the cause of the context of a call of the layer that takes too long.
var errLayerLimit = errors.New("cache: the second layer took too long")

func (s *second[K, V]) valueKey(key string) string { return s.prefix + "v:" + key }
func (s *second[K, V]) markKey(id string) string   { return s.prefix + "m:" + id }

// call makes one call of the layer, if its breaker is closed. It ends by the limit if the layer heeds its context, and
// turns a panic into an error.
func (s *second[K, V]) call(ctx context.Context, limit time.Duration, op func(context.Context) error) error {
	return guarded(ctx, s.breaker, limit, errLayerLimit, op)
}

// guarded runs op through a breaker and under a limit.
func guarded(ctx context.Context, b *breaker.Breaker, limit time.Duration, cause error, op func(context.Context) error) (err error) {
	permit, err := b.Acquire(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, cause)
	defer cancel()
	err = seawall.ErrAborted // if it calls runtime.Goexit
	defer func() {
		if value := recover(); value != nil {
			err = asPanic(value)
		}
		permit.Done(err)
	}()
	return op(ctx)
}

// count counts the failure of a call of the layer.
func (s *second[K, V]) count(err error) {
	switch {
	case err == nil:
	case errors.Is(err, breaker.ErrOpen):
		s.counts.skipped.Add(1)
	default:
		s.counts.errors.Add(1)
	}
}

func (s *second[K, V]) get(ctx context.Context, limit time.Duration, key string) (data []byte, found bool, err error) {
	err = s.call(ctx, limit, func(ctx context.Context) (err error) {
		data, found, err = s.layer.Get(ctx, key)
		return err
	})
	s.count(err)
	return data, found && err == nil, err
}

func (s *second[K, V]) set(ctx context.Context, limit time.Duration, key string, data []byte, ttl time.Duration) error {
	err := s.call(ctx, limit, func(ctx context.Context) error { return s.layer.Set(ctx, key, data, ttl) })
	s.count(err)
	if err == nil {
		s.counts.writes.Add(1)
	}
	return err
}

func (s *second[K, V]) delete(ctx context.Context, limit time.Duration, key string) error {
	err := s.call(ctx, limit, func(ctx context.Context) error { return s.layer.Delete(ctx, key) })
	s.count(err)
	return err
}

// fromSecond asks the second layer for a key. It returns an entry that is fresh, or leaves in the flight one that may
// stand in for the load.
func (c *Cache[K, V]) fromSecond(ctx context.Context, cfg *Config[K, V], key K, f *flight[V]) *entry[V] {
	s := c.second
	if s == nil {
		return nil
	}
	limit := cfg.L2.Hard
	if f.base.copyAt(mono.Now()) != nil {
		limit = cfg.L2.Soft
	}
	from := c.born()
	name := cfg.EncodeKey(key)
	data, found, err := s.get(ctx, limit, s.valueKey(name))
	if err != nil {
		return nil
	}
	if !found {
		s.counts.misses.Add(1)
		return nil
	}
	p, err := decodeGuarded(data, name, cfg.Codec)
	if err != nil {
		s.counts.corrupt.Add(1)
		return nil
	}
	e := c.promote(cfg, key, p, from)
	if !c.learn(ctx, cfg, limit, p.about.tags) {
		e.expire() // it may have been invalidated, and nobody can say
	}
	e.stamp = c.marks.last.Load() // the walls below are those of all marks up to here
	e.seen.Store(e.stamp)
	switch c.marks.judgeWall(p.wall, name, p.about.tags) {
	case removed:
		s.counts.misses.Add(1)
		return nil
	case expired:
		e.expire()
	case kept:
	}
	now := mono.Now()
	if e.isFresh(now) {
		s.counts.hits.Add(1)
		f.promoted = true
		return e
	}
	s.counts.misses.Add(1)
	if held := f.base.copyAt(now); e.copyAt(now) != nil && (held == nil || held.loaded < e.loaded) {
		f.base, f.lent = e, true
	}
	return nil
}

// promote makes an entry of what the layer had. It keeps what it has left of its life.
func (c *Cache[K, V]) promote(cfg *Config[K, V], key K, p payload[V], from born) *entry[V] {
	now, wall := mono.Now(), time.Now().UnixNano()
	age := time.Duration(max(wall-p.loaded, 0)) // a clock that is ahead makes no value of the future
	left := min(time.Duration(p.fresh-wall), time.Duration(p.fresh-p.loaded))
	e := c.newEntry(cfg, key, p.value, from, p.about)
	e.wall, e.loaded, e.delta = p.wall, now-age, p.delta
	e.dead.Store(int64(min(now+time.Duration(p.dead-wall), now+left+cfg.MaxStale)))
	e.freshUntil(min(time.Duration(e.fresh.Load()), now+left), cfg.EarlyRefresh)
	return e
}

// learn asks the layer for the marks of tags, and that of everything, as far as they are not known. It reports whether
// all are known now.
func (c *Cache[K, V]) learn(ctx context.Context, cfg *Config[K, V], limit time.Duration, tags []string) bool {
	tags, everything := c.marks.unknown(tags)
	if everything && !c.learnOne(ctx, limit, "", "a") {
		return false
	}
	for _, tag := range tags {
		if !c.learnOne(ctx, limit, tag, tagID(tag)) {
			return false
		}
	}
	return true
}

func (c *Cache[K, V]) learnOne(ctx context.Context, limit time.Duration, tag, id string) bool {
	data, found, err := c.second.get(ctx, limit, c.second.markKey(id))
	if err != nil {
		return false
	}
	var softWall, hardWall int64
	if found {
		if softWall, hardWall, err = decodeMark(data); err != nil {
			c.second.counts.corrupt.Add(1)
			softWall = time.Now().UnixNano() // it says something that we cannot read
		}
	}
	c.marks.learn(tag, softWall, hardWall)
	return true
}

// toSecond writes what a load has brought. If its key is invalidated meanwhile, the write may be the later one, and is
// taken back.
func (c *Cache[K, V]) toSecond(ctx context.Context, cfg *Config[K, V], key K, f *flight[V]) {
	s := c.second
	gone := errors.Is(f.err, ErrNotFound) || isFinal(f.err)
	if s == nil || f.promoted || f.revoked.Load() || f.err != nil && !gone {
		return
	}
	ctx = context.WithoutCancel(ctx) // the load's time is over, this is the layer's
	name := cfg.EncodeKey(key)
	var err error
	if gone {
		err = s.delete(ctx, cfg.L2.Hard, s.valueKey(name))
	} else {
		err = c.write(ctx, cfg, name, f.entry)
	}
	if f.revoked.Load() {
		err = s.delete(ctx, cfg.L2.Hard, s.valueKey(name))
	}
	if err != nil && (gone || f.revoked.Load()) {
		c.recovery.put(c, change{kind: removeKey, name: name, wall: time.Now().UnixNano()}, true, false)
	}
}

// write sets an entry in the layer. What the layer had before is left there if that fails: it is older, and expires.
func (c *Cache[K, V]) write(ctx context.Context, cfg *Config[K, V], name string, e *entry[V]) error {
	data, ttl, err := c.pack(cfg, name, e)
	if err != nil {
		return err
	}
	return c.second.set(ctx, cfg.L2.Hard, c.second.valueKey(name), data, ttl)
}

// pack encodes an entry for the layer, and says how long it may live there.
func (c *Cache[K, V]) pack(cfg *Config[K, V], name string, e *entry[V]) ([]byte, time.Duration, error) {
	now, wall := mono.Now(), time.Now().UnixNano()
	age := now - e.loaded
	ttl := cfg.L2.TTL
	if e.about.ttl > 0 {
		ttl = min(e.about.ttl, cfg.MaxTTL)
	}
	p := payload[V]{
		value: e.value, about: e.about, wall: e.wall, delta: e.delta, loaded: wall - int64(age),
		fresh: wall + int64(ttl-age), dead: wall + int64(ttl-age+cfg.MaxStale),
	}
	data, err := encodeGuarded(p, name, cfg.Codec, cfg.L2.CompressOver)
	if err != nil {
		c.counts.encodeErrors.Add(1)
		return nil, 0, fmt.Errorf("cache: codec %s: %w", cfg.Codec.Name(), err)
	}
	return data, max(ttl-age+cfg.MaxStale, time.Millisecond), nil
}

// encodeGuarded and decodeGuarded make an error of a codec that panics: what it did not write or read is a miss.
func encodeGuarded[V any](p payload[V], key string, codec Codec[V], compressOver int) (data []byte, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = asPanic(value)
		}
	}()
	return encodePayload(p, key, codec, compressOver)
}

func decodeGuarded[V any](data []byte, key string, codec Codec[V]) (p payload[V], err error) {
	defer func() {
		if value := recover(); value != nil {
			err = asPanic(value)
		}
	}()
	return decodePayload(data, key, codec)
}
