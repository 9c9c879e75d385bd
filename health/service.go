package health

import (
	"fmt"
	"slices"
)

// AddService names a part of the program that is ready or not on its own account, such as a gRPC service, and the checks
// that decide it; without any, it is as ready as the whole. It returns an error if a check is not there, or the name is
// taken.
func (h *Health) AddService(name string, checks ...string) error {
	defer h.tell()
	h.mu.Lock()
	defer h.mu.Unlock()
	if name == "" {
		return fmt.Errorf("health: the service's name is empty, which is that of the whole")
	}
	if _, taken := h.services[name]; taken {
		return fmt.Errorf("%w: service %q", ErrDuplicate, name)
	}
	for _, c := range checks {
		if h.findLocked(c) == nil {
			return fmt.Errorf("health: service %q: there is no check %q", name, c)
		}
	}
	if h.services == nil {
		h.services = map[string][]string{}
	}
	h.services[name] = slices.Clone(checks)
	h.refreshLocked()
	return nil
}

// Serving returns whether the program should be sent work, by service: "" is the whole, as /readyz has it. A service with
// checks of its own is served when the program runs, and none of them fails; a warning is no reason not to be served.
func (h *Health) Serving() map[string]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	serving := map[string]bool{"": h.status != Fail}
	for name, checks := range h.services {
		serving[name] = h.phase == Running
		for _, check := range checks {
			if c := h.findLocked(check); c != nil && c.status == Fail {
				serving[name] = false
			}
		}
		if len(checks) == 0 {
			serving[name] = h.status != Fail
		}
	}
	return serving
}
