package httpcache

import (
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

const kind = "httpcache"

var (
	_ http.RoundTripper = (*Cache)(nil)
	_ seawall.Member    = (*Cache)(nil)
)

// Cache is an HTTP cache by RFC 9111, an http.RoundTripper. It is private by default; see [Config.Shared]. Make it with
// [New], and share it: it is safe for concurrent use.
//
// A hit costs no request, about a microsecond and 14 small allocations, most of them for the fields, which are
// the caller's own. A miss costs a goroutine until the answer's body has come in, and a copy of the request.
type Cache struct {
	name   string
	member string // how Cache-Status calls it
	cfg    Config // defaults filled in
	base   http.RoundTripper
	store  Store
	seed   maphash.Seed
	marks  *marks
	ages   *seawall.Timing

	incoming atomic.Int64 // bytes of answers that are being stored

	mu      sync.Mutex // guards the fields below, and what fetch says
	fetches map[string]*fetch
	alone   aloneTable
	closed  bool
	work    sync.WaitGroup // the refreshes
	running map[*fetch]struct{}

	counts counts
}

// New makes a cache in front of base; nil is http.DefaultTransport. Its name is a constant of the program, for people,
// metrics, logs and Cache-Status. New panics if cfg is not valid; see [Config.Validate].
func New(name string, cfg Config, base http.RoundTripper) *Cache {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg = cfg.withDefaults()
	if base == nil {
		base = http.DefaultTransport
	}
	c := &Cache{
		name: name, cfg: cfg, base: base, store: cfg.Store, seed: maphash.MakeSeed(), marks: newMarks(cfg.MaxBytes),
		fetches: map[string]*fetch{}, running: map[*fetch]struct{}{},
	}
	if c.store == nil {
		c.store = newMemory(cfg.MaxBytes)
	}
	seawall.Register(cfg.Registry, kind, &c.name, c)
	c.ages = seawall.NewTiming(cfg.Registry, seawall.StaleAge, kind, c.name)
	c.member = memberName(c.name)
	return c
}

// Close stops the refreshes in the background, waits for them, and lets no new ones begin. The cache stays usable: what
// would have been refreshed in the background is asked for by the caller. Close may be called more than once.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	for f := range c.running {
		f.cancel(errClosed)
	}
	c.mu.Unlock()
	c.work.Wait()
}

// CloseIdleConnections closes the idle connections of the base, if it can do that.
func (c *Cache) CloseIdleConnections() {
	if b, ok := c.base.(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
}

// Name returns the name under which the registry knows the cache: the given one, or that with a number.
func (c *Cache) Name() string { return c.name }

// String returns such as: httpcache "catalog".
func (c *Cache) String() string { return fmt.Sprintf("%s %q", kind, c.name) }

// Config returns the configuration with its defaults filled in.
func (c *Cache) Config() Config { return c.cfg }

// RoundTrip answers from the store if it may, and else asks the base, as [http.RoundTripper] says. The request is left
// as it is.
//
// The error is the base's, or the cause of the request's context, if that has ended. An error under which a stale answer
// may be used is not returned: see the package documentation.
func (c *Cache) RoundTrip(req *http.Request) (*http.Response, error) {
	q := question{sent: req, req: canonical(req)}
	var ok bool
	if q.key, ok = c.keyOf(q.req); !ok {
		c.counts.passed.Add(1)
		return c.base.RoundTrip(req)
	}
	q.wishes = parseWishes(q.req.Header)
	if q.why = passing(q.req, &q.wishes); q.why != nowhere {
		if q.wishes.onlyIfCached && q.why != method {
			return c.onlyIfCached(req), nil
		}
		return c.pass(&q)
	}
	now := time.Now()
	c.find(&q)
	if q.entry != nil {
		switch judge(q.entry, &q.wishes, now) {
		case useFresh:
			c.found(req.Context(), seawall.CacheFresh)
			return c.hit(&q, now), nil
		case useStale:
			c.found(req.Context(), seawall.CacheStale)
			return c.serveStale(&q, now, "asked_for", told{}), nil
		case useMeanwhile:
			if c.refresh(&q) {
				c.found(req.Context(), seawall.CacheStale)
				return c.serveStale(&q, now, "refreshing", told{}), nil
			}
		case ask:
			if q.entry.staleness(now) < 0 {
				q.why = request
			}
		}
	}
	if q.wishes.onlyIfCached {
		return c.onlyIfCached(req), nil
	}
	if q.req.Method == http.MethodHead {
		return c.head(&q)
	}
	return c.ask(&q)
}

// question is one request, and what the cache knows of it.
type question struct {
	sent   *http.Request // as the caller made it, which is how it is sent
	req    *http.Request // the same with the names of its fields in canonical form, by which everything is decided
	key    key
	wishes wishes
	entry  *entry  // what is stored for it; nil without
	flight string  // what it has in common with requests that may get the same answer
	why    forward // it is forwarded
}

// canonical returns a request with the names of its fields in canonical form: req itself, as a rule.
func canonical(req *http.Request) *http.Request {
	h, odd := canonicalFields(req.Header)
	if !odd {
		return req
	}
	view := *req
	view.Header = h
	return &view
}

// canonicalFields returns fields with their names in canonical form, and whether that are others than h. A program may
// put any into the map, and net/http sends them; a Cookie must not be overlooked for its spelling.
func canonicalFields(h http.Header) (fields http.Header, odd bool) {
	for name := range h {
		odd = odd || http.CanonicalHeaderKey(name) != name
	}
	if !odd {
		return h, false
	}
	fields = make(http.Header, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		canonical := http.CanonicalHeaderKey(name)
		fields[canonical] = append(fields[canonical], h[name]...)
	}
	return fields, true
}

// passing says why a request is none of the cache's business, or nowhere.
func passing(req *http.Request, w *wishes) forward {
	h := req.Header
	switch {
	case req.Method != "" && req.Method != http.MethodGet && req.Method != http.MethodHead:
		return method
	case w.noStore:
		return request
	case req.Body != nil && req.Body != http.NoBody, // the answer may depend on it
		h["Range"] != nil, h["If-Range"] != nil, h["If-Match"] != nil, h["If-Unmodified-Since"] != nil, h["Upgrade"] != nil:
		return bypass
	}
	return nowhere
}

// pass lets a request pass by, and invalidates what it has changed.
func (c *Cache) pass(q *question) (*http.Response, error) {
	c.counts.passed.Add(1)
	resp, err := c.base.RoundTrip(q.sent)
	if err != nil || resp == nil {
		return resp, err
	}
	c.changed(q.sent, q.key, resp)
	if resp.StatusCode != http.StatusSwitchingProtocols && resp.Header != nil {
		c.tell(resp.Header, told{fwd: q.why})
	}
	return resp, nil
}

// find looks up the stored answer, or what is missing. Requests are one flight that may get the same answer as far as
// the answers that are there tell by their Vary.
func (c *Cache) find(q *question) {
	q.flight, q.why = q.key.store, uriMiss
	answers := c.store.Load(q.key.store)
	if answers == nil {
		return
	}
	for _, field := range answers.variants[0].selector.fields {
		q.flight += "\x00" + normalised(field, q.req.Header[field])
	}
	switch e := answers.find(q.req.Header); {
	case e == nil:
		q.why = varyMiss
	case !c.marks.valid(q.key.target, e.birth):
		c.drop(e)
	default:
		q.entry, q.why = e, stale
	}
}

// put stores an answer, unless it was invalidated since its request was sent.
func (c *Cache) put(e *entry, req http.Header) {
	stored := false
	c.store.Update(e.key.store, func(a *Answers) *Answers {
		if stored = c.marks.valid(e.key.target, e.birth); !stored {
			return a
		}
		next := a.with(e, req, 4*c.cfg.MaxObject)
		stored = next != a
		return next
	})
	if stored {
		c.counts.stored.Add(1)
	}
}

// drop forgets an answer.
func (c *Cache) drop(e *entry) {
	c.store.Update(e.key.store, func(a *Answers) *Answers { return a.without(e) })
}

// hit answers from a fresh entry, with a 304 if the caller has it already.
func (c *Cache) hit(q *question, now time.Time) *http.Response {
	resp := q.answer(now)
	c.tell(resp.Header, told{timed: true, ttl: -q.entry.staleness(now)})
	return resp
}

// answer answers from the stored entry.
func (q *question) answer(now time.Time) *http.Response {
	resp := q.entry.answer(q.sent, now)
	if q.entry.satisfies(q.req) {
		notModified(resp)
	}
	return resp
}

// serveStale answers from a stale entry, and says so to the caller and in the record of the call. why is one of few words.
func (c *Cache) serveStale(q *question, now time.Time, why string, t told) *http.Response {
	resp := q.answer(now)
	t.timed, t.ttl = true, -q.entry.staleness(now)
	c.tell(resp.Header, t)
	ctx, age := q.req.Context(), q.entry.age(now)
	seawall.RecordOf(ctx).Note(func(f *seawall.Facts) { f.Stale = age })
	c.ages.Tell(ctx, why, age)
	return resp
}

// onlyIfCached is the answer to a request that must not be forwarded.
func (c *Cache) onlyIfCached(req *http.Request) *http.Response {
	c.found(req.Context(), seawall.CacheError)
	if req.Body != nil {
		_ = req.Body.Close() // as a RoundTripper must
	}
	resp := &http.Response{
		Status: "504 " + http.StatusText(http.StatusGatewayTimeout), StatusCode: http.StatusGatewayTimeout,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Cache-Control": {"no-store"}},
		Body: http.NoBody, Request: req,
	}
	c.tell(resp.Header, told{fwd: refused, detail: "only-if-cached"})
	return resp
}
