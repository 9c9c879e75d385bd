package ratelimit

import (
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// Config returns the configuration that is in force, with its defaults filled in.
func (g *Group[K]) Config() GroupConfig[K] { return g.settings.Load().GroupConfig }

// Update changes the configuration of all keys while calls run, all of it or, with an error, nothing. Its Registry is
// ignored. For each key it does what [Limiter.Update] does: tokens and queues stay. With a lower MaxKeys, those above it
// are forgotten when they can be, and until then no new key gets in.
func (g *Group[K]) Update(cfg GroupConfig[K]) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	g.change(func(GroupConfig[K]) GroupConfig[K] { return cfg })
	return nil
}

// SetMode switches how the group acts, as [Limiter.SetMode] does, for all keys. In the modes that reject nothing, calls of
// keys for which there is no room get in as well.
func (g *Group[K]) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("ratelimit: no such mode: %v", m)
	}
	g.change(func(cfg GroupConfig[K]) GroupConfig[K] {
		cfg.Limiter.Mode = m
		return cfg
	})
	return nil
}

// change swaps the settings of the group and of its limiters, and then logs what has changed.
func (g *Group[K]) change(edit func(GroupConfig[K]) GroupConfig[K]) {
	g.mu.Lock()
	old := g.settings.Load()
	s := newGroupSettings(edit(old.GroupConfig))
	s.Registry = old.Registry
	g.settings.Store(s)
	now := mono.Now()
	for _, e := range g.entries {
		e.limiter.adopt(s.member, now)
		e.idleAt = now // at another rate it may be idle sooner; a heap of equals is in order
	}
	g.mu.Unlock()
	reconfig.ModeChanged(g.registry, kind, g.name, old.Limiter.Mode, s.Limiter.Mode)
	reconfig.Updated(g.registry, kind, g.name, old.changes(s.GroupConfig))
}
