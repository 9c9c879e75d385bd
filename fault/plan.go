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

	// Seam is what it acts on, for the kinds that have a choice: [OnConn], which is the default, or [OnCall].
	Seam Seam `json:"seam,omitempty" yaml:"seam,omitempty"`

	// Factor is the strength of [Slow], 1 to 1000, and of [Capacity], 0.001 to 1. At 1 they change nothing.
	Factor float64 `json:"factor,omitempty" yaml:"factor,omitempty"`
	// Rate is the share of calls that [Error] hits, or of bytes that [Corrupt] does, 0 to 1: 0 is exactly none, and 1 is
	// all of them. For [Bandwidth] it is how many kilobytes of 1000 bytes go through in a second, 0.001 to 1,000,000.
	Rate float64 `json:"rate,omitempty" yaml:"rate,omitempty"`
	// Latency is how long [Latency] holds back; what that means exactly is a matter of the Distribution. 0 to 1h; 0 is
	// exactly nothing.
	Latency time.Duration `json:"latency,omitempty" yaml:"latency,omitempty"`
	// Jitter is how far the times of [Latency] are from it. Default 0. For [Uniform] it is how far at the most, up to the
	// latency; for [Normal] it is the standard deviation, 0 to 1h, and must be given. The others have none. Bytes never
	// overtake each other.
	Jitter time.Duration `json:"jitter,omitempty" yaml:"jitter,omitempty"`
	// Distribution is how the times of [Latency] are spread. Default [Uniform].
	Distribution Distribution `json:"distribution,omitempty" yaml:"distribution,omitempty"`
	// Shape is σ of [LogNormal], 0.01 to 10, and α of [Pareto], 0.1 to 100. The others have none.
	Shape float64 `json:"shape,omitempty" yaml:"shape,omitempty"`
	// Cap is the longest time of [Normal], [LogNormal] and [Pareto]. From the latency up to 1h, which is the default.
	Cap time.Duration `json:"cap,omitempty" yaml:"cap,omitempty"`
	// Timeout is after which time [Timeout] closes a connection, or fails a call, and [ResetPeer] resets a connection.
	// Default 0, which is at the end of the fault for the former, and at once for the latter; up to 1h.
	Timeout time.Duration `json:"timeout,omitempty" yaml:"timeout,omitempty"`
	// Delay is the time between two slices of [Slicer], default 0, and how long [SlowClose] holds an end back. Up to 1h.
	Delay time.Duration `json:"delay,omitempty" yaml:"delay,omitempty"`
	// AverageSize is how many bytes a slice of [Slicer] has, 1 to 1,048,576.
	AverageSize int64 `json:"average_size,omitempty" yaml:"average_size,omitempty"`
	// SizeVariation is how many bytes more or less a slice has at the most, evenly. Default 0; below the average size.
	SizeVariation int64 `json:"size_variation,omitempty" yaml:"size_variation,omitempty"`
	// Bytes is after how many bytes in its direction [ResetPeer], [LimitData] and [HalfClose] end a connection, or
	// [ResetPeer] and [Truncate] a body. Default 0, which is at once; up to 2^40.
	Bytes int64 `json:"bytes,omitempty" yaml:"bytes,omitempty"`
	// Messages is after how many messages [ResetPeer] and [Truncate] end a stream. Default 0, which is at once, or never
	// if Bytes are given: those are for bodies, these for streams. Up to 2^40.
	Messages int64 `json:"messages,omitempty" yaml:"messages,omitempty"`
	// Status is the HTTP status of [StatusCode], 200 to 599. Default the one that says what Code does.
	Status int `json:"status,omitempty" yaml:"status,omitempty"`
	// Code is the gRPC code of [StatusCode], such as UNAVAILABLE. Default the one that says what Status does.
	Code string `json:"code,omitempty" yaml:"code,omitempty"`
	// RetryAfter is how long [StatusCode] tells the caller to stay away; over HTTP in whole seconds, rounded up. Default
	// 0, which says nothing; up to 24h.
	RetryAfter time.Duration `json:"retry_after,omitempty" yaml:"retry_after,omitempty"`
	// Body is the text of the answer of [StatusCode]. Default none; at most 64 KiB of UTF-8.
	Body string `json:"body,omitempty" yaml:"body,omitempty"`

	// Stream is the direction in which the kinds for connections act. Default [Downstream]. [Down] and [Blackhole] have
	// none.
	Stream Stream `json:"stream,omitempty" yaml:"stream,omitempty"`
	// Toxicity is the share of the connections or calls that a fault hits, but for [Error]; also of the dials, for [Down]
	// and [Blackhole]. Above 0 and up to 1. Default 1. [Never] is exactly none, and in JSON that is 0.
	Toxicity float64 `json:"toxicity,omitempty" yaml:"toxicity,omitempty"`

	// Method, for kinds at [OnCall], is the method of the HTTP requests that the fault hits, in the case in which it is
	// sent. Default all.
	Method string `json:"method,omitempty" yaml:"method,omitempty"`
	// Route, for kinds at [OnCall], is the path of the HTTP requests, or the full method of the gRPC calls, that the
	// fault hits: a pattern of path.Match, in which a star stays within its segment. One that ends with a slash takes in
	// everything beneath it, as in http.ServeMux. Default all.
	Route string `json:"route,omitempty" yaml:"route,omitempty"`
	// Header, for kinds at [OnCall], is a header that a call must have to be hit: "name" with any value, or "name=value"
	// with exactly this one among its values. It needs [Config.AllowHeaders]. Default none.
	Header string `json:"header,omitempty" yaml:"header,omitempty"`
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
	has := f.parameters()
	for _, s := range f.slots() {
		i := slices.IndexFunc(has, func(p parameter) bool { return p.name == s.name })
		switch {
		case i >= 0 && !has[i].holds(f):
			return fmt.Errorf("%s is %s, want %s for kind %q", s.name, s.text(), has[i].want, f.Kind)
		case i < 0 && !s.unset && f.elsewhere(s.name):
			return fmt.Errorf("%s is %s, want none for kind %q at seam %q", s.name, s.text(), f.Kind, f.seam())
		case i < 0 && !s.unset:
			return fmt.Errorf("%s is %s, want none for kind %q", s.name, s.text(), f.Kind)
		}
	}
	return nil
}

// elsewhere reports whether the fault could have a field if it acted at its other seam.
func (f Fault) elsewhere(name string) bool {
	for _, f.Seam = range f.Kind.seams() {
		if slices.ContainsFunc(f.parameters(), func(p parameter) bool { return p.name == name }) {
			return true
		}
	}
	return false
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
