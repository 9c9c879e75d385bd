package httpx

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/ratelimit"
)

// hostKey is what has policies of its own: scheme, host and port.
type hostKey struct{ scheme, host string }

func (k hostKey) String() string { return k.scheme + "://" + k.host }

var (
	errNoURL    = errors.New("httpx: request without a URL")
	errNoScheme = errors.New("httpx: request URL without a scheme")
	errNoHost   = errors.New("httpx: request URL without a host")
)

// keyOf returns the key of a URL, in one form for all spellings that mean the same. It allocates nothing for the usual
// one.
func keyOf(u *url.URL) (hostKey, error) {
	if u == nil {
		return hostKey{}, errNoURL
	}
	k := hostKey{strings.ToLower(u.Scheme), strings.ToLower(u.Host)}
	switch k.scheme {
	case "":
		return k, errNoScheme
	case "http":
		k.host = strings.TrimSuffix(strings.TrimSuffix(k.host, ":80"), ":")
	case "https":
		k.host = strings.TrimSuffix(strings.TrimSuffix(k.host, ":443"), ":")
	default:
		return k, nil // a protocol registered with the base may have no hosts
	}
	if k.host == "" {
		return k, errNoHost
	}
	return k, nil
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
	label := hostKey.String
	gate := cfg.Breaker
	gate.Registry = nil
	h.breakers = breaker.NewGroup(t.name, breaker.GroupConfig[hostKey]{
		Breaker: gate, MaxKeys: cfg.MaxHosts, Label: label, Registry: cmp.Or(cfg.Breaker.Registry, cfg.Registry),
	})
	if cfg.Adaptive != nil {
		adaptive, registry := *cfg.Adaptive, cmp.Or(cfg.Adaptive.Registry, cfg.Registry)
		adaptive.Registry = registry.Detached()
		h.adaptive = newFamily(registry, "bulkhead", t.name, cfg.MaxHosts, func(k hostKey) *bulkhead.Adaptive {
			return bulkhead.NewAdaptive(h.adaptive.memberName(k), adaptive)
		})
	} else {
		slots := cfg.Bulkhead
		slots.Registry = nil
		h.bulkheads = bulkhead.NewGroup(t.name, bulkhead.GroupConfig[hostKey]{
			Bulkhead: slots, MaxKeys: cfg.MaxHosts, Label: label, Registry: cmp.Or(cfg.Bulkhead.Registry, cfg.Registry),
		})
	}
	if cfg.RateLimit != nil {
		rate := *cfg.RateLimit
		rate.Registry = nil
		h.limits = ratelimit.NewGroup(t.name, ratelimit.GroupConfig[hostKey]{
			Limiter: rate, MaxKeys: cfg.MaxHosts, Label: label, Registry: cmp.Or(cfg.RateLimit.Registry, cfg.Registry),
		})
	}
	if cfg.Hedge != nil {
		h.initHedges(t, *cfg.Hedge)
	}
}

// initHedges makes the family of hedges, which take from the budget of the retries unless they have their own.
func (h *hosts) initHedges(t *Transport, cfg hedge.Config) {
	registry := cmp.Or(cfg.Registry, t.cfg.Registry)
	cfg.Registry = registry.Detached()
	if cfg.Funding == hedge.FromBudget && cfg.Budget == nil && cfg.BudgetConfig == (seawall.BudgetConfig{}) {
		if cfg.Budget = t.retry.Budget(); cfg.Budget == nil {
			cfg.Funding = hedge.NoBudget // as the retries
		}
	}
	h.hedges = newFamily(registry, "hedge", t.name, t.cfg.MaxHosts, func(k hostKey) *hostHedge {
		policy := hedge.New(h.hedges.memberName(k), cfg)
		return &hostHedge{policy, seawall.Chain(t.calls, policy), seawall.Chain(t.untimed, policy)}
	})
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
	if err != nil || h.limits == nil {
		return err
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
