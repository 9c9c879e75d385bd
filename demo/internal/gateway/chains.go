package gateway

import (
	"context"
	"slices"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
)

// Chains are what calls of the inventory service go through, by what they ask for, without the limits of time, which the
// transport keeps to itself.
func (s *Seawall) Chains() map[string]seawall.Policy {
	return map[string]seawall.Policy{
		"seat maps": route{[]seawall.Policy{s.hedge}, s.transport},
		"holds":     route{nil, s.transport},
	}
}

// route is a way through the transport, with what is around it. The breaker and the bulkhead of the inventory's address are
// made for its first request, so the chain is put together each time that it is asked for.
type route struct {
	around    []seawall.Policy
	transport *httpx.Transport
}

var _ seawall.Live = route{}

func (r route) Current() *seawall.Pipeline {
	policies := append(slices.Clone(r.around), r.transport.Retry())
	for _, b := range r.transport.Breakers() {
		policies = append(policies, b)
	}
	for _, b := range r.transport.Bulkheads() {
		policies = append(policies, b)
	}
	return seawall.Chain(policies...)
}

func (r route) Do(ctx context.Context, op func(context.Context) error) error {
	return r.Current().Do(ctx, op)
}
