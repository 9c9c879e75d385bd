package httpx

import (
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/timeout"
)

// Lint returns what hurts in the configuration in force, such as a total limit that no second attempt fits into, by the
// rules of [seawall.Pipeline.Lint]; nil if nothing is found. It is for a test or the start of a program.
func (t *Transport) Lint() []seawall.Finding {
	cfg := t.opts.Load().ClientConfig
	quiet := cfg.Registry.Detached()
	members := []seawall.Policy{t.total, t.retry}
	if cfg.Hedge != nil {
		members = append(members, hedge.New(t.name, cfg.hedge(t.retry.Budget())))
	}
	gate := cfg.breakers().Breaker
	gate.Registry = quiet
	members = append(members, breaker.New(t.name, gate))
	if cfg.Adaptive != nil {
		members = append(members, bulkhead.NewAdaptive(t.name, cfg.adaptive()))
	} else {
		slots := cfg.Bulkhead
		slots.Registry = quiet
		members = append(members, bulkhead.New(t.name, slots))
	}
	members = append(members,
		timeout.New(t.name+".attempt", timeout.Config{Limit: cfg.AttemptTimeout, Registry: quiet}))
	return seawall.Chain(members...).Lint()
}
