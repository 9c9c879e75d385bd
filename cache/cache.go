package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

const kind = "cache"

// Cache keeps values of a slow or unreliable source in memory: bounded, fresh for a time, loaded once for all who ask,
// and stale rather than gone while the source is down. The package documentation tells how.
//
// Make it with [New]; it is safe for concurrent use. A fresh hit costs one lookup, one reading of the clock and one
// count; it takes no lock and allocates nothing. A cache of its own starts no goroutine but those of loads, and one that
// sends what could not be sent; [Cache.Close] waits for all of them.
type Cache[K comparable, V any] struct {
	store *otter.Cache[K, *entry[V]]
	clone func(V) V // nil if values are shared
	marks marks
	cfg   atomic.Pointer[Config[K, V]] // defaults filled in

	name     string
	shared   string // the name that other processes know
	second   *second[K, V]
	peers    *peers
	recovery *recovery

	updating sync.Mutex // serialises Update
	flights  flights[K, V]
	failures events.Throttle // of the log of failed loads
	ages     *seawall.Timing

	degraded     atomic.Int64 // reading of mono.Now of the last answer that was not the source's
	everDegraded atomic.Bool
	counts       counts
}

// New makes a cache. Its name is a constant of the program, for people, metrics and logs; caches that share a second layer
// or a backplane, in different processes, find each other by it. New panics if cfg is not valid; see [Config.Validate].
func New[K comparable, V any](name string, cfg Config[K, V]) *Cache[K, V] {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg = cfg.withDefaults()
	c := &Cache[K, V]{name: name, shared: name, clone: cfg.Clone}
	c.cfg.Store(&cfg)
	c.flights.init()
	c.marks.byID, c.marks.capacity, c.marks.keepFor, c.marks.skew = map[string]*mark{}, maxMarks, cfg.MarksFor, max(cfg.L2.Skew, 0)
	c.store = newStore[K, V](&cfg, &c.counts)
	c.attach(&cfg)
	seawall.Register(cfg.Registry, kind, &c.name, c)
	c.ages = seawall.NewTiming(cfg.Registry, seawall.StaleAge, kind, c.name)
	if c.peers != nil && !c.subscribe() {
		c.recovery.begin(c)
	}
	return c
}

// newStore makes the map that evicts. It knows nothing of time, so it starts no goroutine; what it has to tidy up it does
// on the caller's.
func newStore[K comparable, V any](cfg *Config[K, V], n *counts) *otter.Cache[K, *entry[V]] {
	o := &otter.Options[K, *entry[V]]{
		Executor: func(f func()) { f() },
		OnAtomicDeletion: func(e otter.DeletionEvent[K, *entry[V]]) {
			n.used.Add(-int64(e.Value.weight))
			if e.Cause == otter.CauseOverflow {
				n.evictions.Add(1)
			}
		},
	}
	if cfg.MaxBytes == 0 {
		o.MaximumSize = cfg.MaxEntries
	} else {
		o.MaximumWeight = uint64(cfg.MaxBytes)
		o.Weigher = func(_ K, e *entry[V]) uint32 { return e.weight } // it runs under a lock
	}
	return otter.Must(o)
}

// Get returns the value of a key: the copy, if that is fresh; else what load gives, and if that fails, or takes too long,
// a stale copy, if Config.MaxStale allows one. With a nil load it is Config.Load. Use [Cache.Lookup] to learn which it
// was; the [seawall.Record] of ctx says so as well, if the answer is not the source's.
//
// The load runs once for all who ask for the key meanwhile, on a goroutine of the cache. Its context has the values of the
// first caller's, none of its deadline and cancellation, and Config.LoadTimeout; calls within it are recorded with the
// first caller. Each caller leaves on his own context. What they leave behind goes on, and is kept. If the key is
// expired, removed or put while it is loaded, the callers get the value, and the cache does not keep it.
//
// The error is the load's; [ErrNotFound] if there is no such key; a [TimeoutError] after Config.Hard; the cause of ctx if
// that ends first; [ErrOwnKey], [ErrNoLoad] or [ErrClosed]. No error is ever kept, but ErrNotFound by
// Config.NegativeTTL. A panic of load is that of the caller who began it, as a [*seawall.AttemptPanic]; the others get it
// as an error. runtime.Goexit is an error for all.
func (c *Cache[K, V]) Get(ctx context.Context, key K, load func(ctx context.Context, key K) (V, error)) (V, error) {
	e, ok := c.store.GetIfPresent(key)
	// What it has seen comes before the time: who reads the time first may miss what another caller has done in between.
	if ok && e.seen.Load() == c.marks.last.Load() && int64(mono.Now()) < e.sure.Load() {
		c.hit(ctx)
		if c.clone == nil {
			return e.value, nil
		}
		return c.clone(e.value), nil
	}
	r, err := c.look(ctx, key, load, e)
	return r.Value, err
}

// Lookup is [Cache.Get] that also tells what the value is: fresh, just loaded, stale or a default, why, and how old.
func (c *Cache[K, V]) Lookup(ctx context.Context, key K, load func(ctx context.Context, key K) (V, error)) (Result[V], error) {
	e, ok := c.store.GetIfPresent(key)
	if now := mono.Now(); ok && e.seen.Load() == c.marks.last.Load() && int64(now) < e.sure.Load() { // as in Get
		c.hit(ctx)
		return c.fresh(e, now), nil
	}
	return c.look(ctx, key, load, e)
}

// Peek returns what the cache holds of a key, fresh or as old as Config.MaxStale allows, and false if that is nothing. It
// loads nothing, does not ask the second layer, and is no hit.
func (c *Cache[K, V]) Peek(key K) (Result[V], bool) {
	e, ok := c.store.GetEntryQuietly(key)
	if !ok {
		return Result[V]{}, false
	}
	now := mono.Now()
	held := c.present(key, e.Value).copyAt(now)
	switch {
	case held == nil:
		return Result[V]{}, false
	case held.isFresh(now):
		return c.fresh(held, now), true
	}
	return Result[V]{Value: c.hand(held.value), State: Stale, Age: max(now-held.loaded, 1), Why: AsFallback}, true
}

// fresh makes the answer of a copy within its time to live.
func (c *Cache[K, V]) fresh(e *entry[V], now time.Duration) Result[V] {
	return Result[V]{Value: c.hand(e.value), State: Fresh, Age: now - e.loaded}
}

// hand gives a value to a caller.
func (c *Cache[K, V]) hand(v V) V {
	if c.clone == nil {
		return v
	}
	return c.clone(v)
}

// keep puts an entry into the store, unless something has happened to its key since its load began.
func (c *Cache[K, V]) keep(key K, e *entry[V], revoked func() bool) {
	fits := e.weight > 0
	if !fits {
		c.counts.tooLarge.Add(1)
	}
	switch c.marks.judge(e.stamp, e.about.tags) {
	case removed:
		fits = false
	case expired:
		e.expire() // it may still stand in for a load that fails
	case kept:
	}
	c.store.Compute(key, func(*entry[V], bool) (*entry[V], otter.ComputeOp) {
		switch {
		case revoked(): // asked under the lock of the key, as an invalidation changes it
			return nil, otter.CancelOp
		case !fits: // what there was is older
			return nil, otter.InvalidateOp
		}
		c.counts.used.Add(int64(e.weight))
		return e, otter.WriteOp
	})
	// Who finds the evictor at work leaves its own write to it, for later. Too much of that, and the bounds were none.
	cfg := c.cfg.Load()
	bound := cfg.MaxBytes
	if bound == 0 {
		bound = int64(cfg.MaxEntries)
	}
	if c.counts.used.Load() > bound {
		c.store.CleanUp()
	}
}

// forget takes one entry out of the store, if it is still there.
func (c *Cache[K, V]) forget(key K, e *entry[V]) {
	c.store.Compute(key, func(held *entry[V], found bool) (*entry[V], otter.ComputeOp) {
		if found && held == e {
			return nil, otter.InvalidateOp
		}
		return nil, otter.CancelOp
	})
}

// Len returns how many entries there are, fresh and stale.
func (c *Cache[K, V]) Len() int { return c.store.EstimatedSize() }

// Bytes returns how large the entries are together, by Config.Size; 0 without Config.MaxBytes.
func (c *Cache[K, V]) Bytes() int64 {
	if c.cfg.Load().MaxBytes == 0 {
		return 0
	}
	return c.counts.used.Load()
}

// Name returns the name, as the registry has it.
func (c *Cache[K, V]) Name() string { return c.name }

// String returns such as: cache "products".
func (c *Cache[K, V]) String() string { return fmt.Sprintf("%s %q", kind, c.name) }
