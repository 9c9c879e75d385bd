package grpcx_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seawall-go/seawall/grpcx"
)

func TestHealthCheckTellsWhatTheOtherServerSays(t *testing.T) {
	s := newSource(map[string]bool{"": true, "billing": false})
	r, _, _ := healthy(t, s, grpcx.ServerConfig{}, nothing)
	for service, want := range map[string]string{"": "", "billing": `service "billing" is NOT_SERVING`, "nobody": "NotFound"} {
		err := grpcx.HealthCheck(r.conn, service)(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", service, err, want)
		}
	}
	s.set("billing", true)
	if err := grpcx.HealthCheck(r.conn, "billing")(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHealthCheckGivesUpWithItsContext(t *testing.T) {
	conn, err := grpc.NewClient("127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := grpcx.HealthCheck(conn, "")(ctx); err == nil || !strings.Contains(err.Error(), "Unavailable") {
		t.Errorf("nobody listens: %v", err)
	}
	cancel()
	if err := grpcx.HealthCheck(conn, "")(ctx); err == nil || !strings.Contains(err.Error(), "Canceled") {
		t.Errorf("canceled: %v", err)
	}
}
