package httpx

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// ServerConfig sets a [Handler]. A zero field is its default.
type ServerConfig struct {
	// Admission limits the requests that are handled at once, and those that wait. Its Limit is 256 by default here: by
	// Little's law that serves some 5,000 requests a second of 50 ms each. What streams, holds its slot to the end.
	Admission bulkhead.Config `json:"admission" yaml:"admission"`
	// Timeout is how long the handler may take until it begins its response: its context ends then, or at the deadline
	// that a trusted peer has given, whichever comes first. Default 30 s; at least 1 ms, or [Off]. Once the response has
	// begun, only the peer's deadline stays, so downloads, streams and upgraded connections are not cut. It ends the
	// context, and so what the handler does with it; a handler that does not look at its context is not interrupted.
	Timeout time.Duration `json:"timeout" yaml:"timeout"`
	// HealthPaths are the paths that are always let in: a full server that fails its liveness probe gets killed, and that
	// is the outage. They are compared exactly. nil is /livez, /readyz and /startupz; an empty list is none.
	HealthPaths []string `json:"health_paths" yaml:"health_paths"`

	// TrustPeer says whether a request comes from a peer that is believed about its deadline, priority and attempt.
	// Default: none is. It is asked only about requests that say something of these. See [TrustAll] and
	// [TrustLoopback].
	TrustPeer func(*http.Request) bool `json:"-" yaml:"-"`
	// Registry is where the handler and its bulkhead enter themselves, and where panics are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Admission.Limit == 0 {
		c.Admission.Limit = 256
	}
	if c.Admission.Registry == nil {
		c.Admission.Registry = c.Registry
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.HealthPaths == nil {
		c.HealthPaths = []string{"/livez", "/readyz", "/startupz"}
	} else {
		c.HealthPaths = slices.Clone(c.HealthPaths)
	}
	if c.TrustPeer == nil {
		c.TrustPeer = trustNobody
	}
	return c
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c ServerConfig) Validate() error {
	if err := validateLimit("ServerConfig.Timeout", c.Timeout); err != nil {
		return err
	}
	for i, path := range c.HealthPaths {
		if path == "" || path[0] != '/' {
			return fmt.Errorf("httpx: ServerConfig.HealthPaths[%d] is %q, want a path that begins with /", i, path)
		}
	}
	if err := c.Admission.Validate(); err != nil {
		return fmt.Errorf("httpx: ServerConfig.Admission: %w", err)
	}
	return nil
}
