package httpx

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

const handlerKind = "handler"

// Handler is an http.Handler that keeps a server useful under load. It is made of middlewares which are there one by one
// as well, from the outside in:
//
//   - [Recover]: panics are logged once, answered by a 500, or cut the connection;
//   - health checks pass, whatever else is going on;
//   - [Inbound]: deadline, priority and attempt of peers that are trusted;
//   - [Quota]: how many requests each client makes; more get a 429;
//   - [Admit]: as many requests at once as the server can handle; some wait, and the others get a 503 before their body
//     is read;
//   - [TimeLimit]: a handler that says nothing in time is answered for;
//   - ServerConfig.Inner, and the handler.
//
// A refusal has a Retry-After, and Seawall-Pushback: refused, by which a client knows that nothing was started. A Handler
// is safe for concurrent use, and needs no Close. It works over HTTP/1.1 and HTTP/2, for streams and upgrades as well.
type Handler struct {
	name string
	cfg  ServerConfig

	serve     http.Handler
	recovery  *recovery
	inbound   *inbound
	quotas    []*quota
	admission *admission
	timeLimit *timeLimit
}

// NewHandler puts the policies of cfg around next. The name is a constant of the program, for people, metrics and logs.
// NewHandler panics if cfg is not valid or next is nil.
func NewHandler(name string, cfg ServerConfig, next http.Handler) *Handler {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	if next == nil {
		panic("httpx: NewHandler: the handler is nil")
	}
	h := &Handler{name: name, cfg: cfg.withDefaults()}
	h.recovery = &recovery{name: name, registry: cfg.Registry}
	h.inbound = newInbound(name, h.cfg.Inbound)
	h.admission = newAdmission(name, h.cfg.Admission)
	h.timeLimit = newTimeLimit(name, h.cfg.TimeLimit)

	chain := next
	for _, m := range slices.Backward(h.cfg.Inner) {
		chain = m(chain)
	}
	if h.cfg.Degraded == DegradedTold {
		chain = tellDegraded(chain)
	}
	chain = h.admission.wrap(h.timeLimit.wrap(chain))
	for _, q := range slices.Backward(h.cfg.Quotas) {
		made := newQuota(name+"."+q.Name, q)
		h.quotas = append(h.quotas, made)
		chain = made.wrap(chain)
	}
	slices.Reverse(h.quotas)
	h.serve = h.recovery.wrap(h.exempt(next, h.inbound.wrap(chain)))
	seawall.Register(h.cfg.Registry, handlerKind, &h.name, h)
	return h
}

// exempt lets health checks pass.
func (h *Handler) exempt(next, chain http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(h.cfg.HealthPaths, r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		chain.ServeHTTP(w, r)
	})
}

// ServeHTTP handles a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve.ServeHTTP(w, r) }

// Name returns the handler's name, as the registry has it.
func (h *Handler) Name() string { return h.name }

// String returns such as: handler "api".
func (h *Handler) String() string { return fmt.Sprintf("%s %q", handlerKind, h.name) }

// Config returns the configuration with its defaults filled in.
func (h *Handler) Config() ServerConfig { return h.cfg.withDefaults() }

// Admission returns the gate that requests go through: a [bulkhead.Adaptive], a [bulkhead.Bulkhead], or the one of the
// configuration.
func (h *Handler) Admission() seawall.Gate { return h.admission.gate }

// HandlerStats is what a [Handler] has counted. The numbers never decrease, but for those of Admission that are of this
// instant.
type HandlerStats struct {
	Panics    int64 // of the handler
	TooLate   int64 // requests that came after the deadline of their peer
	OutOfTime int64 // requests that the time limit has answered, or the peer's deadline
	CutOff    int64 // responses that the time limit has cut off
	Limited   int64 // requests that were above a quota

	// Admission has the numbers of the bulkhead; they are 0 where the configuration has a Gate of another kind.
	Admission bulkhead.Stats
}

// Stats returns what was counted so far.
func (h *Handler) Stats() HandlerStats {
	s := HandlerStats{
		Panics:    h.recovery.panics.Load(),
		TooLate:   h.inbound.tooLate.Load(),
		OutOfTime: h.timeLimit.outOfTime.Load(),
		CutOff:    h.timeLimit.cutOff.Load(),
	}
	for _, q := range h.quotas {
		s.Limited += q.group.Stats().Sum.Rejected.Total()
	}
	switch g := h.admission.gate.(type) {
	case *bulkhead.Bulkhead:
		s.Admission = g.Stats()
	case *bulkhead.Adaptive:
		s.Admission = g.Stats().Stats
	}
	return s
}

// Snapshot returns the Stats in the form of the registry. The bulkhead and the quotas have snapshots of their own.
func (h *Handler) Snapshot() seawall.Snapshot {
	return seawall.Snapshot{
		Kind: handlerKind, Name: h.name,
		Values: slices.Concat(h.recovery.values(), h.inbound.values(), h.timeLimit.values()),
	}
}

var _ seawall.Member = (*Handler)(nil)
