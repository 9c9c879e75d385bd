package lifecycle_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/lifecycle"
)

func ExampleRun() {
	registry := new(seawall.Registry) // left out in a program, as DrainDelay may be
	registry.SetLogger(slog.New(slog.DiscardHandler))
	ready := health.New("api", health.Config{Registry: registry})
	mux := http.NewServeMux()
	mux.Handle("/readyz", ready.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	report, err := lifecycle.Run(ctx, lifecycle.Config{Health: ready, DrainDelay: 10 * time.Millisecond, Registry: registry},
		lifecycle.HTTP("api", server, listener),
		lifecycle.Worker("relay", func(ctx context.Context) error {
			cancel() // in a program the end comes by a signal
			<-ctx.Done()
			fmt.Println("relay: stopped")
			return nil
		}),
		lifecycle.Flush("telemetry", func(context.Context) error {
			fmt.Println("telemetry: flushed")
			return nil
		}),
	)
	fmt.Println("cause:", report.Cause, "cut:", len(report.Cut), "error:", err)
	// Output:
	// relay: stopped
	// telemetry: flushed
	// cause: context canceled cut: 0 error: <nil>
}

// grpcServer stands for a *grpc.Server, and a mirror for the one of package grpcx, so that this package does not compile
// them.
type grpcServer struct{ stopped chan struct{} }

func (s grpcServer) Serve(l net.Listener) error { <-s.stopped; return l.Close() }
func (s grpcServer) GracefulStop()              { close(s.stopped) }
func (s grpcServer) Stop()                      {}

// handler stands for a *httpx.Handler, so that this package does not compile it.
type handler struct{ http.Handler }

func (handler) Drain() { fmt.Println("what comes now: refused") }

// The handler goes on during the drain delay, and refuses when the server is told to stop.
func ExampleHTTP() {
	registry := new(seawall.Registry) // left out in a program
	registry.SetLogger(slog.New(slog.DiscardHandler))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // in a program the end comes by a signal
	api := handler{http.NotFoundHandler()}
	server := &http.Server{Handler: api, ReadHeaderTimeout: 5 * time.Second}
	_, err = lifecycle.Run(ctx, lifecycle.Config{DrainDelay: lifecycle.NoDelay, Registry: registry},
		lifecycle.HTTP("api", server, listener, api.Drain))
	fmt.Println("error:", err)
	// Output:
	// what comes now: refused
	// error: <nil>
}

func ExampleGRPC() {
	registry := new(seawall.Registry) // left out in a program
	registry.SetLogger(slog.New(slog.DiscardHandler))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // in a program the end comes by a signal
	_, err = lifecycle.Run(ctx, lifecycle.Config{DrainDelay: lifecycle.NoDelay, Registry: registry},
		lifecycle.GRPC("orders", grpcServer{make(chan struct{})}, listener, func() {
			fmt.Println("streams of health: ended") // mirror.Shutdown
		}, func() {
			fmt.Println("what comes now: refused") // the Drain of a grpcx.Server
		}),
	)
	fmt.Println("error:", err)
	// Output:
	// streams of health: ended
	// what comes now: refused
	// error: <nil>
}

// A hub of WebSockets says goodbye when the servers stop: the Shutdown of an http.Server does not know connections that
// were taken over.
func ExamplePart() {
	registry := new(seawall.Registry) // left out in a program
	registry.SetLogger(slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // in a program the end comes by a signal
	seats := lifecycle.Part{
		Name:  "seats",
		Drain: func() { fmt.Println("no new rooms") },
		Stop: func(context.Context) error {
			fmt.Println("close 1012, come back within 10 s") // to each connection, and wait for its answer
			return nil
		},
		Kill: func() { fmt.Println("close all at once") },
	}
	report, err := lifecycle.Run(ctx, lifecycle.Config{Registry: registry}, seats)
	fmt.Println(len(report.Cut), err)
	// Output:
	// no new rooms
	// close 1012, come back within 10 s
	// 0 <nil>
}
