package grpcx

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// HealthCheck returns a check for package health that asks the grpc.health.v1 service at the other end of a connection
// whether a service is served, "" being the server as a whole. It fails with the error of the call, or with the status
// that is not SERVING. It gives up when its context ends, and does not wait for a connection that cannot be made, whatever
// the service config says.
//
//	health.Check{Name: "stock", Run: grpcx.HealthCheck(conn, "")}
//
// Give it a connection without retries and breakers: the check is to see what is there. The readiness of another server
// may ask its dependencies in turn, and a failure travels through all who ask each other; as a shared check, which only warns,
// it takes nobody out.
func HealthCheck(conn grpc.ClientConnInterface, service string) func(context.Context) error {
	client := grpc_health_v1.NewHealthClient(conn)
	return func(ctx context.Context) error {
		resp, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service}, grpc.WaitForReady(false))
		if err != nil {
			return err
		}
		if is := resp.GetStatus(); is != grpc_health_v1.HealthCheckResponse_SERVING {
			return fmt.Errorf("service %q is %v", service, is)
		}
		return nil
	}
}
