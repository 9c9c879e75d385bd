package health

import (
	"net/http"
	"strconv"
)

// retryAfter is what a prober of a draining program is told. It will not come back, but its successor may.
const retryAfter = "5"

// Handler answers /livez, /readyz and /startupz, in short: the status alone, and no text of any error. It may sit on the
// listener of the traffic, so that a probe tests that as well. It does not route: mount it under each path that is
// wanted, or under a prefix.
//
// The answers are 200 and 503, as JSON, with Cache-Control: no-store; 404 for another last element of the path, and 405 for
// a method other than GET and HEAD. A request costs an atomic load.
func (h *Health) Handler() http.Handler { return http.HandlerFunc(h.serveShort) }

// AdminHandler answers as [Health.Handler] does, and with ?verbose also says what each check, gate and watchdog has to
// say. That includes the texts of errors, which may name hosts and users: it belongs on a listener for the program's
// own people.
func (h *Health) AdminHandler() http.Handler { return http.HandlerFunc(h.serveAny) }

func (h *Health) serveShort(w http.ResponseWriter, r *http.Request) {
	h.serve(w, r, func(a answer) []byte { return a.short })
}

func (h *Health) serveAny(w http.ResponseWriter, r *http.Request) {
	h.serve(w, r, func(a answer) []byte {
		if r.URL.Query().Has("verbose") {
			return a.verbose
		}
		return a.short
	})
}

func (h *Health) serve(w http.ResponseWriter, r *http.Request, body func(answer) []byte) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	view := h.view.Load()
	a, ok := view.of(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	b, header := body(a), w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(b)))
	if view.draining && a.code != http.StatusOK {
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(a.code)
	_, _ = w.Write(b)
}

func (v *view) of(path string) (answer, bool) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			path = path[i+1:]
			break
		}
	}
	switch path {
	case "livez":
		return v.live, true
	case "readyz":
		return v.ready, true
	case "startupz":
		return v.startup, true
	}
	return answer{}, false
}
