package benchmarks_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/seawalltest"
)

// healthServer is a gRPC service whose work is the scenario's dependency.
type healthServer struct {
	grpc_health_v1.UnimplementedHealthServer

	dependency func(context.Context) error
}

func (s healthServer) Check(
	ctx context.Context, _ *grpc_health_v1.HealthCheckRequest,
) (*grpc_health_v1.HealthCheckResponse, error) {
	if err := s.dependency(ctx); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

// overGRPC is a gRPC client and server over the network of a scenario.
func overGRPC(t *testing.T) seawalltest.Client {
	return func(env *seawalltest.Env) func(context.Context) error {
		listener, err := env.Network.Listen("health")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		grpc_health_v1.RegisterHealthServer(server, healthServer{dependency: env.Dependency})
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(listener) }()
		env.Cleanup(func() {
			server.Stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		conn, err := grpc.NewClient("passthrough:///health",
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				return env.Network.Dial(ctx, "tcp", address)
			}))
		if err != nil {
			t.Fatal(err)
		}
		env.Cleanup(func() {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
		client := grpc_health_v1.NewHealthClient(conn)
		return func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
			return err
		}
	}
}

// gRPC runs over the network in memory, in virtual time, and feels its faults.
func TestGRPCRunsInAScenario(t *testing.T) {
	run := func() *seawalltest.Report {
		return seawalltest.Run(t, seawalltest.Scenario{
			Arrivals:   seawalltest.Poisson(seawalltest.Constant(100)),
			Client:     overGRPC(t),
			Dependency: seawalltest.Dependency{Workers: 30, Service: seawalltest.Exponential(50 * time.Millisecond)},
			Network: seawalltest.NetworkConfig{Latency: 2 * time.Millisecond, Faults: fault.Plan{Faults: []fault.Fault{
				{At: 10 * time.Second, For: 5 * time.Second, Kind: fault.Latency, Target: "health", Latency: 100 * time.Millisecond},
				{At: 20 * time.Second, For: 5 * time.Second, Kind: fault.Stall, Target: "health"},
				{At: 35 * time.Second, For: 2 * time.Second, Kind: fault.ResetPeer, Target: "health"},
			}}},
		})
	}
	begun := time.Now()
	r := run()
	t.Log(time.Since(begun), r)
	r.MinGoodput(t, 0, 10*time.Second, 0.95)
	r.MinGoodput(t, 11*time.Second, 19*time.Second, 0.95)
	r.Recovers(t, 37*time.Second, 10*time.Second, 0.97)
	if fastest := r.LatencyBetween(11*time.Second, 15*time.Second, 0.01); fastest < 104*time.Millisecond {
		t.Errorf("under a latency the fastest took %v", fastest)
	}
	if good := r.Between(21*time.Second, 25*time.Second).Good; good != 0 {
		t.Errorf("%d calls were answered through a stall", good)
	}
}
