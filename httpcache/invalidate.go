package httpcache

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// marks say when URIs were invalidated last, on a clock that counts invalidations. An answer whose request was sent
// before that is not used, nor stored if it comes later: for all users and all variants, without a search for them.
//
// URIs share slots by their hash: an invalidation may drop what it need not. There is a slot for each KiB of the store,
// hence more than answers as a rule, so that is one on average at the most.
type marks struct {
	clock atomic.Uint64
	slots []atomic.Uint64
}

func newMarks(bytes int64) *marks {
	return &marks{slots: make([]atomic.Uint64, min(max(bytes>>10, 1<<10), 1<<16))}
}

func (m *marks) now() uint64 { return m.clock.Load() }

func (m *marks) slot(target uint64) *atomic.Uint64 { return &m.slots[target%uint64(len(m.slots))] }

// invalidate ends all answers of a URI whose requests were sent until now.
func (m *marks) invalidate(target uint64) {
	now, slot := m.clock.Add(1), m.slot(target)
	for old := slot.Load(); old < now && !slot.CompareAndSwap(old, now); old = slot.Load() {
	}
}

// valid reports whether an answer of a URI stands whose request was sent at a time.
func (m *marks) valid(target, birth uint64) bool { return birth >= m.slot(target).Load() }

// Invalidate drops the answers of a URI, for all users and in all variants, and lets none be stored whose request was
// sent before. uri is absolute: scheme, host, path and query. The error says that it is not.
func (c *Cache) Invalidate(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Scheme == "" {
		return fmt.Errorf("httpcache: Invalidate: want an absolute URI") // without its text, which may hold secrets
	}
	c.invalidate(c.targetOf(u))
	return nil
}

func (c *Cache) invalidate(target uint64) {
	c.marks.invalidate(target)
	c.counts.invalidations.Add(1)
}

// safe are the methods that are known to change nothing.
func safe(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace,
		"PROPFIND", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}

// changed invalidates what a request may have changed: its target and, on the same origin, what Location and
// Content-Location name (RFC 9111, section 4.4).
func (c *Cache) changed(req *http.Request, k key, resp *http.Response) {
	if safe(req.Method) || resp.StatusCode < 200 || resp.StatusCode > 399 {
		return
	}
	c.invalidate(k.target)
	for _, field := range [...]string{"Location", "Content-Location"} {
		for _, location := range resp.Header[field] {
			base := *req.URL
			if req.Host != "" {
				base.Host = req.Host
			}
			u, err := base.Parse(location)
			if err == nil && originOf(strings.ToLower(u.Scheme), u.Host) == k.origin {
				c.invalidate(c.targetOf(u))
			}
		}
	}
}
