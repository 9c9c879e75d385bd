package restart_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/lifecycle"
)

// The test's own program is the server too: with this in its environment.
const asServer = "SEAWALL_RESTART_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) == "" {
		os.Exit(m.Run())
	}
	if err := serve(); err != nil {
		slog.Error("the server has failed", "error", err)
		os.Exit(1)
	}
}

// work is how long a request takes.
const work = 30 * time.Millisecond

// serve is a program as a user would write it.
func serve() error {
	ready := health.New("shop", health.Config{})
	if err := ready.Add(health.Check{Name: "disk", Scope: health.Local, Run: health.Disk(".", 1)}); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/readyz", ready.Handler())
	mux.Handle("/livez", ready.Handler())
	mux.HandleFunc("/work", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(work)
		_, _ = fmt.Fprint(w, "done")
	})
	mux.HandleFunc("/stuck", func(http.ResponseWriter, *http.Request) { select {} })
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	rpc, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	api, shop := httpx.NewHandler("web", httpx.ServerConfig{}, mux), grpcx.NewServer("shop", grpcx.ServerConfig{})
	server := grpc.NewServer(shop.Options()...)
	grpc_testing.RegisterTestServiceServer(server, worker{})
	mirror := grpcx.RegisterHealth(server, ready)
	fmt.Println(web.Addr(), rpc.Addr())
	report, err := lifecycle.Run(context.Background(),
		lifecycle.Config{Health: ready, DrainDelay: time.Second, StopTimeout: 3 * time.Second},
		lifecycle.HTTP("web", &http.Server{Handler: api, ReadHeaderTimeout: 5 * time.Second}, web, api.Drain),
		lifecycle.GRPC("rpc", server, rpc, mirror.Shutdown, shop.Drain),
		lifecycle.Worker("janitor", func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}),
	)
	fmt.Println("cut:", report.Cut)
	return err
}

type worker struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (worker) UnaryCall(context.Context, *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	time.Sleep(work)
	return &grpc_testing.SimpleResponse{Username: "done"}, nil
}
