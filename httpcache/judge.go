package httpcache

import (
	"net/http"
	"time"
)

// use is what may be done with a stored answer.
type use uint8

const (
	ask          use = iota // the origin has to be asked
	useFresh                // it is good
	useStale                // it is stale, which the request allows
	useMeanwhile            // it is stale, and may be used while it is refreshed
)

// judge says what may be done with an answer, for a request that wishes, at an instant (RFC 9111, section 4.2).
func judge(e *entry, w *wishes, now time.Time) use {
	over := e.staleness(now)
	switch {
	case e.rules.noCache || w.noCache || w.maxAge.set && e.age(now) > w.maxAge.d:
		return ask
	case over < 0 && (!w.minFresh.set || -over >= w.minFresh.d):
		return useFresh
	case e.rules.neverStale() || w.minFresh.set:
		return ask
	case w.maxStale.within(over):
		return useStale
	case e.rules.staleWhileRevalidate.within(over) && !w.strict():
		return useMeanwhile
	}
	return ask
}

// forgives reports whether the stored answer may be used in the place of an error. disconnected says that the origin gave
// no answer at all.
func (c *Cache) forgives(q *question, disconnected bool, now time.Time) bool {
	e, w := q.entry, &q.wishes
	if e == nil || e.rules.neverStale() || w.noCache {
		return false
	}
	over := e.staleness(now) // below 0 if it is fresh, and not enough for the request
	if w.staleIfError.set && !w.staleIfError.within(over) {
		return false // the caller wants less than the origin allows
	}
	return e.rules.staleIfError.within(over) || w.staleIfError.within(over) ||
		!w.staleIfError.set && c.cfg.StaleIfError != Off && over <= c.cfg.StaleIfError ||
		disconnected && c.cfg.StaleWhenDisconnected != Off && over <= c.cfg.StaleWhenDisconnected
}

// serverError reports whether a status is one that stale-if-error is for (RFC 5861, section 4).
func serverError(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// newEntry makes of an answer to a GET with some fields what may be stored of it, without its body, or returns nil if it
// may not be (RFC 9111, section 3).
func (c *Cache) newEntry(req http.Header, resp *http.Response, m moment) *entry {
	status := resp.StatusCode
	if status < 200 || status == http.StatusPartialContent ||
		status == http.StatusNotModified || len(resp.Trailer) > 0 || resp.ContentLength > c.cfg.MaxObject {
		return nil
	}
	r, targeted := targetedRules(resp.Header, c.cfg.Targets)
	if !targeted {
		r = parseRules(resp.Header["Cache-Control"], c.cfg.Shared)
	}
	if r.mustUnderstand {
		if http.StatusText(status) == "" {
			return nil
		}
		r.noStore = false
	}
	if r.noStore || r.private || !c.mayKeep(req, resp, &r, m.key.user) {
		return nil
	}
	s, ok := selectorOf(resp.Header["Vary"], req)
	if !ok {
		return nil
	}
	e := &entry{meta: meta{
		status: status, statusText: resp.Status, proto: resp.Proto, major: resp.ProtoMajor, minor: resp.ProtoMinor,
		unpacked: resp.Uncompressed, selector: s, rules: r, moment: m,
	}}
	e.header, e.rules.withheld = storedFields(resp.Header, &r), nil
	if e.header["Date"] == nil { // as whoever stores it must (RFC 9110, section 6.6.1)
		e.header["Date"] = []string{m.received.UTC().Format(http.TimeFormat)}
	}
	e.aged = initialAge(resp.Header, m.sent, m.received)
	var explicit bool
	e.life, explicit = c.lifetime(status, resp.Header, &r, targeted, m.received)
	if !explicit && e.life == 0 && !heuristically(status) && !r.public {
		return nil // nothing says that this status may be stored
	}
	if !c.useful(e) {
		return nil
	}
	return e
}

// mayKeep reports whether an answer may be stored in spite of what the request brought and what the answer sets.
func (c *Cache) mayKeep(req http.Header, resp *http.Response, r *rules, user bool) bool {
	if c.cfg.Shared && req["Authorization"] != nil && !r.public && !r.sharedMaxAge.set && !r.mustRevalidate {
		return false
	}
	if resp.Header["Set-Cookie"] == nil || c.cfg.StoreCookies || r.public {
		return true
	}
	return !c.cfg.Shared && user // it is the cookie of that user
}

// useful reports whether an answer can be used again: it is fresh for a while, or can be validated, or used stale.
func (c *Cache) useful(e *entry) bool {
	return e.life > e.aged || len(e.validators()) > 0 || !e.rules.neverStale() &&
		(e.rules.staleWhileRevalidate.d > 0 || e.rules.staleIfError.d > 0 || c.cfg.StaleIfError != Off ||
			c.cfg.StaleWhenDisconnected != Off)
}

// fresher returns an entry as a 304 has updated it. keep is false if it may not be stored any more.
func (c *Cache) fresher(e *entry, req http.Header, update *http.Response, m moment) (next *entry, keep bool) {
	h := e.freshened(update.Header)
	if update.Header["Date"] == nil {
		delete(h, "Date") // it is that of the answer before
	}
	next = c.newEntry(req, &http.Response{
		StatusCode: e.status, Status: e.statusText, Proto: e.proto, ProtoMajor: e.major, ProtoMinor: e.minor,
		Header: h, ContentLength: int64(len(e.body)), Uncompressed: e.unpacked,
	}, m)
	if keep = next != nil; !keep {
		next = &entry{meta: meta{
			status: e.status, statusText: e.statusText, proto: e.proto, major: e.major, minor: e.minor,
			unpacked: e.unpacked, header: storedFields(h, &rules{}), moment: m, aged: initialAge(h, m.sent, m.received),
		}}
	}
	next.body = e.body
	return next, keep
}
