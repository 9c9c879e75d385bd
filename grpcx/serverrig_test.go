package grpcx_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
)

// handlers is an echo service whose four kinds of calls all come to one function. A kind that answers with messages
// sends as many as the request wants before do runs, and one that receives has received one.
type handlers struct {
	echopb.UnimplementedEchoServer
	do func(ctx context.Context) error
}

func (h handlers) Get(ctx context.Context, req *echopb.EchoRequest) (*echopb.EchoReply, error) {
	if err := h.do(ctx); err != nil {
		return nil, err
	}
	return &echopb.EchoReply{Text: req.GetText()}, nil
}

func (h handlers) List(req *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
	for range req.GetCount() {
		if err := stream.Send(&echopb.EchoReply{Payload: req.GetPayload()}); err != nil {
			return err
		}
	}
	return h.do(stream.Context())
}

func (h handlers) Collect(stream grpc.ClientStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if err := h.do(stream.Context()); err != nil {
		return err
	}
	return stream.SendAndClose(&echopb.EchoReply{})
}

func (h handlers) Chat(stream grpc.BidiStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
	for first := true; ; first = false {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if first {
			if err := h.do(stream.Context()); err != nil {
				return err
			}
		}
		if err := stream.Send(&echopb.EchoReply{Text: req.GetText()}); err != nil {
			return err
		}
	}
}

// kinds makes a call of each kind, and returns how it ended and what came with that.
var kinds = map[string]func(context.Context, echopb.EchoClient, ...grpc.CallOption) error{
	"unary": func(ctx context.Context, c echopb.EchoClient, o ...grpc.CallOption) error {
		_, err := c.Get(ctx, &echopb.EchoRequest{}, o...)
		return err
	},
	"server stream": func(ctx context.Context, c echopb.EchoClient, o ...grpc.CallOption) error {
		stream, err := c.List(ctx, &echopb.EchoRequest{Count: 1}, o...)
		for err == nil {
			_, err = stream.Recv()
		}
		return ended(err)
	},
	"client stream": func(ctx context.Context, c echopb.EchoClient, o ...grpc.CallOption) error {
		stream, err := c.Collect(ctx, o...)
		if err != nil {
			return err
		}
		_ = stream.Send(&echopb.EchoRequest{}) // its error is told by CloseAndRecv
		_, err = stream.CloseAndRecv()
		return err
	},
	"bidi stream": func(ctx context.Context, c echopb.EchoClient, o ...grpc.CallOption) error {
		stream, err := c.Chat(ctx, o...)
		if err != nil {
			return err
		}
		_ = stream.Send(&echopb.EchoRequest{})
		_ = stream.CloseSend()
		for err == nil {
			_, err = stream.Recv()
		}
		return ended(err)
	},
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// rig is a real gRPC server with a client that has none of our policies.
type rig struct {
	server *grpcx.Server
	grpc   *grpc.Server
	conn   *grpc.ClientConn
	client echopb.EchoClient
}

// networks are the ways between the two.
var networks = []string{"loopback", "bufconn"}

// serve starts a server and connects a client over a network.
func serve(t *testing.T, network string, cfg grpcx.ServerConfig, do func(context.Context) error, more ...grpc.ServerOption) *rig {
	t.Helper()
	if cfg.Registry == nil {
		cfg.Registry = silent()
	}
	r := &rig{server: grpcx.NewServer("api", cfg)}
	r.start(t, network, handlers{do: do}, append(r.server.Options(), more...)...)
	return r
}

func (r *rig) start(t *testing.T, network string, service echopb.EchoServer, options ...grpc.ServerOption) {
	t.Helper()
	r.grpc = grpc.NewServer(options...)
	echopb.RegisterEchoServer(r.grpc, service)
	r.listen(t, network)
}

func (r *rig) listen(t *testing.T, network string) {
	t.Helper()
	dial := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig()}
	var listener net.Listener
	target := "passthrough:///bufconn"
	if network == "bufconn" {
		buffers := bufconn.Listen(1 << 16)
		listener = buffers
		dial = append(dial, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return buffers.DialContext(ctx)
		}))
	} else {
		tcp, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, target = tcp, "passthrough:///"+tcp.Addr().String()
	}
	over := make(chan error, 1)
	go func() { over <- r.grpc.Serve(listener) }()
	t.Cleanup(func() {
		r.grpc.Stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient(target, dial...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // a test may have closed it
	connected(t, conn)
	r.conn, r.client = conn, echopb.NewEchoClient(conn)
}

// connected waits until a connection is there, so that no deadline of a test passes before.
func connected(t testing.TB, conn *grpc.ClientConn) {
	t.Helper()
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if !conn.WaitForStateChange(t.Context(), state) {
			t.Fatalf("the connection is %v", state)
		}
	}
}

// stats are those of the slots.
func (r *rig) stats() bulkhead.Stats {
	if a, ok := r.server.Admission().(*bulkhead.Adaptive); ok {
		return a.Stats().Stats
	}
	return r.server.Admission().(*bulkhead.Bulkhead).Stats()
}

// idle waits until every slot is back.
func (r *rig) idle(t *testing.T) {
	t.Helper()
	eventually(t, "all slots come back", func() bool { s := r.stats(); return s.InUse == 0 && s.Waiting == 0 })
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// fixed is a limit without a queue, or with one.
func fixed(limit, queue int) (cfg grpcx.ServerConfig) {
	cfg.Admission.Fixed = bulkhead.Config{Limit: limit, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}}
	if queue > 0 {
		cfg.Admission.Fixed.Queue.Limit = queue
	}
	return cfg
}

// at is the default limit, in a place.
func at(place grpcx.Place) (cfg grpcx.ServerConfig) {
	cfg.Admission.Place = place
	return cfg
}

// door is a handler that holds its calls until it is opened.
type door struct {
	inside chan struct{} // one for each call that has come in
	open   chan struct{}
}

func newDoor() *door { return &door{make(chan struct{}, 100), make(chan struct{})} }

func (d *door) hold(ctx context.Context) error {
	d.inside <- struct{}{}
	select {
	case <-d.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill makes n calls that are held, and returns a function that lets them end.
func (r *rig) fill(t *testing.T, d *door, n int) (release func()) {
	t.Helper()
	errs := make(chan error, n)
	for range n {
		go func() { errs <- kinds["unary"](context.WithoutCancel(t.Context()), r.client) }()
	}
	for range n {
		<-d.inside
	}
	return func() {
		t.Helper()
		close(d.open)
		for range n {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	}
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("the call ended with %v (%v), want %v", got, err, want)
	}
}
