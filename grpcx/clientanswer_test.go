package grpcx_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/timeout"
)

// playedStream is one of which the test says what happens in its methods.
type playedStream struct {
	scriptedStream
	recv   func(s *playedStream, n int) error
	header func() (metadata.MD, error)
	n      int
}

func (s *playedStream) RecvMsg(any) error            { s.n++; return s.recv(s, s.n) }
func (s *playedStream) Header() (metadata.MD, error) { return s.header() }

// play opens a stream of answers, of which each attempt is one of the given streams, with its request sent.
func play(t *testing.T, ctx context.Context, client *grpcx.Client, attempts []*playedStream, o ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	var streams []*scriptedStream
	for _, a := range attempts {
		streams = append(streams, &a.scriptedStream)
	}
	next := inTurn(streams)
	stream, err := client.StreamInterceptor()(ctx, &grpc.StreamDesc{ServerStreams: true}, nil, "/a.B/C",
		func(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, m string, o ...grpc.CallOption) (grpc.ClientStream, error) {
			a := attempts[0]
			attempts = attempts[1:]
			_, err := next(ctx, d, c, m, o...)
			return a, err
		}, o...)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg("request"); err != nil {
		t.Fatal(err)
	}
	return stream
}

// An answer was once taken from an attempt of which grpc-go had said at the same time that it is over: the call waited for
// another attempt that nobody made, and OnFinish never came.
func TestAnAnswerThatComesWithTheEndOfItsAttemptDoesNotLoseTheCall(t *testing.T) {
	down := status.Error(codes.Unavailable, "down")
	client := grpcx.NewClient("test", quick())
	var finished []error
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := play(t, ctx, client, []*playedStream{
		{recv: func(s *playedStream, _ int) error { s.finished(down); return nil }},
		{recv: func(_ *playedStream, n int) error { return []error{nil, io.EOF}[n-1] }},
	}, grpcx.CallIdempotent(), grpc.OnFinish(func(err error) { finished = append(finished, err) }))
	var reply string
	if err := stream.RecvMsg(&reply); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(&reply); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if len(finished) != 1 || finished[0] != nil {
		t.Errorf("OnFinish has got %v", finished)
	}
	wantTally(t, client, tally{Successes: 1, Failures: 1})
	atRest(t, client)
}

// An attempt that broke off as soon as it was open, as the second of its call, left nobody who would end that call.
func TestASecondAttemptThatEndsAtOnceDoesNotLoseTheCall(t *testing.T) {
	down := status.Error(codes.Unavailable, "down")
	client := grpcx.NewClient("test", quick())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var finished atomic.Int64
	attempts := 0
	stream, err := client.StreamInterceptor()(ctx, &grpc.StreamDesc{ServerStreams: true}, nil, "/a.B/C",
		func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, o ...grpc.CallOption) (grpc.ClientStream, error) {
			attempts++
			if attempts == 1 {
				return nil, down
			}
			s := &scriptedStream{ctx: ctx}
			for _, o := range o {
				if o, ok := o.(grpc.OnFinishCallOption); ok {
					o.OnFinish(down)
				}
			}
			return s, nil
		}, grpcx.CallIdempotent(), grpc.OnFinish(func(error) { finished.Add(1) }))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg("request"); err != nil {
		t.Fatal(err)
	}
	cancel()
	eventually(t, "OnFinish has run", func() bool { return finished.Load() == 1 })
	if s := client.Retry().Stats(); s.Calls() != 1 || s.Attempts != 2 {
		t.Errorf("the retry counts %+v", s)
	}
}

// A limit that passes while the caller is in Header once had the call ended by nobody, if the caller then left.
func TestAHeaderBehindTheLimitDoesNotLoseTheCall(t *testing.T) {
	for range 100 { // whoever is first to hear of the context: Header, or who watches over it
		synctest.Test(t, func(t *testing.T) {
			client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = time.Second }))
			ctx, cancel := context.WithCancel(t.Context())
			var finished atomic.Int64
			s := &playedStream{}
			s.header = func() (metadata.MD, error) { <-s.ctx.Done(); return metadata.MD{}, nil }
			stream := play(t, ctx, client, []*playedStream{s}, grpcx.CallIdempotent(), grpc.OnFinish(func(error) { finished.Add(1) }))
			_, _ = stream.Header()
			cancel()
			synctest.Wait()
			if n := finished.Load(); n != 1 {
				t.Fatalf("OnFinish has run %d times", n)
			}
		})
	}
}

// What comes when the limit has passed is no answer any more. It once was to the caller, while the breaker and OnFinish were
// told of the limit.
func TestAnAnswerBehindTheLimitIsNoneForAnybody(t *testing.T) {
	for name, late := range map[string]error{"message": nil, "end": io.EOF} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = time.Second }))
				var finished error
				stream := play(t, t.Context(), client, []*playedStream{
					{recv: func(*playedStream, int) error { time.Sleep(2 * time.Second); return late }},
				}, grpc.OnFinish(func(err error) { finished = err }))
				err := stream.RecvMsg(new(string))
				wantCode(t, err, codes.DeadlineExceeded)
				wantIs(t, err, timeout.ErrExceeded)
				wantIs(t, finished, timeout.ErrExceeded)
				wantTally(t, client, tally{Failures: 1})
			})
		})
	}
}

// The header of an attempt that had failed once counted as the answer of the next one, whose limit then went on behind its
// own answer, and cut it off.
func TestAHeaderOfAnEarlierAttemptIsNoAnswerOfTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = 5 * time.Second }))
		second := func(s *playedStream, n int) error {
			if n == 3 {
				return io.EOF
			}
			select {
			case <-time.After(4 * time.Second):
				return nil
			case <-s.ctx.Done():
				return status.FromContextError(s.ctx.Err()).Err()
			}
		}
		stream := play(t, t.Context(), client, []*playedStream{
			{
				recv: func(*playedStream, int) error {
					time.Sleep(time.Second)
					return status.Error(codes.Unavailable, "down")
				},
				header: func() (metadata.MD, error) { time.Sleep(2 * time.Second); return metadata.Pairs("of", "first"), nil },
			},
			{
				recv:   second,
				header: func() (metadata.MD, error) { time.Sleep(time.Second); return metadata.Pairs("of", "second"), nil },
			},
		}, grpcx.CallIdempotent())
		header := make(chan metadata.MD)
		go func() {
			md, err := stream.Header()
			if err != nil {
				t.Error(err)
			}
			header <- md
		}()
		for n := range 2 {
			if err := stream.RecvMsg(new(string)); err != nil {
				t.Fatalf("message %d: %v", n, err)
			}
		}
		if err := stream.RecvMsg(new(string)); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if md := <-header; md.Get("of")[0] != "second" {
			t.Errorf("the header is %v", md)
		}
	})
}

// A header that came before a stream failed for good stays readable.
func TestTheHeaderOfAStreamThatHasFailedIsThere(t *testing.T) {
	client := grpcx.NewClient("test", quick())
	stream := play(t, t.Context(), client, []*playedStream{{
		recv:   func(*playedStream, int) error { return status.Error(codes.Internal, "no") },
		header: func() (metadata.MD, error) { return metadata.Pairs("of", "first"), nil },
	}}, grpcx.CallIdempotent())
	wantCode(t, stream.RecvMsg(new(string)), codes.Internal)
	if md, err := stream.Header(); err != nil || len(md.Get("of")) != 1 {
		t.Errorf("got %v, %v", md, err)
	}
}

// A call whose caller had left before is none of the retry's, as a unary one.
func TestAStreamOfACallerWhoHasLeftIsNoAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client, stub := pair(t, quick(), &echo{})
	finished := 0
	_, err := stub.List(ctx, &echopb.EchoRequest{}, grpc.OnFinish(func(error) { finished++ }))
	wantCode(t, err, codes.Canceled)
	if _, err := stub.Get(ctx, &echopb.EchoRequest{}); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	if s := client.Retry().Stats(); s.Calls() != 0 || s.Attempts != 0 || finished != 1 {
		t.Errorf("the retry counts %+v, and OnFinish has run %d times", s, finished)
	}
}

// The total limit of a stream ended no wait for a slot if it was shorter than what the queue allows, and the caller had no
// deadline: the call waited until a slot came free, for ever perhaps.
func TestTheTotalLimitOfAStreamEndsItsWaitForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) {
			c.Timeout, c.StreamBulkhead.Limit, c.StreamBulkhead.Queue.MaxWait = time.Second, 1, time.Hour
		}))
		held, cancel := context.WithCancel(t.Context())
		play(t, held, client, []*playedStream{{}}, grpcx.CallTimeout(grpcx.Off), grpcx.CallAttemptTimeout(grpcx.Off))
		time.AfterFunc(time.Minute, cancel) // so that the test ends without the limit as well
		began := time.Now()
		_, err := client.StreamInterceptor()(t.Context(), &grpc.StreamDesc{ServerStreams: true}, nil, "/a.B/C", inTurn(nil))
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		wantCode(t, err, codes.DeadlineExceeded)
		wantIs(t, err, timeout.ErrExceeded)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is the caller's deadline", err)
		}
		cancel()
		synctest.Wait()
		wantTally(t, client, tally{Ignored: 2})
		atRest(t, client)
	})
}

// lookedAt is a reply that counts who looks at it.
type lookedAt struct {
	*echopb.EchoReply
	looks *atomic.Int64
}

func (l lookedAt) ProtoReflect() protoreflect.Message {
	l.looks.Add(1)
	return l.EchoReply.ProtoReflect()
}

// The first thing that an attempt of a hedged call did was to look at the caller's reply, for its kind. One that began when
// another one had won did so while the caller read it, which is a race.
func TestAttemptsOfAHedgedCallDoNotLookAtTheCallersReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) { c.Hedge = &hedge.Config{Delay: time.Second} }))
		reply := &lookedAt{EchoReply: new(echopb.EchoReply), looks: new(atomic.Int64)}
		looks := make(chan int64, 2)
		err := client.UnaryInterceptor()(t.Context(), "/a.B/C", nil, reply, nil,
			func(ctx context.Context, _ string, _, of any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				of.(*echopb.EchoReply).Text = "answered"
				looks <- reply.looks.Load()
				if seawall.Attempt(ctx) == 1 {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}, grpcx.CallIdempotent())
		if err != nil || reply.GetText() != "answered" {
			t.Errorf("got %q, %v", reply.GetText(), err)
		}
		if first, second := <-looks, <-looks; first != second {
			t.Errorf("the first attempt found that it had been looked at %d times, the second one %d", first, second)
		}
	})
}
