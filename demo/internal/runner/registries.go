package runner

import (
	"log/slog"
	"sync"

	"github.com/seawall-go/seawall"
)

// Registries are where the policies of an arm enter themselves: one for each of its components, as if each were a process
// of its own. Their events go nowhere. The zero value is ready for use, and safe for concurrent use.
type Registries struct {
	mu sync.Mutex // guards the field below
	of map[string]*seawall.Registry
}

// Of returns the registry of a component: the same one each time.
func (r *Registries) Of(component string) *seawall.Registry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]*seawall.Registry{}
	}
	if r.of[component] == nil {
		r.of[component] = new(seawall.Registry)
		r.of[component].SetLogger(slog.New(slog.DiscardHandler))
	}
	return r.of[component]
}
