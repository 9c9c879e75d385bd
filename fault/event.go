package fault

import (
	"context"
	"log/slog"
	"time"

	"github.com/seawall-go/seawall/internal/events"
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

// tell logs an event and gives it to the listener.
func (i *Injector) tell(e Event) {
	logger := i.cfg.Registry.Logger()
	events.Shield(logger, kind, i.name, func() { i.log(e) })
	if i.cfg.OnChange != nil {
		events.Shield(logger, kind, i.name, func() { i.cfg.OnChange(e) })
	}
}

func (i *Injector) log(e Event) {
	event := "seawall.fault.started"
	if e.State == Ended {
		event = "seawall.fault.stopped"
	}
	i.cfg.Registry.Log(context.Background(), slog.LevelWarn, event,
		slog.String("name", e.Name), slog.String("kind", string(e.Fault.Kind)), slog.String("target", e.Fault.Target),
		slog.Uint64("seed", e.Seed), slog.Uint64("hits", e.Hits))
}
