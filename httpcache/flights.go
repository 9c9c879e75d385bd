package httpcache

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// aloneFor is for how long the requests for a URI go alone whose answers could not be shared. Until then the next ones
// would wait for an answer that is not theirs, one behind the other.
const aloneFor = 30 * time.Second

// aloneTable remembers them, within a bound: of those that share a slot the last one.
type aloneTable [512]struct {
	flight uint64 // hash
	until  time.Duration
	used   bool
}

func (t *aloneTable) note(flight uint64, now time.Duration) {
	slot := &t[flight%uint64(len(t))]
	slot.flight, slot.until, slot.used = flight, now+aloneFor, true
}

func (t *aloneTable) holds(flight uint64, now time.Duration) bool {
	slot := &t[flight%uint64(len(t))]
	return slot.used && slot.flight == flight && now < slot.until
}

// part is one caller's share in a fetch.
type part struct {
	c   *Cache
	f   *fetch
	led bool // it is the one who began

	mu   sync.Mutex // guards the fields below
	left bool
	stop func() bool // ends the watch over the caller's context
}

// join finds the fetch that a request may wait for, or begins one. A request that is not to share begins one that
// nobody else waits for.
func (c *Cache) join(q *question, share bool) *part {
	hash, ctx := maphash.String(c.seed, q.flight), q.req.Context()
	c.mu.Lock()
	share = share && !c.alone.holds(hash, mono.Now())
	if share {
		if f := c.fetches[q.flight]; f != nil && c.marks.valid(q.key.target, f.birth) {
			f.refs++
			c.mu.Unlock()
			return c.newPart(ctx, f, false)
		}
	}
	c.mu.Unlock()
	f := c.newFetch(q) // outside of the lock: it copies the request
	f.led = true
	if share {
		c.mu.Lock()
		if other := c.fetches[q.flight]; other != nil && c.marks.valid(q.key.target, other.birth) {
			other.refs++
			c.mu.Unlock()
			f.cancel(nil)
			return c.newPart(ctx, other, false)
		}
		f.listed = true
		c.fetches[q.flight] = f
		c.mu.Unlock()
	}
	go c.run(f)
	return c.newPart(ctx, f, true)
}

func (c *Cache) newPart(ctx context.Context, f *fetch, led bool) *part {
	p := &part{c: c, f: f, led: led}
	stop := context.AfterFunc(ctx, p.leave)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return p
	}
	p.stop = stop
	return p
}

// leave lets go of the fetch. It may be called many times.
func (p *part) leave() {
	p.mu.Lock()
	again, stop := p.left, p.stop
	p.left = true
	p.mu.Unlock()
	if again {
		return
	}
	if stop != nil {
		stop()
	}
	p.c.leave(p.f, p.led)
}

func (c *Cache) leave(f *fetch, led bool) {
	c.mu.Lock()
	f.refs--
	if led {
		f.led = false
	}
	last := f.refs == 0
	handed := f.handed && led
	abandoned := false
	switch {
	case handed || f.ended:
	case last && f.storing():
		c.limitLocked(f, grace, func() {
			c.mu.Lock()
			unwanted := f.refs == 0
			if unwanted {
				c.delistLocked(f)
			}
			c.mu.Unlock()
			if unwanted {
				f.cancel(errLeft)
			}
		})
	case last:
		c.delistLocked(f)
		abandoned = true
	case led && f.hurried:
		c.limitLocked(f, c.cfg.RefreshTimeout, func() { f.cancel(errTooLong) })
	}
	c.mu.Unlock()
	switch {
	case handed:
		_ = f.body.Close()
		c.release(f)
	case abandoned:
		f.cancel(errLeft)
	}
}

// storing reports whether the body is coming in to be stored.
func (f *fetch) storing() bool {
	select {
	case <-f.ready:
		return f.spool != nil
	default:
		return false
	}
}

// limitLocked arms the one timer of a fetch that has not ended.
func (c *Cache) limitLocked(f *fetch, d time.Duration, over func()) {
	if f.timer != nil {
		f.timer.Stop()
	}
	f.timer = time.AfterFunc(d, over)
}

// delistLocked lets nobody else join.
func (c *Cache) delistLocked(f *fetch) {
	if f.listed && c.fetches[f.flight] == f {
		delete(c.fetches, f.flight)
	}
	f.listed = false
}

// goAlone remembers that the answers to such requests cannot be shared.
func (c *Cache) goAlone(f *fetch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone.note(maphash.String(c.seed, f.flight), mono.Now())
}

// refresh sees to it that a stale entry is asked for in the background, once for all who use it meanwhile, and not
// within RetryEvery of a failure. It reports whether the entry may be used: not if the cache was closed.
func (c *Cache) refresh(q *question) bool {
	until := q.entry.holdOff.Load()
	waiting := until != 0 && mono.Now() < time.Duration(until)
	c.mu.Lock()
	other, closed := c.fetches[q.flight], c.closed
	c.mu.Unlock()
	if closed || waiting || other != nil {
		return !closed
	}
	f := c.newFetch(q.inBackground())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.fetches[q.flight] != nil {
		f.cancel(nil)
		return !c.closed
	}
	f.listed = true
	c.fetches[q.flight], c.running[f] = f, struct{}{}
	c.limitLocked(f, c.cfg.RefreshTimeout, func() { f.cancel(errTooLong) })
	c.work.Add(1)
	go c.refreshing(f, q.entry)
	return true
}

// inBackground returns the question as the cache asks it for itself: without deadline and record of the caller, who is
// told what it got, and without validators of its own.
func (q *question) inBackground() *question {
	ctx, _ := seawall.WithRecord(context.WithoutCancel(q.req.Context()))
	sent := q.sent.Clone(ctx)
	sent.Method, sent.Body, sent.GetBody = http.MethodGet, nil, nil
	for name := range sent.Header {
		if slices.Contains(conditions, http.CanonicalHeaderKey(name)) {
			delete(sent.Header, name)
		}
	}
	plain := *q
	plain.sent, plain.req = sent, canonical(sent)
	return &plain
}

// refreshing runs a fetch that no caller has begun.
func (c *Cache) refreshing(f *fetch, e *entry) {
	defer c.work.Done()
	defer func() {
		// Whatever else came, such as 429, left the entry as it is: the next caller would begin a refresh again.
		good := f.err == nil && (f.resp == nil || f.whole != nil || f.dropped)
		if !good {
			e.holdOff.Store(int64(mono.Now()+c.cfg.RetryEvery) | 1) // never 0; an instant may be negative
		}
		c.mu.Lock()
		delete(c.running, f)
		c.mu.Unlock()
		c.counts.refreshed(good)
		if !good && !errors.Is(f.err, errClosed) {
			c.tellFailed(f.req.Context(), f.err, f.status)
		}
	}()
	c.run(f)
}
