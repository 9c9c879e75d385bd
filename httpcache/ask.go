package httpcache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/seawall-go/seawall"
)

// conditions are the fields by which a caller brings validators of its own.
var conditions = []string{"If-None-Match", "If-Modified-Since"}

func conditional(h http.Header) bool {
	return h["If-None-Match"] != nil || h["If-Modified-Since"] != nil
}

// ask has the origin asked, and answers with what comes of it. Of several callers who may get the same answer one asks,
// and the others wait for it.
func (c *Cache) ask(q *question) (*http.Response, error) {
	if ctx := q.req.Context(); ctx.Err() != nil {
		c.found(ctx, seawall.CacheError)
		return nil, context.Cause(ctx)
	}
	p := c.join(q, !conditional(q.req.Header) && !q.wishes.strict())
	if !p.led {
		resp, shared, err := c.follow(p, q)
		if shared {
			p.f.tellUsedUp(q.req.Context())
		}
		if shared || err != nil {
			return resp, err
		}
		p = c.join(q, false)
	}
	if err := p.wait(q.req.Context(), p.f.ready); err != nil {
		c.found(q.req.Context(), seawall.CacheError)
		return nil, err
	}
	p.f.tellUsedUp(q.req.Context())
	return c.lead(p, q)
}

// wait waits for what a fetch closes. The error is the cause of the caller's context, who has left then.
func (p *part) wait(ctx context.Context, what <-chan struct{}) error {
	p.c.counts.waiting.Add(1)
	defer p.c.counts.waiting.Add(-1)
	select {
	case <-what:
		return nil
	case <-ctx.Done():
		p.leave()
		return context.Cause(ctx)
	}
}

// lead answers the caller who began the fetch.
func (c *Cache) lead(p *part, q *question) (*http.Response, error) {
	f, now := p.f, time.Now()
	switch {
	case f.panic != nil:
		p.leave()
		c.found(q.req.Context(), seawall.CacheError)
		panic(f.panic)
	case f.exited:
		p.leave()
		c.found(q.req.Context(), seawall.CacheError)
		runtime.Goexit()
	case f.err != nil:
		p.leave()
		if ctx := q.req.Context(); ctx.Err() != nil {
			c.found(ctx, seawall.CacheError)
			return nil, context.Cause(ctx)
		}
		if c.forgives(q, true, now) {
			return c.rescue(q, now, 0, f.err), nil
		}
		c.found(q.req.Context(), seawall.CacheError)
		return nil, f.err
	case f.resp == nil: // it has confirmed what is stored
		p.leave()
		c.found(q.req.Context(), seawall.CacheMiss)
		resp := f.entry.answer(q.sent, now)
		c.tell(resp.Header, told{fwd: q.why, status: f.status, timed: f.kept, ttl: -f.entry.staleness(now), stored: f.kept})
		return resp, nil
	case serverError(f.status) && c.forgives(q, false, now):
		f.drain()
		p.leave()
		return c.rescue(q, now, f.status, nil), nil
	}
	c.found(q.req.Context(), seawall.CacheMiss)
	resp := f.resp
	resp.Request = q.sent
	c.tell(resp.Header, told{fwd: q.why, stored: f.kept})
	switch {
	case f.spool != nil:
		body := c.reader(p, q)
		body.ended = func() { resp.Trailer = f.late.Trailer }
		resp.Body = body
	case f.body == http.NoBody:
		p.leave()
	default:
		resp.Body = &passedBody{body: f.body, cause: cause(q.req.Context()), leave: p.leave}
	}
	return resp, nil
}

func (c *Cache) reader(p *part, q *question) *follower {
	ctx := q.req.Context()
	return &follower{
		spool: p.f.spool, began: p.led, gone: ctx.Done(), cause: cause(ctx), leave: p.leave, closed: make(chan struct{}),
	}
}

// cause returns what ended a context, or nil.
func cause(ctx context.Context) func() error { return func() error { return context.Cause(ctx) } }

// follow answers a caller who waits for another's fetch with what the store could have given to both. shared is false if
// that is nothing: the caller has to ask alone.
func (c *Cache) follow(p *part, q *question) (resp *http.Response, shared bool, err error) {
	f, ctx := p.f, q.req.Context()
	if err := p.wait(ctx, f.ready); err != nil {
		c.found(ctx, seawall.CacheError)
		return nil, false, err
	}
	now, got := time.Now(), f.entry
	switch {
	case f.err != nil || serverError(f.status) && f.entry == nil:
		p.leave()
		if f.err != errAborted && c.forgives(q, f.err != nil, now) { //nolint:errorlint // nobody wraps it
			return c.rescue(q, now, f.status, f.err), true, nil
		}
		return nil, false, nil
	case got == nil || !f.kept || got.header["Set-Cookie"] != nil:
		p.leave()
		c.goAlone(f)
		return nil, false, nil
	case !got.selector.matches(q.req.Header):
		p.leave()
		return nil, false, nil
	case judge(got, &q.wishes, now) == ask:
		p.leave()
		c.goAlone(f)
		return nil, false, nil
	}
	t := told{fwd: q.why, timed: true, ttl: -got.staleness(now), collapsed: true}
	switch {
	case f.spool == nil:
		p.leave()
		resp = got.answer(q.sent, now)
	case f.length >= 0:
		resp = got.answerWith(q.sent, c.reader(p, q), int(f.length), now)
		if resp.Body == http.NoBody {
			p.leave()
		}
	default: // it may still outgrow what is stored
		if err := p.wait(ctx, f.done); err != nil {
			c.found(ctx, seawall.CacheError)
			return nil, false, err
		}
		p.leave()
		if f.whole == nil {
			return nil, false, nil
		}
		resp = f.whole.answer(q.sent, time.Now())
	}
	c.found(ctx, seawall.CacheMiss)
	c.counts.joined.Add(1)
	c.tell(resp.Header, t)
	return resp, true, nil
}

// rescue answers with a stale entry in the place of an error, and tells the caller, the record of the call and the log.
func (c *Cache) rescue(q *question, now time.Time, status int, err error) *http.Response {
	c.found(q.req.Context(), seawall.CacheStale)
	c.counts.rescued.Add(1)
	t := told{fwd: stale, status: status, detail: "stale-if-error"}
	rejection, rejected := errors.AsType[*seawall.RejectedError](err)
	if rejected {
		if t.detail = string(rejection.Reason); !token(t.detail) {
			t.detail = "rejected"
		}
		if nothingElse(err) {
			t.fwd = nowhere
		}
	}
	resp := c.serveStale(q, now, "load_failed", t)
	seawall.RecordOf(q.req.Context()).Note(func(f *seawall.Facts) {
		f.Replaced, f.Source, f.DecidedBy = true, "stale", c.String()
		if rejected {
			f.Reason = rejection.Reason
		}
	})
	c.tellFailed(q.req.Context(), err, status)
	return resp
}

// nothingElse reports whether an error is a rejection alone, so that nothing was sent. One that has others beside it, such
// as that of a retry, comes after attempts.
func nothingElse(err error) bool {
	for err != nil {
		if _, rejected := err.(*seawall.RejectedError); rejected { //nolint:errorlint // step by step
			return true
		}
		wrapper, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = wrapper.Unwrap()
	}
	return false
}

// Bounds of what is read of an answer that a stale one takes the place of, so that its connection can be used again.
const (
	drainBytes = 64 << 10
	drainTime  = 50 * time.Millisecond
)

// drain reads what little there is of the answer that is not used.
func (f *fetch) drain() {
	if f.body == http.NoBody || f.resp.ContentLength > drainBytes {
		return
	}
	timer := time.AfterFunc(drainTime, func() { f.cancel(errLeft) })
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, f.body, drainBytes)
}

// head asks for the fields of an answer only, which are not stored. An entry that they contradict is dropped.
func (c *Cache) head(q *question) (*http.Response, error) {
	resp, err := c.base.RoundTrip(q.sent)
	c.counts.loaded(resp, err)
	now := time.Now()
	switch {
	case err != nil:
		if ctx := q.req.Context(); ctx.Err() == nil && c.forgives(q, true, now) {
			return c.rescue(q, now, 0, err), nil
		}
		c.found(q.req.Context(), seawall.CacheError)
		return nil, err
	case resp == nil:
		return nil, nil //nolint:nilnil // the base's
	case serverError(resp.StatusCode) && c.forgives(q, false, now):
		_ = resp.Body.Close()
		return c.rescue(q, now, resp.StatusCode, nil), nil
	case resp.StatusCode == http.StatusOK && q.entry != nil && q.entry.contradicts(resp):
		c.drop(q.entry)
	}
	c.found(q.req.Context(), seawall.CacheMiss)
	if resp.Header != nil {
		c.tell(resp.Header, told{fwd: q.why})
	}
	return resp, nil
}

// contradicts reports whether the fields of an answer to HEAD belong to another representation (RFC 9111, section 4.3.5).
func (e *entry) contradicts(resp *http.Response) bool {
	for _, field := range [...]string{"Etag", "Last-Modified"} {
		if now, then := resp.Header.Get(field), e.header.Get(field); now != "" && then != "" && now != then {
			return true
		}
	}
	return resp.ContentLength >= 0 && !e.unpacked && resp.ContentLength != int64(len(e.body))
}
