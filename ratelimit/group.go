package ratelimit

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
	"github.com/seawall-go/seawall/internal/mono"
)

var _ seawall.Member = (*Group[int])(nil)

// Group limits the rate of each key: a tenant, a user, an address. Every key has a bucket of its own, made when it is
// first used. Use [Group.Do]; where a call does not begin and end in one function, [Group.Acquire]; and [Group.For] as a
// member of a chain.
//
// A Group remembers at most MaxKeys buckets, and full does not mean unlimited. A key is forgotten only when its bucket is
// full and nobody waits for it: the bucket that is made when it comes again is the same then, so a flood of keys
// refills nobody's. If no key can be forgotten, the calls of new keys are rejected, and told when one can: the Group
// fails closed. As a bucket is full at the latest Burst/Rate after its last call, which by default is a tenth of a
// second, that takes more than MaxKeys keys in that time, or calls that wait. Keys whose mode was set by hand, by
// [KeyLimiter.SetMode], stay as well.
//
// A Group is made by [NewGroup]; its zero value is not usable. It is safe for concurrent use, and calls of different
// keys share no lock that they contend on. Beside what its [Limiter] costs, a call of a known key costs a lookup in
// a map and allocates nothing; a new key costs some 500 bytes.
type Group[K comparable] struct {
	name     string
	registry *seawall.Registry
	settings atomic.Pointer[groupSettings[K]] // written under mu
	refusals refusals
	waits    *seawall.Timing
	index    *index[K]
	shown    keyed.Places[K, *KeyLimiter[K]]

	strangers struct { // calls of keys that are not remembered, and are not let in to be
		allowed, limited, forced, shadowRejected atomic.Int64
	}

	mu        sync.Mutex // guards the fields below, and what the index holds; taken before the lock of a limiter
	keys      idleHeap[K]
	latest    time.Duration // reading of mono.Now when the latest newcomer came
	forgotten int64
	retired   counts // of the keys that were forgotten
}

// groupSettings is what is in force. The limiters of the keys share theirs.
type groupSettings[K comparable] struct {
	GroupConfig[K]
	member *settings
}

// NewGroup makes a group without keys and enters it into the registry, as one member. NewGroup panics if cfg is not valid.
func NewGroup[K comparable](name string, cfg GroupConfig[K]) *Group[K] {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	g := &Group[K]{name: name, registry: cfg.Registry, index: newIndex[K]()}
	g.settings.Store(newGroupSettings(cfg))
	seawall.Register(cfg.Registry, kind, &g.name, g)
	g.waits = seawall.NewTiming(cfg.Registry, seawall.QueueWait, kind, g.name)
	return g
}

func newGroupSettings[K comparable](cfg GroupConfig[K]) *groupSettings[K] {
	cfg = cfg.withDefaults()
	return &groupSettings[K]{cfg, &settings{cfg.Limiter}}
}

// Do runs op when the key has tokens for it. It returns op's error, or that of [Group.Acquire].
func (g *Group[K]) Do(ctx context.Context, key K, op func(context.Context) error) error {
	return seawall.Do(ctx, g.For(key), op)
}

// For returns what limits the calls of one key, as a member of a chain or to set the mode of that key. It may be held for any
// time, and does not keep the key from being forgotten: the next call then makes its bucket anew. For itself makes none.
func (g *Group[K]) For(key K) *KeyLimiter[K] {
	if k := g.index.find(key); k != nil {
		return k
	}
	return &KeyLimiter[K]{group: g, key: key}
}

// Len returns how many keys are remembered.
func (g *Group[K]) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.keys)
}

// All returns the keys that are remembered, in no particular order. It does not count as using them.
func (g *Group[K]) All() iter.Seq2[K, *KeyLimiter[K]] {
	return func(yield func(K, *KeyLimiter[K]) bool) {
		g.mu.Lock()
		all := slices.Clone(g.keys)
		g.mu.Unlock()
		for _, k := range all {
			if !yield(k.key, k) {
				return
			}
		}
	}
}

// Member returns the key of a name, such as tenants[acme], and nil if none that is remembered has it. It asks for the label
// of each, and is for pages that are given one.
func (g *Group[K]) Member(name string) seawall.Member {
	for _, k := range g.All() {
		if k.Name() == name {
			return k
		}
	}
	return nil
}

// Acquire asks for one call of a key, as [Limiter.Acquire] does. If there is no room for a new key it rejects the call
// with [seawall.ReasonLimited], and says when there may be.
func (g *Group[K]) Acquire(ctx context.Context, key K) (seawall.Permit, error) {
	return g.acquire(ctx, key, g.index.find(key))
}

// Tokens returns how many tokens the bucket of a key holds now: Burst for a key that is not remembered, and below 0 while
// a rehearsal has borrowed some. It is for telling a caller about its quota; by the time it is read it may be another.
func (g *Group[K]) Tokens(key K) float64 {
	e := g.index.find(key)
	if e == nil {
		return float64(g.settings.Load().Limiter.Burst)
	}
	e.limiter.mu.Lock()
	defer e.limiter.mu.Unlock()
	return e.limiter.tokens(mono.Now())
}

// acquire asks an entry, which may be none. It may also have been forgotten meanwhile: then it asks the one that is there
// now.
func (g *Group[K]) acquire(ctx context.Context, key K, e *KeyLimiter[K]) (permit seawall.Permit, err error) {
	if ctx.Err() != nil {
		return seawall.Permit{}, context.Cause(ctx)
	}
	for {
		if e == nil {
			if e, err = g.enter(ctx, key); e == nil {
				return seawall.Permit{}, err
			}
		}
		if permit, err = e.limiter.Acquire(ctx); err != errForgotten { //nolint:errorlint // it comes bare
			return
		}
		forgotten := e
		if e = g.index.find(key); e == forgotten { // about to be gone: who enters waits for that
			e = nil
		}
	}
}

// enter returns the entry of a key, and makes it if need be. It returns none, and perhaps the rejection, for a call that
// is not to go through a limiter.
func (g *Group[K]) enter(ctx context.Context, key K) (*KeyLimiter[K], error) {
	mode := g.settings.Load().Limiter.Mode
	switch mode {
	case seawall.Off:
		return nil, nil
	case seawall.ForcedOpen:
		return nil, g.turnAway(ctx, forced, untimed)
	case seawall.Enforce, seawall.Shadow, seawall.ForcedClosed:
	}
	e, when := g.remember(key)
	if e != nil {
		return e, nil
	}
	switch mode {
	case seawall.Enforce:
		return nil, g.turnAway(ctx, limited, when)
	case seawall.Shadow:
		g.strangers.shadowRejected.Add(1)
	case seawall.ForcedClosed, seawall.ForcedOpen, seawall.Off:
	}
	g.strangers.allowed.Add(1)
	return nil, nil
}

// turnAway rejects a call of a key for which there is no room.
func (g *Group[K]) turnAway(ctx context.Context, why refusal, when time.Duration) error {
	if why == forced {
		g.strangers.forced.Add(1)
	} else {
		g.strangers.limited.Add(1)
	}
	note(ctx, g, why.reason())
	return g.refusals.get(g.name, why, when)
}

// remember returns the entry of a key, or when there may be room for one.
func (g *Group[K]) remember(key K) (*KeyLimiter[K], time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rememberLocked(key)
}

func (g *Group[K]) rememberLocked(key K) (*KeyLimiter[K], time.Duration) {
	if e := g.index.find(key); e != nil {
		return e, 0
	}
	now := mono.Now()
	if key != key { // a NaN: no map would find it again
		return nil, untimed
	}
	if now < g.latest { // the clock has gone back, see bucket.rewind: nobody's time is known
		g.reviewLocked(now)
	}
	g.latest = now
	s := g.settings.Load()
	for len(g.keys) >= s.MaxKeys {
		if !g.forgetLocked(now) {
			return nil, max(g.keys[0].idleAt, now+minRest)
		}
	}
	e := &KeyLimiter[K]{group: g, key: key, limiter: newLimiter(g.name, s.member), idleAt: now}
	e.limiter.waits = g.waits
	g.index.add(e)
	g.keys.push(e)
	return e, 0
}

// reviewLocked has each entry looked at again before it is forgotten. A heap of equals is in order.
func (g *Group[K]) reviewLocked(now time.Duration) {
	for _, e := range g.keys {
		e.idleAt = now
	}
}

const (
	// looks bounds the work for a newcomer: so many entries are looked at. Each one that is found in use is not looked
	// at again before the time at which it could be idle.
	looks = 8
	// minRest is how long an entry is left alone at least that is found in use.
	minRest = time.Millisecond
)

// forgetLocked forgets an entry that nobody would miss, if it finds one. The first of the heap is the first that could be
// idle: if its time has not come, nobody's has.
func (g *Group[K]) forgetLocked(now time.Duration) bool {
	for range looks {
		e := g.keys[0]
		if e.idleAt > now {
			return false
		}
		if e.byHand() {
			e.idleAt = untimed
			g.keys.sink(0)
			continue
		}
		if e.idleAt = e.limiter.forget(now); e.idleAt <= now {
			g.index.drop(e)
			g.keys.pop()
			counts, _ := e.limiter.read() // the last ones: nobody comes to it any more
			g.retired.add(&counts)
			g.forgotten++
			return true
		}
		e.idleAt = max(e.idleAt, now+minRest)
		g.keys.sink(0)
	}
	return false
}

// Name returns the name under which the registry knows the group.
func (g *Group[K]) Name() string { return g.name }

// String returns such as: ratelimit "tenants".
func (g *Group[K]) String() string { return fmt.Sprintf("%s %q", kind, g.name) }
