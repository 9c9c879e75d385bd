package grpcx_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// T58: grpc-go, and a server that knows the deadline, may be faster than the timer of the context.
func TestALimitIsOursAlsoIfOthersHearOfItFirst(t *testing.T) {
	const limit = 30 * time.Millisecond
	for _, code := range []codes.Code{codes.DeadlineExceeded, codes.Canceled} {
		synctest.Test(t, func(t *testing.T) {
			client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) {
				c.AttemptTimeout, c.Retry.MaxAttempts, c.Breaker.MinCalls = limit, 1, 1000
			}))
			const calls = 50
			for range calls {
				passed := time.After(limit) // at the same instant as the timer of the context, and often before it
				err := client.UnaryInterceptor()(t.Context(), "/a.B/C", nil, nil, nil,
					func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
						<-passed
						return status.Error(code, "from elsewhere")
					})
				wantCode(t, err, codes.DeadlineExceeded)
				wantIs(t, err, timeout.ErrExceeded)
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v is the caller's deadline", err)
				}
			}
			wantTally(t, client, tally{Failures: calls})
		})
	}
}

// scriptedStream is a stream of which the test says what comes from the wire, and when grpc-go says that it is over.
type scriptedStream struct {
	grpc.ClientStream
	ctx      context.Context
	receive  []error // one for each RecvMsg
	finished func(error)
}

func (s *scriptedStream) SendMsg(any) error        { return nil }
func (s *scriptedStream) CloseSend() error         { return nil }
func (s *scriptedStream) Context() context.Context { return s.ctx }
func (s *scriptedStream) Trailer() metadata.MD     { return nil }
func (s *scriptedStream) RecvMsg(any) (err error) {
	err, s.receive = s.receive[0], s.receive[1:]
	return err
}

// inTurn opens one stream after the other.
func inTurn(streams []*scriptedStream) grpc.Streamer {
	return func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, o ...grpc.CallOption) (grpc.ClientStream, error) {
		s := streams[0]
		streams = streams[1:]
		s.ctx = ctx
		for _, o := range o {
			if o, ok := o.(grpc.OnFinishCallOption); ok {
				s.finished = o.OnFinish
			}
		}
		return s, nil
	}
}

// T65: grpc-go tells of the end of an attempt from a goroutine of its own, perhaps when the next one has answered.
func TestAnEndThatIsToldLateDoesNotEndTheNextAttempt(t *testing.T) {
	down := status.Error(codes.Unavailable, "down")
	attempts := []*scriptedStream{{receive: []error{down}}, {receive: []error{nil, io.EOF}}}
	client := grpcx.NewClient("test", quick())
	var finished []error
	stream, err := client.StreamInterceptor()(t.Context(), &grpc.StreamDesc{ServerStreams: true}, nil, "/a.B/C",
		inTurn(attempts), grpcx.CallIdempotent(), grpc.OnFinish(func(err error) { finished = append(finished, err) }))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg("request"); err != nil {
		t.Fatal(err)
	}
	var reply string
	if err := stream.RecvMsg(&reply); err != nil {
		t.Fatal(err)
	}
	attempts[0].finished(down)
	if attempts[1].ctx == nil || len(finished) != 0 {
		t.Errorf("in the second attempt OnFinish has got %v", finished)
	}
	for _, b := range client.StreamBulkheads() {
		if got := b.Stats().InUse; got != 1 {
			t.Errorf("%d slots are in use", got)
		}
	}
	if err := stream.RecvMsg(&reply); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	attempts[1].finished(nil)
	if len(finished) != 1 || finished[0] != nil {
		t.Errorf("OnFinish has got %v", finished)
	}
	wantTally(t, client, tally{Successes: 1, Failures: 1})
	atRest(t, client)
}

// watched is a context that never ends, and counts who waits for its end.
type watched struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int64
}

func (w *watched) Done() <-chan struct{} { return w.done }
func (w *watched) AfterFunc(func()) (stop func() bool) {
	w.waiting.Add(1)
	return sync.OnceValue(func() bool {
		w.waiting.Add(-1)
		return true
	})
}

// A caller may live as long as the program, and all streams that there ever were would hang on its context.
func TestAStreamThatIsOverDoesNotHangOnItsCallersContext(t *testing.T) {
	down := status.Error(codes.Unavailable, "down")
	attempts := []*scriptedStream{{receive: []error{down}}, {receive: []error{nil, io.EOF}}}
	client := grpcx.NewClient("test", quick())
	caller := &watched{Context: context.Background(), done: make(chan struct{})}
	stream, err := client.StreamInterceptor()(caller, &grpc.StreamDesc{ServerStreams: true}, nil, "/a.B/C",
		inTurn(attempts), grpcx.CallIdempotent())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg("request"); err != nil {
		t.Fatal(err)
	}
	attempts[0].finished(down)
	if caller.waiting.Load() == 0 {
		t.Error("a stream that may be opened anew would not hear of its caller's leaving")
	}
	var reply string
	if err := stream.RecvMsg(&reply); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(&reply); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if got := caller.waiting.Load(); got != 0 {
		t.Errorf("%d still wait for the end of the caller", got)
	}
	atRest(t, client)
}

// T65: a stream that could be opened anew, and that nobody reads from any more, is one call, and ends with its context.
func TestACallThatIsLeftBetweenTwoAttemptsEndsWithItsContext(t *testing.T) {
	client, stub := pair(t, with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = 20 * time.Millisecond }), &echo{list: silentFor(9)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var finished atomic.Int64
	if _, err := stub.List(ctx, &echopb.EchoRequest{}, grpc.OnFinish(func(err error) {
		wantCode(t, err, codes.Canceled)
		finished.Add(1)
	})); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the attempt is over", func() bool { return tallyOf(client) == tally{Failures: 1} })
	if s := client.Retry().Stats(); finished.Load() != 0 || s.Calls() != 0 {
		t.Errorf("OnFinish has run %d times, and the retry counts %+v", finished.Load(), s)
	}
	cancel()
	eventually(t, "OnFinish has run", func() bool { return finished.Load() == 1 })
	if s := client.Retry().Stats(); s.Calls() != 1 {
		t.Errorf("the retry counts %+v", s)
	}
	atRest(t, client)
}

// The client's policies see a stream that an injected fault has hurt as if the server had failed.
func TestAFaultOfAStreamIsTheVerdictOnIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault fault.Fault
		count int32 // messages
		calls int64
		want  tally
	}{
		{"a lost answer", fault.Fault{Kind: fault.AckLost}, 3, 1, tally{Failures: 1}},
		{"broken off behind a message", fault.Fault{Kind: fault.Truncate, Messages: 1}, 3, 1, tally{Failures: 1}},
		{"lost without a message", fault.Fault{Kind: fault.AckLost}, 0, 3, tally{Failures: 3}},
	} {
		f := c.fault
		f.For, f.Target = time.Hour, "echo"
		injector := fault.New("test", fault.Config{Plan: fault.Plan{Faults: []fault.Fault{f}}, Registry: silent()})
		if err := injector.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		faults := grpcx.ClientFaults(injector.Point("echo"))
		e := &echo{}
		client, stub := pair(t, quick(), e, grpc.WithChainStreamInterceptor(faults.Stream))
		var finished []error
		_, err := list(stub.List(t.Context(), &echopb.EchoRequest{Count: c.count},
			grpc.OnFinish(func(err error) { finished = append(finished, err) })))
		wantCode(t, err, codes.Unavailable)
		if len(finished) != 1 || status.Code(finished[0]) != codes.Unavailable {
			t.Errorf("%s: OnFinish has got %v", c.name, finished)
		}
		if got := e.calls.Load(); got != c.calls {
			t.Errorf("%s: the server has %d calls, want %d", c.name, got, c.calls)
		}
		atRest(t, client)
		wantTally(t, client, c.want)
		injector.Stop()
	}
}

// A caller who leaves while a stream waits for its next attempt has ended the call, and not the attempt before.
func TestACallerWhoLeavesBetweenTwoAttemptsHasEndedTheCall(t *testing.T) {
	why := errors.New("the user has left")
	for kind, run := range map[string]func(context.Context, *grpcx.Client) error{
		"unary": func(ctx context.Context, client *grpcx.Client) error {
			return over(ctx, client, "/a.B/C", unavailable, grpcx.CallIdempotent())
		},
		"stream": func(ctx context.Context, client *grpcx.Client) error {
			_, err := streamOver(ctx, client, "/a.B/C", noStream(unavailable), grpcx.CallIdempotent())
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) {
				c.Timeout, c.Retry.Backoff = time.Hour, retry.Backoff{Base: time.Minute, Max: time.Minute, Kind: retry.EqualJitter}
			}))
			ctx, leave := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, client) }()
			synctest.Wait()
			leave(why)
			err := <-ended
			if status.Code(err) != codes.Canceled || !errors.Is(err, why) {
				t.Errorf("%s: ended with %v", kind, err)
			}
			if s := client.Retry().Stats(); s.Canceled != 1 || s.Attempts != 1 {
				t.Errorf("%s: the retry has counted %+v", kind, s)
			}
			wantTally(t, client, tally{Failures: 1})
		})
	}
}
