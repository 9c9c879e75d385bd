package grpcx_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/retry"
)

// quick is a client that does not wait between its attempts.
func quick() grpcx.ClientConfig {
	return grpcx.ClientConfig{
		Retry:    retry.Config{Backoff: retry.Backoff{Base: 1, Max: 1}, OverloadDelay: retry.NoDelay},
		Registry: silent(),
	}
}

// echo is a server of which each method is a function of the test's. Those that are missing answer.
type echo struct {
	echopb.UnimplementedEchoServer

	calls   atomic.Int64 // that have reached a method
	unary   func(ctx context.Context, n int, req *echopb.EchoRequest) (*echopb.EchoReply, error)
	list    func(n int, req *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error
	collect func(n int, stream grpc.ClientStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error
	chat    func(n int, stream grpc.BidiStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error
}

func (e *echo) Get(ctx context.Context, req *echopb.EchoRequest) (*echopb.EchoReply, error) {
	n := int(e.calls.Add(1))
	if e.unary == nil {
		return &echopb.EchoReply{Text: req.GetText(), Number: int32(n)}, nil
	}
	return e.unary(ctx, n, req)
}

func (e *echo) Put(ctx context.Context, req *echopb.EchoRequest) (*echopb.EchoReply, error) {
	return e.Get(ctx, req)
}

func (e *echo) Post(ctx context.Context, req *echopb.EchoRequest) (*echopb.EchoReply, error) {
	return e.Get(ctx, req)
}

func (e *echo) List(req *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
	n := int(e.calls.Add(1))
	if e.list != nil {
		return e.list(n, req, stream)
	}
	for i := range req.GetCount() {
		if err := stream.Send(&echopb.EchoReply{Text: req.GetText(), Number: i}); err != nil {
			return err
		}
	}
	return nil
}

func (e *echo) Take(req *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
	return e.List(req, stream)
}

func (e *echo) Collect(stream grpc.ClientStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
	n := int(e.calls.Add(1))
	if e.collect != nil {
		return e.collect(n, stream)
	}
	var got int32
	for {
		switch _, err := stream.Recv(); {
		case errors.Is(err, io.EOF):
			return stream.SendAndClose(&echopb.EchoReply{Number: got})
		case err != nil:
			return err
		}
		got++
	}
}

func (e *echo) Chat(stream grpc.BidiStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
	n := int(e.calls.Add(1))
	if e.chat != nil {
		return e.chat(n, stream)
	}
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&echopb.EchoReply{Text: req.GetText()}); err != nil {
			return err
		}
	}
}

// network is where a server listens.
type network struct {
	listener net.Listener
	target   string
	dial     []grpc.DialOption
}

// inMemory is a network of pipes.
func inMemory(t testing.TB) network {
	l := bufconn.Listen(1 << 20)
	t.Cleanup(func() { l.Close() })
	return network{l, "passthrough:///echo", []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
	}}
}

// loopback is the machine's own.
func loopback(t testing.TB) network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return network{l, "passthrough:///" + l.Addr().String(), nil}
}

// serve runs an echo until the test ends.
func (n network) serve(t testing.TB, e *echo, options ...grpc.ServerOption) *grpc.Server {
	t.Helper()
	server := grpc.NewServer(options...)
	echopb.RegisterEchoServer(server, e)
	served := make(chan error, 1)
	go func() { served <- server.Serve(n.listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	return server
}

// connect returns a connection to the server with the options.
func (n network) connect(t testing.TB, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient(n.target, append(options, n.dial...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// pair is a client of ours and an echo, in memory.
func pair(t testing.TB, cfg grpcx.ClientConfig, e *echo, options ...grpc.DialOption) (*grpcx.Client, echopb.EchoClient) {
	t.Helper()
	n := inMemory(t)
	n.serve(t, e)
	c := grpcx.NewClient("test", cfg)
	conn := n.connect(t, append(c.DialOptions(), options...)...)
	connected(t, conn)
	return c, echopb.NewEchoClient(conn)
}

// atRest waits until nothing of a client is in flight.
func atRest(t *testing.T, c *grpcx.Client) {
	t.Helper()
	eventually(t, "slots are back", func() bool {
		for _, b := range c.Bulkheads() {
			if b.Stats().InUse > 0 {
				return false
			}
		}
		for _, b := range c.StreamBulkheads() {
			if b.Stats().InUse > 0 {
				return false
			}
		}
		return true
	})
}

// tally is what breakers have counted.
type tally struct{ Successes, Failures, Overloads, Ignored int64 }

func tallyOf(c *grpcx.Client) (sum tally) {
	for _, b := range c.Breakers() {
		s := b.Stats()
		sum.Successes += s.Calls.Successes
		sum.Failures += s.Calls.Failures
		sum.Overloads += s.Overloads
		sum.Ignored += s.Ignored
	}
	return sum
}

func wantTally(t *testing.T, c *grpcx.Client, want tally) {
	t.Helper()
	if got := tallyOf(c); got != want {
		t.Errorf("the breakers have counted %+v, want %+v", got, want)
	}
}
