package breaker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Event is a change of a breaker's state, with the numbers that caused it.
type Event struct {
	Name     string // the breaker's
	From, To State
	Reason   string        // "failure_rate", "open_time_over", "probes_failed" or "probes_succeeded"
	Calls    int64         // in the window, or among the probes, that decided
	Failures int64         // of them
	OpenFor  time.Duration // how long it stays open; 0 if it does not open
}

// deliver tells the events, in order and outside of all locks. One goroutine at a time does so: whoever else comes
// leaves its event to that one. It is called after every unlock behind which there may be an event.
func (b *Breaker) deliver() {
	for {
		b.mu.Lock()
		if b.delivering || len(b.events) == 0 {
			b.mu.Unlock()
			return
		}
		event := b.events[0]
		b.events = b.events[1:]
		b.delivering = true
		s := b.era.Load().settings
		b.mu.Unlock()
		b.tell(s, event)
	}
}

// tell ends the delivery of one event on every path. If the listener leaves by runtime.Goexit, the events behind it are
// told before the goroutine ends.
func (b *Breaker) tell(s *settings, e Event) {
	returned := false
	defer func() {
		b.mu.Lock()
		b.delivering = false
		b.mu.Unlock()
		if !returned {
			b.deliver()
		}
	}()
	b.shield(s, func() { logEvent(s, e) })
	if s.OnStateChange != nil {
		b.shield(s, func() { s.OnStateChange(e) })
	}
	returned = true
}

func logEvent(s *settings, e Event) {
	level := slog.LevelInfo
	if e.To == Open {
		level = slog.LevelWarn
	}
	s.Registry.Log(context.Background(), level, "seawall.breaker.state_changed",
		slog.String("name", e.Name), slog.String("from", e.From.String()), slog.String("to", e.To.String()),
		slog.String("reason", e.Reason), slog.Int64("calls", e.Calls), slog.Int64("failures", e.Failures),
		slog.Duration("open_for", e.OpenFor))
}

// shield runs what is the user's, the listener or the handler of the log, and lets no panic of it through to the caller
// whose call happened to change the state.
func (b *Breaker) shield(s *settings, f func()) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		defer func() { _ = recover() }() // the log is what panics: there is nobody left to tell
		s.Registry.Logger().Error("seawall.listener.panicked",
			"kind", kind, "name", b.name, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
	}()
	f()
}
