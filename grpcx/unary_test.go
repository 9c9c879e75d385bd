package grpcx_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
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
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

type unaryFunc = func(ctx context.Context, n int, req *echopb.EchoRequest) (*echopb.EchoReply, error)

// failing answers the first calls with a code, and with what md adds to the trailer.
func failing(times int, code codes.Code, trailer ...string) unaryFunc {
	return func(ctx context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
		if n > times {
			return &echopb.EchoReply{Number: int32(n)}, nil
		}
		_ = grpc.SetTrailer(ctx, metadata.Pairs(trailer...))
		return nil, status.Error(code, "no")
	}
}

// hanging lets the first calls hang until they are canceled.
func hanging(times int) unaryFunc {
	return func(ctx context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
		if n > times {
			return &echopb.EchoReply{Number: int32(n)}, nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

const (
	get  = "Get"  // NO_SIDE_EFFECTS
	put  = "Put"  // IDEMPOTENT
	post = "Post" // unknown
)

// call calls a unary method by its name.
func call(ctx context.Context, c echopb.EchoClient, method string, o ...grpc.CallOption) (*echopb.EchoReply, error) {
	req := &echopb.EchoRequest{Text: "hello"}
	switch method {
	case get:
		return c.Get(ctx, req, o...)
	case put:
		return c.Put(ctx, req, o...)
	}
	return c.Post(ctx, req, o...)
}

func with(change func(*grpcx.ClientConfig)) grpcx.ClientConfig {
	cfg := quick()
	change(&cfg)
	return cfg
}

// What is repeated, and what the caller sees, over real connections of both kinds.
func TestUnaryCallsAreRepeatedAsTheTableSays(t *testing.T) {
	trusting := with(func(c *grpcx.ClientConfig) { c.TrustPeer = grpcx.TrustAll })
	for _, c := range []struct {
		name   string
		cfg    grpcx.ClientConfig
		method string
		opts   []grpc.CallOption
		server unaryFunc
		calls  int64 // at the server
		code   codes.Code
	}{
		{"an answer", quick(), post, nil, nil, 1, codes.OK},
		{"UNAVAILABLE, without side effects", quick(), get, nil, failing(2, codes.Unavailable), 3, codes.OK},
		{"UNAVAILABLE, idempotent", quick(), put, nil, failing(2, codes.Unavailable), 3, codes.OK},
		{"UNAVAILABLE, not idempotent", quick(), post, nil, failing(2, codes.Unavailable), 1, codes.Unavailable},
		{"attempts used up", quick(), get, nil, failing(9, codes.Unavailable), 3, codes.Unavailable},
		{"idempotent by option", quick(), post, []grpc.CallOption{grpcx.CallIdempotent()}, failing(1, codes.Unavailable), 2, codes.OK},
		{"once by option", quick(), get, []grpc.CallOption{grpcx.CallMaxAttempts(1)}, failing(1, codes.Unavailable), 1, codes.Unavailable},
		{"idempotent by the table", with(func(c *grpcx.ClientConfig) {
			c.Methods = map[string]grpcx.MethodConfig{"/seawall.grpcx.echo.v1.Echo/Po*": {Idempotency: grpcx.Idempotent}}
		}), post, nil, failing(1, codes.Unavailable), 2, codes.OK},
		{"not idempotent by the table", with(func(c *grpcx.ClientConfig) {
			c.Methods = map[string]grpcx.MethodConfig{"/*": {Idempotency: grpcx.NotIdempotent}}
		}), get, nil, failing(1, codes.Unavailable), 1, codes.Unavailable},

		{"refused, not believed", quick(), post, nil, failing(1, codes.Unavailable, "seawall-pushback", "refused"), 1, codes.Unavailable},
		{"refused, believed", trusting, post, nil, failing(1, codes.Unavailable, "seawall-pushback", "refused"), 2, codes.OK},
		{"RESOURCE_EXHAUSTED refused, believed", trusting, post, nil, failing(1, codes.ResourceExhausted, "seawall-pushback", "refused"), 2, codes.OK},
		{"final", quick(), get, nil, failing(1, codes.Unavailable, "seawall-pushback", "final"), 1, codes.Unavailable},
		{"final and refused", trusting, get, nil, failing(1, codes.Unavailable, "seawall-pushback", "final", "seawall-pushback", "refused"), 1, codes.Unavailable},
		{"pushback −1", quick(), get, nil, failing(1, codes.Unavailable, "grpc-retry-pushback-ms", "-1"), 1, codes.Unavailable},
		{"pushback garbage", quick(), get, nil, failing(1, codes.Unavailable, "grpc-retry-pushback-ms", "soon"), 1, codes.Unavailable},
		{"pushback twice", quick(), get, nil, failing(1, codes.Unavailable, "grpc-retry-pushback-ms", "1", "grpc-retry-pushback-ms", "1"), 1, codes.Unavailable},
		{"pushback 0", quick(), get, nil, failing(1, codes.Unavailable, "grpc-retry-pushback-ms", "0"), 2, codes.OK},
		{"UNAVAILABLE with a time, not idempotent", quick(), post, nil, failing(1, codes.Unavailable, "grpc-retry-pushback-ms", "1"), 1, codes.Unavailable},
		{"RESOURCE_EXHAUSTED", quick(), get, nil, failing(1, codes.ResourceExhausted), 2, codes.OK},
		{"RESOURCE_EXHAUSTED, not idempotent", quick(), post, nil, failing(1, codes.ResourceExhausted), 1, codes.ResourceExhausted},
		{"RESOURCE_EXHAUSTED with a time, not idempotent", quick(), post, nil, failing(1, codes.ResourceExhausted, "grpc-retry-pushback-ms", "1"), 2, codes.OK},

		{"DEADLINE_EXCEEDED by the peer", quick(), get, nil, failing(1, codes.DeadlineExceeded), 2, codes.OK},
		{"CANCELLED by the peer", quick(), get, nil, failing(1, codes.Canceled), 2, codes.OK},
		{"CANCELLED by the peer, not idempotent", quick(), post, nil, failing(1, codes.Canceled), 1, codes.Canceled},
		{"INTERNAL", quick(), get, nil, failing(1, codes.Internal), 1, codes.Internal},
		{"UNKNOWN", quick(), get, nil, failing(1, codes.Unknown), 1, codes.Unknown},
		{"DATA_LOSS", quick(), get, nil, failing(1, codes.DataLoss), 1, codes.DataLoss},
		{"ABORTED", quick(), get, nil, failing(1, codes.Aborted), 1, codes.Aborted},
		{"NOT_FOUND", quick(), get, nil, failing(1, codes.NotFound), 1, codes.NotFound},
		{
			"INTERNAL, listed", with(func(c *grpcx.ClientConfig) { c.RetryCodes = []codes.Code{codes.Internal} }),
			get, nil, failing(1, codes.Internal), 2, codes.OK,
		},
		{
			"INTERNAL, listed, not idempotent", with(func(c *grpcx.ClientConfig) { c.RetryCodes = []codes.Code{codes.Internal} }),
			post, nil, failing(1, codes.Internal), 1, codes.Internal,
		},
		{"ABORTED, listed for the method", with(func(c *grpcx.ClientConfig) {
			c.Methods = map[string]grpcx.MethodConfig{
				"/seawall.grpcx.echo.v1.Echo/Get": {RetryCodes: []codes.Code{codes.Aborted}},
			}
		}), get, nil, failing(1, codes.Aborted), 2, codes.OK},
		{
			"our attempt limit", with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = 300 * time.Millisecond }),
			get, nil, hanging(1), 2, codes.OK,
		},
		{
			"our attempt limit, not idempotent", with(func(c *grpcx.ClientConfig) { c.AttemptTimeout = 300 * time.Millisecond }),
			post, nil, hanging(1), 1, codes.DeadlineExceeded,
		},
		{
			"attempt limit by option", quick(), get,
			[]grpc.CallOption{grpcx.CallAttemptTimeout(300 * time.Millisecond)},
			hanging(1), 2, codes.OK,
		},
		{"attempt limit of the method", with(func(c *grpcx.ClientConfig) {
			c.Methods = map[string]grpcx.MethodConfig{"/*": {AttemptTimeout: 300 * time.Millisecond}}
		}), get, nil, hanging(1), 2, codes.OK},
		{
			"our total limit", with(func(c *grpcx.ClientConfig) { c.Timeout = 300 * time.Millisecond }),
			get, nil, hanging(9), 1, codes.DeadlineExceeded,
		},
		{
			"total limit by option", quick(), get,
			[]grpc.CallOption{grpcx.CallTimeout(300 * time.Millisecond)},
			hanging(9), 1, codes.DeadlineExceeded,
		},
		{"total limit of the method", with(func(c *grpcx.ClientConfig) {
			c.Methods = map[string]grpcx.MethodConfig{"/*": {Timeout: 300 * time.Millisecond}}
		}), get, nil, hanging(9), 1, codes.DeadlineExceeded},
	} {
		for name, on := range map[string]func(testing.TB) network{"bufconn": inMemory, "loopback": loopback} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				e := &echo{unary: c.server}
				n := on(t)
				n.serve(t, e)
				client := grpcx.NewClient("test", c.cfg)
				reply, err := call(t.Context(), echopb.NewEchoClient(n.connect(t, client.DialOptions()...)), c.method, c.opts...)
				wantCode(t, err, c.code)
				if got := e.calls.Load(); got != c.calls {
					t.Errorf("the server has %d calls, want %d", got, c.calls)
				}
				if err == nil && reply.GetNumber() != int32(c.calls) {
					t.Errorf("the reply is %v", reply)
				}
				atRest(t, client)
			})
		}
	}
}

// A connection that was never there has carried nothing, so even a call with effects is repeated.
func TestACallThatWasNotSentIsRepeatedWhateverItDoes(t *testing.T) {
	for name, opts := range map[string][]grpc.CallOption{"fails fast": nil, "waits": {grpc.WaitForReady(true)}} {
		t.Run(name, func(t *testing.T) {
			var dials atomic.Int64
			n := inMemory(t)
			n.dial = []grpc.DialOption{grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
				dials.Add(1)
				return nil, errors.New("refused")
			})}
			attempts := 0
			cfg := with(func(c *grpcx.ClientConfig) {
				c.Timeout = 200 * time.Millisecond
				c.AttemptTimeout = 20 * time.Millisecond
			})
			client := grpcx.NewClient("test", cfg)
			count := func(
				ctx context.Context, m string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption,
			) error {
				attempts++
				return invoke(ctx, m, req, reply, cc, o...)
			}
			conn := n.connect(t, append(client.DialOptions(), grpc.WithChainUnaryInterceptor(count))...)
			_, err := call(t.Context(), echopb.NewEchoClient(conn), post, opts...)
			if opts == nil {
				wantCode(t, err, codes.Unavailable)
				if attempts != 3 {
					t.Errorf("%d attempts, want 3", attempts)
				}
				return
			}
			// It is one waiting attempt, not a loop of them, and not cut by the attempt limit.
			wantCode(t, err, codes.DeadlineExceeded)
			if limit, ok := errors.AsType[*timeout.ExceededError](err); !ok || limit.Limit != cfg.Timeout {
				t.Errorf("it has met %v", err)
			}
			if attempts != 1 {
				t.Errorf("%d attempts, want 1", attempts)
			}
			wantTally(t, client, tally{Failures: 1})
		})
	}
}

// A call that has waited for a connection in vain does not wait for it again.
func TestACallThatHasWaitedIsNotRepeated(t *testing.T) {
	n := inMemory(t)
	n.dial = []grpc.DialOption{grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
		return nil, errors.New("refused")
	})}
	client := grpcx.NewClient("test", quick())
	conn := n.connect(t, client.DialOptions()...)
	ended := make(chan error, 1)
	go func() {
		_, err := call(t.Context(), echopb.NewEchoClient(conn), get, grpc.WaitForReady(true))
		ended <- err
	}()
	eventually(t, "the call waits", func() bool {
		for _, b := range client.Bulkheads() {
			return b.Stats().InUse == 1
		}
		return false
	})
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	wantCode(t, <-ended, codes.Canceled)
	wantTally(t, client, tally{Failures: 1})
}

// Options that an interceptor inside swallows tell nothing, and nothing is not proof that nothing was sent.
func TestACallOfWhichNothingIsKnownCountsAsSent(t *testing.T) {
	swallow := func(
		ctx context.Context, m string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, _ ...grpc.CallOption,
	) error {
		return invoke(ctx, m, req, reply, cc)
	}
	e := &echo{unary: failing(1, codes.Unavailable)}
	_, client := pair(t, quick(), e, grpc.WithChainUnaryInterceptor(swallow))
	_, err := call(t.Context(), client, post)
	wantCode(t, err, codes.Unavailable)
	if got := e.calls.Load(); got != 1 {
		t.Errorf("the server has %d calls, want 1", got)
	}
}

// T13, T58: whoever ends a call, its error and its outcome say who.
func TestTheErrorSaysWhoHasEndedTheCall(t *testing.T) {
	errWhy := errors.New("the user has left")
	for _, c := range []struct {
		name    string
		cfg     grpcx.ClientConfig
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		code    codes.Code
		is, not []error
		counts  tally
	}{
		{
			"the caller leaves", with(func(c *grpcx.ClientConfig) { // which is not for a classifier to judge
				c.Breaker.Classify = func(error) seawall.Verdict { return seawall.Verdict{Outcome: failure} }
			}),
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(30*time.Millisecond, func() { cancel(errWhy) })
				return ctx, func() { cancel(nil) }
			},
			codes.Canceled,
			[]error{errWhy},
			[]error{timeout.ErrExceeded, context.DeadlineExceeded},
			tally{Ignored: 1},
		},
		{
			"the caller's deadline", quick(),
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 30*time.Millisecond)
			},
			codes.DeadlineExceeded,
			[]error{context.DeadlineExceeded},
			[]error{timeout.ErrExceeded},
			tally{Failures: 1},
		},
		{
			"our total limit", with(func(c *grpcx.ClientConfig) { c.Timeout = 30 * time.Millisecond }),
			context.WithCancel,
			codes.DeadlineExceeded,
			[]error{timeout.ErrExceeded},
			[]error{context.DeadlineExceeded, context.Canceled},
			tally{Failures: 1},
		},
		{
			"our attempt limit", with(func(c *grpcx.ClientConfig) {
				c.AttemptTimeout = 30 * time.Millisecond
				c.Retry.MaxAttempts = 1
			}),
			context.WithCancel,
			codes.DeadlineExceeded,
			[]error{timeout.ErrExceeded},
			[]error{context.DeadlineExceeded, context.Canceled},
			tally{Failures: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &echo{unary: hanging(9)}
			client, stub := pair(t, c.cfg, e)
			ctx, cancel := c.ctx(t.Context())
			defer cancel()
			_, err := call(ctx, stub, get)
			wantCode(t, err, c.code)
			for _, target := range c.is {
				wantIs(t, err, target)
			}
			for _, target := range c.not {
				if errors.Is(err, target) {
					t.Errorf("%v matches %v", err, target)
				}
			}
			if timeouts, ok := errors.AsType[interface {
				error
				Timeout() bool
			}](err); !ok || timeouts.Timeout() != (c.code == codes.DeadlineExceeded) {
				t.Errorf("%v: Timeout is wrong", err)
			}
			wantTally(t, client, c.counts)
			if got := e.calls.Load(); got > 1 {
				t.Errorf("the server has %d calls", got)
			}
			atRest(t, client)
		})
	}
}

// T13
func TestACallWhoseCallerHasLeftBeforeItBeganCountsNowhere(t *testing.T) {
	e := &echo{}
	client, stub := pair(t, quick(), e)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, method := range []string{get, post} {
		_, err := call(ctx, stub, method)
		wantCode(t, err, codes.Canceled)
		wantIs(t, err, context.Canceled)
	}
	for name, make := range kinds {
		wantCode(t, make(ctx, stub), codes.Canceled)
		if e.calls.Load() != 0 {
			t.Errorf("%s has reached the server", name)
		}
	}
	wantTally(t, client, tally{})
}

// T66, over the wire: what each code says to the breaker.
func TestEveryCodeReachesTheBreakerAsItsOutcome(t *testing.T) {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		client, stub := pair(t, with(func(c *grpcx.ClientConfig) { c.Retry.MaxAttempts = 1 }), &echo{unary: failing(9, code)})
		_, err := call(t.Context(), stub, get)
		wantCode(t, err, code)
		want := tally{Successes: 1}
		switch grpcx.Judge(grpcx.Ending{Code: code}).Outcome {
		case failure:
			want = tally{Failures: 1}
		case overload:
			want = tally{Overloads: 1}
		case success, ignored:
		}
		wantTally(t, client, want)
	}
}

// The status of the server comes through as it is, with its details.
func TestASingleAttemptsErrorIsTheServersStatus(t *testing.T) {
	detailed, err := status.New(codes.NotFound, "no such item").WithDetails(&errdetails.ErrorInfo{Reason: "GONE"})
	if err != nil {
		t.Fatal(err)
	}
	_, stub := pair(t, quick(), &echo{
		unary: func(context.Context, int, *echopb.EchoRequest) (*echopb.EchoReply, error) { return nil, detailed.Err() },
	})
	_, err = call(t.Context(), stub, get)
	st, ok := status.FromError(err)
	if !ok || st.Code() != codes.NotFound || st.Message() != "no such item" || len(st.Details()) != 1 {
		t.Errorf("the status is %v, %v", st, ok)
	}
	if want := "rpc error: code = NotFound desc = no such item"; err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
	if v := seawall.Classify(err); v != (seawall.Verdict{}) {
		t.Errorf("to a policy around the call it is %+v, want a success", v)
	}
}

// After several attempts the error has all of them, and the status of the last.
func TestTheErrorOfSeveralAttemptsHasTheLastStatusAndAllErrors(t *testing.T) {
	_, stub := pair(t, quick(), &echo{unary: func(_ context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
		if n == 1 {
			return nil, status.Error(codes.ResourceExhausted, "first")
		}
		st, err := status.New(codes.Unavailable, "then").WithDetails(&errdetails.ErrorInfo{Reason: "DOWN"})
		if err != nil {
			return nil, err
		}
		return nil, st.Err()
	}})
	_, err := call(t.Context(), stub, get)
	wantIs(t, err, retry.ErrExhausted)
	st, ok := status.FromError(err)
	if !ok || st.Code() != codes.Unavailable || len(st.Details()) != 1 || !strings.Contains(st.Message(), "3 attempts") {
		t.Errorf("the status is %v, %v", st, ok)
	}
	wantIs(t, err, status.Error(codes.ResourceExhausted, "first"))
	if v := seawall.Classify(err); v.Outcome != failure || v.Repeat != never {
		t.Errorf("to a policy around the call it is %+v", v)
	}
}

// T70: an open breaker and a full bulkhead are status errors that say who, why and until when.
func TestOurRejectionsAreStatusErrors(t *testing.T) {
	open := func(c *grpcx.ClientConfig) { c.Breaker.Mode = seawall.ForcedOpen }
	full := func(c *grpcx.ClientConfig) {
		c.Bulkhead = bulkhead.Config{Limit: 1, Mode: seawall.ForcedOpen}
		c.StreamBulkhead = c.Bulkhead
	}
	for _, c := range []struct {
		name     string
		change   func(*grpcx.ClientConfig)
		sentinel error
	}{
		{"breaker", open, breaker.ErrOpen},
		{"bulkhead", full, bulkhead.ErrFull},
	} {
		for kind, make := range kinds {
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				e := &echo{}
				client, stub := pair(t, with(c.change), e)
				err := make(t.Context(), stub)
				wantCode(t, err, codes.Unavailable)
				wantIs(t, err, seawall.ErrRejected)
				wantIs(t, err, c.sentinel)
				rejected, ok := errors.AsType[*seawall.RejectedError](err)
				if !ok || rejected.Kind != c.name || rejected.Reason != seawall.ReasonForced {
					t.Errorf("the rejection is %+v", rejected)
				}
				if v := seawall.Classify(err); v.Outcome != ignored {
					t.Errorf("to a policy around the call it is %+v", v)
				}
				if got := e.calls.Load(); got != 0 {
					t.Errorf("the server has %d calls", got)
				}
				if got := tallyOf(client); got.Failures != 0 {
					t.Errorf("the breaker has counted %+v", got)
				}
				atRest(t, client)
			})
		}
	}
}

// T70: a breaker that has opened by itself says when to come back.
func TestAnOpenBreakerSaysWhenToComeBack(t *testing.T) {
	cfg := with(func(c *grpcx.ClientConfig) {
		c.Breaker = breaker.Config{MinCalls: 1, OpenFor: time.Minute, MaxOpenFor: time.Hour}
	})
	_, stub := pair(t, cfg, &echo{unary: failing(99, codes.Unavailable)})
	_, err := call(t.Context(), stub, post)
	wantCode(t, err, codes.Unavailable)
	_, err = call(t.Context(), stub, post)
	wantIs(t, err, breaker.ErrOpen)
	if after := retryInfo(t, err); after < 40*time.Second || after > 80*time.Second {
		t.Errorf("it says to come back in %v", after)
	}
}

// One group's breaker does not touch another's, and one target's not another's.
func TestBreakersAreApartByTargetAndGroup(t *testing.T) {
	cfg := with(func(c *grpcx.ClientConfig) {
		c.Breaker = breaker.Config{MinCalls: 1, OpenFor: time.Minute, MaxOpenFor: time.Hour}
		c.Methods = map[string]grpcx.MethodConfig{"/seawall.grpcx.echo.v1.Echo/Put": {Group: "writes"}}
	})
	e := &echo{unary: failing(1, codes.Unavailable)}
	n := inMemory(t)
	n.serve(t, e)
	client := grpcx.NewClient("test", cfg)
	stub := echopb.NewEchoClient(n.connect(t, client.DialOptions()...))
	n.target = "passthrough:///other"
	other := echopb.NewEchoClient(n.connect(t, client.DialOptions()...))

	_, err := call(t.Context(), stub, post)
	wantCode(t, err, codes.Unavailable)
	_, err = call(t.Context(), stub, get) // the same service
	wantIs(t, err, breaker.ErrOpen)
	_, err = call(t.Context(), stub, put)
	wantCode(t, err, codes.OK)
	_, err = call(t.Context(), other, get)
	wantCode(t, err, codes.OK)
	got := map[string]breaker.State{}
	for name, b := range client.Breakers() {
		got[name] = b.State()
	}
	if len(got) != 3 || got["passthrough:///echo seawall.grpcx.echo.v1.Echo"] != breaker.Open ||
		got["passthrough:///echo writes"] != breaker.Closed ||
		got["passthrough:///other seawall.grpcx.echo.v1.Echo"] != breaker.Closed {
		t.Errorf("the breakers are %v", got)
	}
}

// T76
func TestGroupsAreBoundedAndNeverForgetAnOpenBreaker(t *testing.T) {
	client := grpcx.NewClient("test", with(func(c *grpcx.ClientConfig) {
		c.MaxGroups = 10
		c.Breaker = breaker.Config{MinCalls: 1, OpenFor: time.Hour, MaxOpenFor: 24 * time.Hour}
	}))
	unary := client.UnaryInterceptor()
	try := func(method string, err error) error {
		return unary(t.Context(), method, nil, nil, nil,
			func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return err })
	}
	_ = try("/down.Service/Call", status.Error(codes.Unavailable, ""))
	for i := range 1100 {
		if err := try("/service"+string(rune('A'+i%26))+strings.Repeat("x", i/26)+"/Call", nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := client.Groups(); got > 80 {
		t.Errorf("%d groups are remembered", got)
	}
	if got := client.Known(); got > 1000 {
		t.Errorf("%d methods are remembered", got)
	}
	wantIs(t, try("/down.Service/Call", nil), breaker.ErrOpen)
}

// A peer that is asked about is the one that has answered.
func TestTheTrustIsAskedAboutThePeerThatAnswered(t *testing.T) {
	var asked []string
	cfg := with(func(c *grpcx.ClientConfig) {
		c.TrustPeer = func(ctx context.Context) bool {
			p, ok := peer.FromContext(ctx)
			asked = append(asked, p.Addr.String())
			return ok && grpcx.TrustLoopback(ctx)
		}
	})
	n := loopback(t)
	e := &echo{unary: failing(1, codes.Unavailable, "seawall-pushback", "refused")}
	n.serve(t, e)
	stub := echopb.NewEchoClient(n.connect(t, grpcx.DialOptions("test", cfg)...))
	_, err := call(t.Context(), stub, post)
	wantCode(t, err, codes.OK)
	if len(asked) != 1 || asked[0] != n.listener.Addr().String() {
		t.Errorf("it was asked about %q", asked)
	}
}

// What grpc-go leaves to the caller is of the attempt that counts, and OnFinish runs once for the call.
func TestResultsBesideTheReplyAreThoseOfTheLastAttempt(t *testing.T) {
	for _, hedging := range []*hedge.Config{nil, {}} {
		_, stub := pair(t, with(func(c *grpcx.ClientConfig) { c.Hedge = hedging }), &echo{
			unary: func(ctx context.Context, n int, _ *echopb.EchoRequest) (*echopb.EchoReply, error) {
				name := string(rune('0' + n))
				_ = grpc.SetHeader(ctx, metadata.Pairs("number", name))
				_ = grpc.SetTrailer(ctx, metadata.Pairs("number", name, "only-"+name, "x"))
				if n < 3 {
					return nil, status.Error(codes.Unavailable, "no")
				}
				return &echopb.EchoReply{Number: int32(n)}, nil
			},
		})
		var header, trailer metadata.MD
		var p peer.Peer
		var finished []error
		reply, err := call(t.Context(), stub, get, grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&p),
			grpc.OnFinish(func(err error) { finished = append(finished, err) }))
		wantCode(t, err, codes.OK)
		if reply.GetNumber() != 3 || header.Get("number")[0] != "3" || trailer.Get("number")[0] != "3" ||
			len(trailer) != 2 || p.Addr == nil || p.Addr.String() != "bufconn" {
			t.Errorf("%v: header %v, trailer %v, peer %v", hedging, header, trailer, p)
		}
		if len(finished) != 1 || finished[0] != nil {
			t.Errorf("%v: OnFinish has got %v", hedging, finished)
		}
	}
}

// T2: a panic of an interceptor inside is the caller's, and nothing stays taken.
func TestAPanicInsideGivesEverythingBack(t *testing.T) {
	boom := func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
		panic("boom")
	}
	boomStream := func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer, ...grpc.CallOption) (grpc.ClientStream, error) {
		panic("boom")
	}
	client, stub := pair(t, quick(), &echo{}, grpc.WithChainUnaryInterceptor(boom), grpc.WithChainStreamInterceptor(boomStream))
	for kind, make := range kinds {
		func() {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("%s: recovered %v", kind, got)
				}
			}()
			_ = make(t.Context(), stub)
		}()
	}
	atRest(t, client)
	wantTally(t, client, tally{Failures: 4})
}

// Half an answer of an earlier attempt is not in the reply.
func TestAReplyHasNothingOfAnEarlierAttempt(t *testing.T) {
	half := true
	partial := func(
		ctx context.Context, m string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption,
	) error {
		if half {
			half = false
			reply.(*echopb.EchoReply).Payload = []byte("half")
			return status.Error(codes.Unavailable, "broken")
		}
		if got := reply.(*echopb.EchoReply).Payload; got != nil {
			t.Errorf("the second attempt finds %q", got)
		}
		reply.(*echopb.EchoReply).Text = "whole"
		return nil
	}
	_, stub := pair(t, quick(), &echo{}, grpc.WithChainUnaryInterceptor(partial))
	reply, err := call(t.Context(), stub, get)
	if err != nil || reply.GetText() != "whole" || reply.GetPayload() != nil {
		t.Errorf("the reply is %v, %v", reply, err)
	}
}
