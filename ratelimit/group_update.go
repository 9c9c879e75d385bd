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
// ignored. For each key it does what [Limiter.Update] does, modes that were set by hand included: tokens and queues stay.
// With a lower MaxKeys, those above it are forgotten when they can be, and until then no new key gets in.
func (g *Group[K]) Update(cfg GroupConfig[K]) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	g.change(func(GroupConfig[K]) GroupConfig[K] { return cfg })
	return nil
}

// SetMode switches how the group acts, as [Limiter.SetMode] does, for all keys, those whose mode was set by hand included. In
// the modes that reject nothing, calls of keys for which there is no room get in as well. It is logged as
// seawall.gate.mode_changed, once. The error says that m is none of the modes.
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

// setMode switches the mode of a key, and returns the one before; false if there is no room for the key.
func (g *Group[K]) setMode(key K, m seawall.Mode) (old seawall.Mode, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, _ := g.rememberLocked(key)
	if e == nil {
		return 0, false
	}
	old = e.limiter.settings.Load().Mode
	s := g.settings.Load()
	next := s.member
	if m != next.Mode {
		next = &settings{s.Limiter}
		next.Mode = m
	}
	now := mono.Now()
	e.limiter.adopt(next, now)
	g.reviewLocked(now) // it may be forgotten sooner, or not at all
	return old, true
}

// change swaps the settings of the group and of its limiters, and then logs what has changed.
func (g *Group[K]) change(edit func(GroupConfig[K]) GroupConfig[K]) {
	g.mu.Lock()
	old := g.settings.Load()
	s := newGroupSettings(edit(old.GroupConfig))
	s.Registry = old.Registry
	g.settings.Store(s)
	now := mono.Now()
	for _, e := range g.keys {
		e.limiter.adopt(s.member, now)
	}
	g.reviewLocked(now) // at another rate they may be idle sooner
	g.mu.Unlock()
	reconfig.ModeChanged(g.registry, kind, g.name, old.Limiter.Mode, s.Limiter.Mode)
	reconfig.Updated(g.registry, kind, g.name, old.changes(s.GroupConfig))
}
