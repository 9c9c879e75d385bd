package grpcx_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/seawall-go/seawall/grpcx"
)

// What a call costs in allocations beside those of grpc-go.
func TestServerCostsFewAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	info := &grpc.UnaryServerInfo{FullMethod: "/a.B/C"}
	handler := func(context.Context, any) (any, error) { return nil, nil }
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for name, c := range map[string]struct {
		cfg  grpcx.ServerConfig
		most float64
	}{
		"with a limit":  {grpcx.ServerConfig{}, 7},
		"with a margin": {grpcx.ServerConfig{Timeout: grpcx.Off}, 7},
		"with neither":  {grpcx.ServerConfig{Timeout: grpcx.Off, DeadlineMargin: grpcx.NoMargin}, 1},
	} {
		c.cfg.Registry = silent()
		s := grpcx.NewServer("test", c.cfg)
		unary := grpcx.UnaryOf(s)
		n := testing.AllocsPerRun(500, func() { _, _ = unary(ctx, nil, info, handler) })
		if n > c.most {
			t.Errorf("%s: a call allocates %v times, want %v", name, n, c.most)
		}
	}
}
