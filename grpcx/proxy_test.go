package grpcx_test

import (
	"context"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
)

// proxied is a client of ours and an echo on the machine's own network, with a proxy between them that feels a fault as
// soon as the injector is started.
func proxied(t *testing.T, f fault.Fault, e *echo) (*fault.Injector, *fault.Proxy, *grpcx.Client, echopb.EchoClient) {
	t.Helper()
	f.For, f.Target = time.Hour, "echo"
	i := fault.New("test", fault.Config{Plan: fault.Plan{Faults: []fault.Fault{f}}, Registry: silent()})
	t.Cleanup(i.Stop)
	n := loopback(t)
	n.serve(t, e)
	p, err := fault.NewProxy(i.Point("echo"), fault.ProxyConfig{Upstream: n.listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	n.target = "passthrough:///" + p.Addr().String()
	c := grpcx.NewClient("test", quick())
	// gRPC waits a second before it connects again, by default.
	soon := grpc.WithConnectParams(grpc.ConnectParams{
		Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}, MinConnectTimeout: 10 * time.Second,
	})
	client := echopb.NewEchoClient(n.connect(t, append(c.DialOptions(), soon)...))
	if _, err := client.Get(t.Context(), &echopb.EchoRequest{Text: "before"}); err != nil {
		t.Fatalf("before the fault: %v", err)
	}
	return i, p, c, client
}

func begin(t *testing.T, i *fault.Injector) {
	t.Helper()
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Latency between the two makes calls and streams later, and nothing else.
func TestCallsOverAProxyFeelItsLatency(t *testing.T) {
	const late = 30 * time.Millisecond
	i, p, c, client := proxied(t, fault.Fault{Kind: fault.Latency, Latency: late, Stream: fault.BothStreams}, &echo{})
	begin(t, i)
	began := time.Now()
	reply, err := client.Get(t.Context(), &echopb.EchoRequest{Text: "late"})
	if err != nil || reply.GetText() != "late" || time.Since(began) < 2*late {
		t.Errorf("got %v, %v after %v", reply, err, time.Since(began))
	}
	stream, err := client.List(t.Context(), &echopb.EchoRequest{Text: "late", Count: 100})
	if err != nil {
		t.Fatal(err)
	}
	for n := range int32(100) {
		if r, err := stream.Recv(); err != nil || r.GetNumber() != n {
			t.Fatalf("message %d is %v, %v", n, r, err)
		}
	}
	if _, err := stream.Recv(); err != io.EOF { //nolint:errorlint // as gRPC says
		t.Errorf("the stream ended by %v", err)
	}
	if s := p.Stats(); s.Accepted != 1 || s.Open != 1 {
		t.Errorf("the proxy counts %+v", s)
	}
	wantTally(t, c, tally{Successes: 3})
}

// A reset in the middle of calls: what may be repeated gets an answer over another connection, and nothing hangs.
func TestCallsOverAProxyOutliveAReset(t *testing.T) {
	reached := make(chan struct{}, 1)
	e := &echo{unary: func(ctx context.Context, n int, req *echopb.EchoRequest) (*echopb.EchoReply, error) {
		if n == 2 {
			reached <- struct{}{}
			<-ctx.Done() // until the connection is gone
			return nil, ctx.Err()
		}
		return &echopb.EchoReply{Text: req.GetText()}, nil
	}}
	i, p, c, client := proxied(t, fault.Fault{Kind: fault.ResetPeer}, e)
	ended := make(chan error, 1)
	go func() {
		_, err := client.Post(t.Context(), &echopb.EchoRequest{Text: "once"}) // may have happened, so it is not sent again
		ended <- err
	}()
	<-reached
	begin(t, i)
	if err := <-ended; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that was open ended by %v", err)
	}
	i.Stop()
	eventually(t, "calls are answered again", func() bool {
		r, err := client.Get(t.Context(), &echopb.EchoRequest{Text: "after"})
		return err == nil && r.GetText() == "after"
	})
	if n := p.Stats().Accepted; n < 2 {
		t.Errorf("%d connections", n)
	}
	if n := i.Stats().Faults[0].Hits; n < 1 {
		t.Error("nothing was hit")
	}
	atRest(t, c)
}

// A proxy that is down is a server that is not there: calls fail at once, and are answered as soon as it is back.
func TestCallsOverAProxyThatIsDownFailAndComeBack(t *testing.T) {
	i, _, c, client := proxied(t, fault.Fault{Kind: fault.Down}, &echo{})
	begin(t, i)
	eventually(t, "calls fail", func() bool {
		_, err := client.Get(t.Context(), &echopb.EchoRequest{})
		return status.Code(err) == codes.Unavailable
	})
	i.Stop()
	eventually(t, "calls are answered again", func() bool {
		_, err := client.Get(t.Context(), &echopb.EchoRequest{})
		return err == nil
	})
	atRest(t, c)
}
