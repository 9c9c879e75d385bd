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
	// Rate is the share of calls that [Error] hits, 0 to 1. 0 is exactly none, and 1 is all of them.
	Rate float64 `json:"rate,omitempty" yaml:"rate,omitempty"`
}

// Kind is what a [Fault] does.
type Kind string

// The kinds.
const (
	// Slow multiplies the time that the work at a point takes by Factor: 40 is a brownout. Several multiply, up to
	// 1,000,000.
	Slow Kind = "slow"
	// Capacity leaves only the share Factor of the workers, slots or rate behind a point. Several multiply, down to
	// 0.000001. There is no 0: what takes no work at all is not short of capacity.
	Capacity Kind = "capacity"
	// Error fails the share Rate of the calls at a point with an [InjectedError], in the place of the work.
	Error Kind = "error"
)

// The limits of a plan. The products are bounded so that they can multiply a duration, or divide one.
const (
	maxFaults   = 1000
	maxOffset   = 720 * time.Hour
	maxTarget   = 64
	mostSlow    = 1e6
	leastOfRest = 1e-6
)

// The names of a fault's parameters in a plan.
const (
	factorField = "factor"
	rateField   = "rate"
)

// kinds returns the kinds that are known.
func kinds() []Kind { return []Kind{Slow, Capacity, Error} }

// parameter returns the field that sets the strength of a kind, and its range. ok is false for an unknown kind.
func (k Kind) parameter() (field string, low, high float64, ok bool) {
	switch k {
	case Slow:
		return factorField, 1, 1000, true
	case Capacity:
		return factorField, 0.001, 1, true
	case Error:
		return rateField, 0, 1, true
	}
	return "", 0, 0, false
}

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
	field, low, high, known := f.Kind.parameter()
	switch {
	case f.At < 0 || f.At > maxOffset:
		return fmt.Errorf("at is %v, want 0s to 720h", f.At)
	case f.For <= 0 || f.For > maxOffset:
		return fmt.Errorf("for is %v, want above 0s and up to 720h", f.For)
	case !known:
		return fmt.Errorf("kind is %q, want one of %q", f.Kind, kinds())
	case f.Target == "" || len(f.Target) > maxTarget || !utf8.ValidString(f.Target):
		return fmt.Errorf("target is %q, want 1 to %d bytes of UTF-8", f.Target, maxTarget)
	}
	for _, p := range []struct {
		name  string
		value float64
	}{{factorField, f.Factor}, {rateField, f.Rate}} {
		// Written so that NaN is out of every range.
		if p.name == field && !(p.value >= low && p.value <= high) {
			return fmt.Errorf("%s is %v, want %v to %v for kind %q", p.name, p.value, low, high, f.Kind)
		}
		if p.name != field && p.value != 0 {
			return fmt.Errorf("%s is %v, want none for kind %q", p.name, p.value, f.Kind)
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

// idle reports whether a fault changes nothing, by its parameters.
func (f Fault) idle() bool {
	if f.Kind == Error {
		return f.Rate == 0
	}
	return f.Factor == 1
}
