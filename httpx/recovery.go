package httpx

import (
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

// RecoverConfig sets [Recover].
type RecoverConfig struct {
	// Registry is where the middleware enters itself, and where panics are logged. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Recover returns a middleware that ends a request whose handler has panicked: the panic is logged once, with its stack,
// as seawall.httpx.panic, and counted. If nothing was written the client gets a 500; otherwise the connection is cut
// by a panic with http.ErrAbortHandler, because a broken answer is better than one that only looks whole. That panic
// itself, http.ErrAbortHandler, goes through untouched: it is not logged and not answered. runtime.Goexit goes on as
// well.
//
// It belongs outside of all other middlewares but those that trace requests. Neither path nor query is logged, only
// method and pattern. It costs one allocation, which the other middlewares of this package share.
func Recover(name string, cfg RecoverConfig) func(http.Handler) http.Handler {
	p := &recovery{name: name, registry: cfg.Registry}
	seawall.Register(cfg.Registry, "recovery", &p.name, p)
	return p.wrap
}

type recovery struct {
	name     string
	registry *seawall.Registry
	panics   atomic.Int64
}

func (p *recovery) wrap(next http.Handler) http.Handler {
	need("Recover", next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w, offered := share(rw)
		defer func() {
			if v := recover(); v != nil { // not after a Goexit, which goes on
				p.recovered(w, r, v)
			}
		}()
		next.ServeHTTP(offered, r)
	})
}

// recovered ends a request whose handler has panicked.
func (p *recovery) recovered(w *writer, r *http.Request, v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so as well
		panic(v)
	}
	p.panics.Add(1)
	logPanic(p.registry, p.name, r, v, debug.Stack())
	switch w.phase() {
	case nothing:
		writeAnswer(w, http.StatusInternalServerError, 0)
	case answered: // the client has a whole answer already
	case header, body, hijacked, aborted:
		if isUnframed(r) {
			closeConn(w.below, true)
		}
		panic(http.ErrAbortHandler)
	}
}

// Snapshot returns the counts in the form of the registry.
func (p *recovery) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{Kind: "recovery", Name: p.name, Values: p.values()}
}

func (p *recovery) values() []seawall.Value {
	return []seawall.Value{{Name: "panics", V: float64(p.panics.Load())}}
}
