package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/ratelimit"
)

// connect serves in memory, so that the examples run.
func connect(server *grpc.Server) (conn *grpc.ClientConn, end func()) {
	listener := bufconn.Listen(1 << 16)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		panic(err)
	}
	return conn, func() { _ = conn.Close(); server.Stop(); <-served }
}

func ExampleServerOptions() {
	server := grpc.NewServer(grpcx.ServerOptions("echo", grpcx.ServerConfig{})...)
	echopb.RegisterEchoServer(server, handlers{do: func(ctx context.Context) error {
		_, limited := ctx.Deadline()
		fmt.Println("the handler has a deadline:", limited)
		return nil
	}})
	conn, end := connect(server)
	defer end()
	reply, err := echopb.NewEchoClient(conn).Get(context.Background(), &echopb.EchoRequest{Text: "hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reply.GetText())
	// Output:
	// the handler has a deadline: true
	// hello
}

// What a client is told that is refused.
func ExampleNewServer() {
	ours := grpcx.NewServer("payments", grpcx.ServerConfig{Admission: grpcx.AdmissionConfig{
		Fixed: bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}},
	}})
	server := grpc.NewServer(ours.Options()...)
	var client echopb.EchoClient
	echopb.RegisterEchoServer(server, handlers{do: func(ctx context.Context) error {
		_, err := client.Put(ctx, &echopb.EchoRequest{}) // a second call, while the only slot is in use
		st := status.Convert(err)
		fmt.Println(st.Code(), st.Message())
		for _, detail := range st.Details() {
			if info, ok := detail.(*errdetails.RetryInfo); ok {
				fmt.Println("with a hint:", info.GetRetryDelay().AsDuration() >= time.Second)
			}
		}
		return nil
	}})
	conn, end := connect(server)
	defer end()
	client = echopb.NewEchoClient(conn)
	if _, err := client.Get(context.Background(), &echopb.EchoRequest{}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(ours.Stats().Refused, "refused")
	// Output:
	// Unavailable full
	// with a hint: true
	// 1 refused
}

// The single parts, with an interceptor of the program between them. A refusal is a rejection to those further out.
func ExampleServer_Quota() {
	s := grpcx.NewServer("tenants", grpcx.ServerConfig{Quota: grpcx.QuotaConfig{
		Limit: ratelimit.Config{Rate: 1},
		Key: func(context.Context, string) (string, bool) {
			return "tenant", true // from what an interceptor before has authenticated
		},
	}})
	quota := s.Quota().Unary
	for range 2 {
		_, err := quota(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/shop.v1.Shop/Buy"},
			func(context.Context, any) (any, error) { fmt.Println("served"); return nil, nil })
		if errors.Is(err, seawall.ErrRejected) {
			fmt.Println(status.Code(err))
		}
	}
	// Output:
	// served
	// ResourceExhausted
}

// In a program it goes to lifecycle.GRPC, which calls it when the drain delay is over.
func ExampleServer_Drain() {
	s := grpcx.NewServer("stopping", grpcx.ServerConfig{})
	s.Drain()
	_, err := s.Admit().Unary(context.Background(), nil, &grpc.UnaryServerInfo{}, nil)
	fmt.Println(status.Code(err), errors.Is(err, grpcx.ErrDraining))
	// Output: Unavailable true
}

func ExampleRegisterHealth() {
	server := grpc.NewServer(grpcx.ServerOptions("probed", grpcx.ServerConfig{})...)
	ready := health.New("probed", health.Config{})
	mirror := grpcx.RegisterHealth(server, ready)
	conn, end := connect(server)
	defer end()
	probe := func() {
		resp, err := grpc_health_v1.NewHealthClient(conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(resp.GetStatus())
	}
	ready.Start()
	probe()
	mirror.Shutdown()
	probe()
	if err := ready.Stop(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// SERVING
	// NOT_SERVING
}

func ExampleFaults() {
	plan, err := fault.ParsePlan(strings.NewReader(
		`{"faults": [{"for": "1h", "kind": "status", "target": "echo", "code": "ABORTED", "route": "/shop.v1.Shop/*"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	injector := fault.New("rehearsal", fault.Config{Plan: plan})
	if err := injector.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer injector.Stop()
	faults := grpcx.Faults(injector.Point("echo"))
	_, err = faults.Unary(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/shop.v1.Shop/Buy"}, nil)
	fmt.Println(status.Code(err), errors.Is(err, fault.ErrInjected))
	// Output: Aborted true
}
