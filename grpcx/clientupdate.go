package grpcx

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall/internal/reconfig"
	"github.com/seawall-go/seawall/timeout"
)

// Equal reports whether two configurations mean the same: their defaults filled in, functions and registries left aside. The
// entries of Methods are compared as they are written, under the same patterns.
func (c ClientConfig) Equal(other ClientConfig) bool {
	return len(c.withDefaults().changes(other.withDefaults())) == 0
}

// changes returns the names, as in a file, of the fields in which two configurations with their defaults differ.
func (c ClientConfig) changes(other ClientConfig) (fields reconfig.Fields) {
	fields.Add("timeout", c.Timeout != other.Timeout)
	fields.Add("attempt_timeout", c.AttemptTimeout != other.AttemptTimeout)
	fields.Add("retry", !c.Retry.Equal(other.Retry))
	fields.Add("retry_codes", !sameCodes(c.RetryCodes, other.RetryCodes))
	fields.Add("hedge", !equal(c.Hedge, other.Hedge))
	fields.Add("breaker", !c.breakers().Breaker.Equal(other.breakers().Breaker))
	fields.Add("bulkhead", !c.Bulkhead.Equal(other.Bulkhead))
	fields.Add("stream_bulkhead", !c.StreamBulkhead.Equal(other.StreamBulkhead))
	fields.Add("stream_settle", c.StreamSettle != other.StreamSettle)
	fields.Add("methods", !maps.EqualFunc(c.Methods, other.Methods, MethodConfig.equal))
	fields.Add("max_groups", c.MaxGroups != other.MaxGroups)
	return fields
}

func (m MethodConfig) equal(other MethodConfig) bool {
	return (m.Idempotency == other.Idempotency || m.fromProto() && other.fromProto()) &&
		m.Group == other.Group && m.Timeout == other.Timeout && m.AttemptTimeout == other.AttemptTimeout &&
		(m.RetryCodes == nil) == (other.RetryCodes == nil) && sameCodes(m.RetryCodes, other.RetryCodes) &&
		equal(m.Hedge, other.Hedge)
}

func (m MethodConfig) fromProto() bool { return m.Idempotency == "" || m.Idempotency == FromProto }

// sameCodes compares lists of which neither the order nor how often a code is in them means anything.
func sameCodes(a, b []codes.Code) bool {
	in := func(list []codes.Code) func(codes.Code) bool {
		return func(code codes.Code) bool { return !slices.Contains(list, code) }
	}
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}

// equal compares what may be absent.
func equal[C interface{ Equal(C) bool }](a, b *C) bool {
	if a == nil || b == nil {
		return a == b
	}
	return (*a).Equal(*b)
}

// Update changes the configuration while calls run, all of it or, with an error, nothing. A call that has begun goes on with
// the limits of time and the codes that it met, a stream to its end. The policies keep their state, as far as their own Update
// says: the breakers and bulkheads of all groups, which are left alone, with a mode that was set by hand, if nothing in their
// part of cfg has changed; and what entries of Methods have of their own, also when an entry goes and comes back. Hedges, and
// entries of Methods, may come and go.
//
// MaxGroups cannot change, and the registries stay those of [NewClient]. TrustPeer is that of cfg, so a file is best read into
// what [Client.Config] returns; other functions change together with what is beside them. A change is logged as
// seawall.config.updated. Update is safe for concurrent use, and calls do not wait for it.
func (c *Client) Update(cfg ClientConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	old, next, err := c.update(cfg)
	if err != nil {
		return err
	}
	reconfig.Updated(next.Registry, clientKind, c.name, old.changes(*next))
	return nil
}

// update is Update with a valid configuration, up to the log.
func (c *Client) update(cfg ClientConfig) (old, next *ClientConfig, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	table := c.methods.Load()
	old = table.cfg
	cfg.Registry, cfg.Retry.Registry = old.Registry, old.Retry.Registry
	cfg = cfg.withDefaults()
	if cfg.MaxGroups != old.MaxGroups {
		return nil, nil, fmt.Errorf("grpcx: ClientConfig.MaxGroups is %d, want %d: it cannot change", cfg.MaxGroups, old.MaxGroups)
	}
	err = errors.Join( // each of which is nil: the configuration is valid
		c.retry.Update(cfg.Retry), // first: hedges take from its budget
		c.total.Update(timeout.Config{Limit: cfg.Timeout}),
		c.gates.update(old, &cfg),
	)
	c.methods.Store(c.newMethodTable(&cfg, *table.known.Load()))
	return old, &cfg, err
}
