package grpcx

import (
	"cmp"
	"context"
	"errors"
	"time"
	"unique"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
)

// group is what has gates of its own: a group of methods at a target.
type group struct {
	target string // of the connection, as grpc.NewClient got it
	name   string
}

// groupKey stands for a group where a look-up is to cost no allocation.
type groupKey = unique.Handle[group]

func label(k groupKey) string { return k.Value().target + " " + k.Value().name }

// gates are the gates of all groups.
type gates struct {
	breakers *breaker.Group[groupKey]
	unary    *bulkhead.Group[groupKey]
	streams  *bulkhead.Group[groupKey]
}

func newGates(name string, cfg *ClientConfig) gates {
	return gates{
		breakers: breaker.NewGroup(name, cfg.breakers()),
		unary:    bulkhead.NewGroup(name, cfg.bulkheads(cfg.Bulkhead)),
		streams:  bulkhead.NewGroup(name+".streams", cfg.bulkheads(cfg.StreamBulkhead)),
	}
}

// update gives the gates, and those to come, what differs in the configuration; next is valid. The others are left alone, with
// the modes that somebody has set by hand.
func (g *gates) update(old, next *ClientConfig) (err error) {
	if breakers := next.breakers(); !breakers.Breaker.Equal(old.breakers().Breaker) {
		err = g.breakers.Update(breakers)
	}
	if !next.Bulkhead.Equal(old.Bulkhead) {
		err = errors.Join(err, g.unary.Update(next.bulkheads(next.Bulkhead)))
	}
	if !next.StreamBulkhead.Equal(old.StreamBulkhead) {
		err = errors.Join(err, g.streams.Update(next.bulkheads(next.StreamBulkhead)))
	}
	return err
}

func (c *ClientConfig) breakers() breaker.GroupConfig[groupKey] {
	g := breaker.GroupConfig[groupKey]{
		Breaker: c.Breaker, MaxKeys: c.MaxGroups, Label: label, Registry: cmp.Or(c.Breaker.Registry, c.Registry),
	}
	g.Breaker.Registry = nil
	if g.Breaker.Slow.Over == 0 { // not in the configuration that is kept: it follows AttemptTimeout when that changes
		g.Breaker.Slow.Over = slowOver(c.AttemptTimeout)
	}
	return g
}

func (c *ClientConfig) bulkheads(slots bulkhead.Config) bulkhead.GroupConfig[groupKey] {
	g := bulkhead.GroupConfig[groupKey]{
		Bulkhead: slots, MaxKeys: c.MaxGroups, Label: label, Registry: cmp.Or(slots.Registry, c.Registry),
	}
	g.Bulkhead.Registry = nil
	return g
}

// permits are what one attempt holds.
type permits struct{ breaker, slot seawall.Permit }

// enter asks the gates for one attempt. Whatever comes of it, the permits are to be ended.
func (p *permits) enter(ctx context.Context, gate *breaker.Breaker, slots *bulkhead.Bulkhead) (err error) {
	if p.breaker, err = gate.Acquire(ctx); err != nil {
		return err
	}
	p.slot, err = slots.Acquire(ctx)
	return err
}

// end tells the gates how the attempt ended. ctx is that of its caller.
func (p *permits) end(ctx context.Context, err error) {
	err = seawall.Settle(ctx, err)
	defer p.slot.Done(err) // also if a function of the breaker's configuration panics
	p.breaker.Done(err)
}

// impatient is the context of a hedge before the gates: its deadline is now, so that no gate lets it wait. First attempts
// go first.
type impatient struct{ context.Context }

// Deadline is now.
func (impatient) Deadline() (time.Time, bool) { return time.Now(), true }
