package httpx

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/internal/reconfig"
)

const handlerKind = "handler"

// Handler is an http.Handler that keeps a server useful under load. It is made of middlewares which are there one by one
// as well, from the outside in:
//
//   - [Recover]: panics are logged once, answered by a 500, or cut the connection;
//   - health checks pass, whatever else is going on;
//   - [Inbound]: deadline, priority and attempt of peers that are trusted;
//   - after [Handler.Drain] the others get a 503;
//   - [Quota]: how many requests each client makes; more get a 429;
//   - [Admit]: as many requests at once as the server can handle; some wait, and the others get a 503 before their body
//     is read;
//   - [TimeLimit]: a handler that says nothing in time is answered for;
//   - ServerConfig.Inner, and the handler.
//
// A refusal has a Retry-After, and Seawall-Pushback: refused, by which a client knows that nothing was started. A Handler
// is safe for concurrent use, and needs no Close. It works over HTTP/1.1 and HTTP/2, for streams and upgrades as well.
//
// A request costs about a microsecond and seven allocations more than without it, and two thirds of a microsecond and ten
// allocations more if the handler asks for the end of its context.
type Handler struct {
	name string
	cfg  atomic.Pointer[ServerConfig] // with its defaults; written under mu
	mu   sync.Mutex                   // held by an Update

	draining atomic.Bool
	drained  atomic.Int64 // requests that came then

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
	need("NewHandler", next)
	cfg = cfg.withDefaults()
	h := &Handler{name: name}
	h.cfg.Store(&cfg)
	h.recovery = &recovery{name: name, registry: cfg.Registry}
	h.inbound = newInbound(name, cfg.Inbound)
	h.inbound.part = true
	h.admission = newAdmission(name, cfg.Admission)
	h.timeLimit = newTimeLimit(name, cfg.TimeLimit)

	chain := next
	for _, m := range slices.Backward(cfg.Inner) {
		chain = m(chain)
	}
	chain = h.admission.wrap(h.timeLimit.wrap(noteUsedUp(h.tellDegraded(chain))))
	for _, q := range slices.Backward(cfg.Quotas) {
		made := newQuota(name+"."+q.Name, q)
		h.quotas = append(h.quotas, made)
		chain = made.wrap(chain)
	}
	slices.Reverse(h.quotas)
	h.serve = h.recovery.wrap(h.exempt(next, h.inbound.wrap(described(h.refuseDraining(chain)))))
	seawall.Register(cfg.Registry, handlerKind, &h.name, h)
	return h
}

// need panics if a handler is nil: else the first request would, and be answered with a 500.
func need(who string, next http.Handler) {
	if next == nil {
		panic("httpx: " + who + ": the handler is nil")
	}
}

// exempt lets health checks pass.
func (h *Handler) exempt(next, chain http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(h.cfg.Load().HealthPaths, r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		chain.ServeHTTP(w, r)
	})
}

// ServeHTTP handles a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve.ServeHTTP(w, r) }

// Update changes the configuration while requests come, all of it or, with an error, nothing. Limits, buckets and counts
// stay, as far as their meaning does, and requests that are under way go on with what they began with. The functions,
// Inner, the Gate and the registries stay as the Handler was made with; those of cfg are ignored. What finds the limit of the
// admission cannot change, adaptive or fixed, nor can the names and the order of the quotas. A change is logged as
// seawall.config.updated.
func (h *Handler) Update(cfg ServerConfig) error {
	h.mu.Lock()
	old := *h.cfg.Load()
	cfg = cfg.withMade(old)
	err := cfg.Validate()
	if err == nil {
		cfg = cfg.withDefaults()
		err = h.apply(old, cfg)
	}
	if err == nil {
		h.cfg.Store(&cfg)
	}
	h.mu.Unlock()
	if err != nil {
		return err
	}
	reconfig.Updated(old.Registry, handlerKind, h.name, cfg.changes(old))
	return nil
}

// apply puts the parts of a configuration in force. What may fail comes first, and is valid.
func (h *Handler) apply(old, cfg ServerConfig) error {
	if old.Admission.isFixed() != cfg.Admission.isFixed() {
		if old.Admission.isFixed() {
			return fmt.Errorf("httpx: ServerConfig.Admission.Fixed.Limit is 0, want at least 1: the handler was made with a fixed limit")
		}
		return fmt.Errorf("httpx: ServerConfig.Admission.Fixed.Limit is %d, want 0: the handler was made with an adaptive limit",
			cfg.Admission.Fixed.Limit)
	}
	if !slices.EqualFunc(old.Quotas, cfg.Quotas, func(a, b QuotaConfig) bool { return a.Name == b.Name }) {
		return fmt.Errorf("httpx: ServerConfig.Quotas have other names, want those that the handler was made with, in their order")
	}
	switch g := h.admission.gate.(type) {
	case *bulkhead.Bulkhead:
		if old.Admission.Gate == nil {
			if err := g.Update(cfg.Admission.Fixed); err != nil {
				return err
			}
		}
	case *bulkhead.Adaptive:
		if old.Admission.Gate == nil {
			if err := g.Update(cfg.Admission.Adaptive); err != nil {
				return err
			}
		}
	}
	for i, q := range h.quotas {
		if err := q.update(cfg.Quotas[i]); err != nil {
			return err
		}
	}
	h.admission.untilEnd.Store(cfg.Admission.Latency == UntilEnd)
	h.timeLimit.settings.Store(newTimeSettings(h.name, cfg.TimeLimit))
	h.inbound.cfg.Store(&cfg.Inbound)
	return nil
}

// Name returns the handler's name, as the registry has it.
func (h *Handler) Name() string { return h.name }

// String returns such as: handler "api".
func (h *Handler) String() string { return fmt.Sprintf("%s %q", handlerKind, h.name) }

// Config returns the configuration with its defaults filled in.
func (h *Handler) Config() ServerConfig { return h.cfg.Load().withDefaults() }

// Admission returns the gate that requests go through: a [bulkhead.Adaptive], a [bulkhead.Bulkhead], or the one of the
// configuration.
func (h *Handler) Admission() seawall.Gate { return h.admission.gate }

// HandlerStats is what a [Handler] has counted. The numbers never decrease, but for those of Admission that are of this
// instant.
type HandlerStats struct {
	Panics    int64 // of the handler
	TooLate   int64 // requests that came after the deadline of their peer
	Drained   int64 // requests that came after [Handler.Drain]
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
		Drained:   h.drained.Load(),
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

// Snapshot returns the Stats in the form of the registry. The state is "serving", or "draining" after [Handler.Drain]. The
// bulkhead and the quotas have snapshots of their own.
func (h *Handler) Snapshot() seawall.Snapshot {
	state := "serving"
	if h.draining.Load() {
		state = "draining"
	}
	return seawall.Snapshot{
		Kind: handlerKind, Name: h.name, State: state,
		Values: append(slices.Concat(h.recovery.values(), h.inbound.values(), h.timeLimit.values()),
			seawall.Value{Name: "drained", V: float64(h.drained.Load())}),
	}
}

var _ seawall.Member = (*Handler)(nil)
