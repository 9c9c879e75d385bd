package benchmarks_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	failsafebulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafegrpc"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seawall-go/seawall/grpcx"
)

// grpcLimit is the deadline of each call, which the server is told as grpc-timeout, and failsafe-go's timeout.
const grpcLimit = 10 * time.Second

// streamMessages is how many messages a stream has.
const streamMessages = 10

// testService answers at once.
type testService struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (testService) UnaryCall(context.Context, *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	return &grpc_testing.SimpleResponse{Username: "somebody"}, nil
}

func (testService) StreamingOutputCall(
	req *grpc_testing.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[grpc_testing.StreamingOutputCallResponse],
) error {
	for range req.GetResponseParameters() {
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{}); err != nil {
			return err
		}
	}
	return nil
}

// grpcSubjects are what is around the same calls over the same network, with the same deadline. Seawall's attempt limit is
// one. failsafe-go's timeout is not: the server does not hear of it, and neither side has a deadline to keep, so the caller
// gives one as in the bare calls. Untold is the same without it, which is less than what the others do.
var grpcSubjects = []struct {
	name   string
	client func() []grpc.DialOption
	server func() []grpc.ServerOption
	limits bool // the caller leaves the deadline to the client
	stream bool
}{
	{"bare", nil, nil, false, true},
	{"seawall", seawallClient, nil, true, true},
	{"seawallboth", seawallClient, func() []grpc.ServerOption {
		return grpcx.ServerOptions("bench", grpcx.ServerConfig{Registry: registry()})
	}, true, false},
	{"failsafe", failsafeClient, nil, false, false}, // it has nothing for streams
	{"failsafeuntold", failsafeClient, nil, true, false},
}

func seawallClient() []grpc.DialOption {
	return grpcx.DialOptions("bench", grpcx.ClientConfig{AttemptTimeout: grpcLimit, Registry: registry()})
}

// failsafeClient has the same policies in the same order, but for the total limit around them: retry, breaker, bulkhead,
// attempt limit.
func failsafeClient() []grpc.DialOption {
	type response = *grpc_testing.SimpleResponse
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(failsafegrpc.NewUnaryClientInterceptor[response](
		failsafegrpc.NewRetryPolicyBuilder[response]().Build(),
		circuitbreaker.NewBuilder[response]().WithFailureRateThreshold(0.5, 20, 10*time.Second).Build(),
		failsafebulkhead.New[response](64),
		failsafetimeout.New[response](grpcLimit),
	))}
}

// overBufconn connects a client and a server in memory.
func overBufconn(tb testing.TB, dial []grpc.DialOption, serve []grpc.ServerOption) grpc_testing.TestServiceClient {
	tb.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(serve...)
	grpc_testing.RegisterTestServiceServer(server, testService{})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///bench", append(dial,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(); err != nil {
			tb.Error(err)
		}
		server.Stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return grpc_testing.NewTestServiceClient(conn)
}

// orNone calls a function that may be missing.
func orNone[T any](options func() []T) []T {
	if options == nil {
		return nil
	}
	return options()
}

// BenchmarkGRPCUnary is one unary call over a connection in memory.
func BenchmarkGRPCUnary(b *testing.B) {
	for _, s := range grpcSubjects {
		b.Run(s.name, func(b *testing.B) {
			client := overBufconn(b, orNone(s.client), orNone(s.server))
			req := &grpc_testing.SimpleRequest{}
			b.ReportAllocs()
			for b.Loop() {
				if err := unaryCall(b.Context(), client, req, s.limits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func unaryCall(ctx context.Context, c grpc_testing.TestServiceClient, req *grpc_testing.SimpleRequest, limited bool) error {
	if !limited {
		within, cancel := context.WithTimeout(ctx, grpcLimit)
		defer cancel()
		ctx = within
	}
	_, err := c.UnaryCall(ctx, req)
	return err
}

// BenchmarkGRPCStream is one stream of ten answers, opened and read to its end.
func BenchmarkGRPCStream(b *testing.B) {
	for _, s := range grpcSubjects {
		if !s.stream {
			continue
		}
		b.Run(s.name, func(b *testing.B) {
			client := overBufconn(b, orNone(s.client), orNone(s.server))
			req := &grpc_testing.StreamingOutputCallRequest{}
			for range streamMessages {
				req.ResponseParameters = append(req.ResponseParameters, &grpc_testing.ResponseParameters{})
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := streamCall(b.Context(), client, req, s.limits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func streamCall(
	ctx context.Context, c grpc_testing.TestServiceClient, req *grpc_testing.StreamingOutputCallRequest, limited bool,
) error {
	if !limited {
		within, cancel := context.WithTimeout(ctx, grpcLimit)
		defer cancel()
		ctx = within
	}
	stream, err := c.StreamingOutputCall(ctx, req)
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Each subject does what the benchmarks measure, and the server hears of each deadline but the untold one.
func TestGRPCSubjectsCarryTheCalls(t *testing.T) {
	for _, s := range grpcSubjects {
		var told atomic.Bool
		watch := grpc.ChainUnaryInterceptor(func(
			ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
		) (any, error) {
			_, limited := ctx.Deadline()
			told.Store(limited)
			return handler(ctx, req)
		})
		client := overBufconn(t, orNone(s.client), append([]grpc.ServerOption{watch}, orNone(s.server)...))
		if err := unaryCall(t.Context(), client, &grpc_testing.SimpleRequest{}, s.limits); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		if want := s.name != "failsafeuntold"; told.Load() != want {
			t.Errorf("%s: the server has been told a deadline: %v, want %v", s.name, told.Load(), want)
		}
		req := &grpc_testing.StreamingOutputCallRequest{ResponseParameters: []*grpc_testing.ResponseParameters{{}, {}}}
		if err := streamCall(t.Context(), client, req, s.limits); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}
