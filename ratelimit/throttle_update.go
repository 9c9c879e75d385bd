package ratelimit

import (
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// Config returns the configuration that is in force, with its defaults filled in.
func (t *Throttle) Config() ThrottleConfig { return t.settings.Load().ThrottleConfig }

// Update changes the configuration while calls run, all of it or, with an error, nothing. Its Registry is ignored. The
// window keeps what is in it, unless Window itself changes: then it starts empty. All counts go on. A change is logged as
// seawall.config.updated, and one of the mode as seawall.gate.mode_changed.
func (t *Throttle) Update(cfg ThrottleConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	t.change(func(s *throttleSettings) {
		s.ThrottleConfig, s.configured = cfg.withDefaults(), cfg.Mode
	})
	return nil
}

// SetMode switches how the throttle acts, while calls run and with its window and counts kept:
//
//   - [seawall.Enforce] is the normal mode.
//   - [seawall.Shadow] lets every call in, and counts those that would have been rejected. How those end is not taken as
//     evidence, so the window is what it would be in enforce mode.
//   - [seawall.ForcedOpen] rejects every call. The window takes no notice of them.
//   - [seawall.ForcedClosed] lets every call in and goes on counting.
//   - [seawall.Off] lets every call pass, uncounted.
//
// SetMode is logged as seawall.gate.mode_changed. The error says that m is none of the modes.
func (t *Throttle) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("ratelimit: no such mode: %v", m)
	}
	t.change(func(s *throttleSettings) { s.Mode = m })
	return nil
}

// change swaps the settings and then logs what has changed.
func (t *Throttle) change(edit func(*throttleSettings)) {
	t.mu.Lock()
	old := t.settings.Load()
	s := *old
	edit(&s)
	s.Registry = old.Registry
	if s.Window != old.Window {
		s.window = newWindow(s.Window, mono.Now())
		s.generation++
	}
	t.settings.Store(&s)
	t.mu.Unlock()
	reconfig.ModeChanged(t.registry, throttleKind, t.name, old.Mode, s.Mode)
	reconfig.Updated(t.registry, throttleKind, t.name, old.changes(s.ThrottleConfig))
}
