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

// maxUntold is how many events wait for a listener or a log that does not return.
const maxUntold = 1000

// log puts an event behind those that wait to be told. It is called under the lock. If too many wait the oldest is dropped:
// what is told last is always the latest.
func (h *Health) log(e happening) {
	if e.change != nil {
		h.changes++
	}
	h.lost.Add(int64(h.events.PutLast(e, maxUntold)))
}

// tell tells what has happened, outside of the lock: first to those who are only told that something has, and then in
// order to the log and Config.OnChange. So those that serve by it, such as a gRPC health service, wait for neither of these.
func (h *Health) tell() {
	defer h.events.Tell(h.tellOne)
	h.mu.Lock()
	listeners := h.listeners
	h.mu.Unlock()
	h.wakeAll(listeners)
}

func (h *Health) tellOne(e happening) {
	logger := h.cfg.Registry.Logger()
	log := func(e happening) {
		events.Shield(logger, kind, h.name, func() { h.cfg.Registry.Log(context.Background(), e.level, e.event, e.attrs...) })
	}
	if lost := h.lost.Swap(0); lost > 0 {
		log(lostEvent(h.name, lost))
	}
	log(e)
	if e.change != nil && h.cfg.OnChange != nil {
		events.Shield(logger, kind, h.name, func() { h.cfg.OnChange(*e.change) })
	}
}

// listener is who is told that something has changed, and not what. The fields but the first are guarded by the lock.
type listener struct {
	tell    func()
	seen    int64 // the changes that it has been told of
	telling bool
	stopped bool
}

// OnChange calls f after each change from now on, until stop is called: on the goroutine of a check or of whoever has caused
// the change, outside of all locks, before the change is logged and before Config.OnChange. What it then reads is the
// latest. f runs once at a time: changes that come meanwhile are one call after it. A panic of it is logged. That is
// how a gRPC health service follows. stop may be called more than once, and does not wait for an f that is running.
func (h *Health) OnChange(f func()) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := &listener{tell: f, seen: h.changes}
	h.listeners = append(slices.Clone(h.listeners), l)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		l.stopped = true
		h.listeners = slices.DeleteFunc(slices.Clone(h.listeners), func(other *listener) bool { return other == l })
	}
}

// wakeAll tells the listeners that something has changed. One that leaves by runtime.Goexit keeps the others from nothing.
func (h *Health) wakeAll(listeners []*listener) {
	if len(listeners) == 0 {
		return
	}
	defer h.wakeAll(listeners[1:])
	for h.wakeOne(listeners[0]) {
	}
}

// wakeOne tells a listener, and reports whether there was something to tell. While one goroutine does so, another leaves it
// to that one to look again.
func (h *Health) wakeOne(l *listener) bool {
	h.mu.Lock()
	if l.stopped || l.telling || l.seen == h.changes {
		h.mu.Unlock()
		return false
	}
	l.telling, l.seen = true, h.changes
	h.mu.Unlock()

	returned := false
	defer func() {
		h.mu.Lock()
		l.telling = false
		h.mu.Unlock()
		if !returned { // the goroutine ends: what came meanwhile is told before
			for h.wakeOne(l) {
			}
		}
	}()
	events.Shield(h.cfg.Registry.Logger(), kind, h.name, l.tell)
	returned = true
	return true
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

func unknownCauseEvent(name, check, cause string) happening {
	return happening{slog.LevelWarn, "seawall.health.depends_on_unknown", []slog.Attr{
		slog.String("name", name),
		slog.String("check", check),
		slog.String("depends_on", cause),
	}, nil}
}

func startLateEvent(name string, missing []string) happening {
	return happening{slog.LevelError, "seawall.health.start_late", []slog.Attr{
		slog.String("name", name),
		slog.Any("missing", missing),
	}, nil}
}

func lostEvent(name string, lost int64) happening {
	return happening{slog.LevelWarn, "seawall.health.events_lost", []slog.Attr{
		slog.String("name", name),
		slog.Int64("lost", lost),
	}, nil}
}
