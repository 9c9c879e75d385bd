package bulkhead

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

// Config returns the configuration that is in force, with its defaults filled in. The limit of this moment is in
// [Adaptive.Stats].
func (a *Adaptive) Config() AdaptiveConfig { return a.settings.Load().AdaptiveConfig }

// Update changes the configuration while calls run, all of it or, with an error, nothing. Its Registry is ignored.
//
// What was learned stays: the limit moves only if it is out of the new bounds, and Initial has no effect any more. Another
// algorithm begins with the limit of the old one. For calls that are in, or wait, it is like [Bulkhead.Update]. A change
// is logged as seawall.config.updated, and one of the mode as seawall.gate.mode_changed.
func (a *Adaptive) Update(cfg AdaptiveConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	a.change(func(AdaptiveConfig) AdaptiveConfig { return cfg })
	return nil
}

// SetMode switches how the bulkhead acts, as [Bulkhead.SetMode] does. The limit is learned in [seawall.Enforce] alone: in
// the other modes it is not kept, so nothing can be learned of what it does, and it stays as it is. [seawall.Shadow] counts
// what this limit would reject.
func (a *Adaptive) SetMode(m seawall.Mode) error {
	if !m.Valid() {
		return fmt.Errorf("bulkhead: no such mode: %v", m)
	}
	a.change(func(cfg AdaptiveConfig) AdaptiveConfig {
		cfg.Mode = m
		return cfg
	})
	return nil
}

// change swaps the settings and then tells what has changed.
func (a *Adaptive) change(edit func(AdaptiveConfig) AdaptiveConfig) {
	a.mu.Lock()
	old := a.settings.Load()
	cfg := edit(old.AdaptiveConfig)
	cfg.Registry = old.Registry
	s := newAdaptiveSettings(cfg)
	a.settings.Store(s)
	if s.Algorithm != old.Algorithm {
		a.algorithm = newAlgorithm(s.AdaptiveConfig, a.algorithm.learned())
	} else {
		a.algorithm.tune(s.AdaptiveConfig)
	}
	now := mono.Now()
	p := a.algorithm.begin(now)
	a.engine.swap(func(Config) Config { return s.engine(p.limit) })
	a.startLocked(p, a.ends.sum(), now)
	a.noteLocked(now)
	a.mu.Unlock()
	a.events.Tell(a.tell)

	if s.Mode != old.Mode {
		a.engine.log(slog.LevelWarn, "seawall.gate.mode_changed",
			slog.String("from", old.Mode.String()), slog.String("to", s.Mode.String()))
	}
	if fields := old.changes(s.AdaptiveConfig); len(fields) > 0 {
		a.engine.log(slog.LevelInfo, "seawall.config.updated", slog.String("fields", strings.Join(fields, " ")))
	}
}

// LimitEvent is a change of the limit of an [Adaptive].
type LimitEvent struct {
	Name     string // the bulkhead's
	From, To int
	Baseline time.Duration // the latency of a call that does not wait for others; 0 if it is not known

	floor bool // it has come down to Min
}

// told is what was told of the limit.
type told struct {
	limit  int
	at     time.Duration
	floor  time.Duration // when the latest event was that said floor
	floors bool
	any    bool
}

const (
	tellEvery  = time.Second // at the most
	floorEvery = time.Minute
)

// noteLocked has the limit told if it is another one than was told before: by a tenth, or at the floor. The limits of
// drains are not told.
func (a *Adaptive) noteLocked(now time.Duration) {
	t, limit := &a.told, a.algorithm.learned()
	lowest := a.settings.Load().Min
	change := max(limit-t.limit, t.limit-limit)
	if change == 0 || 10*change < t.limit && limit != lowest || t.any && now-t.at < tellEvery {
		return
	}
	e := LimitEvent{Name: a.engine.name, From: t.limit, To: limit, Baseline: a.algorithm.baseline()}
	if limit == lowest && (!t.floors || now-t.floor >= floorEvery) {
		e.floor, t.floors, t.floor = true, true, now
	}
	t.limit, t.at, t.any = limit, now, true
	a.events.Put(e)
}

func (a *Adaptive) tell(e LimitEvent) {
	s, registry := a.settings.Load(), a.engine.registry
	level := slog.LevelDebug
	if e.floor {
		level = slog.LevelWarn
	}
	events.Shield(registry.Logger(), kind, e.Name, func() {
		registry.Log(context.Background(), level, "seawall.bulkhead.limit_changed",
			slog.String("name", e.Name), slog.Int("from", e.From), slog.Int("to", e.To), slog.Duration("baseline", e.Baseline))
	})
	if s.OnLimitChange != nil {
		events.Shield(registry.Logger(), kind, e.Name, func() { s.OnLimitChange(e) })
	}
}
