package grpcx_test

import (
	"context"
	"slices"
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

// What is inside of our interceptors, such as a trace of each attempt, learns which one it is. A first attempt inside of
// one that is repeated further out has the number of that.
func TestWhatIsInsideLearnsWhichAttemptItIs(t *testing.T) {
	for _, c := range []struct {
		outer int
		want  []int
	}{{1, []int{1, 2, 3}}, {4, []int{4, 2, 3}}} {
		for kind, get := range map[string]func(context.Context, echopb.EchoClient) error{
			"unary": func(ctx context.Context, stub echopb.EchoClient) error { _, err := call(ctx, stub, get); return err },
			"stream": func(ctx context.Context, stub echopb.EchoClient) error {
				_, err := list(stub.List(ctx, &echopb.EchoRequest{}))
				return err
			},
		} {
			var got []int
			_, stub := pair(t, quick(), &echo{unary: failing(2, codes.Unavailable), list: failingAfter(0, 2, codes.Unavailable)},
				grpc.WithChainUnaryInterceptor(func(
					ctx context.Context, m string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption,
				) error {
					got = append(got, seawall.Attempt(ctx))
					return invoke(ctx, m, req, reply, cc, o...)
				}),
				grpc.WithChainStreamInterceptor(func(
					ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, m string, open grpc.Streamer, o ...grpc.CallOption,
				) (grpc.ClientStream, error) {
					got = append(got, seawall.Attempt(ctx))
					return open(ctx, d, cc, m, o...)
				}))
			ctx := t.Context()
			if c.outer > 1 {
				ctx = seawall.WithAttempt(ctx, c.outer)
			}
			if err := get(ctx, stub); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: the attempts are %v, want %v", kind, got, c.want)
			}
		}
	}
}
