package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/internal/mono"
)

// GetMany returns the values of many keys, each as [Cache.Get] would, with one load for all that must be loaded: load gets
// those keys, and returns what the source has. A key that it leaves out does not exist there. With a nil load it is
// Config.LoadMany.
//
// The values that there are are returned in any case. The error says how many keys have failed, and is that of the first
// of them; keys that do not exist are no failures. The second layer is asked for one key after the other. Hits refresh
// nothing early.
func (c *Cache[K, V]) GetMany(ctx context.Context, keys []K, load func(ctx context.Context, keys []K) (map[K]V, error)) (map[K]V, error) {
	cfg := c.cfg.Load()
	if load == nil {
		load = cfg.LoadMany
	}
	values := make(map[K]V, len(keys))
	m := many[K, V]{asked: map[K]struct{}{}}
	launched := false
	defer func() {
		if launched {
			return
		}
		for _, o := range m.own { // a function of the user has panicked: whoever waits must not wait for ever
			o.f.err = seawall.ErrAborted
			c.land(context.WithoutCancel(ctx), cfg, o.key, o.f)
			c.flights.running.Done()
		}
	}()
	for _, key := range keys {
		if _, again := m.asked[key]; again {
			continue
		}
		m.asked[key] = struct{}{}
		if value, ok := c.begin(ctx, cfg, key, load, &m); ok {
			values[key] = value
		}
	}
	launched = true
	if len(m.own) > 0 {
		c.launch(ctx, cfg, func(ctx context.Context) {
			defer c.flights.running.Add(1 - len(m.own)) // each of them was counted
			c.flyMany(ctx, cfg, m.own, load)
		})
	}
	for i := range m.waits {
		w := &m.waits[i]
		r, err := c.await(ctx, w.f, &w.asked)
		if err == nil {
			values[w.key] = r.Value
		}
		m.failed(err)
	}
	if m.failures > 0 {
		return values, fmt.Errorf("cache %q: %d of %d keys failed: %w", c.name, m.failures, len(m.asked), m.first)
	}
	return values, nil
}

// many is a call for many keys.
type many[K comparable, V any] struct {
	asked    map[K]struct{}
	own      []ownFlight[K, V] // that the call has begun
	waits    []waitedFlight[K, V]
	failures int
	first    error
}

type ownFlight[K comparable, V any] struct {
	key K
	f   *flight[V]
}

type waitedFlight[K comparable, V any] struct {
	asked[K, V]
	f *flight[V]
}

func (m *many[K, V]) failed(err error) {
	if err == nil || errors.Is(err, ErrNotFound) {
		return
	}
	if m.failures++; m.first == nil {
		m.first = err
	}
}

// begin answers for one key, or finds or claims the flight that will.
func (c *Cache[K, V]) begin(ctx context.Context, cfg *Config[K, V], key K, load loadMany[K, V], m *many[K, V]) (value V, ok bool) {
	e, _ := c.store.GetIfPresent(key)
	for {
		now, since := mono.Now(), c.marks.last.Load()
		e = c.present(key, e)
		if r, err, ok := c.held(ctx, e, now); ok {
			return r.Value, err == nil
		}
		held := e.copyAt(now)
		if held != nil && held.resting(now) {
			return c.stale(ctx, held, now, RetryLater, nil).Value, true
		}
		if load == nil && c.second == nil {
			r, err := c.without(ctx, cfg, key, held, now)
			m.failed(err)
			return r.Value, err == nil
		}
		f, role, err := c.claimFor(ctx, key, e)
		switch {
		case err != nil && held != nil && !errors.Is(err, ErrOwnKey):
			return c.stale(ctx, held, now, LoadFailed, err).Value, true
		case err != nil:
			c.failed(ctx)
			m.failed(err)
			return value, false
		case role == retold:
			e = c.quietly(key)
			continue
		case role == joined:
			c.counts.joined.Add(1)
		case role == began:
			f.base, f.err = e, errNoSuchLoad
			m.own = append(m.own, ownFlight[K, V]{key, f})
		}
		m.waits = append(m.waits, waitedFlight[K, V]{asked[K, V]{
			cfg: cfg, key: key, load: one(load), held: held, mine: role == began, since: since, until: now + cfg.Hard,
		}, f})
		return value, false
	}
}

// claimFor is claim for a caller that may be a load.
func (c *Cache[K, V]) claimFor(ctx context.Context, key K, e *entry[V]) (*flight[V], role, error) {
	if loadingOf(ctx) != nil && loads(ctx, c, key) {
		return nil, began, ErrOwnKey
	}
	return c.claim(key, e)
}

// one makes a load of one key of a load of many.
func one[K comparable, V any](load loadMany[K, V]) loadOne[K, V] {
	if load == nil {
		return nil
	}
	return func(ctx context.Context, key K) (V, error) {
		values, err := load(ctx, []K{key})
		value, ok := values[key]
		if err == nil && !ok {
			err = ErrNotFound
		}
		return value, err
	}
}

// flyMany loads the keys of several flights, and lands each of them however that ends.
func (c *Cache[K, V]) flyMany(ctx context.Context, cfg *Config[K, V], own []ownFlight[K, V], load loadMany[K, V]) {
	ended := ErrExited
	defer func() {
		value := recover()
		for _, o := range own {
			switch {
			case o.f.entry != nil || !errors.Is(o.f.err, errNoSuchLoad):
			case value != nil:
				o.f.panicked = asPanic(value)
				o.f.err = o.f.panicked
			default:
				o.f.err = ended
			}
			c.arrive(ctx, cfg, o.key, o.f)
		}
		for _, o := range own {
			c.unload(ctx, cfg, o.key, o.f)
		}
	}()
	var missing []ownFlight[K, V]
	for _, o := range own {
		if e := c.fromSecond(ctx, cfg, o.key, o.f); e != nil {
			o.f.entry, o.f.err = e, nil
			continue
		}
		missing = append(missing, o)
	}
	if len(missing) == 0 {
		return
	}
	if load == nil {
		ended = ErrNoLoad
		return
	}
	c.loadMany(ctx, cfg, missing, load)
}

func (c *Cache[K, V]) loadMany(ctx context.Context, cfg *Config[K, V], missing []ownFlight[K, V], load loadMany[K, V]) {
	keys := make([]K, len(missing))
	for i, o := range missing {
		keys[i] = o.key
	}
	from := c.born()
	for _, o := range missing {
		o.f.stamp.Store(from.stamp)
		o.f.wall = from.wall
	}
	l := &loading{
		cache: c, outer: loadingOf(ctx), each: map[any]*about{},
		many: func(key any) bool { k, ok := key.(K); return ok && slices.Contains(keys, k) },
	}
	repeats := hop.Repeating{Context: context.WithValue(ctx, loadingKey{}, l)}
	defer func() {
		for _, o := range missing {
			o.f.usedUp = repeats.UsedUp()
		}
	}()
	values, err := load(&repeats, slices.Clone(keys))
	for _, o := range missing {
		value, ok := values[o.key]
		oneErr := err
		if err == nil && !ok {
			oneErr = ErrNotFound
		}
		o.f.entry, o.f.err = c.made(cfg, o.key, o.f, from, value, oneErr, l.of(o.key))
	}
}

// warmBatch is how many keys Warm loads at a time.
const warmBatch = 100

// Warm loads the keys that are not fresh, a hundred at a time and one batch after the other, so that a start does not hit
// the source as a wave: before a process says that it is ready. With a nil load it is Config.LoadMany, or Config.Load for
// one key at a time. It goes on after a failure. The error is the cause of ctx if that ends first, or says how many keys
// have failed.
func (c *Cache[K, V]) Warm(ctx context.Context, keys []K, load func(ctx context.Context, keys []K) (map[K]V, error)) error {
	cfg, size := c.cfg.Load(), warmBatch
	if load == nil && cfg.LoadMany == nil && cfg.Load != nil {
		size = 1
		load = func(ctx context.Context, keys []K) (map[K]V, error) {
			value, err := cfg.Load(ctx, keys[0])
			if errors.Is(err, ErrNotFound) {
				return nil, nil
			}
			return map[K]V{keys[0]: value}, err
		}
	}
	batches, first, failures := 0, error(nil), 0
	for batch := range slices.Chunk(keys, size) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		batches++
		if _, err := c.GetMany(ctx, batch, load); err != nil {
			if failures++; first == nil {
				first = err
			}
		}
	}
	if failures > 0 {
		return fmt.Errorf("cache %q: %d of %d batches failed: %w", c.name, failures, batches, first)
	}
	return nil
}
