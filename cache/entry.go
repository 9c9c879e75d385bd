package cache

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/mono"
	"github.com/seawall-go/seawall/internal/xfetch"
)

// entry is a copy of one value. Times are readings of mono.Now. What is not atomic does not change.
type entry[V any] struct {
	// sure is the time up to which a hit needs no thought: it is fresh, and no request would refresh it yet.
	sure atomic.Int64
	// seen is the latest mark that does not concern the entry.
	seen atomic.Uint64

	value  V
	weight uint32

	absent bool   // the source has no such key
	spare  bool   // it may be served past its time to live
	stamp  uint64 // marks with a higher number came after the load had begun
	wall   int64  // when the load began, by the wall clock: for other processes
	loaded time.Duration
	delta  time.Duration // how long the load took
	about  about

	fresh atomic.Int64 // until then
	dead  atomic.Int64 // from then on it is of no use to anybody
	quiet atomic.Int64 // no load before, because one has failed
}

// about is what a load or a Put says of its value.
type about struct {
	ttl       time.Duration // 0 for the configured one
	tags      []string
	validator string
}

// born is when a load began, in all that is compared with it.
type born struct {
	stamp uint64
	wall  int64
	at    time.Duration
}

func (c *Cache[K, V]) born() born {
	return born{stamp: c.marks.last.Load(), wall: time.Now().UnixNano(), at: mono.Now()}
}

// newEntry makes the entry of a value whose load began at from and has ended now.
func (c *Cache[K, V]) newEntry(cfg *Config[K, V], key K, value V, from born, a about) *entry[V] {
	now := mono.Now()
	ttl := a.ttl
	if ttl <= 0 {
		ttl = cfg.TTL
	}
	ttl = min(ttl, cfg.MaxTTL)
	if cfg.Jitter > 0 {
		ttl -= time.Duration(float64(ttl) * cfg.Jitter * dice.Float64())
	}
	a.tags = slices.Clone(a.tags)
	e := &entry[V]{
		value: value, stamp: from.stamp, wall: from.wall, loaded: now, delta: now - from.at,
		about: a, spare: cfg.MaxStale > 0,
	}
	e.dead.Store(int64(now + ttl + cfg.MaxStale))
	e.weight = c.weigh(cfg, key, value, a)
	e.quiet.Store(math.MinInt64) // any other number is an instant
	e.seen.Store(from.stamp)
	e.freshUntil(now+ttl, cfg.EarlyRefresh)
	return e
}

// newAbsent makes the entry of a key that the source does not have. It is never stale.
func (c *Cache[K, V]) newAbsent(cfg *Config[K, V], from born) *entry[V] {
	now := mono.Now()
	e := &entry[V]{absent: true, stamp: from.stamp, wall: from.wall, loaded: now}
	e.dead.Store(int64(now + cfg.NegativeTTL))
	e.weight = 1
	if cfg.MaxBytes > 0 { // there is no value that Config.Size could look at
		e.weight = share(cfg.MaxEntries, cfg.MaxBytes, overhead)
	}
	e.seen.Store(from.stamp)
	e.fresh.Store(e.dead.Load())
	e.sure.Store(math.MinInt64) // the fast path knows values only
	return e
}

// freshUntil sets the end of the time to live.
func (e *entry[V]) freshUntil(end time.Duration, beta float64) {
	e.fresh.Store(int64(end))
	sure := end
	if beta > 0 {
		sure -= xfetch.Reach(e.delta, beta)
	}
	e.sure.Store(int64(sure))
}

// expire ends the time to live. The next call loads, whatever has failed before.
func (e *entry[V]) expire() {
	e.sure.Store(math.MinInt64)
	e.fresh.Store(math.MinInt64) // not now: who has read the clock before would find it fresh
	e.quiet.Store(math.MinInt64)
	if !e.spare {
		e.dead.Store(math.MinInt64)
	}
}

// end makes the entry useless to whoever still holds it.
func (e *entry[V]) end() {
	e.sure.Store(math.MinInt64)
	e.fresh.Store(math.MinInt64)
	e.dead.Store(math.MinInt64)
}

// isFresh reports whether the time to live has not ended.
func (e *entry[V]) isFresh(now time.Duration) bool { return now < time.Duration(e.fresh.Load()) }

// copyAt returns the entry if it may stand in for a load that fails.
func (e *entry[V]) copyAt(now time.Duration) *entry[V] {
	if e == nil || e.absent || now >= time.Duration(e.dead.Load()) {
		return nil
	}
	return e
}

// resting reports whether a load has failed so recently that none is begun.
func (e *entry[V]) resting(now time.Duration) bool { return now < time.Duration(e.quiet.Load()) }

// isEarly reports whether a request refreshes a fresh entry before it expires.
func (e *entry[V]) isEarly(now time.Duration, beta float64) bool {
	if beta <= 0 || e.absent || e.resting(now) {
		return false
	}
	left := time.Duration(e.fresh.Load()) - now
	return left <= xfetch.Reach(e.delta, beta) && xfetch.Early(left, e.delta, beta, dice.Float64())
}

// present returns the entry of a key as the marks leave it: nil if there is none, or if it has been removed.
func (c *Cache[K, V]) present(key K, e *entry[V]) *entry[V] {
	if e == nil {
		return nil
	}
	if latest, seen := c.marks.last.Load(), e.seen.Load(); seen != latest {
		switch c.marks.judge(seen, e.about.tags) { // what it has seen has been done to it
		case kept:
			e.seen.Store(latest)
		case expired:
			e.expire()
			e.seen.Store(latest)
		case removed:
			e.end()
			c.forget(key, e)
			return nil
		}
	}
	return e
}
