package timeout

import (
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

// limit returns the limit in force.
func (s *settings) limit() time.Duration {
	if s.adaptive == nil {
		return s.Limit
	}
	return s.adaptive.bound(mono.Now()).limit
}
