package grpcx_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
)

// T2: a stream that nobody reads ends on a goroutine of ours, where a panic of the user's functions would end the program: it
// is logged, everything is given back, and the call has its end.
func TestPanicAtTheEndOfAStreamThatNobodyReadsDoesNotEndTheProgram(t *testing.T) {
	ouch := func(error) seawall.Verdict { panic("ouch") }
	for name, c := range map[string]struct {
		change func(*grpcx.ClientConfig)
		panics int // beside that of OnFinish
	}{
		"breaker":   {func(c *grpcx.ClientConfig) { c.Breaker.Classify = ouch }, 1},
		"retry":     {func(c *grpcx.ClientConfig) { c.Retry.Classify = ouch }, 1},
		"both":      {func(c *grpcx.ClientConfig) { c.Breaker.Classify, c.Retry.Classify = ouch, ouch }, 2},
		"no policy": {func(*grpcx.ClientConfig) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // so that the limit passes neither early nor late
				log := newLogged()
				cfg := quick()
				cfg.AttemptTimeout, cfg.Registry = 50*time.Millisecond, &log.Registry
				c.change(&cfg)
				client, stub := pair(t, cfg, &echo{
					collect: func(_ int, stream grpc.ClientStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
						<-stream.Context().Done()
						return stream.Context().Err()
					},
				})
				var finished atomic.Int64
				stream, err := stub.Collect(t.Context(), grpc.OnFinish(func(error) {
					finished.Add(1)
					panic("ouch")
				}))
				if err != nil {
					t.Fatal(err)
				}
				if err := stream.CloseSend(); err != nil { // from here on there is the limit of the attempt
					t.Fatal(err)
				}
				atRest(t, client)
				eventually(t, "the call has its end", func() bool { return finished.Load() == 1 })
				logged := func() []map[string]any { return log.lines(t, "seawall.listener.panicked") }
				eventually(t, "each panic is logged", func() bool { return len(logged()) == c.panics+1 })
				for _, line := range logged() {
					if line["kind"] != "client" || line["name"] != "test" || line["panic"] != "ouch" {
						t.Errorf("logged was %v", line)
					}
				}
				wantTally(t, client, tally{Failures: 1})
			})
		})
	}
}

// T2: a call that was left by its caller between two attempts ends on a goroutine of ours as well.
func TestPanicAtTheEndOfAStreamWithoutAnAttemptDoesNotEndTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		cfg := quick()
		cfg.AttemptTimeout, cfg.Registry = 50*time.Millisecond, &log.Registry
		client, stub := pair(t, cfg, &echo{
			list: func(_ int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
				<-stream.Context().Done()
				return stream.Context().Err()
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := stub.List(ctx, &echopb.EchoRequest{}, grpc.OnFinish(func(error) { panic("ouch") })); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the attempt has failed", func() bool { return tallyOf(client).Failures == 1 })
		cancel()
		eventually(t, "the panic is logged", func() bool { return len(log.lines(t, "seawall.listener.panicked")) == 1 })
		atRest(t, client)
	})
}

// T2: a function of the configuration that panics at the end of an attempt does not keep its slot.
func TestPanicOfTrustPeerGivesTheSlotOfAStreamBack(t *testing.T) {
	cfg := quick()
	cfg.AttemptTimeout, cfg.Timeout = grpcx.Off, grpcx.Off // which would give it back in the end
	cfg.TrustPeer = func(context.Context) bool { panic("ouch") }
	client, stub := pair(t, cfg, &echo{
		list: func(_ int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
			stream.SetTrailer(metadata.Pairs("seawall-pushback", "refused"))
			return status.Error(codes.Unavailable, "")
		},
	})
	stream, err := stub.List(t.Context(), &echopb.EchoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if v := recover(); v != "ouch" {
				t.Errorf("the reader sees %v", v)
			}
		}()
		_, _ = stream.Recv()
	}()
	atRest(t, client)
}
