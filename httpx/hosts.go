package httpx

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unique"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/ratelimit"
)

// hostKey is what has policies of its own: scheme, host and port. Two keys are compared, and looked up, as one pointer.
type hostKey struct{ unique.Handle[origin] }

type origin struct{ scheme, host string }

func (k hostKey) String() string {
	o := k.Value()
	return o.scheme + "://" + o.host
}

var (
	errNoURL    = errors.New("httpx: request without a URL")
	errNoScheme = errors.New("httpx: request URL without a scheme")
	errNoHost   = errors.New("httpx: request URL without a host")
)

// keyOf returns the key of a URL, in one form for all spellings that mean the same. It allocates nothing for the usual
// one.
func keyOf(u *url.URL) (hostKey, error) {
	o, err := originOf(u)
	if err != nil {
		return hostKey{}, err
	}
	return hostKey{unique.Make(o)}, nil
}

func originOf(u *url.URL) (origin, error) {
	if u == nil {
		return origin{}, errNoURL
	}
	o := origin{strings.ToLower(u.Scheme), strings.ToLower(u.Host)}
	switch o.scheme {
	case "":
		return o, errNoScheme
	case "http":
		o.host = strings.TrimSuffix(strings.TrimSuffix(o.host, ":80"), ":")
	case "https":
		o.host = strings.TrimSuffix(strings.TrimSuffix(o.host, ":443"), ":")
	default:
		return o, nil // a protocol registered with the base may have no hosts
	}
	if o.host == "" {
		return o, errNoHost
	}
	return o, nil
}

// recentKey remembers the key of one URL, for clients that ask one host most of the time.
type recentKey struct{ latest atomic.Pointer[spelledKey] }

// spelledKey is a key with the spelling of the URL that it is of.
type spelledKey struct {
	origin
	key hostKey
}

// of is keyOf. It remembers one in so many of the URLs that are not of the same host: to write down each one would cost
// clients that ask many hosts more than it is worth.
func (r *recentKey) of(u *url.URL) (hostKey, error) {
	latest := r.latest.Load()
	if latest != nil && u != nil && u.Host == latest.host && u.Scheme == latest.scheme {
		return latest.key, nil
	}
	k, err := keyOf(u)
	if err == nil && (latest == nil || dice.Uint64()%16 == 0) {
		r.latest.Store(&spelledKey{origin{u.Scheme, u.Host}, k})
	}
	return k, err
}

// hosts are the policies that each host has of its own.
type hosts struct {
	breakers  *breaker.Group[hostKey]
	bulkheads *bulkhead.Group[hostKey]    // nil if the limits are adaptive
	adaptive  *family[*bulkhead.Adaptive] // nil if they are not
	limits    *ratelimit.Group[hostKey]   // nil if there are none
	hedges    *family[*hostHedge]         // nil if nothing is hedged
}

// hostHedge is the hedge of one host, with the chains that it is part of.
type hostHedge struct {
	*hedge.Hedge
	calls, untimed *seawall.Pipeline
}

// init makes the families of a client. cfg has its defaults.
func (h *hosts) init(t *Transport, cfg *ClientConfig) {
	h.breakers = breaker.NewGroup(t.name, cfg.breakers())
	if cfg.Adaptive != nil {
		registry := cmp.Or(cfg.Adaptive.Registry, cfg.Registry)
		h.adaptive = newFamily(registry, &family[*bulkhead.Adaptive]{
			kind: "bulkhead", name: t.name, config: func() any { return t.opts.Load().adaptive() },
		}, cfg.MaxHosts, func(k hostKey) *bulkhead.Adaptive {
			return bulkhead.NewAdaptive(h.adaptive.memberName(k), t.opts.Load().adaptive())
		})
	} else {
		h.bulkheads = bulkhead.NewGroup(t.name, cfg.bulkheads())
	}
	if cfg.RateLimit != nil {
		h.limits = ratelimit.NewGroup(t.name, cfg.limits())
	}
	if cfg.Hedge != nil {
		registry := cmp.Or(cfg.Hedge.Registry, cfg.Registry)
		h.hedges = newFamily(registry, &family[*hostHedge]{
			kind: "hedge", name: t.name, config: func() any { return t.opts.Load().hedge(t.retry.Budget()) },
		}, cfg.MaxHosts, func(k hostKey) *hostHedge {
			policy := hedge.New(h.hedges.memberName(k), t.opts.Load().hedge(t.retry.Budget()))
			return &hostHedge{policy, seawall.Chain(t.calls, policy), seawall.Chain(t.untimed, policy)}
		})
	}
}

// update gives the families and their members another configuration, which is valid.
func (h *hosts) update(t *Transport, cfg *ClientConfig) error {
	err := h.breakers.Update(cfg.breakers())
	if h.bulkheads != nil {
		err = errors.Join(err, h.bulkheads.Update(cfg.bulkheads()))
	}
	if h.limits != nil {
		err = errors.Join(err, h.limits.Update(cfg.limits()))
	}
	if h.adaptive != nil {
		for _, a := range h.adaptive.members.All() {
			err = errors.Join(err, a.Update(cfg.adaptive()))
		}
	}
	if h.hedges != nil {
		for _, one := range h.hedges.members.All() {
			err = errors.Join(err, one.Update(cfg.hedge(t.retry.Budget())))
		}
	}
	return err
}

func (c *ClientConfig) breakers() breaker.GroupConfig[hostKey] {
	g := breaker.GroupConfig[hostKey]{
		Breaker: c.Breaker, MaxKeys: c.MaxHosts, Label: hostKey.String, Registry: cmp.Or(c.Breaker.Registry, c.Registry),
	}
	g.Breaker.Registry = nil
	if g.Breaker.Slow.Over == 0 {
		g.Breaker.Slow.Over = slowOver(c.AttemptTimeout)
	}
	return g
}

func (c *ClientConfig) bulkheads() bulkhead.GroupConfig[hostKey] {
	g := bulkhead.GroupConfig[hostKey]{
		Bulkhead: c.Bulkhead, MaxKeys: c.MaxHosts, Label: hostKey.String, Registry: cmp.Or(c.Bulkhead.Registry, c.Registry),
	}
	g.Bulkhead.Registry = nil
	return g
}

func (c *ClientConfig) limits() ratelimit.GroupConfig[hostKey] {
	g := ratelimit.GroupConfig[hostKey]{
		Limiter: *c.RateLimit, MaxKeys: c.MaxHosts, Label: hostKey.String, Registry: cmp.Or(c.RateLimit.Registry, c.Registry),
	}
	g.Limiter.Registry = nil
	return g
}

// adaptive is the configuration of one host's limit, which enters no registry.
func (c *ClientConfig) adaptive() bulkhead.AdaptiveConfig {
	a := *c.Adaptive
	a.Registry = cmp.Or(a.Registry, c.Registry).Detached()
	return a
}

// hedge is the configuration of one host's hedge, which takes from the budget of the retries unless it has its own.
func (c *ClientConfig) hedge(retries *seawall.Budget) hedge.Config {
	h := *c.Hedge
	h.Registry = cmp.Or(h.Registry, c.Registry).Detached()
	if h.Funding == hedge.FromBudget && h.Budget == nil && h.BudgetConfig == (seawall.BudgetConfig{}) {
		if h.Budget = retries; retries == nil {
			h.Funding = hedge.NoBudget // as the retries
		}
	}
	return h
}

// enter asks the gates of a host for one attempt, which is to settle the permits in any case. One that may not wait, for
// it runs beside others, takes what is free.
func (h *hosts) enter(ctx context.Context, k hostKey, s *scope, wait bool) (err error) {
	if !wait {
		ctx = impatient{ctx}
	}
	if s.breaker, err = h.breakers.For(k).Acquire(ctx); err != nil {
		return err
	}
	if h.adaptive != nil {
		s.slot, err = h.adaptive.For(k).Acquire(ctx)
	} else {
		s.slot, err = h.bulkheads.For(k).Acquire(ctx)
	}
	if err != nil {
		s.x.told.Or(noSlot)
		return err
	}
	if h.limits == nil {
		return nil
	}
	token, err := h.limits.Acquire(ctx, k)
	token.Done(nil) // it is spent: nothing inside refuses
	return err
}

// impatient is the context of a hedge before the gates: its deadline is now, so that no gate lets it wait. First attempts
// go first.
type impatient struct{ context.Context }

// Deadline is now.
func (impatient) Deadline() (time.Time, bool) { return time.Now(), true }
