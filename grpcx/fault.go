package grpcx

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/fault"
)

// Faults returns an interceptor that carries out the faults of a point at the calls of a server: codes, latencies, time
// that runs out, answers that are lost, and streams that break off behind some messages. The work of the handler is what
// is inside of it, so it belongs inside of a [Server]'s, behind its options:
//
//	faults := grpcx.Faults(injector.Point("payments"))
//	options := append(server.Options(), grpc.ChainUnaryInterceptor(faults.Unary), grpc.ChainStreamInterceptor(faults.Stream))
//
// A fault aims by the full method as its route, and by metadata as its header. An injected error is a status, and has a
// RetryInfo and pushback if the fault has a RetryAfter. Calls to grpc.health.v1 are left alone. Truncate by bytes and corrupt have no
// meaning here; put a point at the connections for those. A nil Point does nothing. While nothing acts it costs one
// atomic load.
func Faults(p *fault.Point) Interceptor {
	return Interceptor{
		Unary: func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			in := drawIncoming(ctx, p, info.FullMethod)
			if in == nil {
				return handler(ctx, req)
			}
			if err := before(ctx, in); err != nil {
				return nil, hintedTrailer(ctx, err)
			}
			resp, err := handler(ctx, req)
			if broken := after(in, 0); broken != nil {
				return nil, hintedTrailer(ctx, broken)
			}
			return resp, err
		},
		Stream: func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			ctx := stream.Context()
			in := drawIncoming(ctx, p, info.FullMethod)
			if in == nil {
				return handler(srv, stream)
			}
			if err := before(ctx, in); err != nil {
				return hintedTrailer(ctx, err)
			}
			breaking := &breakingServerStream{ServerStream: stream, in: in}
			err := handler(srv, breaking)
			if in.Lost {
				err = injected(in.Err)
			} else if broken := breaking.broken.Load(); broken != nil {
				err = *broken // whatever the handler made of it
			}
			return hintedTrailer(ctx, err)
		},
	}
}

// ClientInterceptor is a part of a client's way of a call, for unary calls and for streams.
type ClientInterceptor struct {
	Unary  grpc.UnaryClientInterceptor
	Stream grpc.StreamClientInterceptor
}

// ClientFaults is [Faults] for the calls of a client: what its policies meet is as if the server or the way to it had failed.
// It belongs behind the [DialOptions], so that each attempt draws:
//
//	faults := grpcx.ClientFaults(injector.Point("payments"))
//	options := append(grpcx.DialOptions("payments", cfg),
//		grpc.WithChainUnaryInterceptor(faults.Unary), grpc.WithChainStreamInterceptor(faults.Stream))
func ClientFaults(p *fault.Point) ClientInterceptor {
	return ClientInterceptor{
		Unary: func(
			ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoker grpc.UnaryInvoker, o ...grpc.CallOption,
		) error {
			in := drawOutgoing(ctx, p, method)
			if in == nil {
				return invoker(ctx, method, req, reply, conn, o...)
			}
			if err := before(ctx, in); err != nil {
				return err
			}
			err := invoker(ctx, method, req, reply, conn, o...)
			if broken := after(in, 0); broken != nil {
				return broken
			}
			return err
		},
		Stream: func(
			ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer, o ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			in := drawOutgoing(ctx, p, method)
			if in == nil {
				return streamer(ctx, desc, conn, method, o...)
			}
			if err := before(ctx, in); err != nil {
				return nil, err
			}
			breaking := &breakingClientStream{in: in, single: !desc.ServerStreams}
			ctx, breaking.cancel = context.WithCancel(ctx)
			stream, err := streamer(ctx, desc, conn, method, breaking.overrule(o)...)
			if err != nil {
				breaking.cancel()
				return nil, err
			}
			breaking.ClientStream = stream
			return breaking, nil
		},
	}
}

func drawIncoming(ctx context.Context, p *fault.Point, method string) *fault.Injection {
	if ofHealth(method) {
		return nil
	}
	return p.Draw(ctx, fault.Call{Route: method, Header: func(name string) []string {
		return metadata.ValueFromIncomingContext(ctx, strings.ToLower(name))
	}})
}

func drawOutgoing(ctx context.Context, p *fault.Point, method string) *fault.Injection {
	if ofHealth(method) {
		return nil
	}
	return p.Draw(ctx, fault.Call{Route: method, Header: func(name string) []string {
		return metadata.ValueFromOutgoingContext(ctx, name)
	}})
}

func ofHealth(method string) bool {
	return strings.HasPrefix(method, "/"+grpc_health_v1.Health_ServiceDesc.ServiceName+"/")
}

// before holds a call back, and returns the error in the place of its work.
func before(ctx context.Context, in *fault.Injection) error {
	if err := in.Wait(ctx); err != nil {
		if e, ok := errors.AsType[*fault.InjectedError](err); ok {
			return injected(e)
		}
		return &refusal{status: status.FromContextError(ctx.Err()), cause: err}
	}
	if in.Err != nil && !in.Lost {
		return injected(in.Err)
	}
	return nil
}

// after returns the error in the place of an answer, behind so many messages.
func after(in *fault.Injection, messages int64) error {
	if in.Lost {
		return injected(in.Err)
	}
	if e := in.CutAfter(messages); e != nil {
		return injected(e)
	}
	return nil
}

// injected makes the status of an injected error. It still matches fault.ErrInjected in this process.
func injected(e *fault.InjectedError) error {
	code := codes.Unknown
	_ = code.UnmarshalJSON([]byte(strconv.Quote(e.Code))) // what is not known stays UNKNOWN
	st := status.New(code, e.Error())
	if e.RetryAfter > 0 {
		st = withRetryInfo(st, e.RetryAfter)
	}
	return &refusal{status: st, cause: e}
}

// hintedTrailer adds the pushback of an injected error.
func hintedTrailer(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*fault.InjectedError](err); ok && e.RetryAfter > 0 {
		_ = grpc.SetTrailer(ctx, pushbackAfter(e.RetryAfter))
	}
	return err
}

// breakingServerStream breaks off before one of the messages that it sends.
type breakingServerStream struct {
	grpc.ServerStream
	in     *fault.Injection
	sent   int64                 // by one goroutine at a time, as grpc-go wants it
	broken atomic.Pointer[error] // also read when the handler has returned
}

func (s *breakingServerStream) SendMsg(m any) error {
	if e := s.in.CutAfter(s.sent); e != nil {
		err := injected(e)
		s.broken.Store(&err)
		return err
	}
	s.sent++
	return s.ServerStream.SendMsg(m)
}

// breakingClientStream breaks off before one of the messages that it receives, or loses the last answer.
type breakingClientStream struct {
	grpc.ClientStream
	in       *fault.Injection
	single   bool  // one answer is all there is
	received int64 // by one goroutine at a time
	cancel   context.CancelFunc
	broken   atomic.Pointer[error] // also read by those who are told of the end
}

// overrule has the functions of grpc.OnFinish told of the injected error: that grpc-go has met another end, or none, is
// what the fault hides.
func (s *breakingClientStream) overrule(options []grpc.CallOption) []grpc.CallOption {
	options = slices.Clone(options)
	for i, o := range options {
		if o, ok := o.(grpc.OnFinishCallOption); ok {
			options[i] = grpc.OnFinish(func(err error) {
				switch broken := s.broken.Load(); {
				case broken != nil:
					err = *broken
				case s.in.Lost:
					err = injected(s.in.Err)
				}
				o.OnFinish(err)
			})
		}
	}
	return options
}

func (s *breakingClientStream) SendMsg(m any) error {
	err := s.ClientStream.SendMsg(m)
	if err != nil && err != io.EOF { //nolint:errorlint // the end is never wrapped; RecvMsg tells why
		s.cancel()
	}
	return err
}

func (s *breakingClientStream) RecvMsg(m any) error {
	if e := s.in.CutAfter(s.received); e != nil {
		err := injected(e)
		s.broken.Store(&err)
		s.cancel()
		return err
	}
	err := s.ClientStream.RecvMsg(m)
	s.received++
	if err != nil || s.single {
		s.cancel()
		if s.in.Lost {
			return injected(s.in.Err)
		}
	}
	return err
}
