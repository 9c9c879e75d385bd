package retry

import (
	"context"
	"log/slog"
	"strings"
)

// Update changes the configuration while calls run. It validates first, and changes all or nothing. A call that has
// failed once goes on with the configuration that it met. A budget of the Retry's own keeps its tokens unless its
// numbers change; a new one starts full. All counts go on. The registry stays the one of New. A change is logged as
// seawall.config.updated, unless only functions have changed, which do not compare.
func (r *Retry) Update(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	r.mu.Lock()
	old := r.settings.Load()
	cfg.Registry = old.Registry
	s := newSettings(cfg, old)
	r.settings.Store(s)
	r.mu.Unlock()

	if fields := old.changes(s.Config); len(fields) > 0 {
		s.Registry.Log(context.Background(), slog.LevelInfo, "seawall.config.updated", slog.String("kind", kind),
			slog.String("name", r.name), slog.String("fields", strings.Join(fields, " ")))
	}
	return nil
}
