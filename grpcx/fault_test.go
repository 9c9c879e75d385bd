package grpcx_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/seawall-go/seawall/fault"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
)

// hurt is a rig with one fault on all calls that it aims at, at the server or at the client. It counts the handlers that began.
func hurt(t *testing.T, side string, f fault.Fault, begun *atomic.Int64) *rig {
	t.Helper()
	f.For, f.Target = time.Hour, "echo"
	injector := fault.New("test", fault.Config{
		Plan: fault.Plan{Faults: []fault.Fault{f}}, AllowHeaders: true, Registry: silent(),
	})
	if err := injector.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(injector.Stop)
	var inServer, inClient *fault.Point
	if side == "server" {
		inServer = injector.Point("echo")
	} else {
		inClient = injector.Point("echo")
	}
	faults := grpcx.Faults(inServer)
	r := serve(t, "bufconn", grpcx.ServerConfig{}, func(context.Context) error { begun.Add(1); return nil },
		grpc.ChainUnaryInterceptor(faults.Unary), grpc.ChainStreamInterceptor(faults.Stream))
	ours := grpcx.ClientFaults(inClient)
	r.client = echopb.NewEchoClient(intercepted{r.conn, ours})
	return r
}

// intercepted is a connection with a client's interceptors.
type intercepted struct {
	conn *grpc.ClientConn
	by   grpcx.ClientInterceptor
}

func (i intercepted) Invoke(ctx context.Context, method string, args, reply any, o ...grpc.CallOption) error {
	return i.by.Unary(ctx, method, args, reply, i.conn,
		func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, o ...grpc.CallOption) error {
			return conn.Invoke(ctx, method, req, reply, o...)
		}, o...)
}

func (i intercepted) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, o ...grpc.CallOption) (grpc.ClientStream, error) {
	return i.by.Stream(ctx, desc, i.conn, method,
		func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, o ...grpc.CallOption) (grpc.ClientStream, error) {
			return conn.NewStream(ctx, desc, method, o...)
		}, o...)
}

var sides = []string{"server", "client"}

func TestFaultsGiveTheirCodeAndHint(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault.Fault
		code  codes.Code
		runs  bool // the work is done all the same
	}{
		"a code":        {fault.Fault{Kind: fault.StatusCode, Code: "ABORTED"}, codes.Aborted, false},
		"canceled":      {fault.Fault{Kind: fault.StatusCode, Code: "CANCELLED"}, codes.Canceled, false},
		"a status":      {fault.Fault{Kind: fault.StatusCode, Status: 404}, codes.NotFound, false},
		"with a hint":   {fault.Fault{Kind: fault.StatusCode, Code: "RESOURCE_EXHAUSTED", RetryAfter: 2 * time.Second}, codes.ResourceExhausted, false},
		"an error":      {fault.Fault{Kind: fault.Error, Rate: 1}, codes.Unavailable, false},
		"no error":      {fault.Fault{Kind: fault.Error, Rate: 0}, codes.OK, true},
		"a lost answer": {fault.Fault{Kind: fault.AckLost}, codes.Unavailable, true},
		"a timeout":     {fault.Fault{Kind: fault.Timeout, Seam: fault.OnCall, Timeout: 5 * time.Millisecond}, codes.Unavailable, false},
		"a reset":       {fault.Fault{Kind: fault.ResetPeer, Seam: fault.OnCall}, codes.Unavailable, false},
		"another route": {fault.Fault{Kind: fault.StatusCode, Code: "ABORTED", Route: "/other.Service/*"}, codes.OK, true},
		"its route":     {fault.Fault{Kind: fault.StatusCode, Code: "ABORTED", Route: "/seawall.grpcx.echo.v1.Echo/*"}, codes.Aborted, false},
		"another head":  {fault.Fault{Kind: fault.StatusCode, Code: "ABORTED", Header: "Tenant=b"}, codes.OK, true},
		"its header":    {fault.Fault{Kind: fault.StatusCode, Code: "ABORTED", Header: "Tenant=a"}, codes.Aborted, false},
	} {
		for _, side := range sides {
			var begun atomic.Int64
			r := hurt(t, side, c.fault, &begun)
			for kind, call := range kinds {
				t.Run(name+", "+side+", "+kind, func(t *testing.T) {
					begun.Store(0)
					ctx := metadata.AppendToOutgoingContext(t.Context(), "tenant", "a")
					var trailer metadata.MD
					err := call(ctx, r.client, grpc.Trailer(&trailer))
					wantCode(t, err, c.code)
					r.idle(t)
					if ran := begun.Load() > 0; ran != c.runs {
						t.Errorf("the handler ran: %t", ran)
					}
					if side == "client" && err != nil && !errors.Is(err, fault.ErrInjected) {
						t.Errorf("%v does not say that it was injected", err)
					}
					if want := c.fault.RetryAfter; want > 0 {
						if got := retryInfo(t, err); got != want {
							t.Errorf("RetryInfo is %v", got)
						}
						if got := trailer.Get("grpc-retry-pushback-ms"); side == "server" && (len(got) != 1 || got[0] != "2000") {
							t.Errorf("the pushback is %q", got)
						}
					}
				})
			}
		}
	}
}

func TestFaultHoldsACallBackOnlyAsLongAsItsCallerWaits(t *testing.T) {
	const latency = 20 * time.Millisecond
	for _, side := range sides {
		var begun atomic.Int64
		r := hurt(t, side, fault.Fault{Kind: fault.Latency, Seam: fault.OnCall, Latency: latency}, &begun)
		for kind, call := range kinds {
			start := time.Now()
			wantCode(t, call(t.Context(), r.client), codes.OK)
			if took := time.Since(start); took < latency {
				t.Errorf("%s, %s: took %v", side, kind, took)
			}
		}
		r = hurt(t, side, fault.Fault{Kind: fault.Latency, Seam: fault.OnCall, Latency: time.Hour}, &begun)
		for _, call := range kinds {
			ctx, cancel := context.WithTimeout(t.Context(), latency)
			wantCode(t, call(ctx, r.client), codes.DeadlineExceeded)
			cancel()
		}
		r.idle(t)
	}
}

func TestStreamBreaksOffBehindItsMessages(t *testing.T) {
	const whole = 3
	for _, side := range sides {
		for _, kind := range []fault.Kind{fault.Truncate, fault.ResetPeer} {
			f := fault.Fault{Kind: kind, Messages: whole}
			if kind == fault.ResetPeer {
				f.Seam = fault.OnCall
			}
			var begun atomic.Int64
			r := hurt(t, side, f, &begun)
			list, err := r.client.List(t.Context(), &echopb.EchoRequest{Count: 10})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for err = nil; err == nil; n++ {
				_, err = list.Recv()
			}
			wantCode(t, err, codes.Unavailable)
			if n-1 != whole {
				t.Errorf("%s, %s: %d messages came through", side, kind, n-1)
			}
			chat, err := r.client.Chat(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for n = 0; ; n++ {
				if err = chat.Send(&echopb.EchoRequest{}); err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				if _, err = chat.Recv(); err != nil {
					break
				}
			}
			wantCode(t, err, codes.Unavailable)
			if n != whole {
				t.Errorf("%s, %s: %d messages came through", side, kind, n)
			}
			wantCode(t, kinds["unary"](t.Context(), r.client), codes.OK) // its answer is one message
			r.idle(t)
		}
	}
}

// What a handler makes of its stream's end does not change how the client sees it.
func TestStreamBreaksOffAlsoIfItsHandlerDoesNotCare(t *testing.T) {
	injector := fault.New("test", fault.Config{
		Plan: fault.Plan{Faults: []fault.Fault{{For: time.Hour, Target: "echo", Kind: fault.Truncate, Messages: 1}}}, Registry: silent(),
	})
	if err := injector.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer injector.Stop()
	err := grpcx.Faults(injector.Point("echo")).Stream(nil, fakeStream{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: "/a.B/C"},
		func(_ any, stream grpc.ServerStream) error {
			for range 3 {
				_ = stream.SendMsg(nil)
			}
			return nil
		})
	wantCode(t, err, codes.Unavailable)
}

// A program that is hurt on purpose is not to be killed for it.
func TestFaultsLeaveHealthAlone(t *testing.T) {
	injector := fault.New("test", fault.Config{
		Plan: fault.Plan{Faults: []fault.Fault{{For: time.Hour, Target: "echo", Kind: fault.Error, Rate: 1}}}, Registry: silent(),
	})
	if err := injector.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer injector.Stop()
	unary := grpcx.Faults(injector.Point("echo")).Unary
	for method, want := range map[string]codes.Code{healthpb.Health_Check_FullMethodName: codes.OK, "/a.B/C": codes.Unavailable} {
		_, err := unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: method},
			func(context.Context, any) (any, error) { return nil, nil })
		wantCode(t, err, want)
	}
}

// While no fault acts, nothing is there.
func TestPointWithoutFaultsAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	point := fault.New("test", fault.Config{Registry: silent()}).Point("echo")
	info := &grpc.UnaryServerInfo{FullMethod: "/a.B/C"}
	for _, p := range []*fault.Point{nil, point} {
		unary := grpcx.Faults(p).Unary
		n := testing.AllocsPerRun(100, func() {
			_, _ = unary(t.Context(), nil, info, func(context.Context, any) (any, error) { return nil, nil })
		})
		if n > 0 {
			t.Errorf("a call allocates %v times", n)
		}
	}
}
