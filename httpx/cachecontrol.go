package httpx

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// CacheControl is what one kind of cache is told about an answer, as the value of a Cache-Control field (RFC 9111, section
// 5.2.2). The zero value says nothing, and leaves it to the cache to guess.
//
// Durations are whole seconds. 0 leaves a directive out; [AtOnce] is one of 0 seconds.
type CacheControl struct {
	// Scope says who may keep the answer.
	Scope CacheScope
	// NoStore forbids to keep it.
	NoStore bool
	// NoCache allows to keep it, but not to use it before the server was asked whether it is still good.
	NoCache bool
	// MaxAge is how long it is fresh. SharedMaxAge is the same for caches that serve many (s-maxage).
	MaxAge, SharedMaxAge time.Duration
	// Immutable says that it does not change while it is fresh, so that a reload need not ask (RFC 8246).
	Immutable bool
	// MustRevalidate forbids to use it when it is stale, for whatever reason. ProxyRevalidate is the same for caches that
	// serve many.
	MustRevalidate, ProxyRevalidate bool
	// StaleWhileRevalidate is how long after its freshness it may be used while a new one is fetched, and StaleIfError while
	// the server fails (RFC 5861).
	StaleWhileRevalidate, StaleIfError time.Duration
	// NoTransform forbids to change it, as image optimisers do.
	NoTransform bool
}

// AtOnce is a duration of 0 seconds in a [CacheControl], where 0 leaves a directive out: max-age=0 is stale at once.
const AtOnce = -1 * time.Nanosecond

// CacheScope says who may keep an answer.
type CacheScope uint8

// The scopes. The zero value says nothing: a cache that serves many decides by the other directives, and by whether the
// request had an Authorization.
const (
	ScopePublic  CacheScope = iota + 1 // every cache
	ScopePrivate                       // caches of one user, such as a browser's
)

// maxAge is what caches take for for ever (RFC 9111, section 1.2.2).
const maxAge = math.MaxInt32 * time.Second

// Validate returns an error that says why, if the directives contradict each other or one of them can have no effect.
func (c CacheControl) Validate() error {
	lifetimes := []struct {
		name string
		d    time.Duration
	}{
		{"max-age", c.MaxAge},
		{"s-maxage", c.SharedMaxAge},
		{"stale-while-revalidate", c.StaleWhileRevalidate},
		{"stale-if-error", c.StaleIfError},
	}
	for _, l := range lifetimes {
		switch {
		case l.d == AtOnce || l.d == 0:
		case l.d < 0 || l.d > maxAge || l.d%time.Second != 0:
			return fmt.Errorf("httpx: %s of %v: want whole seconds from 1s to %v, AtOnce, or 0 for none", l.name, l.d, maxAge)
		}
		if c.NoStore && l.d != 0 {
			return fmt.Errorf("httpx: no-store with %s: what is not kept has no time", l.name)
		}
	}
	switch {
	case c.Scope > ScopePrivate:
		return fmt.Errorf("httpx: CacheControl.Scope is %d, want ScopePublic or ScopePrivate", c.Scope)
	case c.NoStore && (c.Scope != 0 || c.NoCache || c.Immutable || c.MustRevalidate || c.ProxyRevalidate):
		return errors.New("httpx: no-store with other directives: what is not kept needs none of them")
	case c.Scope == ScopePrivate && c.SharedMaxAge != 0:
		return errors.New("httpx: private with s-maxage: caches that serve many do not keep it")
	case c.Scope == ScopePrivate && c.ProxyRevalidate:
		return errors.New("httpx: private with proxy-revalidate: caches that serve many do not keep it")
	case c.Immutable && c.MaxAge <= 0:
		return errors.New("httpx: immutable without max-age: it holds only while the answer is fresh")
	case c.Immutable && c.NoCache:
		return errors.New("httpx: immutable with no-cache: one forbids to ask what the other wants asked")
	case c.MustRevalidate && (c.StaleWhileRevalidate != 0 || c.StaleIfError != 0):
		return errors.New("httpx: must-revalidate with stale-while-revalidate or stale-if-error: it forbids every stale answer")
	case c.ProxyRevalidate && (c.StaleWhileRevalidate != 0 || c.StaleIfError != 0):
		return errors.New("httpx: proxy-revalidate with stale-while-revalidate or stale-if-error: it forbids every stale answer")
	case c.NoCache && (c.StaleWhileRevalidate != 0 || c.StaleIfError != 0):
		return errors.New("httpx: no-cache with stale-while-revalidate or stale-if-error: it forbids every answer that was not asked for")
	case c.NoCache && (c.MaxAge > 0 || c.SharedMaxAge > 0):
		return errors.New("httpx: no-cache with a lifetime: the server is asked each time all the same")
	case (c.StaleWhileRevalidate != 0 || c.StaleIfError != 0) && c.MaxAge == 0 && c.SharedMaxAge == 0:
		return errors.New("httpx: stale-while-revalidate or stale-if-error without max-age: they begin when that ends")
	}
	return nil
}

// String returns the value of the field, and "" for the zero value. It is a dictionary of structured fields as well, as
// RFC 9213 wants it.
func (c CacheControl) String() string {
	var parts []string
	add := func(name string, is bool) {
		if is {
			parts = append(parts, name)
		}
	}
	last := func(name string, d time.Duration) {
		if d != 0 {
			parts = append(parts, name+"="+strconv.FormatInt(int64(max(0, d)/time.Second), 10))
		}
	}
	add("public", c.Scope == ScopePublic)
	add("private", c.Scope == ScopePrivate)
	add("no-store", c.NoStore)
	add("no-cache", c.NoCache)
	last("max-age", c.MaxAge)
	last("s-maxage", c.SharedMaxAge)
	add("immutable", c.Immutable)
	add("must-revalidate", c.MustRevalidate)
	add("proxy-revalidate", c.ProxyRevalidate)
	last("stale-while-revalidate", c.StaleWhileRevalidate)
	last("stale-if-error", c.StaleIfError)
	add("no-transform", c.NoTransform)
	return strings.Join(parts, ", ")
}

// stores reports whether a cache that serves many may keep the answer. no-cache and a lifetime of 0 let it: it asks before
// each use, but a 304 lets it send what it has kept, cookies included.
func (c CacheControl) stores() bool {
	return c != CacheControl{} && !c.NoStore && c.Scope != ScopePrivate
}
