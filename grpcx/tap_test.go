package grpcx_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/timeout"
)

// counting is the codec of a server, that counts what it decodes.
type counting struct {
	encoding.CodecV2
	decoded *atomic.Int64
}

func (c counting) Unmarshal(data mem.BufferSlice, v any) error {
	c.decoded.Add(1)
	return c.CodecV2.Unmarshal(data, v)
}

// T37: limit 2 and two RPCs held open: the third is refused before decode.
func TestTapRefusesBeforeTheMessageIsDecoded(t *testing.T) {
	for _, network := range networks {
		d := newDoor()
		var decoded atomic.Int64
		cfg := fixed(2, 0)
		cfg.Admission.Place = grpcx.BeforeDecode
		r := serve(t, network, cfg, d.hold, grpc.ForceServerCodecV2(counting{encoding.GetCodecV2(proto.Name), &decoded}))
		release := r.fill(t, d, 2)
		if n := decoded.Load(); n != 2 {
			t.Fatalf("%d messages were decoded", n)
		}
		for kind, call := range kinds {
			err := call(t.Context(), r.client)
			wantCode(t, err, codes.Unavailable)
			if retryInfo(t, err) == 0 {
				t.Errorf("%s: refused without a RetryInfo", kind)
			}
		}
		if n := decoded.Load(); n != 2 {
			t.Errorf("%d messages were decoded of calls that were refused", n-2)
		}
		release()
		r.idle(t)
	}
}

// T37: a slot whose call never comes to its handler is given back with the call.
func TestTapGetsItsSlotBackWhenNoHandlerBegins(t *testing.T) {
	cfg := fixed(1, 0)
	cfg.Admission.Place = grpcx.BeforeDecode
	server := grpcx.NewServer("api", withRegistry(cfg))
	r := &rig{server: server}
	refuse := true
	r.start(t, "bufconn", handlers{do: nothing}, append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if refuse {
				return nil, status.Error(codes.Unauthenticated, "")
			}
			return handler(ctx, req)
		})}, server.Options()...)...)

	wantCode(t, r.conn.Invoke(t.Context(), "/no.such.Service/Method", &echopb.EchoRequest{}, &echopb.EchoReply{}), codes.Unimplemented)
	r.idle(t)
	wantCode(t, kinds["unary"](t.Context(), r.client), codes.Unauthenticated)
	r.idle(t)
	refuse = false

	// A request that does not come: the slot is in use as long as the client is there.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, echopb.Echo_Get_FullMethodName); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the call has its slot", func() bool { return r.stats().InUse == 1 })
	cancel()
	r.idle(t)
	wantCode(t, kinds["unary"](t.Context(), r.client), codes.OK)
}

// callLate makes a call whose request comes when its slot is no longer held.
func (r *rig) callLate(t *testing.T) error {
	t.Helper()
	stream, err := r.conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, echopb.Echo_Get_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the call had a slot", func() bool { return r.stats().Admitted == 1 })
	r.idle(t)
	if err := stream.SendMsg(&echopb.EchoRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	return stream.RecvMsg(&echopb.EchoReply{})
}

// T37: a request that trickles in does not hold a slot for ever, and one that has come too late begins no handler.
func TestTapGivesUpOnARequestThatDoesNotCome(t *testing.T) {
	cfg := fixed(1, 0)
	cfg.Admission.Place, cfg.Timeout = grpcx.BeforeDecode, 10*time.Millisecond
	r := serve(t, "bufconn", cfg, func(context.Context) error { t.Error("a handler began"); return nil })
	wantCode(t, r.callLate(t), codes.DeadlineExceeded)
	r.idle(t)
}

// The refusal of a request that came too late had no cause, so that an interceptor that printed it ended the server.
func TestRequestThatCameTooLateIsRefusedWithItsCause(t *testing.T) {
	cfg := fixed(1, 0)
	cfg.Admission.Place, cfg.Timeout = grpcx.BeforeDecode, 10*time.Millisecond
	server := grpcx.NewServer("api", withRegistry(cfg))
	r := &rig{server: server}
	refused := make(chan error, 1)
	r.start(t, "bufconn", handlers{do: nothing}, append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			resp, err := handler(ctx, req)
			refused <- err
			return resp, err
		})}, server.Options()...)...)
	wantCode(t, r.callLate(t), codes.DeadlineExceeded)
	const want = `deadline exceeded: timeout "api": limit of 10ms exceeded`
	if err := <-refused; err.Error() != want || !errors.Is(err, timeout.ErrExceeded) {
		t.Errorf("the interceptor outside of ours sees %q, want %q", err, want)
	}
}

// A tap runs on the goroutine of its connection: a wait in it would hold up all calls there.
func TestTapNeverWaits(t *testing.T) {
	d := newDoor()
	cfg := fixed(1, 0)
	cfg.Admission.Place = grpcx.BeforeDecode
	cfg.Quota.Limit = ratelimit.Config{Rate: 0.001, Burst: 2, MaxWait: time.Hour}
	r := serve(t, "bufconn", cfg, d.hold)
	gate := r.server.Admission().(*bulkhead.Bulkhead)
	if err := gate.Update(bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: 10, MaxWait: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	release := r.fill(t, d, 1)
	wantCode(t, kinds["unary"](t.Context(), r.client), codes.Unavailable) // and its token comes back
	release()
	r.idle(t)
	wantCode(t, kinds["unary"](t.Context(), r.client), codes.OK)
	wantCode(t, kinds["unary"](t.Context(), r.client), codes.ResourceExhausted)
}

func withRegistry(cfg grpcx.ServerConfig) grpcx.ServerConfig {
	cfg.Registry = silent()
	return cfg
}
