package timeout

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
	"github.com/seawall-go/seawall/internal/quantile"
)

// adaptive makes the bounds of calls out of the latencies of late.
type adaptive struct {
	Adaptive
	name      string
	ceiling   *bound
	latencies *quantile.Window
	latest    atomic.Pointer[bound]
}

// bound returns the limit in force. It makes another one when the percentile has moved, which is read a few times in a
// second.
func (a *adaptive) bound(now time.Duration) *bound {
	latency, ok := a.latencies.Quantile(now, a.Percentile, a.MinCalls)
	if !ok || latency >= quantile.Max { // longer ones count as that, and a limit made of it could be too short for ever
		return a.ceiling
	}
	limit := max(a.Min, min(a.ceiling.limit, time.Duration(a.Factor*float64(latency))))
	b := a.latest.Load()
	if b.limit != limit {
		b = newBound(a.name, limit)
		a.latest.Store(b)
	}
	return b
}

// timedScope is the context of a call whose latency counts.
type timedScope struct {
	scope
	adaptive *adaptive
	begin    time.Duration // reading of mono.Now
}

// enter makes the context of one call.
func (a *adaptive) enter(parent context.Context) *timedScope {
	t := &timedScope{adaptive: a, begin: mono.Now()}
	t.start(parent, a.bound(t.begin))
	return t
}

// observe takes in how long the call took: until now, if it succeeded or exceeded the limit.
func (t *timedScope) observe() {
	now := mono.Now()
	t.adaptive.latencies.Observe(now, now-t.begin)
}
