package bulkhead

import (
	"context"
	"log/slog"
	"strings"

	"github.com/seawall-go/seawall"
)

// Config returns the configuration that is in force, with its defaults filled in.
func (b *Bulkhead) Config() Config { return b.settings.Load().Config }

// Update changes the configuration while calls run, all of it or, with an error, nothing. Its Registry is ignored, and
// so is its Weight, which stays as it was.
//
// Calls that are in stay in: after the limit has shrunk, the next one gets in when the surplus has drained. After it
// has grown, as many waiters get in as fit. Calls that wait keep their place, also in a queue that has become shorter,
// and the time for which they may wait. All counts go on. A change is logged as seawall.config.updated, and one of the
// mode as seawall.gate.mode_changed.
func (b *Bulkhead) Update(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	b.change(func(old Config) Config {
		cfg.Registry, cfg.Weight = old.Registry, old.Weight
		return cfg
	})
	return nil
}

// setLimit changes Config.Limit alone, without an event. Waiters get in if they fit now. It keeps n in the range.
func (b *Bulkhead) setLimit(n int) {
	b.swap(func(cfg Config) Config {
		cfg.Limit = min(max(1, n), maxLimit)
		return cfg
	})
}

// swap puts new settings in force and returns the old and the new ones.
func (b *Bulkhead) swap(edit func(Config) Config) (old, s *settings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old = b.settings.Load()
	s = newSettings(edit(old.Config))
	s.made = old.made
	b.putLocked(s, old)
	return old, s
}

// adopt puts a configuration in force as if the bulkhead had been made with it, without an event.
func (b *Bulkhead) adopt(cfg Config) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.settings.Load()
	cfg.Registry, cfg.Weight = old.Registry, old.Weight
	b.putLocked(newSettings(cfg), old)
}

// putLocked puts new settings in force.
func (b *Bulkhead) putLocked(s, old *settings) {
	if s.Shedding != ByUser || s.Mode != seawall.Enforce {
		b.shedder = nil
	}
	if b.shedder != nil {
		s = s.counting()
	}
	b.settings.Store(s)
	if s.Limit != old.Limit {
		b.queue.resize(s.Limit)
	}
	b.resettleLocked(s)
	if s.Limit != old.Limit {
		b.pace.resize(old.Limit, s.Limit)
	}
}

// change swaps the settings and then logs what has changed.
func (b *Bulkhead) change(edit func(Config) Config) {
	old, s := b.swap(edit)
	fields := old.changes(s.Config)
	if s.Mode != old.Mode {
		b.log(slog.LevelWarn, "seawall.gate.mode_changed",
			slog.String("from", old.Mode.String()), slog.String("to", s.Mode.String()))
		fields = fields[:len(fields)-1] // the mode comes last, and has an event of its own
	}
	if len(fields) > 0 {
		b.log(slog.LevelInfo, "seawall.config.updated", slog.String("fields", strings.Join(fields, " ")))
	}
}

func (b *Bulkhead) log(level slog.Level, event string, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("kind", b.kind), slog.String("name", b.name)}, attrs...)
	b.registry.Log(context.Background(), level, event, attrs...)
}
