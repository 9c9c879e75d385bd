package health

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/seawall-go/seawall/internal/events"
)

// Change is a change of a status or of the phase.
type Change struct {
	Time   time.Time
	Health string // its name
	// Check is whose status has changed: that of a check, a gate or a watchdog. It is empty if it is that of the whole.
	Check    string
	From, To Status
	// FromPhase and ToPhase differ if it is the phase that has changed; From and To are equal then.
	FromPhase, ToPhase Phase
	Fails              int    // failures in a row, of a check
	Err                string // at most 200 bytes
}

// happening is what goes into the log, and to OnChange if it is a change.
type happening struct {
	level  slog.Level
	event  string
	attrs  []slog.Attr
	change *Change
}

// log puts an event behind those that wait to be told. It is called under the lock.
func (h *Health) log(e happening) { h.events.Put(e) }

// tell tells what has happened, outside of the lock.
func (h *Health) tell() {
	h.events.Tell(func(e happening) {
		logger := h.cfg.Registry.Logger()
		events.Shield(logger, kind, h.name, func() {
			h.cfg.Registry.Log(context.Background(), e.level, e.event, e.attrs...)
		})
		if e.change == nil {
			return
		}
		if h.cfg.OnChange != nil {
			events.Shield(logger, kind, h.name, func() { h.cfg.OnChange(*e.change) })
		}
		for _, l := range h.listening() {
			events.Shield(logger, kind, h.name, l.tell)
		}
	})
}

type listener struct{ tell func() }

// OnChange calls f after each change from now on, until stop is called, in the manner of Config.OnChange. That is how a
// gRPC health service follows. stop may be called more than once, and does not wait for an f that is running.
func (h *Health) OnChange(f func()) (stop func()) {
	l := &listener{f}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = append(slices.Clone(h.listeners), l)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.listeners = slices.DeleteFunc(slices.Clone(h.listeners), func(other *listener) bool { return other == l })
	}
}

func (h *Health) listening() []*listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listeners
}

func (h *Health) statusEvent(c Change, scope string) happening {
	level := slog.LevelInfo
	if c.To > c.From {
		level = slog.LevelWarn
	}
	return happening{level, "seawall.health.status_changed", []slog.Attr{
		slog.String("name", h.name),
		slog.String("check", c.Check),
		slog.String("scope", scope),
		slog.String("from", c.From.String()),
		slog.String("to", c.To.String()),
		slog.Int("fails", c.Fails),
		slog.String("error", c.Err),
	}, &c}
}

func (h *Health) phaseEvent(c Change) happening {
	level := slog.LevelInfo
	if c.ToPhase == Draining {
		level = slog.LevelWarn
	}
	return happening{level, "seawall.health.phase_changed", []slog.Attr{
		slog.String("name", h.name),
		slog.String("from", c.FromPhase.String()),
		slog.String("to", c.ToPhase.String()),
	}, &c}
}

func panicEvent(name, check, text string, stack []byte) happening {
	return happening{slog.LevelError, "seawall.health.panic", []slog.Attr{
		slog.String("name", name),
		slog.String("check", check),
		slog.String("panic", text),
		slog.String("stack", string(stack)),
	}, nil}
}

func riskEvent(name, check string, fall int, risk string) happening {
	return happening{slog.LevelWarn, "seawall.health.fail_readiness", []slog.Attr{
		slog.String("name", name),
		slog.String("check", check),
		slog.Int("fall", fall),
		slog.String("risk", risk),
	}, nil}
}

func startLateEvent(name string, missing []string) happening {
	return happening{slog.LevelError, "seawall.health.start_late", []slog.Attr{
		slog.String("name", name),
		slog.Any("missing", missing),
	}, nil}
}
