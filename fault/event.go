package fault

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Event is a start or an end of a fault. It is also logged, at WARN, as seawall.fault.started or seawall.fault.stopped
// with name, kind, target, seed and hits.
type Event struct {
	Name  string        // the injector's
	State State         // Running if the fault has started, Ended if it has ended
	Index int           // place of the fault in the plan, from 0
	Fault Fault         // as the plan has it
	Seed  uint64        // the plan's
	Hits  uint64        // how often the fault was felt; 0 when it starts
	At    time.Duration // since the start of the plan, by the clock
}

// deliver tells the events, in order and outside of all locks. One goroutine at a time does so: whoever else comes
// leaves its events to that one.
func (i *Injector) deliver() {
	for {
		i.mu.Lock()
		if i.delivering || len(i.events) == 0 {
			i.mu.Unlock()
			return
		}
		event := i.events[0]
		i.events = i.events[1:]
		i.delivering = true
		i.mu.Unlock()
		i.tell(event)
	}
}

// tell ends the delivery of one event on every path. If the listener leaves by runtime.Goexit, the events behind it are
// told before the goroutine ends.
func (i *Injector) tell(e Event) {
	returned := false
	defer func() {
		if value := recover(); value != nil {
			i.cfg.Registry.Logger().Error("seawall.listener.panicked",
				"kind", kind, "name", i.name, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
			returned = true
		}
		i.mu.Lock()
		i.delivering = false
		i.mu.Unlock()
		if !returned {
			i.deliver()
		}
	}()
	event := "seawall.fault.started"
	if e.State == Ended {
		event = "seawall.fault.stopped"
	}
	i.cfg.Registry.Log(context.Background(), slog.LevelWarn, event,
		slog.String("name", e.Name), slog.String("kind", string(e.Fault.Kind)), slog.String("target", e.Fault.Target),
		slog.Uint64("seed", e.Seed), slog.Uint64("hits", e.Hits))
	if i.cfg.OnChange != nil {
		i.cfg.OnChange(e)
	}
	returned = true
}
