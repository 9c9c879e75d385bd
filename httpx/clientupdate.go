package httpx

import (
	"errors"
	"reflect"

	"github.com/seawall-go/seawall/internal/reconfig"
	"github.com/seawall-go/seawall/timeout"
)

// Equal reports whether two configurations mean the same: their defaults filled in, functions and registries left aside.
func (c ClientConfig) Equal(other ClientConfig) bool { return len(c.changes(other)) == 0 }

// changes returns the names, as in a file, of the fields that differ in meaning.
func (c ClientConfig) changes(other ClientConfig) (fields reconfig.Fields) {
	c, other = c.withDefaults(), other.withDefaults()
	fields.Add("timeout", c.Timeout != other.Timeout)
	fields.Add("attempt_timeout", c.AttemptTimeout != other.AttemptTimeout)
	fields.Add("attempt_span", c.AttemptSpan != other.AttemptSpan)
	fields.Add("idle_timeout", c.IdleTimeout != other.IdleTimeout)
	fields.Add("retry", !c.Retry.Equal(other.Retry))
	fields.Add("hedge", !equal(c.Hedge, other.Hedge))
	fields.Add("hedge_other_conn", c.HedgeOtherConn != other.HedgeOtherConn)
	fields.Add("breaker", !c.breakers().Breaker.Equal(other.breakers().Breaker))
	fields.Add("bulkhead", !c.Bulkhead.Equal(other.Bulkhead))
	fields.Add("adaptive", !equal(c.Adaptive, other.Adaptive))
	fields.Add("rate_limit", !equal(c.RateLimit, other.RateLimit))
	fields.Add("max_hosts", c.MaxHosts != other.MaxHosts)
	fields.Add("settle", c.Settle != other.Settle)
	fields.Add("keys", c.Keys != other.Keys)
	fields.Add("replay_buffer", c.ReplayBuffer != other.ReplayBuffer)
	fields.Add("fields", !reflect.DeepEqual(c.Fields, other.Fields))
	return fields
}

// equal compares what may be absent.
func equal[C interface{ Equal(C) bool }](a, b *C) bool {
	if a == nil || b == nil {
		return a == b
	}
	return (*a).Equal(*b)
}

// Update changes the configuration while requests run. It validates first, and changes all or nothing. A request that has
// begun goes on with the limits that it met. The policies keep their state, as their own Update says. MaxHosts cannot
// change, nor whether there are hedges, adaptive limits and rate limits; the registries stay those of NewTransport.
// HedgeIf, TrustPeer and Classify are those of cfg, so a file is best read into what [Transport.Config] returns. A change
// is logged as seawall.config.updated, unless only functions have changed, which do not compare.
func (t *Transport) Update(cfg ClientConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.opts.Load().ClientConfig
	cfg.Registry, cfg.Retry.Registry = old.Registry, old.Retry.Registry
	next := cfg.withDefaults()
	switch {
	case next.MaxHosts != old.MaxHosts:
		return errors.New("httpx: ClientConfig.MaxHosts cannot change")
	case (next.Hedge == nil) != (old.Hedge == nil), (next.Adaptive == nil) != (old.Adaptive == nil),
		(next.RateLimit == nil) != (old.RateLimit == nil):
		return errors.New("httpx: ClientConfig.Hedge, Adaptive and RateLimit cannot come or go")
	}
	t.opts.Store(newSettings(t, next)) // first, so that hosts that come now are made of it
	err := errors.Join(
		t.retry.Update(next.Retry), t.total.Update(timeout.Config{Limit: next.Timeout}), t.hosts.update(t, &next))
	reconfig.Updated(next.Registry, "httpx", t.name, old.changes(next))
	return err
}
