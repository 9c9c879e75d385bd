package grpcx

import (
	"context"

	"google.golang.org/grpc"

	"github.com/seawall-go/seawall"
)

// Interceptor is a part of a server's way of a call, for unary calls and for streams.
type Interceptor struct {
	Unary  grpc.UnaryServerInterceptor
	Stream grpc.StreamServerInterceptor
}

// step is what an interceptor of a Server does; several may be added up.
type step uint8

const (
	recovering step = 1 << iota
	believing
	timing
	rating
	admitting

	everything = recovering | believing | timing | rating | admitting
)

// The parts of a [Server], each as an interceptor of its own, for programs that put others between them, such as one that
// authenticates before the quota is asked. The order from the outside in is Recover, Believe, Deadline, Quota, Admit. Use them
// instead of [Server.Options], and each once; they share the server's policies and counts.

// Recover turns a panic of what is inside into INTERNAL, and logs it once as seawall.grpcx.panic, with its stack. A
// runtime.Goexit goes on, and leaves the caller without an answer: grpc-go sends none.
func (s *Server) Recover() Interceptor { return s.interceptor(recovering) }

// Believe takes over priority and attempt from peers that the server trusts, and tells all callers of retries that are used up.
func (s *Server) Believe() Interceptor { return s.interceptor(believing) }

// Deadline ends the handler's context before the caller's deadline, by the margin, and after the limit of time.
func (s *Server) Deadline() Interceptor { return s.interceptor(timing) }

// Quota refuses the calls of clients that are over their rate. Without a quota it does nothing.
func (s *Server) Quota() Interceptor { return s.interceptor(rating) }

// Admit lets in as many calls as can be handled, and refuses those that come to a server that drains. With
// [BeforeDecode] it only ends what the tap has begun, and the tap, by [Server.Tap], is to be there as well.
func (s *Server) Admit() Interceptor { return s.interceptor(admitting) }

// interceptor makes the interceptor of some steps. All of them share its code, so that the order in which a call begins
// and ends is written once.
func (s *Server) interceptor(do step) Interceptor {
	return Interceptor{
		Unary: func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
			c := call{server: s, settings: s.settings.Load(), method: info.FullMethod, do: do}
			defer c.rescue(ctx, &err)
			if do != recovering && c.settings.exempt(info.FullMethod) {
				return handler(ctx, req)
			}
			defer c.leave()
			ctx = c.beginSpan(ctx)
			inner, err := c.enter(ctx, c.settings.Timeout)
			if err != nil {
				return nil, c.described(inner, err)
			}
			resp, err = handler(inner, req)
			return resp, c.described(inner, c.answered(ctx, inner, err))
		},
		Stream: func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
			ctx := stream.Context()
			c := call{server: s, settings: s.settings.Load(), method: info.FullMethod, do: do}
			defer c.rescue(ctx, &err)
			if do != recovering && c.settings.exempt(info.FullMethod) {
				return handler(srv, stream)
			}
			defer c.leave()
			ctx = c.beginSpan(ctx)
			inner, err := c.enter(ctx, Off)
			if err != nil {
				return c.described(inner, err)
			}
			if answer := c.timed(); inner != stream.Context() || answer != nil {
				stream = &serverStream{stream, inner, answer}
			}
			return c.described(inner, c.answered(ctx, inner, handler(srv, stream)))
		},
	}
}

// serverStream is a stream with the context of its handler, that tells the gate when the answer begins: how long a stream
// goes on is up to its messages and its reader.
type serverStream struct {
	grpc.ServerStream
	ctx    context.Context
	answer *seawall.Permit // nil if that was told, or nobody asks
}

func (s *serverStream) Context() context.Context { return s.ctx }

// SendMsg is called by one goroutine at a time, and not after the handler has returned: grpc-go wants it so.
func (s *serverStream) SendMsg(m any) error {
	if s.answer != nil {
		s.answer.Answered()
		s.answer = nil
	}
	return s.ServerStream.SendMsg(m)
}
