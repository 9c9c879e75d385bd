package httpx

import (
	"errors"
	"net/http"

	"github.com/seawall-go/seawall"
)

// ErrDraining is matched by the rejection of a request that came after [Handler.Drain].
var ErrDraining = errors.New("httpx: draining")

// Drain refuses all requests that come from now on with a 503, but for health checks; those that have come go on, also
// those that wait in the queue. The refusal is that of a full server, before a quota is asked: Retry-After, no-store and
// Seawall-Pushback: refused. It also says Connection: close, so that the client goes elsewhere with its next request; over
// HTTP/2 net/http makes a GOAWAY of that. The mode of the admission changes nothing about it.
//
// It is for requests that still come, on connections that are kept open, when the server is told to stop. Do not call it
// at the signal: as long as the load balancer may still send, a server that refuses fails requests. HTTP of package
// lifecycle calls it at the right time, when the drain delay is over:
//
//	lifecycle.HTTP("api", server, listener, handler.Drain)
//
// Without it such requests are served until the Shutdown of the http.Server has closed their connection. There is no way
// back. It may be called several times.
func (h *Handler) Drain() { h.draining.Store(true) }

// refuseDraining refuses what comes after Drain.
func (h *Handler) refuseDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !h.draining.Load() {
			next.ServeHTTP(rw, r)
			return
		}
		h.drained.Add(1)
		w, _ := share(rw)
		if r.ProtoMajor <= 2 { // HTTP/3 has no such field
			w.Header().Set("Connection", "close")
		}
		w.refuse(http.StatusServiceUnavailable, seawall.Reject(handlerKind, h.name, seawall.ReasonDraining, ErrDraining, 0))
	})
}
