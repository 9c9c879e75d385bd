package grpcx_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/hedge"
)

// hedging is a client that starts a second attempt at once.
func hedging(change ...func(*grpcx.ClientConfig)) grpcx.ClientConfig {
	cfg := quick()
	cfg.Hedge = &hedge.Config{Delay: 1, Cap: hedge.Cap{Ratio: 1, Burst: 1000}, Funding: hedge.NoBudget}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

// isRepeat reports whether a call says that it is not the first attempt.
func isRepeat(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")) > 0
}

// T28: two attempts that answer at the same time, with different fields set, never mix in the caller's reply.
func TestTheReplyOfAHedgedCallIsExactlyOneAttempts(t *testing.T) {
	var meet atomic.Pointer[chan struct{}]
	filled := bytes.Repeat([]byte{1}, 1<<12)
	client, stub := pair(t, hedging(), &echo{
		unary: func(ctx context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
			both := *meet.Load()
			second := isRepeat(ctx)
			select { // the two meet here, and answer together
			case both <- struct{}{}:
			case <-both:
			case <-ctx.Done():
			}
			name := "first"
			reply := &echopb.EchoReply{By: "first", Number: 1}
			if second {
				name, reply = "second", &echopb.EchoReply{Text: "second", Payload: filled}
			}
			_ = grpc.SetHeader(ctx, metadata.Pairs("by", name))
			_ = grpc.SetTrailer(ctx, metadata.Pairs("by", name))
			return reply, nil
		},
	})
	won := map[string]int{}
	for range 300 {
		both := make(chan struct{})
		meet.Store(&both)
		var header, trailer metadata.MD
		var p peer.Peer
		finished := 0
		reply, err := stub.Get(t.Context(), &echopb.EchoRequest{},
			grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&p), grpc.OnFinish(func(error) { finished++ }))
		if err != nil {
			t.Fatal(err)
		}
		by := "first"
		if reply.GetBy() == "" {
			by = "second"
		}
		won[by]++
		whole := by == "first" && reply.GetNumber() == 1 && reply.GetText() == "" && reply.GetPayload() == nil ||
			by == "second" && reply.GetNumber() == 0 && reply.GetText() == "second" && bytes.Equal(reply.GetPayload(), filled)
		if !whole || header.Get("by")[0] != by || trailer.Get("by")[0] != by || p.Addr == nil || finished != 1 {
			t.Fatalf("the %s won with %v, header %v, trailer %v, peer %v, OnFinish %d times", by, reply, header, trailer, p, finished)
		}
	}
	t.Log(won)
	atRest(t, client)
}

// T27: the loser is canceled at the server, gives its slot back, and does not charge the breaker.
func TestTheLoserOfAHedgedCallIsCanceledAndCountsForNothing(t *testing.T) {
	var lost atomic.Int64
	begun := make(chan struct{}, 1)
	client, stub := pair(t, hedging(), &echo{
		unary: func(ctx context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
			if !isRepeat(ctx) { // whichever of the two has come first
				begun <- struct{}{}
				<-ctx.Done()
				lost.Add(1)
				return nil, ctx.Err()
			}
			<-begun
			return &echopb.EchoReply{Number: 2}, nil
		},
	})
	ctx, record := seawall.WithRecord(t.Context())
	reply, err := call(ctx, stub, get)
	if err != nil || reply.GetNumber() != 2 {
		t.Errorf("the reply is %v, %v", reply, err)
	}
	if f := record.Facts(); f.Hedges != 1 || f.Winner != 2 {
		t.Errorf("the record is %+v", f)
	}
	eventually(t, "the loser is canceled at the server", func() bool { return lost.Load() == 1 })
	atRest(t, client)
	eventually(t, "both have their verdicts", func() bool { return tallyOf(client) == tally{Successes: 1, Ignored: 1} })
}

// T26: a failure does not beat a success that may still come, and starts the next attempt at once.
func TestAFailureOfAHedgedCallStartsTheNextAttempt(t *testing.T) {
	cfg := hedging(func(c *grpcx.ClientConfig) { c.Hedge.Delay = time.Hour })
	e := &echo{unary: failing(1, codes.Unavailable)}
	client, stub := pair(t, cfg, e)
	reply, err := call(t.Context(), stub, get)
	if err != nil || reply.GetNumber() != 2 {
		t.Errorf("the reply is %v, %v", reply, err)
	}
	atRest(t, client)
	wantTally(t, client, tally{Successes: 1, Failures: 1})
}

// Pushback ends the hedging of a call.
func TestPushbackEndsHedging(t *testing.T) {
	for _, trailer := range [][]string{{"grpc-retry-pushback-ms", "-1"}, {"grpc-retry-pushback-ms", "3600000"}, {"seawall-pushback", "final"}} {
		e := &echo{unary: failing(9, codes.Unavailable, trailer...)}
		_, stub := pair(t, hedging(func(c *grpcx.ClientConfig) {
			c.Hedge.Delay = time.Hour
			c.Retry.MaxAttempts = 1
		}), e)
		_, err := call(t.Context(), stub, get)
		wantCode(t, err, codes.Unavailable)
		if got := e.calls.Load(); got != 1 {
			t.Errorf("after %v the server has %d calls", trailer, got)
		}
	}
}

func TestOnlyIdempotentUnaryCallsAreHedged(t *testing.T) {
	slow := func(ctx context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
		return &echopb.EchoReply{}, nil
	}
	for _, c := range []struct {
		name   string
		method string
		change func(*grpcx.ClientConfig)
		opts   []grpc.CallOption
		most   int64
	}{
		{"idempotent", get, func(*grpcx.ClientConfig) {}, nil, 2},
		{"idempotent by option", post, func(*grpcx.ClientConfig) {}, []grpc.CallOption{grpcx.CallIdempotent()}, 2},
		{"not idempotent", post, func(*grpcx.ClientConfig) {}, nil, 1},
		{"one attempt", get, func(*grpcx.ClientConfig) {}, []grpc.CallOption{grpcx.CallMaxAttempts(1)}, 1},
		{"off for the method", get, func(c *grpcx.ClientConfig) {
			c.Methods = map[string]grpcx.MethodConfig{"/*": {Hedge: &hedge.Config{MaxAttempts: 1}}}
		}, nil, 1},
		{"off", get, func(c *grpcx.ClientConfig) { c.Hedge = nil }, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &echo{unary: slow}
			client, stub := pair(t, hedging(c.change), e)
			if _, err := call(t.Context(), stub, c.method, c.opts...); err != nil {
				t.Fatal(err)
			}
			atRest(t, client)
			if got := e.calls.Load(); got != c.most {
				t.Errorf("the server has %d calls, want %d", got, c.most)
			}
		})
	}
}

// A hedge takes a slot only if one is free: first attempts go first.
func TestAHedgeDoesNotWaitAtTheGates(t *testing.T) {
	release := make(chan struct{})
	e := &echo{unary: func(ctx context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return &echopb.EchoReply{}, nil
	}}
	client, stub := pair(t, hedging(func(c *grpcx.ClientConfig) {
		c.Bulkhead = bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 10}} // where it could wait
	}), e)
	done := make(chan error, 2)
	begin := func(method string) {
		go func() {
			_, err := call(t.Context(), stub, method)
			done <- err
		}()
	}
	stats := func() (s bulkhead.Stats) {
		for _, b := range client.Bulkheads() {
			s = b.Stats()
		}
		return s
	}
	begin(post) // is not hedged, and takes the slot
	eventually(t, "the slot is taken", func() bool { return stats().InUse == 1 })
	begin(get)
	eventually(t, "the hedge was turned away", func() bool { return stats().Rejected.Total() > 0 })
	eventually(t, "the first attempt waits", func() bool { return stats().Waiting == 1 })
	if got := stats().Rejected; got.Total() != 1 {
		t.Errorf("turned away were %+v", got)
	}
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := e.calls.Load(); got != 2 {
		t.Errorf("the server has %d calls", got)
	}
	atRest(t, client)
}

// Hedges are paid for by the budget of the retries.
func TestHedgesShareTheBudgetOfTheRetries(t *testing.T) {
	cfg := quick()
	cfg.Hedge = &hedge.Config{Delay: 1, Cap: hedge.Cap{Ratio: 1, Burst: 1000}}
	cfg.Retry.BudgetConfig = seawall.BudgetConfig{Ratio: 0.000001, Burst: 2}
	e := &echo{unary: func(ctx context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
		return &echopb.EchoReply{}, nil
	}}
	client, stub := pair(t, cfg, e)
	for range 10 {
		if _, err := call(t.Context(), stub, get); err != nil {
			t.Fatal(err)
		}
	}
	atRest(t, client)
	if got := e.calls.Load(); got > 12 {
		t.Errorf("the server has %d calls, want at most 12", got)
	}
	if got := client.Retry().Budget().Available(); got >= 1 {
		t.Errorf("%v are at hand", got)
	}
}

// All attempts of a hedged call that fail are in its error.
func TestAHedgedCallThatFailsHasItsLastStatus(t *testing.T) {
	_, stub := pair(t, hedging(func(c *grpcx.ClientConfig) { c.Retry.MaxAttempts = 1 }), &echo{
		unary: func(context.Context, int, *echopb.EchoRequest) (*echopb.EchoReply, error) {
			return nil, status.Error(codes.Unavailable, "down")
		},
	})
	var trailer metadata.MD
	_, err := call(t.Context(), stub, get, grpc.Trailer(&trailer))
	wantCode(t, err, codes.Unavailable)
	if trailer == nil {
		t.Error("there is no trailer")
	}
}
