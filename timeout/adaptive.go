package timeout

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
	"github.com/seawall-go/seawall/internal/quantile"
)

// settings is a Config made ready for the path of a call.
type settings struct {
	Config
	ceiling  *bound
	adaptive *adaptive // nil if it is off
}

// newSettings makes settings out of a valid Config. The latencies of old, if it is not nil, stay known where they can.
func newSettings(name string, cfg Config, old *settings) *settings {
	s := &settings{Config: cfg.withDefaults()}
	s.ceiling = newBound(name, s.Limit)
	if s.Adaptive.on() {
		s.adaptive = &adaptive{Adaptive: s.Adaptive, name: name, ceiling: s.ceiling}
		if old != nil && old.adaptive != nil && old.Adaptive.Window == s.Adaptive.Window {
			s.adaptive.latencies = old.adaptive.latencies
		} else {
			s.adaptive.latencies = quantile.New(s.Adaptive.Window)
		}
		s.adaptive.latest.Store(s.ceiling)
	}
	return s
}

// bound is a limit, with what all calls under it share.
type bound struct {
	limit    time.Duration
	exceeded *ExceededError // the cause at the limit
	expired  *standard      // what contexts are from the limit on, unless somebody had asked for Done
}

func newBound(name string, limit time.Duration) *bound {
	b := &bound{limit: limit, exceeded: &ExceededError{Name: name, Limit: limit}}
	b.expired = expiredContext(b.exceeded)
	return b
}

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
	if !ok {
		return a.ceiling
	}
	limit := max(a.Min, min(a.ceiling.limit, time.Duration(a.Factor*float64(latency)))) // at most 100 times 74 minutes
	b := a.latest.Load()
	if b.limit != limit {
		b = newBound(a.name, limit)
		a.latest.Store(b)
	}
	return b
}

// limit returns the limit in force.
func (s *settings) limit() time.Duration {
	if s.adaptive == nil {
		return s.Limit
	}
	return s.adaptive.bound(mono.Now()).limit
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
