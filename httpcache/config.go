package httpcache

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
)

// Off as a Config.StaleWhenDisconnected or Config.StaleIfError allows no stale answer by itself, which is the default.
const Off = -1

// NoHeuristic as a Config.HeuristicMax finds nothing fresh that the origin does not call so.
const NoHeuristic = -1

// Config sets a [Cache]. The zero value is a private cache; a zero field is its default.
type Config struct {
	// Shared makes the cache one for many users, such as behind a reverse proxy: it goes by what origins say to shared
	// caches (s-maxage, private, proxy-revalidate, Targets), and stores what needs authorization or sets cookies only
	// where the origin allows it. Default false: a private cache, which may store what is for one user only, and so
	// keeps the users of the program apart by their Authorization and Cookie fields. See Partition.
	Shared bool `json:"shared" yaml:"shared"`
	// MaxBytes bounds the memory that stored answers take: fields, bodies, variants and overhead. Default 64 MiB;
	// 64 KiB to 1 TiB. Beside it answers that are still coming in take a quarter of it at the most, and the marks of
	// invalidations 8 KiB to 512 KiB. A Store of your own is not bounded by it.
	MaxBytes int64 `json:"max_bytes" yaml:"max_bytes"`
	// MaxObject bounds the body of an answer that is stored. Default a sixteenth of MaxBytes; 1 byte to a quarter of
	// MaxBytes, and 256 MiB at the most. A larger one is passed on while it comes in, like all others, and not kept. All
	// variants of a URI together are kept up to four times as much; the oldest go first.
	MaxObject int64 `json:"max_object" yaml:"max_object"`
	// HeuristicMax bounds how long an answer counts as fresh of which the origin says only when it was modified last: a
	// tenth of the time since then. Default 24 h; at least 1 s, or [NoHeuristic]. Long ones make changes show late.
	HeuristicMax time.Duration `json:"heuristic_max" yaml:"heuristic_max"`
	// StaleWhenDisconnected is how long after its freshness an answer may still be used when the origin cannot be
	// reached, or a gate of ours does not let the request through, without a stale-if-error that allows it (RFC 9111,
	// section 4.2.4). What the origin forbids stays forbidden. Default [Off]; at least 1 s.
	StaleWhenDisconnected time.Duration `json:"stale_when_disconnected" yaml:"stale_when_disconnected"`
	// StaleIfError is how long after its freshness an answer may still be used in the place of a 500, 502, 503 or 504, of a
	// network error, or of a refusal by a gate of ours, as if each request that says nothing of it brought this
	// stale-if-error (RFC 5861, section 4). It comes on top of what the origin allows, and what the origin forbids stays
	// forbidden. Default [Off]; at least 1 s.
	StaleIfError time.Duration `json:"stale_if_error" yaml:"stale_if_error"`
	// RefreshTimeout is how long a refresh in the background may take, body included. It is also how long a request may
	// go on for others when the deadline of the caller who began it has passed. Default 30 s; at least 1 ms.
	RefreshTimeout time.Duration `json:"refresh_timeout" yaml:"refresh_timeout"`
	// RetryEvery is how long no refresh begins in the background after one has failed. Default 5 s; at least 1 ms. The
	// stale answer is used meanwhile, as long as the origin allows it.
	RetryEvery time.Duration `json:"retry_every" yaml:"retry_every"`
	// StoreCookies also stores answers that set cookies where nothing says whose they are: in a shared cache without
	// public, and in a private one for requests without Authorization and Cookie. Default false. With it, who gets
	// such an answer from the cache gets the cookie of another.
	StoreCookies bool `json:"store_cookies" yaml:"store_cookies"`
	// Targets are the fields that a shared cache prefers to Cache-Control and Expires, the most specific first (RFC
	// 9213). The first that is there and valid decides alone. nil is CDN-Cache-Control; an empty list is none. A private
	// cache has none.
	Targets []string `json:"targets" yaml:"targets"`

	// Partition says whose answers a request may get. Two requests share answers if it says the same, and "" is nobody in
	// particular. Default for a private cache: a hash of Authorization, Cookie and the user in the URL; for a shared
	// one: all are one. It takes the place of that, and does not come on top of it. Whoever tells users, or tenants, apart
	// by something else, such as a field with an API key, a client certificate or X-Forwarded-Host, and whose origin does
	// not say so by Vary, has to say it here. It runs for each request, and must not change it.
	Partition func(*http.Request) string `json:"-" yaml:"-"`
	// Store keeps the answers. Default one in memory, bounded by MaxBytes.
	Store Store `json:"-" yaml:"-"`
	// Registry is where the cache enters itself, and where its events are logged. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

const (
	minBytes  = 64 << 10
	maxBytes  = 1 << 40
	maxObject = 256 << 20
)

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = 64 << 20
	}
	if c.MaxObject == 0 {
		c.MaxObject = min(c.MaxBytes/16, maxObject)
	}
	if c.HeuristicMax == 0 {
		c.HeuristicMax = 24 * time.Hour
	}
	if c.StaleWhenDisconnected == 0 {
		c.StaleWhenDisconnected = Off
	}
	if c.StaleIfError == 0 {
		c.StaleIfError = Off
	}
	if c.RefreshTimeout == 0 {
		c.RefreshTimeout = 30 * time.Second
	}
	if c.RetryEvery == 0 {
		c.RetryEvery = 5 * time.Second
	}
	if c.Targets == nil && c.Shared {
		c.Targets = []string{"CDN-Cache-Control"}
	}
	c.Targets = slices.Clone(c.Targets)
	for i, name := range c.Targets {
		c.Targets[i] = http.CanonicalHeaderKey(name)
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c Config) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("httpcache: Config.%s is %v, want %s", field, value, want)
	}
	for i, name := range c.Targets {
		if !token(name) {
			return bad(fmt.Sprintf("Targets[%d]", i), fmt.Sprintf("%q", name), "the name of a field")
		}
	}
	switch c = c.withDefaults(); {
	case c.MaxBytes < minBytes || c.MaxBytes > maxBytes:
		return bad("MaxBytes", c.MaxBytes, "64 KiB to 1 TiB, in bytes")
	case c.MaxObject < 1 || c.MaxObject > min(c.MaxBytes/4, maxObject):
		return bad("MaxObject", c.MaxObject, fmt.Sprintf("1 to %d, a quarter of MaxBytes or 256 MiB", min(c.MaxBytes/4, maxObject)))
	case c.HeuristicMax != NoHeuristic && c.HeuristicMax < time.Second:
		return bad("HeuristicMax", c.HeuristicMax, "at least 1s, or NoHeuristic")
	case c.StaleWhenDisconnected != Off && c.StaleWhenDisconnected < time.Second:
		return bad("StaleWhenDisconnected", c.StaleWhenDisconnected, "at least 1s, or Off")
	case c.StaleIfError != Off && c.StaleIfError < time.Second:
		return bad("StaleIfError", c.StaleIfError, "at least 1s, or Off")
	case c.RefreshTimeout < time.Millisecond:
		return bad("RefreshTimeout", c.RefreshTimeout, "at least 1ms")
	case c.RetryEvery < time.Millisecond:
		return bad("RetryEvery", c.RetryEvery, "at least 1ms")
	case !c.Shared && len(c.Targets) > 0:
		return bad("Targets", c.Targets, "none in a private cache")
	}
	return nil
}

// Equal reports whether two configurations mean the same: their defaults filled in, their functions, store and registry
// left aside.
func (c Config) Equal(other Config) bool {
	a, b := c.withDefaults(), other.withDefaults()
	return a.Shared == b.Shared && a.MaxBytes == b.MaxBytes && a.MaxObject == b.MaxObject &&
		a.HeuristicMax == b.HeuristicMax && a.StaleWhenDisconnected == b.StaleWhenDisconnected &&
		a.StaleIfError == b.StaleIfError &&
		a.RefreshTimeout == b.RefreshTimeout && a.RetryEvery == b.RetryEvery && a.StoreCookies == b.StoreCookies &&
		slices.Equal(a.Targets, b.Targets)
}

// token reports whether s is one, as the names of fields are (RFC 9110, section 5.6.2).
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
