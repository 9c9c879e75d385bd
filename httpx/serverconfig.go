package httpx

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// ServerConfig sets a [Handler]. The zero value is a good one for most services; a zero field is its default. The
// Registry of its parts is that of the ServerConfig unless they have their own.
type ServerConfig struct {
	// Inbound says who is believed about deadlines, priorities and attempts. By default nobody is.
	Inbound InboundConfig `json:"inbound" yaml:"inbound"`
	// Quotas limit how many requests each client makes, one after the other. Default none.
	Quotas []QuotaConfig `json:"quotas" yaml:"quotas"`
	// Admission limits the requests that are handled at once, and those that wait. Default an adaptive limit.
	Admission AdmissionConfig `json:"admission" yaml:"admission"`
	// TimeLimit limits the time of the handler. Default 30 s until the response begins.
	TimeLimit TimeLimitConfig `json:"time_limit" yaml:"time_limit"`
	// HealthPaths are the paths that are always let in: a full server that fails its liveness probe gets killed, and that
	// is the outage. They are compared exactly. Everything but the recovery from panics is left out for them. nil is
	// /livez, /readyz and /startupz; an empty list is none.
	HealthPaths []string `json:"health_paths" yaml:"health_paths"`
	// Degraded says whether answers tell that they were served degraded. Default [DegradedUntold].
	Degraded Degraded `json:"degraded" yaml:"degraded"`

	// Inner are middlewares around the handler, the outermost first, inside of all the others: what is to run for
	// requests that are handled, and not for those that are refused. Default none.
	Inner []func(http.Handler) http.Handler `json:"-" yaml:"-"`
	// Registry is where the handler and its parts enter themselves, and where panics are logged. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Inbound.Registry == nil {
		c.Inbound.Registry = c.Registry
	}
	c.Inbound = c.Inbound.withDefaults()
	c.Quotas = slices.Clone(c.Quotas)
	for i := range c.Quotas {
		if c.Quotas[i].Registry == nil {
			c.Quotas[i].Registry = c.Registry
		}
		c.Quotas[i] = c.Quotas[i].withDefaults()
		c.Quotas[i].Routes = slices.Clone(c.Quotas[i].Routes)
	}
	if c.Admission.Registry == nil {
		c.Admission.Registry = c.Registry
	}
	c.Admission = c.Admission.withDefaults()
	if c.TimeLimit.Registry == nil {
		c.TimeLimit.Registry = c.Registry
	}
	c.TimeLimit = c.TimeLimit.withDefaults()
	c.TimeLimit.Exempt = slices.Clone(c.TimeLimit.Exempt)
	if c.HealthPaths == nil {
		c.HealthPaths = []string{"/livez", "/readyz", "/startupz"}
	} else {
		c.HealthPaths = slices.Clone(c.HealthPaths)
	}
	c.Inner = slices.Clone(c.Inner)
	return c
}

// withMade takes over what an Update does not change: the functions and the registries.
func (c ServerConfig) withMade(old ServerConfig) ServerConfig {
	c.Registry, c.Inner = old.Registry, old.Inner
	c.Inbound.TrustPeer, c.Inbound.Priority, c.Inbound.User = old.Inbound.TrustPeer, old.Inbound.Priority, old.Inbound.User
	c.Inbound.Registry, c.TimeLimit.Registry = old.Inbound.Registry, old.TimeLimit.Registry
	c.Admission.Gate, c.Admission.Registry = old.Admission.Gate, old.Admission.Registry
	c.Admission.Fixed.Weight, c.Admission.Fixed.Registry = old.Admission.Fixed.Weight, old.Admission.Fixed.Registry
	adaptive := &c.Admission.Adaptive
	adaptive.Classify, adaptive.OnLimitChange = old.Admission.Adaptive.Classify, old.Admission.Adaptive.OnLimitChange
	adaptive.Registry = old.Admission.Adaptive.Registry
	c.Quotas = slices.Clone(c.Quotas)
	for i := range min(len(c.Quotas), len(old.Quotas)) {
		c.Quotas[i].Key, c.Quotas[i].Registry = old.Quotas[i].Key, old.Quotas[i].Registry
		c.Quotas[i].Limit.Weight, c.Quotas[i].Limit.Registry = old.Quotas[i].Limit.Weight, nil
	}
	return c
}

// Equal reports whether two configurations mean the same: their defaults filled in, functions, gates and registries left
// aside.
func (c ServerConfig) Equal(other ServerConfig) bool {
	return len(c.withDefaults().changes(other.withDefaults())) == 0
}

// changes returns the fields in which two configurations with their defaults differ.
func (c ServerConfig) changes(other ServerConfig) (fields reconfig.Fields) {
	fields.Add("inbound.margin", c.Inbound.Margin != other.Inbound.Margin)
	fields.Add("inbound.fields", !reflect.DeepEqual(c.Inbound.Fields, other.Inbound.Fields))
	fields.Add("quotas", !slices.EqualFunc(c.Quotas, other.Quotas, QuotaConfig.equal))
	fields.Add("admission.adaptive", !c.Admission.Adaptive.Equal(other.Admission.Adaptive))
	fields.Add("admission.fixed", c.Admission.isFixed() != other.Admission.isFixed() ||
		!c.Admission.Fixed.Equal(other.Admission.Fixed))
	fields.Add("admission.latency", c.Admission.Latency != other.Admission.Latency)
	fields.Add("time_limit.first_byte", c.TimeLimit.FirstByte != other.TimeLimit.FirstByte)
	fields.Add("time_limit.idle", c.TimeLimit.Idle != other.TimeLimit.Idle)
	fields.Add("time_limit.total", c.TimeLimit.Total != other.TimeLimit.Total)
	fields.Add("time_limit.exempt", !slices.Equal(c.TimeLimit.Exempt, other.TimeLimit.Exempt))
	fields.Add("health_paths", !slices.Equal(c.HealthPaths, other.HealthPaths))
	fields.Add("degraded", c.Degraded != other.Degraded)
	return fields
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c ServerConfig) Validate() error {
	if err := c.Inbound.Validate(); err != nil {
		return fmt.Errorf("httpx: ServerConfig.Inbound: %w", err)
	}
	names := map[string]bool{}
	for i, q := range c.Quotas {
		if err := q.Validate(); err != nil {
			return fmt.Errorf("httpx: ServerConfig.Quotas[%d]: %w", i, err)
		}
		if name := q.withDefaults().Name; names[name] {
			return fmt.Errorf("httpx: ServerConfig.Quotas[%d].Name is %q, want one that no other quota has", i, name)
		}
		names[q.withDefaults().Name] = true
	}
	if err := c.Admission.Validate(); err != nil {
		return fmt.Errorf("httpx: ServerConfig.Admission: %w", err)
	}
	if err := c.TimeLimit.Validate(); err != nil {
		return fmt.Errorf("httpx: ServerConfig.TimeLimit: %w", err)
	}
	for i, path := range c.HealthPaths {
		if path == "" || path[0] != '/' {
			return fmt.Errorf("httpx: ServerConfig.HealthPaths[%d] is %q, want a path that begins with /", i, path)
		}
	}
	if int(c.Degraded) >= len(degradedNames) {
		return fmt.Errorf("httpx: ServerConfig.Degraded is %v, want one of %v", c.Degraded, degradedNames)
	}
	for i, m := range c.Inner {
		if m == nil {
			return fmt.Errorf("httpx: ServerConfig.Inner[%d] is nil, want a middleware", i)
		}
	}
	return nil
}
