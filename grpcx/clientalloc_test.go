package grpcx_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
)

// What a unary call costs in allocations, beside those of grpc-go with the same deadline.
func TestAUnaryCallCostsAtMostEightAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	n := inMemory(t)
	n.serve(t, &echo{})
	bare := echopb.NewEchoClient(n.connect(t))
	req := &echopb.EchoRequest{Text: "hello"}
	measure := func(get func(context.Context, *echopb.EchoRequest, ...grpc.CallOption) (*echopb.EchoReply, error), limit time.Duration) float64 {
		return testing.AllocsPerRun(2000, func() {
			ctx := t.Context()
			if limit > 0 {
				within, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				ctx = within
			}
			if _, err := get(ctx, req); err != nil {
				t.Error(err)
			}
		})
	}
	ours := echopb.NewEchoClient(n.connect(t, grpcx.DialOptions("test", quick())...))
	base := measure(bare.Get, 10*time.Second)
	for _, c := range []struct {
		name  string
		limit time.Duration
		most  float64
	}{
		{"our limits alone", 0, 8},
		{"a caller's deadline before ours", 5 * time.Second, 8},
	} {
		if got := measure(ours.Get, c.limit) - base; got > c.most {
			t.Errorf("%s: %v allocations more than grpc-go's %v, want at most %v", c.name, got, base, c.most)
		} else {
			t.Logf("%s: %v allocations more than grpc-go's %v", c.name, got, base)
		}
	}
}
