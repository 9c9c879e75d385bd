package cache

import (
	"context"
	"errors"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/internal/mono"
)

// look answers a call that is no plain hit. e is what the store holds of the key, or nil.
func (c *Cache[K, V]) look(ctx context.Context, key K, load loadOne[K, V], e *entry[V]) (Result[V], error) {
	cfg := c.cfg.Load()
	if load == nil {
		load = cfg.Load
	}
	for {
		now, since := mono.Now(), c.marks.last.Load()
		e = c.present(key, e)
		if r, err, ok := c.held(ctx, e, now); ok {
			if err == nil && load != nil && e.isEarly(now, cfg.EarlyRefresh) {
				c.refresh(ctx, cfg, key, e, load)
			}
			return r, err
		}
		held := e.copyAt(now)
		if held != nil && held.resting(now) {
			return c.stale(ctx, held, now, RetryLater, nil), nil
		}
		if load == nil && c.second == nil {
			return c.without(ctx, cfg, key, held, now)
		}
		f, role, err := c.join(ctx, cfg, key, e, load)
		switch {
		case err != nil && held != nil && !errors.Is(err, ErrOwnKey):
			return c.stale(ctx, held, now, LoadFailed, err), nil
		case err != nil:
			c.failed(ctx)
			return Result[V]{}, err
		case role == retold: // another load has ended meanwhile
			e = c.quietly(key)
			continue
		case role == joined:
			c.counts.joined.Add(1)
		}
		return c.await(ctx, f, &asked[K, V]{cfg: cfg, key: key, load: load, held: held, mine: role == began, since: since, until: now + cfg.Hard})
	}
}

// asked is a call that waits for a flight.
type asked[K comparable, V any] struct {
	cfg   *Config[K, V]
	key   K
	load  loadOne[K, V]
	held  *entry[V] // a copy that may be served instead
	mine  bool      // the call has begun the flight
	since uint64    // the latest mark when it came
	until time.Duration
}

// quietly returns what the store holds, without a hit.
func (c *Cache[K, V]) quietly(key K) *entry[V] {
	if e, ok := c.store.GetEntryQuietly(key); ok {
		return e.Value
	}
	return nil
}

// held answers from a fresh entry, if there is one.
func (c *Cache[K, V]) held(ctx context.Context, e *entry[V], now time.Duration) (r Result[V], err error, ok bool) {
	switch {
	case e == nil || !e.isFresh(now):
		return r, nil, false
	case e.absent:
		c.negative(ctx)
		return r, ErrNotFound, true
	}
	c.hit(ctx)
	return c.fresh(e, now), nil, true
}

// without answers where there is nothing that loads.
func (c *Cache[K, V]) without(ctx context.Context, cfg *Config[K, V], key K, held *entry[V], now time.Duration) (Result[V], error) {
	if held != nil {
		return c.stale(ctx, held, now, NoLoad, nil), nil
	}
	return c.fail(ctx, cfg, key, NoLoad, ErrNoLoad)
}

// usable returns a copy if it may be served now: it may have been removed while the call has waited.
func (c *Cache[K, V]) usable(key K, held *entry[V], now time.Duration) *entry[V] {
	return c.present(key, held).copyAt(now)
}

// await waits for a flight, as long as the caller and the limits allow.
func (c *Cache[K, V]) await(ctx context.Context, f *flight[V], a *asked[K, V]) (Result[V], error) {
	if a.held != nil && a.cfg.Soft > 0 && f.began+a.cfg.Soft < a.until {
		r, err, ended := c.awaitUntil(ctx, f, a, f.began+a.cfg.Soft)
		if ended {
			return r, err
		}
		now := mono.Now()
		if held := c.usable(a.key, a.held, now); held != nil {
			c.counts.softTimeouts.Add(1)
			return c.stale(ctx, held, now, SoftTimeout, nil), nil
		}
		a.held = nil // it was removed meanwhile: then the load is what there is to wait for
	}
	r, err, ended := c.awaitUntil(ctx, f, a, a.until)
	if ended {
		return r, err
	}
	c.counts.hardTimeouts.Add(1)
	now := mono.Now()
	if held := c.usable(a.key, a.held, now); held != nil {
		return c.stale(ctx, held, now, HardTimeout, nil), nil
	}
	return c.fail(ctx, a.cfg, a.key, HardTimeout, &TimeoutError{Name: c.name, Limit: a.cfg.Hard})
}

// awaitUntil waits for a flight up to an instant, and reports whether the call has ended by then.
func (c *Cache[K, V]) awaitUntil(ctx context.Context, f *flight[V], a *asked[K, V], until time.Duration) (r Result[V], err error, ended bool) {
	select { // what is there need not be waited for
	case <-f.done:
		r, err = c.landed(ctx, f, a)
		return r, err, true
	default:
	}
	limit := until - mono.Now()
	if limit <= 0 {
		return r, nil, false
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-f.done:
		r, err = c.landed(ctx, f, a)
		return r, err, true
	case <-ctx.Done():
		r, err = c.leave(ctx, a)
		return r, err, true
	case <-timer.C:
		return r, nil, false
	}
}

// leave ends a call whose context is done. Whose deadline has passed gets the stale value, if there is one: a source that
// hangs makes no errors of copies. Who has canceled wants nothing.
func (c *Cache[K, V]) leave(ctx context.Context, a *asked[K, V]) (Result[V], error) {
	now := mono.Now()
	if held := c.usable(a.key, a.held, now); held != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return c.stale(ctx, held, now, OutOfTime, nil), nil
	}
	c.failed(ctx)
	return Result[V]{}, context.Cause(ctx)
}

// landed answers with what a flight has brought.
func (c *Cache[K, V]) landed(ctx context.Context, f *flight[V], a *asked[K, V]) (Result[V], error) {
	now := mono.Now()
	if f.err == nil && !a.mine && a.since > f.entry.stamp && c.marks.judge(f.entry.stamp, f.entry.about.tags) != kept {
		// The load had begun before something was invalidated that the call came after.
		return c.look(ctx, a.key, a.load, c.quietly(a.key))
	}
	if f.usedUp {
		hop.NoteUsedUp(ctx)
	}
	switch {
	case f.panicked != nil && a.mine:
		c.failed(ctx)
		panic(f.panicked)
	case f.err == nil:
		c.missed(ctx)
		state := Loaded
		if f.promoted {
			state = Fresh
		}
		return Result[V]{Value: c.hand(f.entry.value), State: state, Age: now - f.entry.loaded}, nil
	case errors.Is(f.err, ErrNotFound):
		c.negative(ctx)
		return Result[V]{}, f.err
	case isFinal(f.err):
		c.failed(ctx)
		return Result[V]{}, f.err
	}
	held := c.usable(a.key, a.held, now)
	if held == nil {
		held = c.usable(a.key, f.base, now) // from the second layer
	}
	why := LoadFailed
	if errors.Is(f.err, ErrNoLoad) {
		why = NoLoad
	}
	if held != nil {
		return c.stale(ctx, held, now, why, f.err), nil
	}
	return c.fail(ctx, a.cfg, a.key, why, f.err)
}

func isFinal(err error) bool {
	_, final := errors.AsType[*finalError](err)
	return final
}

// fail ends a call that has no value, unless Config.Default has one.
func (c *Cache[K, V]) fail(ctx context.Context, cfg *Config[K, V], key K, why Why, err error) (Result[V], error) {
	if cfg.Default != nil {
		if value, derr := cfg.Default(ctx, key, err); derr == nil {
			c.counts.defaults.Add(1)
			c.degradedAt(mono.Now())
			c.note(ctx, func(f *seawall.Facts) { f.Replaced, f.Source, f.Cache = true, "static", seawall.CacheError }, err)
			return Result[V]{Value: c.hand(value), State: Default, Why: why, Cause: err}, nil
		}
	}
	c.failed(ctx)
	return Result[V]{}, err
}
