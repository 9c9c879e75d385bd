package fault

import "slices"

// Kind is what a [Fault] does.
type Kind string

// The kinds that act on the work behind a point, where the program asks for them.
const (
	// Slow multiplies the time that the work at a point takes by Factor: 40 is a brownout. Several multiply, up to
	// 1,000,000.
	Slow Kind = "slow"
	// Capacity leaves only the share Factor of the workers, slots or rate behind a point. Several multiply, down to
	// 0.000001. There is no 0: what takes no work at all is not short of capacity.
	Capacity Kind = "capacity"
)

// The kinds that act on calls: see [Point.Do], [Point.RoundTripper], [Point.Handler] and [Point.Draw]. Each draws for
// each call: [Error] by its Rate, the others by their Toxicity.
const (
	// Error fails the share Rate of the calls at a point with an [InjectedError], in the place of the work. An HTTP
	// handler answers 500.
	Error Kind = "error"
	// StatusCode answers in the place of the work: with the HTTP status Status or the gRPC code Code, of which one is
	// enough, with RetryAfter if that is set, and with Body.
	StatusCode Kind = "status"
	// AckLost lets the work be done, and loses its answer: the caller sees a connection that was reset.
	AckLost Kind = "ack_lost"
	// Truncate cuts an answer behind Bytes of its body, or behind Messages of its stream, as a server that has crashed:
	// io.ErrUnexpectedEOF. What is not longer than that comes whole. It needs a body, so it does not act on Do.
	Truncate Kind = "truncate"
)

// The kinds that act on connections, those that are open as well as new ones: see [Point.Conn]. Their names and
// parameters are those of toxiproxy where that has them. They hit the share Toxicity of the connections, which is drawn
// once for each fault and connection.
//
// [Latency], [Timeout], [ResetPeer] and [Corrupt] act on calls as well, if Seam says so.
const (
	// Latency holds bytes back for a time, without slowing their flow: more may follow on their way. The time is drawn
	// by Distribution. Several add up. What it holds back when it ends goes on at once. A call waits before the work.
	Latency Kind = "latency"
	// Bandwidth lets through Rate kilobytes a second, of 1000 bytes each. Of several the lowest counts. There is no 0:
	// that is Stall.
	Bandwidth Kind = "bandwidth"
	// Slicer cuts what is written at once into slices of AverageSize bytes, give or take SizeVariation, and waits for
	// Delay between them.
	Slicer Kind = "slicer"
	// Stall lets no byte through as long as it lasts, as a network does that is cut in two. What it holds back goes on
	// when it ends. New connections are made all the same.
	Stall Kind = "stall"
	// Blackhole is Stall in both directions, and dials wait as well: until it ends, or their context does.
	Blackhole Kind = "blackhole"
	// Timeout swallows what comes, as a peer does that has accepted and never answers, and closes the connection after
	// Timeout; of 0, which is the default, when it ends, and then only if it has swallowed something. A call fails after
	// that time, in the place of the work.
	Timeout Kind = "timeout"
	// ResetPeer ends a connection as a peer does that has crashed: ECONNRESET, on both ends if the connection can do
	// that. It does so at once; or when Bytes have gone through since it started or the connection was made; or that much
	// time after as Timeout says. A call fails before the work, or the body of its answer does after Bytes.
	ResetPeer Kind = "reset_peer"
	// LimitData closes a connection, as a peer does that is done, when Bytes have gone through.
	LimitData Kind = "limit_data"
	// HalfClose closes one direction of a connection when Bytes have gone through it. The other one goes on.
	HalfClose Kind = "half_close"
	// SlowClose holds the end of what is written back for Delay.
	SlowClose Kind = "slow_close"
	// Corrupt changes the share Rate of the bytes. Which ones, and how, depends on the seed and on their places in the
	// stream alone.
	Corrupt Kind = "corrupt"
	// Down is a peer that is not there: dials fail with ECONNREFUSED, and open connections with ECONNRESET. A [Proxy] does
	// not listen meanwhile. A listener of [Point.Listener] resets what it accepts.
	Down Kind = "down"
)

// kinds returns the kinds that are known.
func kinds() []Kind {
	return []Kind{
		Slow, Capacity, Error, Latency, Bandwidth, Stall, ResetPeer, Down, StatusCode, AckLost, Truncate, Slicer, Blackhole,
		Timeout, LimitData, HalfClose, SlowClose, Corrupt,
	}
}

// Seam is what a fault acts on.
type Seam string

const (
	// OnConn is connections: [Point.Conn], [Point.Listener], [Point.Dial] and [Proxy].
	OnConn Seam = "conn"
	// OnCall is calls: [Point.Do], [Point.RoundTripper], [Point.Handler] and [Point.Draw].
	OnCall Seam = "call"
)

// seams returns where a kind means something, the default first; none for an unknown one.
func (k Kind) seams() []Seam {
	switch k {
	case Latency, Timeout, ResetPeer, Corrupt:
		return []Seam{OnConn, OnCall}
	case Slow, Capacity, Error, StatusCode, AckLost, Truncate:
		return []Seam{OnCall}
	}
	if slices.Contains(kinds(), k) {
		return []Seam{OnConn}
	}
	return nil
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

// Never as a Fault.Toxicity hits nothing. In JSON it is 0.
const Never = -1

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

// damage is the part of the bytes that a fault changes.
func (f Fault) damage() float64 {
	if f.Kind == Corrupt {
		return f.Rate
	}
	return 0
}

// idle reports whether a fault changes nothing, by its parameters.
func (f Fault) idle() bool {
	switch f.Kind {
	case Slow, Capacity:
		return f.Factor == 1
	case Latency:
		return f.Latency == 0 && f.Jitter == 0 || f.share() == 0
	case SlowClose:
		return f.Delay == 0 || f.share() == 0
	case Corrupt:
		return f.Rate == 0 || f.share() == 0
	}
	return f.share() == 0
}

// seam is where the fault acts.
func (f Fault) seam() Seam {
	if all := f.Kind.seams(); f.Seam == "" && len(all) > 0 {
		return all[0]
	}
	return f.Seam
}
