package restart_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/lifecycle"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// stuck is a service whose handler returns when it is released, whatever its context says.
type stuck struct {
	grpc_testing.UnimplementedTestServiceServer
	entered, release chan struct{}
}

func (s stuck) UnaryCall(context.Context, *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	close(s.entered)
	<-s.release
	return &grpc_testing.SimpleResponse{}, nil
}

// run runs a part. The function that it returns ends it, and returns its report.
func run(t *testing.T, cfg lifecycle.Config, p lifecycle.Part) (end func() lifecycle.Report) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg.DrainDelay, cfg.Registry = lifecycle.NoDelay, silent()
	ended := make(chan lifecycle.Report, 1)
	go func() {
		report, err := lifecycle.Run(ctx, cfg, p)
		if err != nil {
			t.Error(err)
		}
		ended <- report
	}()
	return func() lifecycle.Report {
		t.Helper()
		cancel()
		select {
		case report := <-ended:
			return report
		case <-time.After(time.Minute):
			t.Fatal("the run does not end")
			return lifecycle.Report{}
		}
	}
}

// wait waits until a call has come to its handler.
func wait(t *testing.T, entered chan struct{}, called chan error) {
	t.Helper()
	select {
	case <-entered:
	case err := <-called:
		t.Fatalf("the call has come to no handler: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("the call comes to no handler")
	}
}

func dial(t *testing.T, l net.Listener) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// GracefulStop waits for all streams, and a load balancer's Watch never ends by itself.
func TestOpenWatchHoldsUpNoEnd(t *testing.T) {
	l, server := listen(t), grpc.NewServer()
	ready := health.New("shop", health.Config{Registry: silent(), IgnoreGates: true})
	mirror := grpcx.RegisterHealth(server, ready)
	end := run(t, lifecycle.Config{Health: ready, StopTimeout: 20 * time.Second},
		lifecycle.GRPC("rpc", server, l, mirror.Shutdown))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // longer than the end may take: what hangs fails
	defer cancel()
	watch, err := healthpb.NewHealthClient(dial(t, l)).Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	if report := end(); len(report.Cut) > 0 {
		t.Errorf("cut off: %q", report.Cut)
	}
}

func TestStuckCallOfGRPCIsCutOffAndNamed(t *testing.T) {
	l, server := listen(t), grpc.NewServer()
	s := stuck{entered: make(chan struct{}), release: make(chan struct{})}
	defer close(s.release)
	grpc_testing.RegisterTestServiceServer(server, s)
	end := run(t, lifecycle.Config{StopTimeout: 200 * time.Millisecond}, lifecycle.GRPC("rpc", server, l, nil))
	called := make(chan error, 1)
	client := grpc_testing.NewTestServiceClient(dial(t, l))
	go func() {
		_, err := client.UnaryCall(context.Background(), &grpc_testing.SimpleRequest{})
		called <- err
	}()
	wait(t, s.entered, called)
	if report := end(); !slices.Equal(report.Cut, []string{"rpc"}) {
		t.Errorf("cut off: %q, want rpc", report.Cut)
	}
	select {
	case err := <-called:
		if err == nil {
			t.Error("the stuck call has an answer")
		}
	case <-time.After(5 * time.Second):
		t.Error("the client still waits for a server that has ended")
	}
}

func TestStuckRequestOfHTTPIsCutOffAndItsClientToldSo(t *testing.T) {
	l := listen(t)
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	})}
	end := run(t, lifecycle.Config{StopTimeout: 200 * time.Millisecond}, lifecycle.HTTP("web", server, l))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	called := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+l.Addr().String(), http.NoBody)
		if err != nil {
			called <- err
			return
		}
		resp, err := transport.RoundTrip(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			err = errors.Join(errAnswered, resp.Body.Close())
		}
		called <- err
	}()
	wait(t, entered, called)
	if report := end(); !slices.Equal(report.Cut, []string{"web"}) {
		t.Errorf("cut off: %q, want web", report.Cut)
	}
	select {
	case err := <-called:
		if errors.Is(err, errAnswered) {
			t.Error("the stuck request has an answer")
		}
	case <-time.After(5 * time.Second):
		t.Error("the client still waits for a server that has ended")
	}
}

var errAnswered = errors.New("there is an answer")
