package breaker

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/keyed"
	"github.com/seawall-go/seawall/internal/reconfig"
)

var _ seawall.Member = (*Group[int])(nil)

// Group is a family of breakers, one for each key: a host, a tenant, a shard. What one key suffers does not touch
// another. Make it with [NewGroup]. It is safe for concurrent use.
//
//	err := hosts.For(req.URL.Host).Do(ctx, send)
//
// A Group is bounded: over its limit it forgets the breakers that have not been used for the longest time, never one that
// must be kept, such as one that is open. A breaker that was forgotten while somebody held it goes on working; the next
// For of its key makes another one.
type Group[K comparable] struct {
	name    string
	cfg     atomic.Pointer[GroupConfig[K]] // with its defaults; written under mu
	members *keyed.Map[K, *member[K]]
	shown   keyed.Places[K, *Breaker]

	mu      sync.Mutex // guards the fields below, and member.gone; taken below the lock of members, above a member's own
	retired Totals     // of members that were forgotten
	untold  []*Breaker // forgotten ones, of which there may be something to tell
}

// member is one of a group's breakers.
type member[K comparable] struct {
	*Breaker
	made *GroupConfig[K]                // that it was made with
	cfg  atomic.Pointer[GroupConfig[K]] // that it goes by; nil until its first For
	gone bool                           // it is in the group's retired
}

// NewGroup makes a family without members, and enters it into the registry, as one member. Its name is a constant of the
// program. The name of a member is that of the group with the label of its key, such as hosts[example.com]. NewGroup
// panics if cfg is not valid; see [GroupConfig.Validate].
func NewGroup[K comparable](name string, cfg GroupConfig[K]) *Group[K] {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	g := &Group[K]{name: name}
	resolved := cfg.withDefaults()
	g.cfg.Store(&resolved)
	g.members = keyed.NewMap(resolved.MaxKeys, g.newMember, func(m *member[K]) bool { return m.Keep() })
	g.members.OnForget(g.forget)
	seawall.Register(cfg.Registry, kind, &g.name, g)
	return g
}

func (g *Group[K]) newMember(key K) *member[K] {
	cfg := g.cfg.Load()
	return &member[K]{Breaker: New(cfg.memberName(g.name, key), cfg.member()), made: cfg}
}

// member returns the configuration of a member, which enters no registry.
func (c *GroupConfig[K]) member() Config {
	cfg := c.Breaker
	cfg.Registry = c.Registry.Detached()
	return cfg
}

// forget keeps the counts of a member that is about to go. While somebody sums up, nobody goes: each member is either
// there or in retired. That its ramp is over may have been found just now; this is told when no lock is held, by the For
// of the new key that it makes room for.
func (g *Group[K]) forget(m *member[K]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retired = g.retired.plus(m.stats().Totals)
	m.gone = true
	g.untold = append(g.untold, m.Breaker)
}

// For returns the breaker of a key, and makes it if there is none. For a key that is there it costs one lookup in a
// sync.Map, and allocates nothing for keys that fit an interface without allocation.
func (g *Group[K]) For(key K) *Breaker {
	m := g.members.Get(key)
	if m.cfg.Load() != g.cfg.Load() { // it is new, or was so when that changed
		g.follow(m)
	}
	return m.Breaker
}

// follow gives a member the configuration in force, under the lock: of two that change it, the later one stays.
func (g *Group[K]) follow(m *member[K]) {
	g.mu.Lock()
	if cfg := g.cfg.Load(); m.cfg.Swap(cfg) != cfg && m.made != cfg {
		m.adopt(cfg.member())
	}
	untold := append(g.untold, m.Breaker)
	g.untold = nil
	g.mu.Unlock()
	for _, b := range untold {
		b.deliver()
	}
}

// Len returns how many breakers there are.
func (g *Group[K]) Len() int { return g.members.Len() }

// All returns the keys with their breakers, in no particular order. It does not count as using them.
func (g *Group[K]) All() iter.Seq2[K, *Breaker] {
	return func(yield func(K, *Breaker) bool) {
		for key, m := range g.members.All() {
			if !yield(key, m.Breaker) {
				return
			}
		}
	}
}

// Member returns the breaker of a name, such as hosts[example.com], and nil if there is none. It asks each member for its
// name, and is for pages that are given one.
func (g *Group[K]) Member(name string) seawall.Member {
	for _, b := range g.All() {
		if b.Name() == name {
			return b
		}
	}
	return nil
}

// Config returns the configuration in force, defaults filled in.
func (g *Group[K]) Config() GroupConfig[K] { return *g.cfg.Load() }

// Update changes the configuration while calls run: that of each member as [Breaker.Update] does, modes that were set by
// hand included, and that of members to come. It validates first. MaxKeys cannot change, and the labels of members that
// are there stay, as does the registry. A change is logged as seawall.config.updated.
func (g *Group[K]) Update(cfg GroupConfig[K]) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	next := cfg.withDefaults()
	g.mu.Lock()
	old := g.cfg.Load()
	if next.MaxKeys != old.MaxKeys {
		g.mu.Unlock()
		return fmt.Errorf("breaker: GroupConfig.MaxKeys is %d, want %d: it cannot change", next.MaxKeys, old.MaxKeys)
	}
	next.Registry = old.Registry
	g.cfg.Store(&next)
	g.mu.Unlock()

	for _, m := range g.members.All() {
		g.follow(m)
	}
	fields := old.Breaker.changes(next.Breaker)
	if old.Breaker.Mode != next.Breaker.Mode {
		fields = append(fields, "mode")
	}
	if len(fields) > 0 {
		next.Registry.Log(context.Background(), slog.LevelInfo, "seawall.config.updated", slog.String("kind", kind),
			slog.String("name", g.name), slog.String("fields", "breaker."+strings.Join(fields, " breaker.")))
	}
	return nil
}

// SetMode changes only the mode: that of each member, one that was set by hand included, and that of members to come. It is
// logged as seawall.gate.mode_changed, once. The error says that m is none of the modes.
func (g *Group[K]) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("breaker: no such mode: %v", m)
	}
	g.mu.Lock()
	old := g.cfg.Load()
	next := *old
	next.Breaker.Mode = m
	g.cfg.Store(&next)
	g.mu.Unlock()

	for _, member := range g.members.All() {
		g.follow(member)
	}
	reconfig.ModeChanged(next.Registry, kind, g.name, old.Breaker.Mode, m)
	return nil
}

// Name returns the name under which the registry knows the group.
func (g *Group[K]) Name() string { return g.name }

// String returns such as: breaker "hosts".
func (g *Group[K]) String() string { return fmt.Sprintf("%s %q", kind, g.name) }
