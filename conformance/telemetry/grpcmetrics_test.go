package telemetry_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/stats/opentelemetry"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/retry"
)

// failingOnce is a server whose first answer is UNAVAILABLE.
type failingOnce struct {
	grpc_testing.UnimplementedTestServiceServer
	calls atomic.Int64
}

func (s *failingOnce) EmptyCall(context.Context, *grpc_testing.Empty) (*grpc_testing.Empty, error) {
	if s.calls.Add(1) == 1 {
		return nil, status.Error(codes.Unavailable, "starting")
	}
	return &grpc_testing.Empty{}, nil
}

// The metrics of grpc-go count a call that is repeated once if their option comes before ours, and each attempt if behind.
func TestMetricsOfGRPCCountACallOnceWhereTheyComeFirst(t *testing.T) {
	for name, c := range map[string]struct {
		order func(theirs grpc.DialOption, ours []grpc.DialOption) []grpc.DialOption
		calls uint64
	}{
		"before": {func(theirs grpc.DialOption, ours []grpc.DialOption) []grpc.DialOption {
			return append([]grpc.DialOption{theirs}, ours...)
		}, 1},
		"behind": {func(theirs grpc.DialOption, ours []grpc.DialOption) []grpc.DialOption {
			return append(ours, theirs)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := grpc.NewServer()
			grpc_testing.RegisterTestServiceServer(server, &failingOnce{})
			go func() { _ = server.Serve(listener) }() // ends with Stop
			defer server.Stop()
			reader := metric.NewManualReader()
			theirs := opentelemetry.DialOption(opentelemetry.Options{MetricsOptions: opentelemetry.MetricsOptions{
				MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)),
			}})
			client := grpcx.NewClient("api", grpcx.ClientConfig{
				Registry: shopless(), Retry: retry.Config{Backoff: retry.Backoff{Base: 1, Max: 1}},
			})
			conn, err := grpc.NewClient(listener.Addr().String(),
				append(c.order(theirs, client.DialOptions()), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, err = grpc_testing.NewTestServiceClient(conn).EmptyCall(t.Context(), &grpc_testing.Empty{}, grpcx.CallIdempotent())
			if err != nil {
				t.Fatal(err)
			}
			calls, attempts := counted(t, reader, "grpc.client.call.duration"), counted(t, reader, "grpc.client.attempt.duration")
			if calls != c.calls || attempts != 2 {
				t.Errorf("there are %d calls and %d attempts, want %d and 2", calls, attempts, c.calls)
			}
		})
	}
}

// counted returns how many values a histogram of seconds has.
func counted(t *testing.T, reader metric.Reader, name string) (n uint64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
				for _, p := range h.DataPoints {
					n += p.Count
				}
			}
		}
	}
	return n
}
