package grpcx

import (
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// AdmissionConfig sets how many calls are handled at once. The zero value is an adaptive limit. A stream holds one slot
// to its end, however many messages it has.
type AdmissionConfig struct {
	// Adaptive finds the limit by itself, from how calls end, by the package's table of codes, and from the time until
	// their first answer: how long a stream goes on then is up to its messages and its reader. Its defaults are those of
	// [bulkhead.AdaptiveConfig], but for Initial, which is 64, and the Queue, which has 256 places and the order
	// [bulkhead.AdaptiveLIFO]: a service that just starts does not know yet what it can, and a queue that stands serves
	// those first who are still there.
	Adaptive bulkhead.AdaptiveConfig `json:"adaptive" yaml:"adaptive"`
	// Fixed limits the calls by a constant instead, if its Limit is set. Only one of Adaptive, Fixed and Gate may be set.
	Fixed bulkhead.Config `json:"fixed" yaml:"fixed"`
	// Place says where calls are admitted. Default [InInterceptor].
	Place Place `json:"place" yaml:"place"`

	// Gate is used in place of a bulkhead of its own: one that an HTTP handler of the same program uses as well, or a
	// policy of yours. With [BeforeDecode] it must answer at once to a call whose deadline has passed, as ours do.
	Gate seawall.Gate `json:"-" yaml:"-"`
	// Registry is where the bulkhead enters itself, unless its own configuration says otherwise. Default
	// [seawall.DefaultRegistry].
	Registry *seawall.Registry `json:"-" yaml:"-"`
}

// Place says where a server admits calls.
type Place string

const (
	// InInterceptor admits a call when its request is there and decoded; a stream when it is opened. Calls may wait in the
	// queue. It is the default.
	InInterceptor Place = "interceptor"
	// BeforeDecode admits a call when its header is there, by a tap of grpc-go: one that is refused costs no memory for
	// its message. The slot is held from then on, also while the request is on its way, but not longer than the server's
	// Timeout if no handler has begun by then. There is no queue, and no wait for the quota, because a tap holds up all
	// calls of its connection while it runs, and TrustPeer, Quota.Key and a Gate of yours with it, which are called there:
	// none of these may make a call. A refusal has the status and its RetryInfo, but no trailers: a tap cannot send any. The
	// stats handlers of grpc-go do not see what is refused, and grpc-go calls its tap experimental.
	BeforeDecode Place = "before_decode"
)

// isFixed reports whether the limit is a constant.
func (c AdmissionConfig) isFixed() bool { return c.Fixed.Limit != 0 }

func (c AdmissionConfig) withDefaults() AdmissionConfig {
	if c.Place == "" {
		c.Place = InInterceptor
	}
	switch {
	case c.Gate != nil:
	case c.isFixed():
		if c.Fixed.Registry == nil {
			c.Fixed.Registry = c.Registry
		}
		c.setQueue(&c.Fixed.Queue, 0)
	default:
		if c.Adaptive.Initial == 0 {
			c.Adaptive.Initial = 64
			if c.Adaptive.Max != 0 {
				c.Adaptive.Initial = min(64, c.Adaptive.Max)
			}
			c.Adaptive.Initial = max(c.Adaptive.Initial, c.Adaptive.Min)
		}
		if c.Adaptive.Queue.Order == 0 {
			c.Adaptive.Queue.Order = bulkhead.AdaptiveLIFO
		}
		c.setQueue(&c.Adaptive.Queue, 256)
		if c.Adaptive.Registry == nil {
			c.Adaptive.Registry = c.Registry
		}
	}
	return c
}

// setQueue fills in the places of a queue: none in a tap, 0 for the bulkhead's own default.
func (c AdmissionConfig) setQueue(q *bulkhead.Queue, places int) {
	switch {
	case q.Limit != 0:
	case c.Place == BeforeDecode:
		q.Limit = bulkhead.NoQueue
	default:
		q.Limit = places
	}
}

// Validate returns an error that names a field that is out of its range, its value, and the range. 0 is the default.
func (c AdmissionConfig) Validate() error {
	fixed, adaptive := !c.Fixed.Equal(bulkhead.Config{}), !c.Adaptive.Equal(bulkhead.AdaptiveConfig{})
	switch {
	case c.Gate != nil && (fixed || adaptive || c.isFixed()):
		return fmt.Errorf("grpcx: AdmissionConfig.Gate is %v, want it without Fixed and Adaptive", c.Gate)
	case c.isFixed() && adaptive:
		return fmt.Errorf("grpcx: AdmissionConfig.Fixed.Limit is %d, want it without Adaptive", c.Fixed.Limit)
	case fixed && !c.isFixed():
		return fmt.Errorf("grpcx: AdmissionConfig.Fixed.Limit is 0, want at least 1 where Fixed is set")
	case c.Place != "" && c.Place != InInterceptor && c.Place != BeforeDecode:
		return fmt.Errorf("grpcx: AdmissionConfig.Place is %q, want %q or %q", c.Place, InInterceptor, BeforeDecode)
	}
	c = c.withDefaults()
	if c.Place == BeforeDecode && c.Gate == nil {
		for name, limit := range map[string]int{"Fixed": c.Fixed.Queue.Limit, "Adaptive": c.Adaptive.Queue.Limit} {
			if limit > 0 {
				return fmt.Errorf("grpcx: AdmissionConfig.%s.Queue.Limit is %d, want NoQueue with BeforeDecode", name, limit)
			}
		}
	}
	if c.isFixed() {
		if err := c.Fixed.Validate(); err != nil {
			return fmt.Errorf("grpcx: AdmissionConfig.Fixed: %w", err)
		}
	} else if err := c.Adaptive.Validate(); err != nil {
		return fmt.Errorf("grpcx: AdmissionConfig.Adaptive: %w", err)
	}
	return nil
}

// gate makes what calls go through. c has its defaults.
func (c AdmissionConfig) gate(name string) seawall.Gate {
	switch {
	case c.Gate != nil:
		return c.Gate
	case c.isFixed():
		return bulkhead.New(name, c.Fixed)
	}
	return bulkhead.NewAdaptive(name, c.Adaptive)
}
