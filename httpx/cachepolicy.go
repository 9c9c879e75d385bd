package httpx

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// CachePolicy says how long an answer is kept, apart for browsers and for a CDN in front of the server. The zero value
// says nothing. [CacheAsset], [CachePrivate], [CacheNever], [CachePage] and [CachePageOneField] are ready ones.
//
// It matters to keep the two apart: what a CDN keeps can be purged, and what a browser keeps cannot be taken back.
type CachePolicy struct {
	// Browser is sent as Cache-Control, which caches between the two obey as well.
	Browser CacheControl
	// CDN is sent as CDN-Cache-Control (RFC 9213), which a CDN that knows it obeys in the place of Cache-Control. The zero
	// value sends none, so that a CDN goes by Cache-Control.
	CDN CacheControl
}

// CacheAsset is for what has a hash of its content in its name, and so never changes: a year, and not even asked about.
func CacheAsset() CachePolicy {
	return CachePolicy{Browser: CacheControl{Scope: ScopePublic, MaxAge: 365 * 24 * time.Hour, Immutable: true}}
}

// CachePrivate is for what one user sees: the browser keeps it and asks each time whether it is still good, so it needs
// an ETag or a Last-Modified to save anything.
func CachePrivate() CachePolicy {
	return CachePolicy{Browser: CacheControl{Scope: ScopePrivate, NoCache: true}}
}

// CacheNever is for what must not be kept: secrets, and errors.
func CacheNever() CachePolicy { return CachePolicy{Browser: CacheControl{NoStore: true}} }

// CachePage is for a page that is the same for everybody: browsers ask each time, a CDN answers for a minute without
// asking, half a minute more while it asks, and a day while the server fails.
func CachePage() CachePolicy {
	return CachePolicy{
		Browser: CacheControl{MaxAge: AtOnce},
		CDN:     CacheControl{MaxAge: time.Minute, StaleWhileRevalidate: 30 * time.Second, StaleIfError: 24 * time.Hour},
	}
}

// CachePageOneField is [CachePage] for CDNs that do not know CDN-Cache-Control. Most of them give stale answers beside
// s-maxage, though by RFC 9111, section 4.2.4, it forbids them.
func CachePageOneField() CachePolicy {
	return CachePolicy{Browser: CacheControl{
		MaxAge: AtOnce, SharedMaxAge: time.Minute, StaleWhileRevalidate: 30 * time.Second, StaleIfError: 24 * time.Hour,
	}}
}

// Validate returns an error that says why, if one of the two contradicts itself or the other.
func (p CachePolicy) Validate() error {
	if err := p.Browser.Validate(); err != nil {
		return fmt.Errorf("%w (for browsers)", err)
	}
	if err := p.CDN.Validate(); err != nil {
		return fmt.Errorf("%w (for CDNs)", err)
	}
	switch {
	case p.CDN.SharedMaxAge != 0:
		return errors.New("httpx: s-maxage for CDNs: their own field has max-age for that")
	case p.CDN.Immutable:
		return errors.New("httpx: immutable for CDNs: it is for who reloads a page")
	case p.CDN != CacheControl{} && p.Browser.SharedMaxAge != 0:
		return errors.New("httpx: s-maxage beside a field for CDNs: which one counts depends on the CDN")
	case p.Browser.Scope == ScopePrivate && p.CDN.stores():
		return errors.New("httpx: private for browsers, and kept by CDNs: what is for one user would be given to all")
	}
	return nil
}

// Apply writes the policy into the header of an answer, in the place of what is there. It returns the error of Validate,
// or one about a Set-Cookie on an answer that caches would give to many; then it writes no-store, which is safe whatever
// was meant. Call it after the cookies are set.
func (p CachePolicy) Apply(h http.Header) error {
	err := p.Validate()
	if err == nil && h["Set-Cookie"] != nil && (p.Browser.stores() || p.CDN.stores()) {
		err = errors.New("httpx: Set-Cookie on an answer that caches may give to many: one user's cookie would go to all")
	}
	if err != nil {
		p = CacheNever()
	}
	set := func(name string, c CacheControl) {
		if value := c.String(); value != "" {
			h.Set(name, value)
		} else {
			h.Del(name)
		}
	}
	set("Cache-Control", p.Browser)
	set("CDN-Cache-Control", p.CDN)
	return err
}

// Handler returns next with a policy for those of its answers for which it sets no Cache-Control itself: for answers to
// GET and HEAD below 400 this one, and for errors no-store, whatever was asked. Where the policy would give a Set-Cookie
// to many, the answer is not kept. Handler panics if the policy is not valid, or next is nil.
func (p CachePolicy) Handler(next http.Handler) http.Handler {
	if err := p.Validate(); err != nil {
		panic(err.Error())
	}
	need("CachePolicy.Handler", next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w, offered := share(rw)
		outer := w.caches
		defer func() { w.caches = outer }()
		w.caches = &cacheDefault{policy: p, reads: r.Method == http.MethodGet || r.Method == http.MethodHead}
		next.ServeHTTP(offered, r)
		if !w.begun() { // net/http will say 200, or somebody further out something else
			w.caches.set(http.StatusOK, w.Header())
		}
	})
}

// cacheDefault is the policy of one request.
type cacheDefault struct {
	policy CachePolicy
	reads  bool
}

// set writes it into the header of an answer that begins.
func (d *cacheDefault) set(status int, h http.Header) {
	switch {
	case h["Cache-Control"] != nil:
	case status >= http.StatusBadRequest:
		h.Set("Cache-Control", "no-store")
	case d.reads:
		_ = d.policy.Apply(h) // it has seen to a Set-Cookie
	}
}

// AddVary adds names of request fields to the Vary of an answer. What is there stays; a name that is there already, in
// whatever case, is not added again; and after "*" there is nothing to add.
func AddVary(h http.Header, fields ...string) {
	for _, field := range fields {
		lines := h["Vary"]
		if listed(lines, "*") {
			return
		}
		if !listed(lines, field) {
			h["Vary"] = append(slices.Clip(lines), http.CanonicalHeaderKey(strings.TrimSpace(field)))
		}
	}
}
