package grpcx

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/ratelimit"
)

const serverKind = "server"

// ServerOptions returns the options that put a [Server] around all services of a gRPC server:
//
//	server := grpc.NewServer(grpcx.ServerOptions("payments", grpcx.ServerConfig{})...)
//
// It is NewServer(name, cfg).Options(), for programs that neither drain the server nor change its configuration while it runs, by
// [Server.Update]. The interceptors of other options are inside of ours if those options come later. ServerOptions panics if
// cfg is not valid; see [ServerConfig.Validate].
func ServerOptions(name string, cfg ServerConfig) []grpc.ServerOption {
	return NewServer(name, cfg).Options()
}

// Server keeps a gRPC server useful under load. From the outside in, it
//
//   - recovers from panics: logged once, and the call ends with INTERNAL;
//   - lets health checks pass, whatever else is going on;
//   - takes over priority and attempt from peers that it trusts;
//   - ends the handler's context a little before the caller's deadline;
//   - holds each client to its quota;
//   - admits as many calls as it can handle, lets some wait, and refuses the others;
//   - ends the context of a unary call that takes too long.
//
// A call that is over its client's quota is refused with RESOURCE_EXHAUSTED, one that finds the server full or draining
// with UNAVAILABLE. Both have a google.rpc.RetryInfo in their status, and the trailers grpc-retry-pushback-ms, by which
// clients know when to come back, and seawall-pushback: refused, by which they know that nothing was started. A call
// whose deadline passes, in the queue or in the handler, ends with DEADLINE_EXCEEDED.
//
// What a handler returns is passed on. Only an error that is no status becomes one where more than UNKNOWN can be said:
// DEADLINE_EXCEEDED if the handler's time is over, and UNAVAILABLE, with a RetryInfo, if it is a rejection by a policy
// of this module.
//
// That a client of this module has used up its attempts or its budget for a handler, or was told so by who is behind it, is
// told to the caller as seawall-pushback: final, whatever status the handler makes of it, so that layers of retries do not
// multiply. The client has to be asked with the handler's context. A handler that falls back to an answer, or to a code that
// nobody repeats, says nothing.
//
// A stream is admitted once, holds one slot to its end, and has one outcome.
//
// A Server is safe for concurrent use. A unary call costs about a microsecond and seven allocations more than without it,
// most of which is the context of its limit of time, and one allocation with Timeout [Off] and [NoMargin].
type Server struct {
	name     string
	settings atomic.Pointer[serverSettings] // written under mu
	mu       sync.Mutex                     // held by an Update
	gate     seawall.Gate
	learns   bool                     // the gate may go by the time that calls take
	quota    *ratelimit.Group[string] // nil if there is none
	draining atomic.Bool

	panics, outOfTime, refused atomic.Int64
}

// NewServer makes a Server and enters it into the registry. The name is a constant of the program, for people, metrics
// and logs. NewServer panics if cfg is not valid.
func NewServer(name string, cfg ServerConfig) *Server {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg = cfg.withDefaults()
	s := &Server{name: name, gate: cfg.Admission.gate(name)}
	_, fixed := s.gate.(*bulkhead.Bulkhead)
	s.learns = !fixed
	if !cfg.Quota.none() {
		s.quota = ratelimit.NewGroup(name, cfg.Quota.group())
	}
	s.settings.Store(newServerSettings(name, cfg)) // before the registry shows the server
	if seawall.Register(cfg.Registry, serverKind, &s.name, s); s.name != name {
		s.settings.Store(newServerSettings(s.name, cfg))
	}
	return s
}

// serverSettings is a ServerConfig made ready for the path of a call, which has one from its beginning to its end.
type serverSettings struct {
	ServerConfig
	exceeded error // the cause of a context that has reached the limit
}

func newServerSettings(name string, cfg ServerConfig) *serverSettings {
	return &serverSettings{cfg, exceeded(name, cfg.Timeout)}
}

// exempt reports whether a method is always let in.
func (s *serverSettings) exempt(method string) bool { return slices.Contains(s.HealthMethods, method) }

// Options returns the options for grpc.NewServer: the interceptors, and with [BeforeDecode] the tap, of which a gRPC
// server can have but one.
func (s *Server) Options() []grpc.ServerOption {
	all := s.interceptor(everything)
	options := []grpc.ServerOption{grpc.ChainUnaryInterceptor(all.Unary), grpc.ChainStreamInterceptor(all.Stream)}
	if s.settings.Load().Admission.Place == BeforeDecode {
		options = append(options, grpc.InTapHandle(s.tap))
	}
	return options
}

// Drain refuses all calls that come from now on with UNAVAILABLE, but for health checks; those that have come go on, also those
// that wait in the queue. The mode of the admission changes nothing about it.
//
// It is for calls that still come, on connections that are kept open, when the server is told to stop. Do not call it at
// the signal: as long as the load balancer may still send, a server that refuses fails calls. GRPC of package lifecycle
// calls it at the right time, when the drain delay is over:
//
//	lifecycle.GRPC("orders", grpcServer, listener, mirror.Shutdown, server.Drain)
//
// Without it such calls are served until GracefulStop has told their client to go. There is no way back. It may be
// called several times.
func (s *Server) Drain() { s.draining.Store(true) }

// Admission returns the gate that calls go through, with its counts: a [*bulkhead.Adaptive], a [*bulkhead.Bulkhead] if the
// limit is fixed, or the configuration's Gate.
func (s *Server) Admission() seawall.Gate { return s.gate }

// Name returns the server's name, as the registry has it.
func (s *Server) Name() string { return s.name }

// String returns such as: server "payments".
func (s *Server) String() string { return fmt.Sprintf("%s %q", serverKind, s.name) }

// Config returns the configuration with its defaults filled in.
func (s *Server) Config() ServerConfig { return s.settings.Load().withDefaults() }

// ServerStats is what a [Server] has counted beside its policies. The numbers never decrease.
type ServerStats struct {
	Panics    int64 // of handlers
	OutOfTime int64 // calls that ended with DEADLINE_EXCEEDED here: their time was over before or in their handler
	Refused   int64 // calls that were turned away, by quota, admission or drain
}

// Stats returns what was counted so far.
func (s *Server) Stats() ServerStats {
	return ServerStats{Panics: s.panics.Load(), OutOfTime: s.outOfTime.Load(), Refused: s.refused.Load()}
}

// Snapshot returns the Stats in the form of the registry.
func (s *Server) Snapshot() seawall.Snapshot {
	stats := s.Stats()
	state := "serving"
	if s.draining.Load() {
		state = "draining"
	}
	return seawall.Snapshot{Kind: serverKind, Name: s.name, State: state, Values: []seawall.Value{
		{Name: "panics", V: float64(stats.Panics)},
		{Name: "out_of_time", V: float64(stats.OutOfTime)},
		{Name: "refused", V: float64(stats.Refused)},
	}}
}

var _ seawall.Member = (*Server)(nil)
