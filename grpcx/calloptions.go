package grpcx

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// callOption is what one call says otherwise than the configuration. It goes with the call, or by
// grpc.WithDefaultCallOptions with all calls of a connection.
type callOption struct {
	grpc.EmptyCallOption

	apply func(*settings)
}

// CallTimeout sets the total limit of a call, in the place of ClientConfig.Timeout. Less than 1 ms counts as that; [Off] is
// no limit.
func CallTimeout(d time.Duration) grpc.CallOption {
	return callOption{apply: func(s *settings) { s.timeout = limitOf(d) }}
}

// CallAttemptTimeout sets the limit of each attempt of a call, in the place of ClientConfig.AttemptTimeout. Less than 1 ms
// counts as that; [Off] is no limit.
func CallAttemptTimeout(d time.Duration) grpc.CallOption {
	return callOption{apply: func(s *settings) { s.attempt = limitOf(d) }}
}

// CallIdempotent says that a call may be carried out twice, whatever is known of its method: it has a key by which the
// server tells a repetition, for example.
func CallIdempotent() grpc.CallOption {
	return callOption{apply: func(s *settings) { s.idempotent = true }}
}

// CallMaxAttempts sets how many attempts a call may take one after the other, in the place of Retry.MaxAttempts; the
// budget stays. With 1, and what is below counts as that, there is no second one beside the first either.
func CallMaxAttempts(n int) grpc.CallOption {
	return callOption{apply: func(s *settings) { s.maxAttempts = max(1, n) }}
}

func limitOf(d time.Duration) time.Duration {
	if d == Off {
		return Off
	}
	return max(d, time.Millisecond)
}

// settings is what holds for one call.
type settings struct {
	timeout, attempt time.Duration // 0 if those of the method hold
	maxAttempts      int           // 0 if that of the retry holds
	idempotent       bool
	waits            bool // for a connection to be ready: the call says so
	waitIsSaid       bool // or says that it does not
	results          *results
}

// waitsForReady reports whether the call waits for a connection to be ready: it says so or, if it says nothing, the service
// config of its connection does. That may have come with the call itself, and it lies behind a lock that all calls of the
// connection share, so it is asked after an attempt that was not sent, and not before each one.
func (s *settings) waitsForReady(cc *grpc.ClientConn, method string) bool {
	if s.waitIsSaid || cc == nil {
		return s.waits
	}
	waits := cc.GetMethodConfig(method).WaitForReady
	return waits != nil && *waits
}

// results is where a call is to leave what it has brought beside its reply.
type results struct {
	headers, trailers []*metadata.MD
	peers             []*peer.Peer
	finished          []func(error)
}

// read takes in the options of a call. It returns those that grpc-go is to get: opts itself, or, if results are asked for,
// a copy without these. Each attempt has results of its own, and OnFinish is for the call, not for each attempt.
func (s *settings) read(opts []grpc.CallOption) []grpc.CallOption {
	for _, o := range opts {
		switch o := o.(type) {
		case callOption:
			o.apply(s)
		case grpc.FailFastCallOption:
			s.waits, s.waitIsSaid = !o.FailFast, true
		case grpc.HeaderCallOption, grpc.TrailerCallOption, grpc.PeerCallOption, grpc.OnFinishCallOption:
			if s.results == nil {
				s.results = &results{}
			}
		}
	}
	if s.results == nil {
		return opts
	}
	rest := make([]grpc.CallOption, 0, len(opts))
	for _, o := range opts {
		if !s.results.take(o) {
			rest = append(rest, o)
		}
	}
	return rest
}

func (r *results) take(o grpc.CallOption) bool {
	switch o := o.(type) {
	case grpc.HeaderCallOption:
		r.headers = append(r.headers, o.HeaderAddr)
	case grpc.TrailerCallOption:
		r.trailers = append(r.trailers, o.TrailerAddr)
	case grpc.PeerCallOption:
		r.peers = append(r.peers, o.PeerAddr)
	case grpc.OnFinishCallOption:
		r.finished = append(r.finished, o.OnFinish)
	default:
		return false
	}
	return true
}
