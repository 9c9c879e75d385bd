package seawall

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/events"
)

// Event is one of the rare things that happen to members of a [Registry]: a breaker has opened, a mode was changed.
type Event struct {
	Time  time.Time
	Level slog.Level
	Event string      // its stable name, such as "seawall.breaker.state_changed"
	Attrs []slog.Attr // its facts, the member's name among them; not to be changed
}

type watcher struct{ tell func(Event) }

// Watch calls tell with each event from now on, until stop is called. That is how health learns at once that a breaker has
// opened, and the debug page what has happened lately. tell runs on the goroutine on which the event happened, after the
// event was logged and outside of the member's locks, and several may run at once: it must be quick, and may ask the
// registry for anything. A panic in it is logged and harms nobody. The events of detached registries come too.
//
// stop may be called more than once. It does not wait for a tell that is running.
func (r *Registry) Watch(tell func(Event)) (stop func()) {
	r = r.orDefault()
	w := &watcher{tell}
	r.changeWatchers(func(all []*watcher) []*watcher { return append(slices.Clone(all), w) })
	return sync.OnceFunc(func() {
		r.changeWatchers(func(all []*watcher) []*watcher {
			return slices.DeleteFunc(slices.Clone(all), func(other *watcher) bool { return other == w })
		})
	})
}

func (r *Registry) changeWatchers(change func([]*watcher) []*watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*watcher
	if old := r.watchers.Load(); old != nil {
		all = *old
	}
	if all = change(all); len(all) == 0 {
		r.watchers.Store(nil)
		return
	}
	r.watchers.Store(&all)
}

func (r *Registry) tell(level slog.Level, event string, attrs []slog.Attr) {
	for at := r.orDefault(); at != nil; at = at.parent {
		all := at.watchers.Load()
		if all == nil {
			continue
		}
		e := Event{Time: time.Now(), Level: level, Event: event, Attrs: attrs}
		for _, w := range *all {
			events.Shield(r.Logger(), "registry", event, func() { w.tell(e) })
		}
	}
}
