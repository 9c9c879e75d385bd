package httpx

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/dunglas/httpsfv"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// QuotaConfig sets [Quota]: how many requests one client may make.
type QuotaConfig struct {
	// Name is what the quota is called in the RateLimit fields. Default "default"; printable ASCII.
	Name string `json:"name" yaml:"name"`
	// Limit is the token bucket of each key. Its Rate has no default. By its default a request that finds no token is
	// refused at once.
	Limit ratelimit.Config `json:"limit" yaml:"limit"`
	// MaxKeys is how many keys are remembered. Default 10,000; 1 to 10,000,000. See [ratelimit.GroupConfig].
	MaxKeys int `json:"max_keys" yaml:"max_keys"`
	// Routes are the routes that are under the quota, each with a bucket of its own for each key, as patterns of
	// http.ServeMux, such as "POST /orders" or "/search/". Default nil: all requests, with one bucket for each key.
	Routes []string `json:"routes" yaml:"routes"`
	// XRateLimit sends X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset as well. Default [NoXRateLimit].
	XRateLimit XRateLimit `json:"x_rate_limit" yaml:"x_rate_limit"`

	// Key says whose request it is: an API key, a tenant, an address. ok is false for a request that is under no quota. It
	// must come from something that a client cannot choose freely, or each request is a new client; the number of
	// keys is bounded in any case, and beyond that new ones are refused. Default nil: one bucket for all clients
	// together, or one for each route. See [KeyByAddr] and [KeyByField].
	Key func(*http.Request) (key string, ok bool) `json:"-" yaml:"-"`
	// Registry is where the buckets enter themselves. Default [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// quotaKey is whose bucket it is.
type quotaKey struct{ route, key string }

func (c QuotaConfig) withDefaults() QuotaConfig {
	if c.Name == "" {
		c.Name = "default"
	}
	if c.Limit.Registry != nil {
		c.Registry = c.Limit.Registry
		c.Limit.Registry = nil
	}
	return c
}

func (c QuotaConfig) group() ratelimit.GroupConfig[quotaKey] {
	return ratelimit.GroupConfig[quotaKey]{Limiter: c.Limit, MaxKeys: c.MaxKeys, Registry: c.Registry}
}

// equal reports whether two quotas mean the same, their defaults filled in.
func (c QuotaConfig) equal(other QuotaConfig) bool {
	return c.Name == other.Name && c.group().Equal(other.group()) && slices.Equal(c.Routes, other.Routes) &&
		c.XRateLimit == other.XRateLimit
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default, but
// for Limit.Rate.
func (c QuotaConfig) Validate() error {
	c = c.withDefaults()
	if err := c.group().Validate(); err != nil {
		return fmt.Errorf("httpx: QuotaConfig.Limit: %w", err)
	}
	if int(c.XRateLimit) >= len(xRateLimitNames) {
		return fmt.Errorf("httpx: QuotaConfig.XRateLimit is %v, want one of %q", c.XRateLimit, xRateLimitNames)
	}
	if _, err := httpsfv.Marshal(httpsfv.NewItem(c.Name)); err != nil {
		return fmt.Errorf("httpx: QuotaConfig.Name is %q, want printable ASCII: %w", c.Name, err)
	}
	return validateRoutes("QuotaConfig.Routes", c.Routes)
}

// Quota returns a middleware that limits how many requests each client makes. Who is above gets a 429 with the time
// until there is a token as Retry-After, Seawall-Pushback: refused and Cache-Control: no-store. A 429 means this
// client's quota and nothing else; a server that is full says 503, see [Admit].
//
// Every answer under the quota, also one of the handler and a refusal by another middleware, has the fields RateLimit
// and RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers-11:
//
//	RateLimit-Policy: "default";q=100;w=60
//	RateLimit: "default";r=12;t=1
//
// q requests in w seconds is the policy: the bucket's Burst in the time in which it fills, or what comes in one second
// if that is more. r is how many tokens are left, and t in how many seconds the next one comes; a full bucket has no t.
// Several quotas give several members.
//
// A token comes back if a middleware further in refuses the request. Quota panics if cfg is not valid. It costs a look-up
// in a map, one token, and four small allocations for the fields.
func Quota(name string, cfg QuotaConfig) func(http.Handler) http.Handler {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	return newQuota(name, cfg).wrap
}

type quota struct {
	group    *ratelimit.Group[quotaKey]
	settings atomic.Pointer[quotaSettings]
	key      func(*http.Request) (string, bool)
}

// quotaSettings is what is told and asked beside the buckets.
type quotaSettings struct {
	fields *quotaFields
	routes *routes
}

func newQuota(name string, cfg QuotaConfig) *quota {
	cfg = cfg.withDefaults()
	q := &quota{group: ratelimit.NewGroup(name, cfg.group()), key: cfg.Key}
	q.set(cfg)
	return q
}

// set puts what is not of the buckets in force.
func (q *quota) set(cfg QuotaConfig) {
	fields := newQuotaFields(cfg.Name, q.group.Config().Limiter, cfg.XRateLimit)
	q.settings.Store(&quotaSettings{fields, newRoutes(cfg.Routes)})
}

// update changes the quota while requests come.
func (q *quota) update(cfg QuotaConfig) error {
	group := cfg.group()
	group.Limiter.Weight = q.group.Config().Limiter.Weight
	if err := q.group.Update(group); err != nil {
		return err
	}
	q.set(cfg)
	return nil
}

func (q *quota) wrap(next http.Handler) http.Handler {
	need("Quota", next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := q.settings.Load()
		key, ok := q.keyOf(s.routes, r)
		if !ok {
			next.ServeHTTP(rw, r)
			return
		}
		w, offered := share(rw)
		permit, err := q.group.Acquire(r.Context(), key)
		tokens := q.group.Tokens(key)
		if err != nil {
			status := http.StatusServiceUnavailable // the client left, or its time was over
			if errors.Is(err, ratelimit.ErrLimited) {
				status, tokens = http.StatusTooManyRequests, min(tokens, 0.999)
			}
			s.fields.tell(w.Header(), tokens)
			w.refuse(status, err)
			return
		}
		s.fields.tell(w.Header(), tokens)
		defer func() { permit.Done(w.refusal) }()
		next.ServeHTTP(offered, r)
	})
}

// keyOf returns whose bucket a request takes from, and false if it is under no quota.
func (q *quota) keyOf(routes *routes, r *http.Request) (k quotaKey, ok bool) {
	if routes != nil {
		if k.route = routes.pattern(r); k.route == "" {
			return k, false
		}
	}
	if q.key != nil {
		if k.key, ok = q.key(r); !ok {
			return k, false
		}
		if len(k.key) > maxQuotaKey { // what a client sends is not what it keeps us remembering
			sum := sha256.Sum256([]byte(k.key))
			k.key = string(sum[:])
		}
	}
	return k, true
}

const maxQuotaKey = 128

// KeyByAddr is a [QuotaConfig] Key: the address of the client, as its connection has it. Of an IPv6 address the first
// 64 bits count, which is what one household or machine has to itself. Behind a proxy it is the proxy's, so that all its
// clients share one quota.
func KeyByAddr(r *http.Request) (string, bool) {
	addr, ok := remoteAddr(r)
	if !ok {
		return r.RemoteAddr, true
	}
	if addr.Is6() {
		addr = netip.PrefixFrom(addr, 64).Masked().Addr()
	}
	return addr.String(), true
}

// KeyByField returns a [QuotaConfig] Key: the value of a header field, such as an API key that was checked before.
// Requests without it, or with more than one value, share one quota. KeyByField panics if the name is not that of an HTTP
// field: no request would have it, and all clients would share one quota.
func KeyByField(name string) func(*http.Request) (string, bool) {
	name = strings.TrimSpace(name)
	if !isToken(name) {
		panic(fmt.Sprintf("httpx: KeyByField: the name is %q, want that of an HTTP field", name))
	}
	name = http.CanonicalHeaderKey(name)
	return func(r *http.Request) (string, bool) {
		if values := r.Header[name]; len(values) == 1 {
			return values[0], true
		}
		return "", true
	}
}
