package grpcx

import (
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
)

// groupKey is what has policies of its own.
type groupKey struct {
	target string // of the connection, as grpc.NewClient got it
	group  string
}

func (k groupKey) String() string { return k.target + " " + k.group }

// group is what there is for each target and group of methods.
type group struct {
	breaker  *breaker.Breaker
	bulkhead *bulkhead.Bulkhead
	streams  *bulkhead.Bulkhead

	plain, hedged, once *seawall.Pipeline // what is around an attempt of a unary call, between the two limits of time
}

func (c *Client) newGroup(k groupKey) *group {
	name := c.name + " " + k.String()
	g := &group{
		breaker:  breaker.New(name, c.cfg.Breaker),
		bulkhead: bulkhead.New(name, c.cfg.Bulkhead),
		streams:  bulkhead.New(name+" streams", c.cfg.StreamBulkhead),
	}
	g.plain = seawall.Chain(c.retry, g.breaker, g.bulkhead)
	if c.hedge != nil {
		g.hedged = seawall.Chain(c.retry, c.hedge, g.breaker, g.bulkhead)
	}
	g.once = seawall.Chain(g.breaker, g.bulkhead)
	return g
}

// busy reports whether a group must not be forgotten: its breaker has something to say, somebody has switched a mode by
// hand, or a call is under way.
func (c *Client) busy(g *group) bool {
	return g.breaker.State() != breaker.Closed ||
		g.breaker.Config().Mode != c.cfg.Breaker.Mode ||
		g.bulkhead.Config().Mode != c.cfg.Bulkhead.Mode ||
		g.streams.Config().Mode != c.cfg.StreamBulkhead.Mode ||
		g.bulkhead.Stats().InUse > 0 ||
		g.streams.Stats().InUse > 0
}
