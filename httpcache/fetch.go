package httpcache

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

// fetch is one request to the origin and what comes of it. It runs in a goroutine and with a context of its own, so
// that the caller who began it may leave while others wait for it. It is theirs: it ends with the answer's body, or when
// nobody wants that any more.
type fetch struct {
	moment
	flight string // of Cache.fetches
	cancel context.CancelCauseFunc
	req    *http.Request // as it is sent
	fields http.Header   // of it, with names in canonical form
	base   *entry        // what the origin is asked to confirm; nil without
	own    bool          // the validators in the request are the caller's
	// The context tells a deadline that does not end it, by which what is inside may have limited itself.
	hurried bool
	// The req's context, in which what is inside notes that it has repeated the request as often as may be.
	repeats hop.Repeating

	// Set before ready is closed, and not changed afterwards.
	resp   *http.Response // the origin's, for the caller who began; nil if it has confirmed base
	late   *http.Response // the transport's, which gets trailers with the end of the body; set with spool
	body   io.ReadCloser  // of resp
	status int            // of the origin's answer; 0 if there is none
	err    error
	panic  *seawall.AttemptPanic
	exited bool   // by runtime.Goexit
	entry  *entry // what may be stored of the answer; without its body as long as spool brings it
	kept   bool   // the entry is stored, or will be
	length int64  // of the body that spool brings; -1 is not known
	spool  *spool // nil if nothing comes in to be stored
	ready  chan struct{}

	whole *entry // what was stored; set before done is closed
	done  chan struct{}

	dropped  bool  // base is; the goroutine's
	told     bool  // ready is closed; the goroutine's
	reserved int64 // bytes of Cache.incoming; the goroutine's, and behind handed that of whoever leaves last

	// Guarded by Cache.mu.
	refs   int  // who wants the answer: callers, and the cache itself for a refresh
	led    bool // the caller who began is among them
	listed bool // in Cache.fetches
	handed bool // the origin's body is that caller's to close
	ended  bool
	timer  *time.Timer
}

// grace is how long an answer that is being stored may take to its end when nobody reads it any more: many a caller has
// all that it wants before it has read the end.
const grace = 50 * time.Millisecond

var (
	errLeft    = errors.New("httpcache: nobody waits for the answer")
	errTooLong = timedOut("httpcache: Config.RefreshTimeout has passed")
	errClosed  = errors.New("httpcache: the cache was closed")
	errAborted = errors.New("httpcache: the transport left by a panic or runtime.Goexit")
)

// timedOut is the cause of a request that one of our limits has ended.
type timedOut string

func (e timedOut) Error() string { return string(e) }
func (timedOut) Timeout() bool   { return true }

// newFetch makes a fetch for a request, which it leaves as it is. Its context has the values of the caller's, and tells its
// deadline; it ends when the fetch does.
func (c *Cache) newFetch(q *question) *fetch {
	f := &fetch{
		fields: q.req.Header, base: q.entry, own: conditional(q.req.Header), flight: q.flight, refs: 1,
		ready: make(chan struct{}), done: make(chan struct{}),
	}
	f.key, f.birth, f.sent = q.key, c.marks.now(), time.Now()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(q.req.Context()))
	f.cancel = cancel
	if deadline, ok := q.req.Context().Deadline(); ok {
		ctx, f.hurried = lifespan{ctx, deadline}, true
	}
	f.repeats.Context = ctx
	f.req = q.sent.Clone(&f.repeats)
	if q.req == q.sent {
		f.fields = f.req.Header // a copy: the caller may use its request again before the fetch has ended
	}
	if f.req.Header == nil {
		f.req.Header = http.Header{}
	}
	if f.base != nil && !f.own {
		maps.Copy(f.req.Header, f.base.validators())
	}
	return f
}

// lifespan is the context of a fetch. It tells the deadline of the caller who began it, so that what is inside begins
// nothing in vain. It does not end by it: the caller does, and leaves.
type lifespan struct {
	context.Context
	deadline time.Time
}

func (l lifespan) Deadline() (time.Time, bool) { return l.deadline, true }

// tellUsedUp notes for a caller who gets what came of the fetch that it was repeated as often as may be.
func (f *fetch) tellUsedUp(caller context.Context) {
	if f.repeats.UsedUp() {
		hop.NoteUsedUp(caller)
	}
}

// run sends the request, and takes in what is to be stored.
func (c *Cache) run(f *fetch) {
	defer c.finish(f)
	c.send(f)
	if f.body != nil && f.spool == nil {
		c.hand(f)
	}
	f.told = true
	close(f.ready)
	if f.spool == nil {
		return
	}
	whole := f.spool.take(f.body, f.length, c.cfg.MaxObject, func(n int) bool { return f.length >= 0 || c.reserve(f, n) })
	switch {
	case whole:
		if len(f.late.Trailer) == 0 {
			f.whole = &entry{meta: f.entry.meta, body: f.spool.kept()}
			c.put(f.whole, f.fields)
		}
		c.unreserve(f)
		f.spool.end(io.EOF) // whoever has read to the end finds it stored
		_ = f.body.Close()
	case f.spool.outgrown():
		c.counts.tooLarge.Add(1)
		c.hand(f)
	default:
		_ = f.body.Close()
	}
}

// finish ends the fetch, unless the origin's body has been handed on: then whoever has that ends it.
func (c *Cache) finish(f *fetch) {
	if !f.told { // runtime.Goexit
		f.err, f.exited = errAborted, true
		close(f.ready)
	} else if f.spool != nil {
		f.spool.end(errAborted)
	}
	c.mu.Lock()
	c.delistLocked(f)
	f.ended = true
	handed := f.handed
	if f.timer != nil && !handed {
		f.timer.Stop()
	}
	c.mu.Unlock()
	close(f.done)
	if !handed {
		c.release(f)
	}
}

// release gives back what the fetch holds.
func (c *Cache) release(f *fetch) {
	c.unreserve(f)
	f.cancel(errLeft)
}

func (c *Cache) unreserve(f *fetch) {
	c.incoming.Add(-f.reserved)
	f.reserved = 0
}

// hand gives the origin's body to the caller who began, or closes it if that one has left.
func (c *Cache) hand(f *fetch) {
	c.mu.Lock()
	c.delistLocked(f)
	f.handed = f.led
	handed := f.handed
	c.mu.Unlock()
	if !handed {
		_ = f.body.Close()
	}
}

// reserve makes room for bytes that come in, and reports whether there is any.
func (c *Cache) reserve(f *fetch, n int) bool {
	if c.incoming.Add(int64(n)) > c.cfg.MaxBytes/4 {
		c.incoming.Add(-int64(n))
		return false
	}
	f.reserved += int64(n)
	return true
}

// send sends the request, and sets what becomes known with the head of the answer.
func (c *Cache) send(f *fetch) {
	resp, err := c.roundTrip(f)
	f.received = time.Now()
	if err != nil {
		f.err = err
		return
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	if resp.Header, _ = canonicalFields(resp.Header); resp.Header == nil {
		resp.Header = http.Header{}
	}
	f.status = resp.StatusCode
	switch {
	case f.base != nil && f.status == http.StatusNotModified && f.own:
		if tag := resp.Header.Get("Etag"); tag != "" && sameTag(tag, f.base.etag()) {
			c.confirm(f, resp)
			f.entry = nil // the caller gets the 304
		}
	case f.base != nil && f.status == http.StatusNotModified:
		_ = resp.Body.Close()
		if tag := resp.Header.Get("Etag"); tag != "" && f.base.etag() != "" && !sameTag(tag, f.base.etag()) {
			c.sendPlain(f) // it confirms something that we do not have
			return
		}
		c.confirm(f, resp)
		return
	case f.status == http.StatusNotModified:
	case f.base != nil && serverError(f.status): // says nothing of whether base is good
	default:
		f.entry = c.newEntry(f.fields, resp, f.moment)
		if f.entry == nil && f.base != nil && answersFor(f.status) {
			c.dropBase(f) // the origin has another answer now
		}
	}
	f.resp, f.body = resp, resp.Body
	if f.entry == nil {
		return
	}
	f.length = resp.ContentLength
	if f.body == http.NoBody {
		f.length = 0
	}
	if f.length > 0 && !c.reserve(f, int(f.length)) {
		f.entry = nil
		c.counts.tooLarge.Add(1)
		return
	}
	// The caller may copy the response while the transport sets its trailers in the goroutine.
	given := *resp
	f.resp, f.late = &given, resp
	f.kept, f.spool = true, &spool{}
}

// answersFor reports whether a status says what there is under the URI. Others, such as 401 or 429, speak of the request.
func answersFor(status int) bool { return status < 400 || status < 500 && heuristically(status) }

// confirm updates base by a 304.
func (c *Cache) confirm(f *fetch, resp *http.Response) {
	f.entry, f.kept = c.fresher(f.base, f.fields, resp, f.moment)
	if f.kept {
		c.put(f.entry, f.fields)
	} else {
		c.dropBase(f)
	}
	c.counts.confirmed.Add(1)
}

// sendPlain sends the request again without a condition.
func (c *Cache) sendPlain(f *fetch) {
	for name := range f.base.validators() {
		f.req.Header.Del(name)
	}
	c.dropBase(f)
	f.base = nil
	c.send(f)
}

// dropBase forgets what the origin does not stand by any more.
func (c *Cache) dropBase(f *fetch) {
	f.dropped = true
	c.drop(f.base)
}

// roundTrip asks the origin. A panic is kept for the caller who began.
func (c *Cache) roundTrip(f *fetch) (resp *http.Response, err error) {
	defer func() {
		if value := recover(); value != nil {
			f.panic = &seawall.AttemptPanic{Value: value, Stack: debug.Stack()}
			resp, err = nil, errAborted
		}
		c.counts.loaded(resp, err)
	}()
	resp, err = c.base.RoundTrip(f.req)
	if err == nil && resp == nil {
		err = errors.New("httpcache: the transport returned neither a response nor an error")
	}
	return resp, err
}
