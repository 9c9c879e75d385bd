package grpcx

import (
	"cmp"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/timeout"
)

// owned are the policies that the methods of a pattern do not share with the rest. Of a pattern that an Update takes away they
// stay, so that they go on with their state and under their name when it comes back.
type owned struct {
	total  *timeout.Timeout
	hedge  *hedge.Hedge
	hedged *seawall.Pipeline // the retry with it
}

// newRules makes the rules of a pattern, or with an empty one those of the methods without one. cfg has its defaults, and is
// valid. But in NewClient, c.mu is held.
func (c *Client) newRules(cfg *ClientConfig, pattern string, m MethodConfig) *rules {
	limit := cmp.Or(m.Timeout, cfg.Timeout)
	r := &rules{
		cfg: cfg, idempotency: cmp.Or(m.Idempotency, FromProto), group: m.Group, total: c.total,
		totalTimeout: limit, attemptTimeout: cmp.Or(m.AttemptTimeout, cfg.AttemptTimeout),
		retryCodes: m.RetryCodes,
	}
	if r.retryCodes == nil {
		r.retryCodes = cfg.RetryCodes
	}
	own := c.owned[pattern]
	if own == nil {
		own = &owned{}
		c.owned[pattern] = own
	}
	if limit != cfg.Timeout {
		if own.total == nil {
			own.total = c.newTotal(pattern, limit, cfg.Registry)
		} else {
			_ = own.total.Update(timeout.Config{Limit: limit}) // whose only error is that it is not valid
		}
		r.total = own.total
	}
	if h := cmp.Or(m.Hedge, cfg.Hedge); h != nil && h.MaxAttempts != 1 {
		if own.hedge == nil {
			own.hedge = hedge.New(c.nameOf(pattern), c.hedgeConfig(cfg, *h))
			own.hedged = seawall.Chain(c.retry, own.hedge)
		} else {
			_ = own.hedge.Update(c.hedgeConfig(cfg, *h)) // as above
		}
		r.hedge, r.hedged = own.hedge, own.hedged
	}
	r.limits = limits{attempt: c.attemptLimit(r.attemptTimeout), total: exceeded(r.total.Name(), limit)}
	return r
}

// hedgeConfig is the configuration of a hedge, which is paid for by the budget of the retries unless it says by what.
func (c *Client) hedgeConfig(cfg *ClientConfig, h hedge.Config) hedge.Config {
	if h.Funding == hedge.FromBudget && h.Budget == nil && h.BudgetConfig == (seawall.BudgetConfig{}) {
		if h.Budget = c.retry.Budget(); h.Budget == nil {
			h.Funding = hedge.NoBudget // as the retries
		}
	}
	if h.Registry == nil {
		h.Registry = cfg.Registry
	}
	return h
}

// nameOf is the name of what the methods of a pattern have of their own.
func (c *Client) nameOf(pattern string) string {
	if pattern == "" {
		return c.name
	}
	return c.name + " " + pattern
}

// newTotal makes the total limit of the methods of a pattern.
func (c *Client) newTotal(pattern string, limit time.Duration, registry *seawall.Registry) *timeout.Timeout {
	return timeout.New(c.nameOf(pattern)+".total", timeout.Config{Limit: limit, Registry: registry})
}

func exceeded(name string, limit time.Duration) error {
	return &timeout.ExceededError{Name: name, Limit: limit}
}

func (c *Client) attemptLimit(d time.Duration) error { return exceeded(c.name+".attempt", d) }
