package grpcx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/timeout"
)

// A server of ours answers by its margin before the limit that it was told. That answer hid whose limit it was.
func TestTheMarginOfTheServerDoesNotHideOurLimit(t *testing.T) {
	const limit = 100 * time.Millisecond
	hang := func(ctx context.Context, _ int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	refuse := func(context.Context, int, *echopb.EchoRequest) (*echopb.EchoReply, error) {
		return nil, status.Error(codes.DeadlineExceeded, "of its own")
	}
	for _, c := range []struct {
		name    string
		change  func(*grpcx.ClientConfig)
		server  unaryFunc
		method  string
		opts    []grpc.CallOption
		callers time.Duration // the caller's deadline
		want    string        // the name of the limit; empty if it is none of ours
	}{
		{"the total limit", func(c *grpcx.ClientConfig) { c.Timeout = limit }, hang, post, nil, 0, "test.total"},
		{"that of a call", func(*grpcx.ClientConfig) {}, hang, post, []grpc.CallOption{grpcx.CallTimeout(limit)}, 0, "test.total"},
		{"that of an attempt", func(c *grpcx.ClientConfig) { c.AttemptTimeout = limit }, hang, post, nil, 0, "test.attempt"},
		{"an attempt that may be repeated", func(c *grpcx.ClientConfig) {
			c.AttemptTimeout, c.Retry.MaxAttempts = limit, 2
		}, hang, get, nil, 0, "test.attempt"},
		{"that of a race", func(c *grpcx.ClientConfig) {
			c.Timeout, c.Retry.MaxAttempts = limit, 1
			c.Hedge = &hedge.Config{Cap: hedge.Cap{Ratio: 0.001, Burst: 1}, Funding: hedge.NoBudget} // after the first, none starts
		}, hang, get, nil, 0, "test.total"},
		{"the caller's", func(*grpcx.ClientConfig) {}, hang, post, nil, limit, ""},
		{"the caller's, in a race", func(c *grpcx.ClientConfig) {
			c.Hedge = &hedge.Config{Delay: 50 * time.Millisecond, Funding: hedge.NoBudget}
		}, hang, get, nil, limit, ""},
		{"the server's own", func(c *grpcx.ClientConfig) { c.Timeout = time.Minute }, refuse, post, nil, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := inMemory(t)
			e := &echo{unary: c.server}
			n.serve(t, e, grpcx.NewServer("api", grpcx.ServerConfig{Registry: silent()}).Options()...)
			client := grpcx.NewClient("test", with(c.change))
			conn := n.connect(t, client.DialOptions()...)
			connected(t, conn)
			for range 3 {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if c.callers > 0 {
					ctx, cancel = context.WithTimeout(ctx, c.callers)
				}
				_, err := call(ctx, echopb.NewEchoClient(conn), c.method, c.opts...)
				cancel()
				wantCode(t, err, codes.DeadlineExceeded)
				exceeded, ours := errors.AsType[*timeout.ExceededError](err)
				if ours != (c.want != "") || ours && exceeded.Name != c.want || ours != errors.Is(err, timeout.ErrExceeded) {
					t.Errorf("the error is %v, want the limit %q", err, c.want)
				}
				if ours && errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v is taken for the caller's deadline", err)
				}
			}
			if c.name == "an attempt that may be repeated" && e.calls.Load() < 4 {
				t.Errorf("the server has %d calls, want attempts repeated", e.calls.Load())
			}
		})
	}
}
