package grpcx_test

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
)

// What a call tells the next hop: the attempt from the second on, the priority if it is not the usual one. What the
// caller's metadata claims under these names does not go out.
func TestTheNextHopLearnsAttemptAndPriority(t *testing.T) {
	var mu sync.Mutex
	var got []metadata.MD
	seen := func(ctx context.Context) {
		md, _ := metadata.FromIncomingContext(ctx)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, md)
	}
	_, stub := pair(t, quick(), &echo{
		unary: func(ctx context.Context, n int, req *echopb.EchoRequest) (*echopb.EchoReply, error) {
			seen(ctx)
			return failing(1, codes.Unavailable)(ctx, n, req)
		},
		list: func(n int, req *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
			seen(stream.Context())
			return failingAfter(0, 3, codes.Unavailable)(n, req, stream)
		},
	})
	ctx := metadata.AppendToOutgoingContext(t.Context(),
		"grpc-previous-rpc-attempts", "77", "seawall-priority", "critical-plus", "mine", "kept")
	if _, err := call(ctx, stub, get); err != nil {
		t.Fatal(err)
	}
	ctx = seawall.WithPriority(ctx, seawall.Sheddable)
	if _, err := list(stub.List(ctx, &echopb.EchoRequest{})); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ attempts, priority string }{{"", ""}, {"1", ""}, {"", "sheddable"}, {"1", "sheddable"}} {
		first := func(name string) string {
			values := got[i].Get(name)
			switch len(values) {
			case 0:
				return ""
			case 1:
				return values[0]
			}
			return "several"
		}
		if first("grpc-previous-rpc-attempts") != want.attempts || first("seawall-priority") != want.priority || first("mine") != "kept" {
			t.Errorf("call %d brings %v", i, got[i])
		}
	}
	if md, _ := metadata.FromOutgoingContext(ctx); md.Get("grpc-previous-rpc-attempts")[0] != "77" {
		t.Errorf("the caller's metadata has become %v", md)
	}
}
