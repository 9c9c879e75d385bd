package ratelimit

import (
	"time"

	"github.com/seawall-go/seawall/internal/mono"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// Config returns the configuration that is in force, with its defaults filled in.
func (l *Limiter) Config() Config { return l.settings.Load().Config }

// Update changes the configuration while calls run, all of it or, with an error, nothing. Its Registry is ignored.
//
// The tokens stay, as far as they fit the new burst: an Update is no refill. Calls that wait keep their place and the time
// for which they may wait; those whose tokens will not come in that time any more are rejected now. All counts go on. A
// change is logged as seawall.config.updated, and one of the mode as seawall.gate.mode_changed.
func (l *Limiter) Update(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	l.change(func(Config) Config {
		l.configured = cfg.Mode
		return cfg
	})
	return nil
}

// change swaps the settings and then logs what has changed. edit runs under the lock.
func (l *Limiter) change(edit func(Config) Config) {
	l.mu.Lock()
	old := l.settings.Load()
	cfg := edit(old.Config).withDefaults()
	cfg.Registry = old.Registry
	s := &settings{cfg}
	l.adoptLocked(s, mono.Now())
	l.mu.Unlock()
	reconfig.ModeChanged(l.registry, kind, l.name, old.Mode, cfg.Mode)
	reconfig.Updated(l.registry, kind, l.name, old.changes(cfg))
}

// adopt takes over the settings of a group.
func (l *Limiter) adopt(s *settings, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.adoptLocked(s, now)
}

func (l *Limiter) adoptLocked(s *settings, now time.Duration) {
	old := l.settings.Swap(s)
	l.adjust(now, s.Config)
	if s.Rate != old.Rate || s.Burst != old.Burst {
		l.changed = l.latest
	}
	l.resettleLocked(s, now)
}
