package httpx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/reconfig"
)

const idempotencyKind = "idempotency"

// The fields of an answer that was given before. There is no standard for the first; it is the one that Stripe sends, and
// others after it.
const (
	fieldReplayed = "Idempotent-Replayed" // true
	fieldBody     = "Seawall-Body"        // dropped: the answer had a body, which was not kept
	bodyDropped   = "dropped"
)

// Idempotency answers repeats of a request from what became of the first one, as far as clients name them by an
// Idempotency-Key. It follows the behaviour of the IETF's draft (draft-ietf-httpapi-idempotency-key-header-07), which is
// no standard. [Idempotency.Handler] puts it around a handler, innermost of all; for all routes of a [Handler] it goes into
// ServerConfig.Inner:
//
//	the key                                            the answer
//	missing, where the route requires one              400
//	not understood                                     400
//	with a body above MaxBody                          413
//	new                                                the handler's
//	known, with another fingerprint                    422
//	known, and the first request still runs            409 with Retry-After
//	known, and done                                    the first answer, with Idempotent-Replayed: true
//	the store cannot be asked                          503 with Retry-After, or see [StoreErrorRun]
//
// A key belongs to a tenant, a method and a route. The fingerprint is that of method, path, query and body. GET, HEAD,
// OPTIONS, TRACE and CONNECT pass untouched, and so does a request without a key where none is required.
//
// # What is kept
//
// The handler's answer is held back until the store has it: what the client has seen, its repeat gets as well. Kept are
// status, body, and the fields that the handler has set, not those that were there before it; trailers are not. These
// answers are not kept, but free the key, so that a repeat runs the handler again: statuses from 500 on, and 408, 421,
// 425 and 429, which ask for a repeat; a panic; and no answer at all from a handler that a limit of time, the deadline
// of a peer or the end of the lease has stopped. A handler that must not run again all the same says so by [Final]. An
// answer that comes after the limit of time is kept: its client was told 503, and gets the answer when it asks again. A
// handler that returns after its client has left, without an answer, has the one that net/http makes of it: an empty 200,
// which is kept, since its work may be done. One that gives up when the client leaves says so by a status or a panic.
//
// An answer that is flushed or larger than MaxAnswer is a stream: it goes out as it is written, and is kept when it has
// ended. If it is larger than MaxAnswer, or was cut off, all but the body is kept: a repeat gets status and fields with
// an empty body and Seawall-Body: dropped. So a stream of events under a key works, but its repeat does not bring the
// events back.
//
// # Owners
//
// The request that runs the handler holds a lease. When a process dies, the lease runs out, and the key is new again.
// Whether the handler's work was done by then nobody knows: it should do it in one transaction, or be repeatable. The
// handler's context ends with the lease. An owner that finishes later than that cannot overwrite the answer of the next
// one: its client gets that answer, too, or 409 while it is awaited. If the store fails just then, the client gets the
// answer of its handler: the work is done, and the next repeat would run it again whatever is said.
//
// An Idempotency is safe for concurrent use. A request without a key costs nothing; one with a key two calls of the store,
// each in a goroutine of its own, a hash of the body, a copy of the answer, and some 60 small allocations.
type Idempotency struct {
	name     string
	store    IdempotencyStore
	registry *seawall.Registry
	cfg      atomic.Pointer[IdempotencyConfig]
	lost     atomic.Bool  // the store did not answer the last time
	overdue  atomic.Int64 // calls of the store that go on after their time
	counts   idempotencyCounts
}

// NewIdempotency makes an Idempotency. The name is a constant of the program, for people, metrics and logs. It panics if
// cfg is not valid: at least Tenant must be set.
func NewIdempotency(name string, cfg IdempotencyConfig) *Idempotency {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg = cfg.withDefaults()
	if cfg.Store == nil {
		cfg.Store = NewMemoryStore(MemoryStoreConfig{})
	}
	k := &Idempotency{name: name, store: cfg.Store, registry: cfg.Registry}
	k.cfg.Store(&cfg)
	seawall.Register(cfg.Registry, idempotencyKind, &k.name, k)
	return k
}

// Handler returns next behind the keys. Where two are nested, the outer one has a request with a key, and the inner one
// lets it pass. Handler panics if next is nil.
func (k *Idempotency) Handler(next http.Handler) http.Handler {
	need("Idempotency.Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { k.serve(w, r, next) })
}

// Name returns the name under which the registry knows k.
func (k *Idempotency) Name() string { return k.name }

// String returns such as: idempotency "orders".
func (k *Idempotency) String() string { return fmt.Sprintf("%s %q", idempotencyKind, k.name) }

// Config returns the settings with their defaults filled in.
func (k *Idempotency) Config() IdempotencyConfig { return *k.cfg.Load() }

// Update changes the settings for requests that come from now on. Tenant, Route, Required, Store and Registry stay as they
// are. It returns the error of [IdempotencyConfig.Validate], and changes nothing then.
func (k *Idempotency) Update(cfg IdempotencyConfig) error {
	for {
		old := k.cfg.Load()
		cfg.Tenant, cfg.Route, cfg.Required, cfg.Store, cfg.Registry = old.Tenant, old.Route, old.Required, old.Store, old.Registry
		if err := cfg.Validate(); err != nil {
			return err
		}
		resolved := cfg.withDefaults()
		if k.cfg.CompareAndSwap(old, &resolved) {
			reconfig.Updated(k.registry, idempotencyKind, k.name, old.changes(resolved))
			return nil
		}
	}
}

// Final says that the answer to the request of this context, or what has become of it without one, is the last word: the
// key is not freed whatever the status is, nor by a panic. Where the status would have let clients repeat, they are told by
// Seawall-Pushback: final; after a panic the repeat is. A handler calls it before the step that must not happen twice and cannot be undone. It does
// nothing outside of a handler behind an [Idempotency], or for a request without a key.
func Final(ctx context.Context) {
	if rec := recorderOf(ctx); rec != nil {
		rec.final.Store(true)
	}
}

type recorderKey struct{}

func recorderOf(ctx context.Context) *recorder {
	rec, _ := ctx.Value(recorderKey{}).(*recorder)
	return rec
}

func (k *Idempotency) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !unsafeMethod(r.Method) || recorderOf(r.Context()) != nil {
		next.ServeHTTP(w, r)
		return
	}
	cfg := k.cfg.Load()
	values := r.Header[cfg.Field]
	if len(values) == 0 {
		if cfg.Required(r) {
			k.counts.missing.Add(1)
			cfg.explain(w, http.StatusBadRequest, keyMissing)
			return
		}
		next.ServeHTTP(w, r)
		return
	}
	key, problem := parseKey(values)
	if problem != "" {
		k.counts.malformed.Add(1)
		cfg.explain(w, http.StatusBadRequest, problem)
		return
	}
	body, err := readBody(r, cfg.MaxBody)
	if err != nil {
		k.counts.malformed.Add(1)
		if errors.Is(err, errBodyTooLarge) {
			cfg.explain(w, http.StatusRequestEntityTooLarge, keyTooLarge)
		} else { // the client has left, or does not keep its word about the length
			cfg.explain(w, http.StatusBadRequest, keyUnread)
		}
		return
	}
	c := &keyedRequest{k: k, cfg: cfg, w: w, r: r, body: body, next: next, lease: Lease{
		Entry:       IdempotencyEntry{Tenant: cfg.Tenant(r), Method: r.Method, Route: cfg.Route(r), Key: key},
		Fingerprint: fingerprint(r, body),
		Token:       newToken(),
		For:         cfg.Lease,
	}}
	c.serve()
}

// explain answers a request that is not run, and says why.
func (c *IdempotencyConfig) explain(w http.ResponseWriter, status int, why string) {
	writeText(w, status, c.Field+": "+why)
}

func newToken() string { return fmt.Sprintf("%016x%016x", dice.Uint64(), dice.Uint64()) }
