package fault

import "time"

// Kind is what a [Fault] does.
type Kind string

// The kinds that act on calls and on the work behind a point.
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

// The kinds that act on connections, those that are open as well as new ones: see [Point.Conn]. Their names and
// parameters are those of toxiproxy where that has them. They hit the share Toxicity of the connections, which is drawn
// once for each fault and connection.
const (
	// Latency holds bytes back for the time Latency, give or take Jitter, without slowing their flow: more may follow on
	// their way. Several add up. What it holds back when it ends goes on at once.
	Latency Kind = "latency"
	// Bandwidth lets through Rate kilobytes a second, of 1000 bytes each. Of several the lowest counts. There is no 0:
	// that is Stall.
	Bandwidth Kind = "bandwidth"
	// Stall lets no byte through as long as it lasts, as a network does that is cut in two. What it holds back goes on
	// when it ends. New connections are made all the same.
	Stall Kind = "stall"
	// ResetPeer ends a connection as a peer does that has crashed: ECONNRESET, on both ends if the connection can do
	// that. It does so at once, or when Bytes have gone through since it started or the connection was made.
	ResetPeer Kind = "reset_peer"
	// Down is a peer that is not there: dials fail with ECONNREFUSED, and open connections with ECONNRESET. A listener
	// resets what it accepts.
	Down Kind = "down"
)

// kinds returns the kinds that are known.
func kinds() []Kind {
	return []Kind{Slow, Capacity, Error, Latency, Bandwidth, Stall, ResetPeer, Down}
}

// Stream is the direction in which a fault acts on a connection.
type Stream string

const (
	// Downstream is from the server to the client. It is the default, as toxiproxy's is.
	Downstream Stream = "downstream"
	// Upstream is from the client to the server.
	Upstream Stream = "upstream"
	// BothStreams is in both directions. A latency in both is felt twice in a round trip.
	BothStreams Stream = "both"
)

// covers reports whether a fault on s acts on bytes that go in a direction.
func (s Stream) covers(direction Stream) bool {
	return s == BothStreams || s == direction || s == "" && direction == Downstream
}

// Never as a Fault.Toxicity hits no connection. In JSON it is 0.
const Never = -1

// The names of a fault's parameters in a plan.
const (
	factorField   = "factor"
	rateField     = "rate"
	latencyField  = "latency"
	jitterField   = "jitter"
	bytesField    = "bytes"
	streamField   = "stream"
	toxicityField = "toxicity"
)

// parameter is a field that a kind has beside those that all have.
type parameter struct {
	name   string
	want   string // its range
	needed bool   // it has no default, so JSON must give it
	holds  func(Fault) bool
}

// parameters returns the fields that set the strength of a kind; none for an unknown one.
func (k Kind) parameters() []parameter {
	stream := parameter{streamField, `"downstream", "upstream" or "both"`, false, func(f Fault) bool {
		return f.Stream == "" || f.Stream == Downstream || f.Stream == Upstream || f.Stream == BothStreams
	}}
	toxicity := parameter{toxicityField, "0 to 1", false, func(f Fault) bool {
		return f.Toxicity == Never || within(f.Toxicity, 0, 1)
	}}
	switch k {
	case Slow:
		return []parameter{{factorField, "1 to 1000", true, func(f Fault) bool { return within(f.Factor, 1, 1000) }}}
	case Capacity:
		return []parameter{{factorField, "0.001 to 1", true, func(f Fault) bool { return within(f.Factor, 0.001, 1) }}}
	case Error:
		return []parameter{{rateField, "0 to 1", true, func(f Fault) bool { return within(f.Rate, 0, 1) }}}
	case Latency:
		return []parameter{
			{latencyField, "0s to 1h", true, func(f Fault) bool { return within(f.Latency, 0, time.Hour) }},
			{jitterField, "0s to the latency", false, func(f Fault) bool { return within(f.Jitter, 0, f.Latency) }},
			stream, toxicity,
		}
	case Bandwidth:
		return []parameter{
			{rateField, "0.001 to 1000000", true, func(f Fault) bool { return within(f.Rate, 0.001, 1e6) }},
			stream, toxicity,
		}
	case Stall:
		return []parameter{stream, toxicity}
	case ResetPeer:
		return []parameter{
			{bytesField, "0 to 1099511627776", false, func(f Fault) bool { return within(f.Bytes, 0, 1<<40) }},
			stream, toxicity,
		}
	case Down:
		return []parameter{toxicity}
	}
	return nil
}

// within is written so that NaN is in no range.
func within[T float64 | int64 | time.Duration](v, low, high T) bool { return v >= low && v <= high }

// value is what a fault has in the field of a parameter.
type value struct {
	name  string
	v     any // for people
	unset bool
}

func (f Fault) values() []value {
	return []value{
		{factorField, f.Factor, f.Factor == 0},
		{rateField, f.Rate, f.Rate == 0},
		{latencyField, f.Latency, f.Latency == 0},
		{jitterField, f.Jitter, f.Jitter == 0},
		{bytesField, f.Bytes, f.Bytes == 0},
		{streamField, string(f.Stream), f.Stream == ""},
		{toxicityField, f.Toxicity, f.Toxicity == 0},
	}
}

// share is the part of the calls or connections that a fault hits.
func (f Fault) share() float64 {
	switch {
	case f.Kind == Error:
		return f.Rate
	case f.Toxicity == Never:
		return 0
	case f.Toxicity == 0:
		return 1
	}
	return f.Toxicity
}

// idle reports whether a fault changes nothing, by its parameters.
func (f Fault) idle() bool {
	switch f.Kind {
	case Slow, Capacity:
		return f.Factor == 1
	case Latency:
		return f.Latency == 0 || f.share() == 0
	}
	return f.share() == 0
}
