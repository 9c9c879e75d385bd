package httpx

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// IdempotencyConfig sets an [Idempotency]. A zero field is its default; only Tenant has none.
type IdempotencyConfig struct {
	// Field is the name of the field that holds the key. Default Idempotency-Key. Clients of this package have the same in
	// [Fields].
	Field string `json:"field" yaml:"field"`
	// Pushback is the name of the field that says what a repeat would do, see [Fields]; [NoField] for none. Default: that of
	// the [Inbound] or [Handler] around, and without one Seawall-Pushback.
	Pushback string `json:"pushback" yaml:"pushback"`
	// Lease is how long an entry is held for the request that began it, if the process dies with it. The handler's context
	// ends then as well, streams included, since others may run it from then on. Default 1 minute, twice the default limit
	// of a [Handler]; 1 s to 24 h. Too short a lease lets two handlers run for one key; as long as it is, so long is a key
	// locked by a crash.
	Lease time.Duration `json:"lease" yaml:"lease"`
	// Keep is how long an answer is kept. Default 24 h; 1 s to 90 days. Later the key is new again.
	Keep time.Duration `json:"keep" yaml:"keep"`
	// MaxBody is how large the body of a request with a key may be, in bytes: it is read whole before the handler runs,
	// for its fingerprint. Default 1 MiB; at least 1. A larger one is answered with 413: half a body has no fingerprint. A
	// client that sends slowly holds its place meanwhile, until the limits of the server come.
	MaxBody int64 `json:"max_body" yaml:"max_body"`
	// MaxAnswer is how large a body of an answer is kept, in bytes. Default 256 KiB; at least 1. Of a larger one the rest
	// of the answer is kept.
	MaxAnswer int `json:"max_answer" yaml:"max_answer"`
	// StoreTimeout is how long a call of the store may take. Default 1 s; 1 ms to 1 min. Then it counts as failed, also if
	// the store goes on with it. As long as 64 calls go on so, no request begins one: it is as if the store had failed at
	// once. Requests that have begun tell the store how they ended all the same.
	StoreTimeout time.Duration `json:"store_timeout" yaml:"store_timeout"`
	// OnStoreError says what becomes of a request with a key when the store cannot be asked. Default [StoreErrorRefuse].
	OnStoreError StoreErrorAction `json:"on_store_error" yaml:"on_store_error"`

	// Tenant names whom a request comes from, by what the program has authenticated: a customer, an account. Keys of two
	// tenants never meet. It must be set; [OneTenant] is for services with a single one. A tenant taken from what the
	// client may choose lets one client read another one's answers.
	Tenant func(*http.Request) string `json:"-" yaml:"-"`
	// Route names what a request asks for, in addition to its method. Default: the pattern of the http.ServeMux that the
	// request has come through, or else its path. A server with several hosts may want the host in it.
	Route func(*http.Request) string `json:"-" yaml:"-"`
	// Required says whether a request must have a key: without one it is answered with 400. It is not asked about GET, HEAD
	// and the other safe methods. Default: none must. See [KeyRequired].
	Required func(*http.Request) bool `json:"-" yaml:"-"`
	// Store keeps the entries. Default: a [MemoryStore] with its defaults, which knows the keys of this process only.
	Store IdempotencyStore `json:"-" yaml:"-"`
	// Registry is where the Idempotency enters itself, and where its events are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// OneTenant is an [IdempotencyConfig.Tenant] for services that serve one client only, or several that may see each
// other's answers.
func OneTenant(*http.Request) string { return "" }

// KeyRequired is an [IdempotencyConfig.Required] that asks every request for a key.
func KeyRequired(*http.Request) bool { return true }

func keyOptional(*http.Request) bool { return false }

func routeOf(r *http.Request) string {
	if r.Pattern != "" {
		return r.Pattern
	}
	return r.URL.Path
}

// StoreErrorAction says what becomes of a request with a key when the store cannot be asked.
type StoreErrorAction uint8

const (
	// StoreErrorRefuse answers with 503 and a Retry-After: a key is a promise that nothing is done twice. It is the default.
	StoreErrorRefuse StoreErrorAction = iota + 1
	// StoreErrorRun lets the handler run without the promise. It is for services that would rather do a thing twice than not
	// at all.
	StoreErrorRun
)

var actionNames = [...]string{"", "refuse", "run"}

// Valid reports whether a is 0, which is the default, or one of the actions.
func (a StoreErrorAction) Valid() bool { return int(a) < len(actionNames) }

// String returns "refuse" or "run", or "" for 0.
func (a StoreErrorAction) String() string {
	if a.Valid() {
		return actionNames[a]
	}
	return fmt.Sprintf("StoreErrorAction(%d)", uint8(a))
}

// MarshalText returns the form of String, for configuration files.
func (a StoreErrorAction) MarshalText() ([]byte, error) {
	if !a.Valid() {
		return nil, fmt.Errorf("httpx: no such action on a store's error: %d", uint8(a))
	}
	return []byte(actionNames[a]), nil
}

// UnmarshalText reads the form of String.
func (a *StoreErrorAction) UnmarshalText(text []byte) error {
	for i, name := range actionNames {
		if string(text) == name {
			*a = StoreErrorAction(i)
			return nil
		}
	}
	return fmt.Errorf("httpx: no such action on a store's error: %q, want one of %q", text, actionNames[1:])
}

func (c IdempotencyConfig) withDefaults() IdempotencyConfig {
	if c.Field == "" {
		c.Field = "Idempotency-Key"
	}
	c.Field = textproto.CanonicalMIMEHeaderKey(c.Field)
	c.Pushback = textproto.CanonicalMIMEHeaderKey(c.Pushback)
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	if c.Keep == 0 {
		c.Keep = 24 * time.Hour
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = 256 << 10
	}
	if c.StoreTimeout == 0 {
		c.StoreTimeout = time.Second
	}
	if c.OnStoreError == 0 {
		c.OnStoreError = StoreErrorRefuse
	}
	if c.Route == nil {
		c.Route = routeOf
	}
	if c.Required == nil {
		c.Required = keyOptional
	}
	return c
}

// Equal reports whether two configurations mean the same: their defaults filled in, functions, store and registry left
// aside.
func (c IdempotencyConfig) Equal(other IdempotencyConfig) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c IdempotencyConfig) changes(other IdempotencyConfig) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	fields.Add("field", c.Field != other.Field)
	fields.Add("pushback", c.Pushback != other.Pushback)
	fields.Add("lease", c.Lease != other.Lease)
	fields.Add("keep", c.Keep != other.Keep)
	fields.Add("max_body", c.MaxBody != other.MaxBody)
	fields.Add("max_answer", c.MaxAnswer != other.MaxAnswer)
	fields.Add("store_timeout", c.StoreTimeout != other.StoreTimeout)
	fields.Add("on_store_error", c.OnStoreError != other.OnStoreError)
	return fields
}

const maxKeep = 90 * 24 * time.Hour

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c IdempotencyConfig) Validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("httpx: IdempotencyConfig.%s is %v, want %s", field, value, want)
	}
	switch c = c.withDefaults(); {
	case !isToken(c.Field):
		return bad("Field", strconv.Quote(c.Field), "the name of an HTTP field")
	case c.Pushback != "" && !isToken(c.Pushback):
		return bad("Pushback", strconv.Quote(c.Pushback), "the name of an HTTP field, or NoField")
	case c.Lease < time.Second || c.Lease > 24*time.Hour:
		return bad("Lease", c.Lease, "1s to 24h")
	case c.Keep < time.Second || c.Keep > maxKeep:
		return bad("Keep", c.Keep, "1s to 2160h")
	case c.MaxBody < 1:
		return bad("MaxBody", c.MaxBody, "at least 1")
	case c.MaxAnswer < 1:
		return bad("MaxAnswer", c.MaxAnswer, "at least 1")
	case c.StoreTimeout < time.Millisecond || c.StoreTimeout > time.Minute:
		return bad("StoreTimeout", c.StoreTimeout, "1ms to 1m")
	case !c.OnStoreError.Valid():
		return bad("OnStoreError", c.OnStoreError, "refuse or run")
	case c.Tenant == nil:
		return bad("Tenant", "nil", "a function that names whom a request comes from, or OneTenant")
	}
	return nil
}
