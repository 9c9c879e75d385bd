package bulkhead

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

// Group is a family of bulkheads, one for each key: a host, a tenant, a shard. What one key takes leaves the slots of
// another alone. Make it with [NewGroup]. It is safe for concurrent use.
//
//	err := tenants.For(tenant).Do(ctx, query)
//
// A Group is bounded: over its limit it forgets the bulkheads that have not been used for the longest time, never one
// that must be kept, such as one with slots in use. So do not hold what For returns: who holds a bulkhead that was
// forgotten while it was idle, and uses it, has slots beside those of the one that the next For makes.
type Group[K comparable] struct {
	name    string
	cfg     atomic.Pointer[GroupConfig[K]] // with its defaults; written under mu
	members *keyed.Map[K, *member[K]]
	shown   keyed.Places[K, *Bulkhead]

	mu      sync.Mutex // guards retired, and what is retired of each member; taken below the lock of members
	retired Stats      // the counts of members that may have been forgotten
}

// member is one of a group's bulkheads.
type member[K comparable] struct {
	*Bulkhead
	mu      sync.Mutex                     // held while the configuration changes; taken before the bulkhead's own
	cfg     atomic.Pointer[GroupConfig[K]] // that it goes by; written under mu
	retired Stats                          // what the group's retired holds of it
}

// NewGroup makes a family without members, and enters it into the registry, as one member. Its name is a constant of
// the program. The name of a member is that of the group with the label of its key, such as tenants[acme]. NewGroup
// panics if cfg is not valid; see [GroupConfig.Validate].
func NewGroup[K comparable](name string, cfg GroupConfig[K]) *Group[K] {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	g := &Group[K]{name: name}
	resolved := cfg.withDefaults()
	g.cfg.Store(&resolved)
	g.members = keyed.NewMap(resolved.MaxKeys, g.newMember, g.keep)
	seawall.Register(cfg.Registry, kind, &g.name, g)
	return g
}

func (g *Group[K]) newMember(key K) *member[K] {
	cfg := g.cfg.Load()
	m := &member[K]{Bulkhead: New(cfg.memberName(g.name, key), cfg.member())}
	m.cfg.Store(cfg)
	return m
}

// keep is asked before a member is forgotten. Whether it will be is not known here, so the member is written off with
// what it has counted, and counts from there if it lives on.
func (g *Group[K]) keep(m *member[K]) bool {
	if m.Keep() {
		return true
	}
	counted := m.Stats()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retired.count(counted, m.retired)
	m.retired = counted
	return false
}

// For returns the bulkhead of a key, and makes it if there is none. For a key that is there it costs one lookup in a
// sync.Map, and allocates nothing for keys that fit an interface without allocation.
func (g *Group[K]) For(key K) *Bulkhead {
	m := g.members.Get(key)
	if m.cfg.Load() != g.cfg.Load() { // it was made while the configuration changed
		m.follow(g)
	}
	return m.Bulkhead
}

// follow puts the group's configuration in force. It is read under the lock: of two that meet, the later one must not be
// overtaken by the earlier.
func (m *member[K]) follow(g *Group[K]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cfg := g.cfg.Load(); m.cfg.Load() != cfg {
		m.adopt(cfg.member())
		m.cfg.Store(cfg)
	}
}

// Len returns how many bulkheads there are.
func (g *Group[K]) Len() int { return g.members.Len() }

// All returns the keys with their bulkheads, in no particular order. It does not count as using them.
func (g *Group[K]) All() iter.Seq2[K, *Bulkhead] {
	return func(yield func(K, *Bulkhead) bool) {
		for key, m := range g.members.All() {
			if !yield(key, m.Bulkhead) {
				return
			}
		}
	}
}

// Member returns the bulkhead of a name, such as tenants[acme], and nil if there is none. It asks each member for its name,
// and is for pages that are given one.
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

// Update changes the configuration while calls run: that of each member as [Bulkhead.Update] does, modes that were set
// by hand included, and that of members to come. It validates first. MaxKeys cannot change, and Label, Weight and the
// registry are ignored. A change is logged as seawall.config.updated.
func (g *Group[K]) Update(cfg GroupConfig[K]) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	next := cfg.withDefaults()
	g.mu.Lock()
	old := g.cfg.Load()
	if next.MaxKeys != old.MaxKeys {
		g.mu.Unlock()
		return fmt.Errorf("bulkhead: GroupConfig.MaxKeys is %d, want %d: it cannot change", next.MaxKeys, old.MaxKeys)
	}
	next.Registry, next.Label, next.Bulkhead.Weight = old.Registry, old.Label, old.Bulkhead.Weight
	g.cfg.Store(&next)
	g.mu.Unlock()

	for _, m := range g.members.All() {
		m.follow(g)
	}
	if fields := old.Bulkhead.changes(next.Bulkhead); len(fields) > 0 {
		next.Registry.Log(context.Background(), slog.LevelInfo, "seawall.config.updated", slog.String("kind", kind),
			slog.String("name", g.name), slog.String("fields", "bulkhead."+strings.Join(fields, " bulkhead.")))
	}
	return nil
}

// SetMode switches how the bulkheads act, as [Bulkhead.SetMode] does: each member, one whose mode was set by hand included,
// and those to come. It is logged as seawall.gate.mode_changed, once. The error says that m is none of the modes.
func (g *Group[K]) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("bulkhead: no such mode: %v", m)
	}
	g.mu.Lock()
	old := g.cfg.Load()
	next := *old
	next.Bulkhead.Mode = m
	g.cfg.Store(&next)
	g.mu.Unlock()

	for _, member := range g.members.All() {
		member.follow(g)
	}
	reconfig.ModeChanged(next.Registry, kind, g.name, old.Bulkhead.Mode, m)
	return nil
}

// Name returns the name under which the registry knows the group.
func (g *Group[K]) Name() string { return g.name }

// String returns such as: bulkhead "tenants".
func (g *Group[K]) String() string { return fmt.Sprintf("%s %q", kind, g.name) }
