package grpcx

import (
	"cmp"
	"context"
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

func newGates(name string, cfg ClientConfig) gates {
	gate := cfg.Breaker
	gate.Registry = nil
	bulkheads := func(name string, slots bulkhead.Config) *bulkhead.Group[groupKey] {
		registry := cmp.Or(slots.Registry, cfg.Registry)
		slots.Registry = nil
		return bulkhead.NewGroup(name, bulkhead.GroupConfig[groupKey]{
			Bulkhead: slots, MaxKeys: cfg.MaxGroups, Label: label, Registry: registry,
		})
	}
	return gates{
		breakers: breaker.NewGroup(name, breaker.GroupConfig[groupKey]{
			Breaker: gate, MaxKeys: cfg.MaxGroups, Label: label, Registry: cmp.Or(cfg.Breaker.Registry, cfg.Registry),
		}),
		unary:   bulkheads(name, cfg.Bulkhead),
		streams: bulkheads(name+".streams", cfg.StreamBulkhead),
	}
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
