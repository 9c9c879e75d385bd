package grpcx_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/timeout"
)

type listFunc = func(n int, req *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error

// failingAfter answers the first calls with so many messages and then a code, and the others with one that has the
// call's number.
func failingAfter(messages, times int, code codes.Code, trailer ...string) listFunc {
	return func(n int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
		if n > times {
			return stream.Send(&echopb.EchoReply{Number: int32(n)})
		}
		for range messages {
			if err := stream.Send(&echopb.EchoReply{Number: int32(n)}); err != nil {
				return err
			}
		}
		stream.SetTrailer(metadata.Pairs(trailer...))
		return status.Error(code, "no")
	}
}

// silentFor lets the first calls say nothing until they are canceled.
func silentFor(times int) listFunc {
	return func(n int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
		if n > times {
			return stream.Send(&echopb.EchoReply{Number: int32(n)})
		}
		<-stream.Context().Done()
		return stream.Context().Err()
	}
}

// list reads a stream of answers to its end, and returns the numbers in them.
func list(stream grpc.ServerStreamingClient[echopb.EchoReply], err error) (numbers []int32, _ error) {
	for err == nil {
		var reply *echopb.EchoReply
		if reply, err = stream.Recv(); err == nil {
			numbers = append(numbers, reply.GetNumber())
		}
	}
	return numbers, ended(err)
}

// A stream of answers is opened anew until its first message came, and never after it.
func TestAStreamOfAnswersIsOpenedAnewUntilItsFirstMessage(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    grpcx.ClientConfig
		take   bool // the method that is not idempotent
		opts   []grpc.CallOption
		server listFunc
		calls  int64
		got    int // messages
		code   codes.Code
	}{
		{"answers", quick(), true, nil, failingAfter(0, 0, 0), 1, 1, codes.OK},
		{"UNAVAILABLE before the first", quick(), false, nil, failingAfter(0, 2, codes.Unavailable), 3, 1, codes.OK},
		{"UNAVAILABLE before the first, not idempotent", quick(), true, nil, failingAfter(0, 2, codes.Unavailable), 1, 0, codes.Unavailable},
		{"UNAVAILABLE after the first", quick(), false, nil, failingAfter(1, 2, codes.Unavailable), 1, 1, codes.Unavailable},
		{"used up", quick(), false, nil, failingAfter(0, 9, codes.Unavailable), 3, 0, codes.Unavailable},
		{"once", quick(), false, []grpc.CallOption{grpcx.CallMaxAttempts(1)}, failingAfter(0, 1, codes.Unavailable), 1, 0, codes.Unavailable},
		{"idempotent by option", quick(), true, []grpc.CallOption{grpcx.CallIdempotent()}, failingAfter(0, 1, codes.Unavailable), 2, 1, codes.OK},
		{"final", quick(), false, nil, failingAfter(0, 1, codes.Unavailable, "grpc-retry-pushback-ms", "-1"), 1, 0, codes.Unavailable},
		{
			"refused, believed", with(func(c *grpcx.ClientConfig) { c.TrustPeer = grpcx.TrustAll }), true, nil,
			failingAfter(0, 1, codes.Unavailable, "seawall-pushback", "refused"), 2, 1, codes.OK,
		},
		{
			"refused, not believed", quick(), true, nil,
			failingAfter(0, 1, codes.Unavailable, "seawall-pushback", "refused"), 1, 0, codes.Unavailable,
		},
		{"NOT_FOUND", quick(), false, nil, failingAfter(0, 1, codes.NotFound), 1, 0, codes.NotFound},
		{"INTERNAL", quick(), false, nil, failingAfter(0, 1, codes.Internal), 1, 0, codes.Internal},
		{
			"our attempt limit", with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = 300 * time.Millisecond }),
			false, nil, silentFor(1), 2, 1, codes.OK,
		},
		{
			"our attempt limit, not idempotent", with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = 300 * time.Millisecond }),
			true, nil, silentFor(1), 1, 0, codes.DeadlineExceeded,
		},
		{"attempt limit by option", quick(), false, []grpc.CallOption{grpcx.CallAttemptTimeout(300 * time.Millisecond)}, silentFor(1), 2, 1, codes.OK},
		{
			"our total limit", with(func(c *grpcx.ClientConfig) { c.Timeout = 300 * time.Millisecond }),
			false, nil, silentFor(9), 1, 0, codes.DeadlineExceeded,
		},
	} {
		for name, on := range map[string]func(testing.TB) network{"bufconn": inMemory, "loopback": loopback} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				e := &echo{list: c.server}
				n := on(t)
				n.serve(t, e)
				client := grpcx.NewClient("test", c.cfg)
				stub := echopb.NewEchoClient(n.connect(t, client.DialOptions()...))
				open := stub.List
				if c.take {
					open = stub.Take
				}
				finished := 0
				numbers, err := list(open(t.Context(), &echopb.EchoRequest{}, append(c.opts, grpc.OnFinish(func(error) { finished++ }))...))
				wantCode(t, err, c.code)
				if e.calls.Load() != c.calls || len(numbers) != c.got {
					t.Errorf("%d calls at the server, messages %v, want %d and %d", e.calls.Load(), numbers, c.calls, c.got)
				}
				if finished != 1 {
					t.Errorf("OnFinish has run %d times", finished)
				}
				atRest(t, client)
				if got := tallyOf(client); got.Successes+got.Failures+got.Overloads+got.Ignored != c.calls {
					t.Errorf("%d attempts have the verdicts %+v", c.calls, got)
				}
				s := client.Retry().Stats()
				if s.Calls() != 1 {
					t.Errorf("the retry has counted %+v", s)
				}
			})
		}
	}
}

// T65: each way in which a stream ends gives back its slot once, and one verdict.
func TestAStreamGivesItsSlotBackOnEveryWayOut(t *testing.T) {
	held := func(stream grpc.ServerStream) error {
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	e := func() *echo {
		return &echo{
			list: func(_ int, req *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
				for range req.GetCount() {
					if err := stream.Send(&echopb.EchoReply{}); err != nil {
						return err
					}
				}
				switch req.GetText() {
				case "fail":
					return status.Error(codes.Unavailable, "broken")
				case "hold":
					return held(stream)
				}
				return nil
			},
			chat: func(_ int, stream grpc.BidiStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
				for {
					req, err := stream.Recv()
					if errors.Is(err, io.EOF) {
						return nil
					}
					if err != nil {
						return err
					}
					if req.GetText() == "fail" {
						return status.Error(codes.Internal, "broken")
					}
					if err := stream.Send(&echopb.EchoReply{Text: req.GetText()}); err != nil {
						return err
					}
				}
			},
		}
	}
	type streamCase struct {
		name string
		run  func(ctx context.Context, cancel context.CancelFunc, stub echopb.EchoClient, conn *grpc.ClientConn) error
		code codes.Code
		want tally
	}
	send := func(stream interface {
		Send(*echopb.EchoRequest) error
	}, text string,
	) {
		_ = stream.Send(&echopb.EchoRequest{Text: text}) // its end is told by Recv
	}
	for _, c := range []streamCase{
		{"end of the answers", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			_, err := list(stub.List(ctx, &echopb.EchoRequest{Count: 3}))
			return err
		}, codes.OK, tally{Successes: 1}},
		{"no answer at all", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			_, err := list(stub.List(ctx, &echopb.EchoRequest{}))
			return err
		}, codes.OK, tally{Successes: 1}},
		{"an error in the middle", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			_, err := list(stub.List(ctx, &echopb.EchoRequest{Count: 3, Text: "fail"}))
			return err
		}, codes.Unavailable, tally{Failures: 1}},
		{"the caller cancels and reads on", func(ctx context.Context, cancel context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			stream, err := stub.List(ctx, &echopb.EchoRequest{Count: 1, Text: "hold"})
			if err != nil {
				return err
			}
			if _, err := stream.Recv(); err != nil {
				return err
			}
			cancel()
			_, err = stream.Recv()
			return err
		}, codes.Canceled, tally{Ignored: 1}},
		{"the caller cancels and goes", func(ctx context.Context, cancel context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			_, err := stub.List(ctx, &echopb.EchoRequest{Text: "hold"})
			cancel()
			return err
		}, codes.OK, tally{Ignored: 1}},
		{"the caller's deadline, after an answer", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			_, err := list(stub.List(ctx, &echopb.EchoRequest{Count: 1, Text: "hold"}))
			return err
		}, codes.DeadlineExceeded, tally{Ignored: 1}},
		{"the caller's deadline, without an answer", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			_, err := list(stub.List(ctx, &echopb.EchoRequest{Text: "hold"}))
			return err
		}, codes.DeadlineExceeded, tally{Failures: 1}},
		{"the connection is closed", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, conn *grpc.ClientConn) error {
			stream, err := stub.List(ctx, &echopb.EchoRequest{Count: 1, Text: "hold"})
			if err != nil {
				return err
			}
			if _, err := stream.Recv(); err != nil {
				return err
			}
			return conn.Close()
		}, codes.OK, tally{Failures: 1}},
		{"only the header is read, of a failure", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			stream, err := stub.Take(ctx, &echopb.EchoRequest{Text: "fail"})
			if err != nil {
				return err
			}
			_, err = stream.Header()
			return err
		}, codes.OK, tally{Failures: 1}},
		{"the single answer", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			stream, err := stub.Collect(ctx)
			if err != nil {
				return err
			}
			send(stream, "")
			_, err = stream.CloseAndRecv()
			return err
		}, codes.OK, tally{Successes: 1}},
		{"an upload that its caller leaves", func(ctx context.Context, cancel context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			stream, err := stub.Collect(ctx)
			if err != nil {
				return err
			}
			send(stream, "")
			cancel()
			return nil
		}, codes.OK, tally{Ignored: 1}},
		{"a message that cannot be sent", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			stream, err := stub.Chat(ctx, grpc.MaxCallSendMsgSize(10))
			if err != nil {
				return err
			}
			return stream.Send(&echopb.EchoRequest{Text: "more than ten bytes"})
		}, codes.ResourceExhausted, tally{Overloads: 1}},
		{"half closed", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			stream, err := stub.Chat(ctx)
			if err != nil {
				return err
			}
			send(stream, "a")
			if err := stream.CloseSend(); err != nil {
				return err
			}
			for err == nil {
				_, err = stream.Recv()
			}
			return ended(err)
		}, codes.OK, tally{Successes: 1}},
		{"a dialogue that fails", func(ctx context.Context, _ context.CancelFunc, stub echopb.EchoClient, _ *grpc.ClientConn) error {
			stream, err := stub.Chat(ctx)
			if err != nil {
				return err
			}
			send(stream, "a")
			send(stream, "fail")
			for err == nil {
				_, err = stream.Recv()
			}
			return ended(err)
		}, codes.Internal, tally{Failures: 1}},
	} {
		for name, on := range map[string]func(testing.TB) network{"bufconn": inMemory, "loopback": loopback} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				n := on(t)
				n.serve(t, e())
				client := grpcx.NewClient("test", quick())
				conn := n.connect(t, client.DialOptions()...)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := c.run(ctx, cancel, echopb.NewEchoClient(conn), conn)
				wantCode(t, err, c.code)
				atRest(t, client)
				eventually(t, "there is one verdict", func() bool { return tallyOf(client) == c.want })
			})
		}
	}
}

// T65
func TestAStreamOfManyMessagesTakesOneSlotAndHasOneVerdict(t *testing.T) {
	client, stub := pair(t, quick(), &echo{})
	stream, err := stub.List(t.Context(), &echopb.EchoRequest{Count: 10_000})
	for i := 0; err == nil; i++ {
		if _, err = stream.Recv(); i < 10_000 {
			for _, b := range client.StreamBulkheads() {
				if got := b.Stats().InUse; got > 1 {
					t.Fatalf("%d slots are in use", got)
				}
			}
		}
	}
	wantCode(t, ended(err), codes.OK)
	wantTally(t, client, tally{Successes: 1})
	for _, b := range client.StreamBulkheads() {
		if got := b.Stats().InUse; got != 0 {
			t.Errorf("%d slots are in use", got)
		}
	}
}

// A watch is under way for as long as it likes; only its first answer has to come in time.
func TestLimitsEndWithTheFirstAnswerOfAStream(t *testing.T) {
	cfg := with(func(c *grpcx.ClientConfig) {
		c.Timeout, c.AttemptTimeout = 400*time.Millisecond, 200*time.Millisecond
		c.Breaker.Slow.Over = 200 * time.Millisecond
		c.Breaker.MinCalls = 1
		c.StreamSettle = grpcx.AtEnd
	})
	client, stub := pair(t, cfg, &echo{
		list: func(_ int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
			for range 3 {
				if _, ok := stream.Context().Deadline(); ok {
					return status.Error(codes.FailedPrecondition, "the stream has a deadline")
				}
				if err := stream.Send(&echopb.EchoReply{}); err != nil {
					return err
				}
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		},
	})
	numbers, err := list(stub.List(t.Context(), &echopb.EchoRequest{}))
	wantCode(t, err, codes.OK)
	if len(numbers) != 3 {
		t.Errorf("%d messages", len(numbers))
	}
	for _, b := range client.Breakers() {
		if s := b.Stats(); s.Slow != 0 || s.State != breaker.Closed {
			t.Errorf("the breaker has counted %+v", s)
		}
	}
}

// An upload takes the time that its client takes; the answer has to come in time when all was sent.
func TestLimitOfAnUploadBeginsWhenAllWasSent(t *testing.T) {
	cfg := with(func(c *grpcx.ClientConfig) {
		c.Timeout, c.AttemptTimeout = 400*time.Millisecond, 200*time.Millisecond
		c.Breaker.Slow.Over = 200 * time.Millisecond
	})
	answers := true
	client, stub := pair(t, cfg, &echo{
		collect: func(_ int, stream grpc.ClientStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
			for {
				if _, err := stream.Recv(); err != nil {
					break
				}
			}
			if !answers {
				<-stream.Context().Done()
			}
			return stream.SendAndClose(&echopb.EchoReply{Number: 3})
		},
	})
	upload := func() error {
		stream, err := stub.Collect(t.Context())
		if err != nil {
			return err
		}
		for range 3 {
			if err := stream.Send(&echopb.EchoRequest{}); err != nil {
				return err
			}
			time.Sleep(150 * time.Millisecond)
		}
		_, err = stream.CloseAndRecv()
		return err
	}
	wantCode(t, upload(), codes.OK)
	answers = false
	err := upload()
	wantCode(t, err, codes.DeadlineExceeded)
	wantIs(t, err, timeout.ErrExceeded)
	atRest(t, client)
	wantTally(t, client, tally{Successes: 1, Failures: 1})
	for _, b := range client.Breakers() {
		if got := b.Stats().Slow; got != 0 {
			t.Errorf("%d slow calls", got)
		}
	}
}

// T4: a watch that works for a while proves that the server does, though it never ends.
func TestALongStreamDoesNotKeepABreakerHalfOpen(t *testing.T) {
	cfg := with(func(c *grpcx.ClientConfig) {
		c.StreamSettle = 20 * time.Millisecond
		c.Breaker = breaker.Config{
			MinCalls: 1, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond, Probes: breaker.Probes{Calls: 1},
			Ramp: breaker.Ramp{Start: breaker.NoRamp},
		}
	})
	client, stub := pair(t, cfg, &echo{
		list: func(n int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
			if n == 1 {
				return status.Error(codes.Internal, "down")
			}
			if err := stream.Send(&echopb.EchoReply{}); err != nil {
				return err
			}
			<-stream.Context().Done()
			return nil
		},
	})
	_, err := list(stub.List(t.Context(), &echopb.EchoRequest{}))
	wantCode(t, err, codes.Internal)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	eventually(t, "a probe is let in", func() bool {
		stream, err := stub.List(ctx, &echopb.EchoRequest{})
		if err != nil {
			return false
		}
		_, err = stream.Recv()
		return err == nil
	})
	for _, b := range client.Breakers() {
		eventually(t, "the breaker is closed", func() bool { return b.State() == breaker.Closed })
	}
	for _, b := range client.StreamBulkheads() {
		if got := b.Stats().InUse; got != 1 {
			t.Errorf("%d slots are in use", got)
		}
	}
}

// What could not be opened has sent nothing, whatever it is.
func TestAStreamThatWasNotOpenedIsTriedAgain(t *testing.T) {
	var broken atomic.Int64
	breaks := func(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, m string, open grpc.Streamer, o ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		if broken.Add(-1) >= 0 {
			return nil, status.Error(codes.Unavailable, "no connection")
		}
		return open(ctx, desc, cc, m, o...)
	}
	for kind, make := range kinds {
		if kind == "unary" {
			continue
		}
		broken.Store(2)
		e := &echo{}
		client, stub := pair(t, quick(), e, grpc.WithChainStreamInterceptor(breaks))
		wantCode(t, make(t.Context(), stub), codes.OK)
		atRest(t, client)
		wantTally(t, client, tally{Successes: 1, Failures: 2})
		if got := e.calls.Load(); got != 1 {
			t.Errorf("%s: the server has %d calls", kind, got)
		}
	}
}

// What the client has sent is gone, so such a stream is never opened anew.
func TestAStreamOnWhichTheClientHasSentIsNotOpenedAnew(t *testing.T) {
	e := &echo{
		collect: func(int, grpc.ClientStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
			return status.Error(codes.Unavailable, "down")
		},
		chat: func(int, grpc.BidiStreamingServer[echopb.EchoRequest, echopb.EchoReply]) error {
			return status.Error(codes.Unavailable, "down")
		},
	}
	client, stub := pair(t, with(func(c *grpcx.ClientConfig) {
		c.Methods = map[string]grpcx.MethodConfig{"/*": {Idempotency: grpcx.Idempotent}}
	}), e)
	for i, kind := range []string{"client stream", "bidi stream"} {
		wantCode(t, kinds[kind](t.Context(), stub), codes.Unavailable)
		if got := e.calls.Load(); got != int64(i+1) {
			t.Errorf("%s: the server has %d calls, want %d", kind, got, i+1)
		}
	}
	atRest(t, client)
	wantTally(t, client, tally{Failures: 2})
	if s := client.Retry().Stats(); s.NotRetryable != 2 || s.Calls() != 2 {
		t.Errorf("the retry has counted %+v", s)
	}
}

// An interceptor inside that does not pass the options on keeps grpc-go from telling the end: the context tells it too.
func TestAStreamOfWhichNothingIsToldEndsWithItsContext(t *testing.T) {
	swallow := func(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, m string, open grpc.Streamer, _ ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		return open(ctx, desc, cc, m)
	}
	client, stub := pair(t, quick(), &echo{list: silentFor(9)}, grpc.WithChainStreamInterceptor(swallow))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := stub.List(ctx, &echopb.EchoRequest{}); err != nil {
		t.Fatal(err)
	}
	cancel()
	atRest(t, client)
	eventually(t, "there is a verdict", func() bool { return tallyOf(client) == tally{Ignored: 1} })
}

// A header that the caller has seen is an answer.
func TestAStreamWhoseHeaderWasSeenIsNotOpenedAnew(t *testing.T) {
	e := &echo{list: func(_ int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
		if err := stream.SendHeader(metadata.Pairs("seen", "yes")); err != nil {
			return err
		}
		return status.Error(codes.Unavailable, "down")
	}}
	client, stub := pair(t, quick(), e)
	stream, err := stub.List(t.Context(), &echopb.EchoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if md, err := stream.Header(); err != nil || len(md.Get("seen")) != 1 {
		t.Errorf("the header is %v, %v", md, err)
	}
	_, err = stream.Recv()
	wantCode(t, err, codes.Unavailable)
	if got := e.calls.Load(); got != 1 {
		t.Errorf("the server has %d calls", got)
	}
	atRest(t, client)
}

// An open stream ends when the server goes away, with its slot back; the next one finds the new server.
func TestAServerThatGoesAwayLeavesNothingTaken(t *testing.T) {
	n := loopback(t)
	begun := make(chan struct{}, 1)
	e := &echo{list: func(_ int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
		if err := stream.Send(&echopb.EchoReply{}); err != nil {
			return err
		}
		begun <- struct{}{}
		<-stream.Context().Done()
		return stream.Context().Err()
	}}
	server := n.serve(t, e)
	client := grpcx.NewClient("test", quick())
	stub := echopb.NewEchoClient(n.connect(t, client.DialOptions()...))
	stream, err := stub.List(t.Context(), &echopb.EchoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	<-begun
	stopped := make(chan struct{})
	go func() { // GOAWAY: no new calls on this connection, and this one goes on
		defer close(stopped)
		server.GracefulStop()
	}()
	eventually(t, "no call is let in", func() bool {
		_, err := call(t.Context(), stub, post)
		return status.Code(err) == codes.Unavailable || errors.Is(err, seawall.ErrRejected)
	})
	for _, b := range client.StreamBulkheads() {
		if got := b.Stats().InUse; got != 1 {
			t.Errorf("the open stream has %d slots", got)
		}
	}
	server.Stop()
	<-stopped
	_, err = stream.Recv()
	wantCode(t, err, codes.Unavailable)
	atRest(t, client)
}

// T65, T40: whatever is left lying about, goroutines go back to what they were.
func TestAbandonedStreamsLeaveNoGoroutines(t *testing.T) {
	client, stub := pair(t, quick(), &echo{list: silentFor(1000)})
	if _, err := call(t.Context(), stub, get); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	for range 100 {
		if _, err := stub.List(ctx, &echopb.EchoRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := stub.Chat(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range client.StreamBulkheads() {
		if got := b.Stats().InUse; got != 200 {
			t.Errorf("%d slots are in use, want 200", got)
		}
	}
	cancel()
	atRest(t, client)
	eventually(t, "goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	wantTally(t, client, tally{Successes: 1, Ignored: 200})
}

// T65: sending and receiving go on beside each other.
func TestStreamsAreUsedFromBothSidesAtOnce(t *testing.T) {
	client, stub := pair(t, quick(), &echo{})
	stream, err := stub.Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const messages = 1000
	sent := make(chan error, 1)
	go func() {
		for range messages {
			if err := stream.Send(&echopb.EchoRequest{Text: "x"}); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	got := 0
	for {
		if _, err = stream.Recv(); err != nil {
			break
		}
		got++
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	wantCode(t, ended(err), codes.OK)
	if got != messages {
		t.Errorf("%d messages, want %d", got, messages)
	}
	atRest(t, client)
	wantTally(t, client, tally{Successes: 1})
}

// What a stream brings beside its messages is that of the attempt that the caller has read from.
func TestTheResultsOfAStreamAreThoseOfItsLastAttempt(t *testing.T) {
	_, stub := pair(t, quick(), &echo{
		list: func(n int, _ *echopb.EchoRequest, stream grpc.ServerStreamingServer[echopb.EchoReply]) error {
			name := string(rune('0' + n))
			stream.SetTrailer(metadata.Pairs("number", name, "only-"+name, "x"))
			if n < 3 {
				return status.Error(codes.Unavailable, "no")
			}
			if err := stream.SetHeader(metadata.Pairs("number", name)); err != nil {
				return err
			}
			return stream.Send(&echopb.EchoReply{Number: int32(n)})
		},
	})
	var header, trailer metadata.MD
	var p peer.Peer
	numbers, err := list(stub.List(t.Context(), &echopb.EchoRequest{}, grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&p)))
	if err != nil || !slices.Equal(numbers, []int32{3}) {
		t.Errorf("%v, %v", numbers, err)
	}
	if !slices.Equal(header.Get("number"), []string{"3"}) || !slices.Equal(trailer.Get("number"), []string{"3"}) ||
		len(trailer) != 2 || p.Addr == nil || p.Addr.String() != "bufconn" {
		t.Errorf("header %v, trailer %v, peer %v", header, trailer, p)
	}
}

// A policy inside of ours, such as a limit of its own for one server, has said what its rejection means.
func TestARejectionByAPolicyInsideSaysNothingAboutTheServer(t *testing.T) {
	full := seawall.Reject("bulkhead", "inside", seawall.ReasonFull, bulkhead.ErrFull, 0)
	client, stub := pair(t, quick(), &echo{},
		grpc.WithChainUnaryInterceptor(func(
			context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption,
		) error {
			return full
		}),
		grpc.WithChainStreamInterceptor(func(
			context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer, ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			return nil, full
		}))
	for kind, call := range kinds {
		err := call(t.Context(), stub)
		wantIs(t, err, bulkhead.ErrFull)
		if t.Failed() {
			t.Fatal(kind)
		}
	}
	wantTally(t, client, tally{Ignored: 4})
}
