package fault

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Plan is what is to go wrong, and when. It is data: it loads from JSON by [ParsePlan], and prints as what it was
// loaded from. A field that a plan does not have is an error when it is read.
type Plan struct {
	// Seed decides which calls a rate hits. Any number; 0 is a seed like the others.
	Seed uint64 `json:"seed" yaml:"seed"`
	// Faults are what goes wrong, in any order, overlapping as they like. At most 1000; none is a plan without effect.
	Faults []Fault `json:"faults" yaml:"faults"`
}

// Fault is one entry of a [Plan]. It acts in the time from At until just before At + For. In JSON the durations are
// texts such as "8s".
type Fault struct {
	// At is when the fault starts, counted from the start of the plan. Default 0; up to 720h.
	At time.Duration `json:"at" yaml:"at"`
	// For is how long it lasts. Above 0 and up to 720h: every fault ends.
	For time.Duration `json:"for" yaml:"for"`
	// Kind is what it does.
	Kind Kind `json:"kind" yaml:"kind"`
	// Target is the name of the points at which it acts. 1 to 64 bytes of UTF-8. A target without a point hurts nobody.
	Target string `json:"target" yaml:"target"`
	// Factor is the strength of [Slow], 1 to 1000, and of [Capacity], 0.001 to 1. At 1 they change nothing.
	Factor float64 `json:"factor,omitempty" yaml:"factor,omitempty"`
	// Rate is the share of calls that [Error] hits, 0 to 1: 0 is exactly none, and 1 is all of them. For [Bandwidth] it is
	// how many kilobytes of 1000 bytes go through in a second, 0.001 to 1,000,000.
	Rate float64 `json:"rate,omitempty" yaml:"rate,omitempty"`
	// Latency is how long [Latency] holds bytes back. 0 to 1h; 0 is exactly nothing.
	Latency time.Duration `json:"latency,omitempty" yaml:"latency,omitempty"`
	// Jitter is how far the times of [Latency] are from it at the most, to both sides and evenly. Up to the latency.
	// Default 0. Bytes never overtake each other.
	Jitter time.Duration `json:"jitter,omitempty" yaml:"jitter,omitempty"`
	// Bytes is after how many bytes in its direction [ResetPeer] cuts a connection. Default 0, which is at once; up to
	// 2^40.
	Bytes int64 `json:"bytes,omitempty" yaml:"bytes,omitempty"`
	// Stream is the direction in which the kinds for connections act. Default [Downstream]. [Down] has none.
	Stream Stream `json:"stream,omitempty" yaml:"stream,omitempty"`
	// Toxicity is the share of the connections that a kind for connections hits; of the dials, for [Down]. Above 0 and up
	// to 1. Default 1. [Never] is exactly none, and in JSON that is 0.
	Toxicity float64 `json:"toxicity,omitempty" yaml:"toxicity,omitempty"`
}

// The limits of a plan. The products are bounded so that they can multiply a duration, or divide one.
const (
	maxFaults   = 1000
	maxOffset   = 720 * time.Hour
	maxTarget   = 64
	mostSlow    = 1e6
	leastOfRest = 1e-6
)

// Validate returns an error that names the first entry and field out of its range, the value it has, and the range.
func (p Plan) Validate() error {
	if n := len(p.Faults); n > maxFaults {
		return fmt.Errorf("fault: plan: faults has %d entries, want at most %d", n, maxFaults)
	}
	for i, f := range p.Faults {
		if err := f.validate(); err != nil {
			return fmt.Errorf("fault: plan: faults[%d].%w", i, err)
		}
	}
	return nil
}

// validate returns an error that begins with the name of a field.
func (f Fault) validate() error {
	switch {
	case f.At < 0 || f.At > maxOffset:
		return fmt.Errorf("at is %v, want 0s to 720h", f.At)
	case f.For <= 0 || f.For > maxOffset:
		return fmt.Errorf("for is %v, want above 0s and up to 720h", f.For)
	case !slices.Contains(kinds(), f.Kind):
		return fmt.Errorf("kind is %q, want one of %q", f.Kind, kinds())
	case f.Target == "" || len(f.Target) > maxTarget || !utf8.ValidString(f.Target):
		return fmt.Errorf("target is %q, want 1 to %d bytes of UTF-8", f.Target, maxTarget)
	}
	has := f.Kind.parameters()
	for _, v := range f.values() {
		i := slices.IndexFunc(has, func(p parameter) bool { return p.name == v.name })
		if i < 0 && !v.unset {
			return fmt.Errorf("%s is %v, want none for kind %q", v.name, v.v, f.Kind)
		}
		if i >= 0 && !has[i].holds(f) {
			return fmt.Errorf("%s is %v, want %s for kind %q", v.name, v.v, has[i].want, f.Kind)
		}
	}
	return nil
}

// Equal reports whether two plans have the same seed and the same faults in the same order.
func (p Plan) Equal(other Plan) bool {
	return p.Seed == other.Seed && slices.Equal(p.Faults, other.Faults)
}

func (p Plan) clone() Plan {
	p.Faults = slices.Clone(p.Faults)
	return p
}

// end is when a fault is over.
func (f Fault) end() time.Duration { return f.At + f.For }
