package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/internal/mono"
)

// loadOne and loadMany are what loads.
type (
	loadOne[K comparable, V any]  = func(ctx context.Context, key K) (V, error)
	loadMany[K comparable, V any] = func(ctx context.Context, keys []K) (map[K]V, error)
)

// flight is one load of one key, for all who wait for it.
type flight[V any] struct {
	began   time.Duration
	stamp   atomic.Uint64 // marks up to this number are older than what it reads
	revoked atomic.Bool   // the key was invalidated or put: what comes is not kept
	done    chan struct{}

	// The rest is written before done is closed.
	entry    *entry[V]             // of a value; nil with an error
	wall     int64                 // when the load began, by the wall clock
	base     *entry[V]             // the copy of before, perhaps of the second layer
	same     bool                  // the source says that base is still right
	promoted bool                  // the second layer had the entry
	lent     bool                  // the second layer had the base
	err      error                 // of the load
	panicked *seawall.AttemptPanic // is err as well
	usedUp   bool                  // what it asks has repeated the load as often as may be
}

// flights are the loads under way, and the writes of Config.Store.
type flights[K comparable, V any] struct {
	mu      sync.Mutex // guards the fields below
	byKey   map[K]*flight[V]
	landing map[K][]*flight[V] // that are gone but for their write to the second layer
	writes  map[K]*write
	cancels map[*context.CancelCauseFunc]struct{} // of the contexts of all that runs
	closed  bool
	ended   bool           // the time of Close is over: what runs is canceled, and what was about to
	running sync.WaitGroup // it grows under mu, and not when closed
}

func (fs *flights[K, V]) init() {
	fs.byKey, fs.landing = map[K]*flight[V]{}, map[K][]*flight[V]{}
	fs.writes, fs.cancels = map[K]*write{}, map[*context.CancelCauseFunc]struct{}{}
}

// role is what a caller is to a flight.
type role uint8

const (
	began  role = iota
	joined      // somebody else began it
	retold      // there is none: the store has news
)

// join finds the flight of a key, or begins one. e is what the caller has seen in the store: if there is something else
// by now, a load has ended in between, and another one would be one too many.
func (c *Cache[K, V]) join(ctx context.Context, cfg *Config[K, V], key K, e *entry[V], load loadOne[K, V]) (*flight[V], role, error) {
	if loadingOf(ctx) != nil && loads(ctx, c, key) {
		return nil, began, ErrOwnKey
	}
	f, role, err := c.claim(key, e)
	if role == began && err == nil {
		c.launch(ctx, cfg, func(ctx context.Context) { c.fly(ctx, cfg, key, f, e, load) })
	}
	return f, role, err
}

// claim finds the flight of a key, or enters one that the caller launches or lands.
func (c *Cache[K, V]) claim(key K, e *entry[V]) (*flight[V], role, error) {
	fs := &c.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.byKey[key]; ok && c.marks.judge(f.stamp.Load(), nil) == kept {
		return f, joined, nil
	}
	if now := c.quietly(key); now != e && now != nil && now.isFresh(mono.Now()) {
		return nil, retold, nil
	}
	if fs.closed {
		return nil, began, ErrClosed
	}
	if old, ok := fs.byKey[key]; ok {
		old.revoked.Store(true) // it began before everything was invalidated, and may end after what begins now
	}
	f := &flight[V]{began: mono.Now(), done: make(chan struct{})}
	f.stamp.Store(c.marks.last.Load())
	fs.byKey[key] = f
	fs.running.Add(1)
	return f, began, nil
}

// launch runs what was claimed on a goroutine of the cache, with a context of its own.
func (c *Cache[K, V]) launch(ctx context.Context, cfg *Config[K, V], run func(context.Context)) {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	ctx, expire := context.WithTimeoutCause(ctx, cfg.LoadTimeout, errLoadTimeout)
	fs := &c.flights
	fs.mu.Lock()
	fs.cancels[&stop] = struct{}{}
	if fs.ended {
		stop(ErrClosed)
	}
	fs.mu.Unlock()
	go func() {
		defer fs.running.Done()
		defer func() {
			expire()
			stop(nil)
			fs.mu.Lock()
			delete(fs.cancels, &stop)
			fs.mu.Unlock()
		}()
		run(ctx)
	}()
}

// refresh begins a load for nobody in particular, if none is under way.
func (c *Cache[K, V]) refresh(ctx context.Context, cfg *Config[K, V], key K, e *entry[V], load loadOne[K, V]) {
	ctx, _ = seawall.WithRecord(ctx) // what it notes is not true of the call
	if _, role, err := c.join(ctx, cfg, key, e, load); role == began && err == nil {
		c.counts.early.Add(1)
	}
}

// fly loads one key, and lands the flight however that ends.
func (c *Cache[K, V]) fly(ctx context.Context, cfg *Config[K, V], key K, f *flight[V], base *entry[V], load loadOne[K, V]) {
	f.base, f.err = base, ErrExited
	defer func() {
		if value := recover(); value != nil {
			f.entry, f.panicked = nil, asPanic(value)
			f.err = f.panicked
		}
		c.land(ctx, cfg, key, f)
	}()
	f.entry, f.err = c.obtain(ctx, cfg, key, f, load)
}

func asPanic(value any) *seawall.AttemptPanic {
	if inner, ok := value.(*seawall.AttemptPanic); ok {
		return inner
	}
	return &seawall.AttemptPanic{Value: value, Stack: debug.Stack()}
}

// obtain asks the second layer, and then the source.
func (c *Cache[K, V]) obtain(ctx context.Context, cfg *Config[K, V], key K, f *flight[V], load loadOne[K, V]) (*entry[V], error) {
	if e := c.fromSecond(ctx, cfg, key, f); e != nil {
		return e, nil
	}
	if load == nil {
		return nil, ErrNoLoad
	}
	from := c.born()
	f.stamp.Store(from.stamp)
	f.wall = from.wall
	l := &loading{cache: c, key: key, outer: loadingOf(ctx)}
	if f.base != nil {
		l.known = f.base.about.validator
	}
	repeats := hop.Repeating{Context: context.WithValue(ctx, loadingKey{}, l)}
	defer func() { f.usedUp = repeats.UsedUp() }()
	value, err := load(&repeats, key)
	return c.made(cfg, key, f, from, value, err, l.of(key))
}

// made makes an entry of what a load has returned.
func (c *Cache[K, V]) made(cfg *Config[K, V], key K, f *flight[V], from born, value V, err error, a about) (*entry[V], error) {
	switch {
	case err == nil:
		return c.newEntry(cfg, key, c.hand(value), from, a), nil
	case !errors.Is(err, NotModified):
		return nil, err
	case f.base == nil || f.base.absent:
		return nil, fmt.Errorf("%w: %w", errNothingKnown, err)
	}
	old := f.base.about
	if a.validator == "" {
		a.validator = old.validator
	}
	if len(a.tags) == 0 {
		a.tags = old.tags
	}
	if a.ttl == 0 {
		a.ttl = old.ttl
	}
	f.same = true
	return c.newEntry(cfg, key, f.base.value, from, a), nil
}

// land ends a flight.
func (c *Cache[K, V]) land(ctx context.Context, cfg *Config[K, V], key K, f *flight[V]) {
	c.arrive(ctx, cfg, key, f)
	c.unload(ctx, cfg, key, f)
}

// arrive is the first half of landing: what a flight has brought is in the store before the flight is gone, and told to
// all who wait.
func (c *Cache[K, V]) arrive(ctx context.Context, cfg *Config[K, V], key K, f *flight[V]) {
	c.settle(cfg, key, f)
	fs := &c.flights
	fs.mu.Lock()
	if fs.byKey[key] == f {
		delete(fs.byKey, key)
	}
	if c.second != nil {
		fs.landing[key] = append(fs.landing[key], f)
	}
	fs.mu.Unlock()
	c.countLoad(f)
	close(f.done)
	c.tellFailure(ctx, cfg, f)
}

// unload is the second half: the second layer gets what a flight has brought. Nobody waits for that.
func (c *Cache[K, V]) unload(ctx context.Context, cfg *Config[K, V], key K, f *flight[V]) {
	if c.second == nil {
		return
	}
	defer c.landedFully(key, f)
	c.toSecond(ctx, cfg, key, f)
}

// landedFully ends the time in which an invalidation must reach what a flight writes to the second layer.
func (c *Cache[K, V]) landedFully(key K, f *flight[V]) {
	fs := &c.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	left := slices.DeleteFunc(fs.landing[key], func(other *flight[V]) bool { return other == f })
	if len(left) == 0 {
		delete(fs.landing, key)
		return
	}
	fs.landing[key] = left
}

// settle leaves in the store what a flight means for it.
func (c *Cache[K, V]) settle(cfg *Config[K, V], key K, f *flight[V]) {
	switch {
	case f.err == nil:
		c.keep(key, f.entry, f.revoked.Load)
	case errors.Is(f.err, ErrNotFound):
		if cfg.NegativeTTL == 0 {
			c.drop(key, f)
			return
		}
		absent := c.newAbsent(cfg, born{stamp: f.stamp.Load(), wall: f.wall})
		c.keep(key, absent, f.revoked.Load)
	case isFinal(f.err):
		c.drop(key, f)
	default:
		if f.base == nil || f.revoked.Load() || c.marks.judge(f.stamp.Load(), f.base.about.tags) != kept {
			return // something was invalidated meanwhile: that is worth a load
		}
		f.base.quiet.Store(int64(mono.Now() + cfg.RetryEvery)) // the next load moves, and never the end of its life
		if f.lent {
			c.keep(key, f.base, f.revoked.Load)
		}
	}
}

// drop removes the copy, unless something newer has come.
func (c *Cache[K, V]) drop(key K, f *flight[V]) {
	c.store.Compute(key, func(*entry[V], bool) (*entry[V], otter.ComputeOp) {
		if f.revoked.Load() {
			return nil, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
}

// revoke keeps what is under way for a key from being kept: the load, and if it is the key that changes and not only its
// copy, a write of Config.Store.
func (c *Cache[K, V]) revoke(key K, writes bool) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if f, ok := c.flights.byKey[key]; ok {
		f.revoked.Store(true)
		// Whoever asks from now on must not get what was loaded before.
		delete(c.flights.byKey, key)
	}
	for _, f := range c.flights.landing[key] {
		f.revoked.Store(true)
	}
	if w, ok := c.flights.writes[key]; ok && writes {
		w.clash.Store(true)
	}
}

// Close ends the cache: no load begins any more, those under way are waited for, and what could not be sent to others is
// tried once more. When ctx is done first, nothing more is sent, the contexts of the loads are canceled, and Close still
// waits until they have returned, and for one call of the layer or the backplane; its error is then the cause of ctx.
// Copies are served on, until they have expired. A second Close does the same again.
func (c *Cache[K, V]) Close(ctx context.Context) error {
	fs := &c.flights
	fs.mu.Lock()
	fs.closed = true
	fs.mu.Unlock()
	c.disconnect(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		fs.running.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	fs.mu.Lock()
	fs.ended = true
	for stop := range fs.cancels {
		(*stop)(ErrClosed)
	}
	fs.mu.Unlock()
	<-ended
	return context.Cause(ctx)
}
