package httpx

import (
	"context"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/timeout"
)

// Chain returns what a request goes through, the outermost first: total limit, retry, hedge, breaker, bulkhead, rate limit
// and attempt limit, without those that are off. It is for looking at, on a debug page:
//
//	page := debugpage.New(debugpage.Config{Chains: map[string]seawall.Policy{"catalog": transport.Chain()}})
//
// and as a part of what is around the transport:
//
//	seawall.Chain(fallback, transport.Chain().Current())
//
// Total limit and retry are the client's own. Hedge, breaker, bulkhead and rate limit, of which each host has its own, are
// there once, under the name of their family, by which a page finds that: with the configuration in force and as a new host
// gets them, so calls through them are not the hosts' calls. Requests go through the transport itself.
func (t *Transport) Chain() seawall.Live { return chain{t} }

// chain is put together each time that it is looked at, so that it follows each Update.
type chain struct{ of *Transport }

func (c chain) Do(ctx context.Context, op func(context.Context) error) error {
	return c.Current().Do(ctx, op)
}

func (c chain) Current() *seawall.Pipeline {
	t, cfg := c.of, c.of.opts.Load()
	quiet := cfg.Registry.Detached()
	var members []seawall.Policy
	if cfg.Timeout != Off {
		members = append(members, t.total)
	}
	members = append(members, t.retry)
	if f := t.hosts.hedges; f != nil {
		members = append(members, hedge.New(f.name, cfg.hedge(t.retry.Budget())))
	}
	gate := t.hosts.breakers.Config().Breaker
	gate.Registry = quiet
	members = append(members, breaker.New(t.hosts.breakers.Name(), gate))
	if f := t.hosts.adaptive; f != nil {
		members = append(members, bulkhead.NewAdaptive(f.name, cfg.adaptive()))
	} else {
		slots := t.hosts.bulkheads.Config().Bulkhead
		slots.Registry = quiet
		members = append(members, bulkhead.New(t.hosts.bulkheads.Name(), slots))
	}
	if g := t.hosts.limits; g != nil {
		rate := g.Config().Limiter
		rate.Registry = quiet
		members = append(members, ratelimit.New(g.Name(), rate))
	}
	if cfg.AttemptTimeout != Off {
		members = append(members, timeout.New(t.name+".attempt", timeout.Config{Limit: cfg.AttemptTimeout, Registry: quiet}))
	}
	return seawall.Chain(members...)
}
