package breaker

import (
	"fmt"
	"slices"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// Update changes the configuration while calls run. It validates first, and changes all or nothing. The state stays, an
// open breaker keeps its time, and the window keeps its counts unless Window itself changes. Probes that have ended are
// judged anew, which may end the half-open state. A call is slow by the Slow.Over in force when it began. A ramp goes on
// from its share, or ends if there is to be none. The registry stays the one of New. A change is logged as
// seawall.config.updated, and one of the mode as seawall.gate.mode_changed.
func (b *Breaker) Update(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	b.change(func(Config) Config { return cfg })
	return nil
}

// SetMode changes only the mode. The error says that m is none of the modes.
func (b *Breaker) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("breaker: no such mode: %v", m)
	}
	b.change(func(cfg Config) Config {
		cfg.Mode = m
		return cfg
	})
	return nil
}

// adopt is Update by the group that the breaker belongs to, whose configuration is valid, and which tells of it: also of
// the events, once its own lock is free.
func (b *Breaker) adopt(cfg Config) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mode = cfg.Mode
	b.updateLocked(newSettings(cfg))
}

// change swaps the settings and then logs what has changed.
func (b *Breaker) change(edit func(Config) Config) {
	b.mu.Lock()
	old := b.era.Load().settings
	cfg := edit(old.Config)
	cfg.Registry = old.Registry
	s := newSettings(cfg)
	b.updateLocked(s)
	b.mu.Unlock()
	b.deliver()

	reconfig.ModeChanged(s.Registry, kind, b.name, old.Mode, s.Mode)
	reconfig.Updated(s.Registry, kind, b.name, old.changes(s.Config))
}

func (b *Breaker) updateLocked(s *settings) {
	now := mono.Now()
	b.catchUpLocked(now) // what has happened, happened under the old ones
	e := b.era.Load()
	next := *e
	if s.Slow.Over != e.settings.Slow.Over && e.state != Open {
		b.retrackLocked(&next, s, now)
	}
	if e.window != nil && e.window.shape != s.Window {
		next.window = e.window.reshaped(s.Window, now)
	}
	changed := next.with(s)
	b.era.Store(changed)
	switch {
	case changed.window != e.window:
		b.foldLocked(e.window)
	case e.probes != nil:
		b.judgeLocked(changed, now) // fewer probes may do now, and then no other end would come to judge them
	}
	switch e = b.era.Load(); {
	case e.step != nil && s.start == million:
		b.stepLocked(e, now)
	case e.deadline() < now: // by the new settings, which were not in force then
		b.expireLocked(e, now, now)
	}
}

// retrackLocked begins another tracking. A call goes by what was slow when it began.
func (b *Breaker) retrackLocked(next *era, s *settings, now time.Duration) {
	next.ticket++
	if t := next.tracking; t != nil {
		t.to = next.ticket
		next.older = append(slices.Clone(next.older), t)
	}
	next.track(s, now)
}
