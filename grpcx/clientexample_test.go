package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/timeout"
)

// exampleServer serves an echo in memory whose unary methods are one function, and returns how to connect to it.
func exampleServer(unary unaryFunc) (dial func(...grpc.DialOption) (echopb.EchoClient, error), end func()) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	echopb.RegisterEchoServer(server, &echo{unary: unary})
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	var conn *grpc.ClientConn
	dial = func(options ...grpc.DialOption) (_ echopb.EchoClient, err error) {
		conn, err = grpc.NewClient("passthrough:///echo", append(options,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
		return echopb.NewEchoClient(conn), err
	}
	return dial, func() {
		_ = conn.Close()
		server.Stop()
		<-served
	}
}

// A connection with retries, breakers and limits. Get is marked as NO_SIDE_EFFECTS, so it is repeated.
func ExampleDialOptions() {
	dial, end := exampleServer(failing(1, codes.Unavailable))
	defer end()
	client, err := dial(grpcx.DialOptions("echo", grpcx.ClientConfig{})...)
	if err != nil {
		fmt.Println(err)
		return
	}
	reply, err := client.Get(context.Background(), &echopb.EchoRequest{Text: "hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("answered by attempt", reply.GetNumber())
	// Output: answered by attempt 2
}

// Methods whose proto file says nothing are described by the configuration.
func ExampleClientConfig_methods() {
	dial, end := exampleServer(failing(1, codes.Unavailable))
	defer end()
	client, err := dial(grpcx.DialOptions("echo", grpcx.ClientConfig{
		Hedge: &hedge.Config{},
		Methods: map[string]grpcx.MethodConfig{
			"/seawall.grpcx.echo.v1.Echo/Po*": {
				Idempotency: grpcx.Idempotent, Group: "writes",
				Timeout: 2 * time.Second, Hedge: &hedge.Config{MaxAttempts: 1},
			},
		},
	})...)
	if err != nil {
		fmt.Println(err)
		return
	}
	reply, err := client.Post(context.Background(), &echopb.EchoRequest{})
	fmt.Println(reply.GetNumber(), err)
	// Output: 2 <nil>
}

// A Client shows what it does, and may be shared by connections.
func ExampleNewClient() {
	dial, end := exampleServer(nil)
	defer end()
	c := grpcx.NewClient("echo", grpcx.ClientConfig{Registry: new(seawall.Registry)})
	client, err := dial(c.DialOptions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.Get(context.Background(), &echopb.EchoRequest{}); err != nil {
		fmt.Println(err)
		return
	}
	for name, b := range c.Breakers() {
		fmt.Println(name, b.State())
	}
	fmt.Println("to improve:", c.Lint())
	// Output:
	// passthrough:///echo seawall.grpcx.echo.v1.Echo closed
	// to improve: []
}

// What one call says otherwise than the configuration.
func ExampleCallIdempotent() {
	dial, end := exampleServer(failing(1, codes.Unavailable))
	defer end()
	client, err := dial(grpcx.DialOptions("echo", grpcx.ClientConfig{})...)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Post(context.Background(), &echopb.EchoRequest{},
		grpcx.CallIdempotent(), grpcx.CallMaxAttempts(2), grpcx.CallTimeout(5*time.Second))
	fmt.Println(err)
	// Output: <nil>
}

// An open breaker is a status error as any other, and a rejection that says when to come back.
func ExampleClient_rejection() {
	dial, end := exampleServer(nil)
	defer end()
	client, err := dial(grpcx.DialOptions("echo", grpcx.ClientConfig{
		Breaker: breaker.Config{Mode: seawall.ForcedOpen},
	})...)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Get(context.Background(), &echopb.EchoRequest{})
	fmt.Println(status.Code(err), errors.Is(err, breaker.ErrOpen), errors.Is(err, seawall.ErrRejected))
	// Output: Unavailable true true
}

// A limit of ours is told from the caller's deadline.
func ExampleCallAttemptTimeout() {
	dial, end := exampleServer(hanging(9))
	defer end()
	client, err := dial(grpcx.DialOptions("echo", grpcx.ClientConfig{})...)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Post(context.Background(), &echopb.EchoRequest{}, grpcx.CallAttemptTimeout(10*time.Millisecond))
	fmt.Println(status.Code(err), errors.Is(err, timeout.ErrExceeded), errors.Is(err, context.DeadlineExceeded))
	// Output: DeadlineExceeded true false
}
