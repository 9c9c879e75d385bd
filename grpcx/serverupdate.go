package grpcx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/internal/reconfig"
)

// Equal reports whether two configurations mean the same: their defaults filled in, functions, gates and registries left
// aside.
func (c ServerConfig) Equal(other ServerConfig) bool {
	return len(c.withDefaults().changes(other.withDefaults())) == 0
}

// changes returns the names, as in a file, of the fields in which two configurations with their defaults differ.
func (c ServerConfig) changes(other ServerConfig) (fields reconfig.Fields) {
	fields.Add("quota", !c.Quota.group().Equal(other.Quota.group()))
	fields.Add("admission.adaptive", !c.Admission.Adaptive.Equal(other.Admission.Adaptive))
	fields.Add("admission.fixed", c.Admission.isFixed() != other.Admission.isFixed() ||
		!c.Admission.Fixed.Equal(other.Admission.Fixed))
	fields.Add("admission.place", c.Admission.Place != other.Admission.Place)
	fields.Add("timeout", c.Timeout != other.Timeout)
	fields.Add("deadline_margin", c.DeadlineMargin != other.DeadlineMargin)
	fields.Add("health_methods", !slices.Equal(c.HealthMethods, other.HealthMethods))
	return fields
}

// withMade takes over what an Update does not change: the functions, the gate and the registries.
func (c ServerConfig) withMade(old ServerConfig) ServerConfig {
	c.TrustPeer, c.Registry = old.TrustPeer, old.Registry
	c.Quota.Key, c.Quota.Limit.Weight = old.Quota.Key, old.Quota.Limit.Weight
	c.Quota.Registry, c.Quota.Limit.Registry = old.Quota.Registry, old.Quota.Limit.Registry
	c.Admission.Gate, c.Admission.Registry = old.Admission.Gate, old.Admission.Registry
	fixed, adaptive := &c.Admission.Fixed, &c.Admission.Adaptive
	fixed.Weight, fixed.Registry = old.Admission.Fixed.Weight, old.Admission.Fixed.Registry
	adaptive.Classify, adaptive.OnLimitChange = old.Admission.Adaptive.Classify, old.Admission.Adaptive.OnLimitChange
	adaptive.Registry = old.Admission.Adaptive.Registry
	return c
}

// Update changes the configuration while calls come, all of it or, with an error, nothing. Limits, buckets and counts stay, as
// far as their meaning does; a policy whose part of cfg is the same as before is left alone, with a mode that was set by hand.
// A call that has begun goes on with the limits of time that it met.
//
// The functions, the Gate and the registries stay as the Server was made with; those of cfg are ignored. What finds the limit
// of the admission cannot change, adaptive or fixed, nor can its Place, nor whether there is a quota. A change is logged as
// seawall.config.updated. Update is safe for concurrent use, and calls do not wait for it.
func (s *Server) Update(cfg ServerConfig) error {
	old, next, err := s.update(cfg)
	if err != nil {
		return err
	}
	reconfig.Updated(next.Registry, serverKind, s.name, old.changes(next.ServerConfig))
	return nil
}

// update is Update up to the log.
func (s *Server) update(cfg ServerConfig) (old ServerConfig, next *serverSettings, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.settings.Load().ServerConfig
	if cfg.Quota.Key = nil; cfg.Quota.none() != (s.quota == nil) {
		return old, nil, errors.New("grpcx: ServerConfig.Quota cannot come or go")
	}
	cfg = cfg.withMade(old)
	if err := cfg.Validate(); err != nil {
		return old, nil, err
	}
	next = newServerSettings(s.name, cfg.withDefaults())
	if err := s.apply(old, next.ServerConfig); err != nil {
		return old, nil, err
	}
	s.settings.Store(next)
	return old, next, nil
}

// apply gives the policies their parts of a valid configuration, where these differ: a mode that was set by hand stays otherwise.
func (s *Server) apply(old, next ServerConfig) (err error) {
	switch was, is := old.Admission, next.Admission; {
	case is.Place != was.Place:
		return fmt.Errorf("grpcx: ServerConfig.Admission.Place is %q, want %q: it cannot change", is.Place, was.Place)
	case is.isFixed() != was.isFixed():
		return fmt.Errorf("grpcx: ServerConfig.Admission.Fixed.Limit is %d, want it as the server was made, which was %d",
			is.Fixed.Limit, was.Fixed.Limit)
	case was.Gate != nil:
	case is.isFixed() && !is.Fixed.Equal(was.Fixed):
		err = s.gate.(*bulkhead.Bulkhead).Update(is.Fixed)
	case !is.isFixed() && !is.Adaptive.Equal(was.Adaptive):
		err = s.gate.(*bulkhead.Adaptive).Update(is.Adaptive)
	}
	if err == nil && !next.Quota.group().Equal(old.Quota.group()) {
		err = s.quota.Update(next.Quota.group())
	}
	return err
}
