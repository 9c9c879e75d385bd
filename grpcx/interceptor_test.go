package grpcx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/ratelimit"
)

// apart is a server whose parts are interceptors of their own, with others between them.
func apart(t *testing.T, cfg grpcx.ServerConfig, do func(context.Context) error) *rig {
	t.Helper()
	s := grpcx.NewServer("api", withRegistry(cfg))
	var options []grpc.ServerOption
	for _, part := range []grpcx.Interceptor{s.Recover(), s.Believe(), s.Deadline(), s.Quota(), s.Admit()} {
		options = append(options,
			grpc.ChainUnaryInterceptor(part.Unary, passing.Unary),
			grpc.ChainStreamInterceptor(part.Stream, passing.Stream))
	}
	if cfg.Admission.Place == grpcx.BeforeDecode {
		options = append(options, grpc.InTapHandle(s.Tap))
	}
	r := &rig{server: s}
	r.start(t, "loopback", handlers{do: do}, options...)
	return r
}

// passing is an interceptor of somebody else. It knows a rejection when it sees one.
var passing = grpcx.Interceptor{
	Unary: func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return handler(ctx, req)
	},
	Stream: func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return handler(srv, stream)
	},
}

func TestPartsDoApartWhatTheyDoTogether(t *testing.T) {
	for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
		d := newDoor()
		cfg := fixed(1, 0)
		cfg.Admission.Place, cfg.TrustPeer, cfg.Timeout = place, grpcx.TrustAll, time.Minute
		cfg.Quota.Limit = ratelimit.Config{Rate: 0.001, Burst: 3}
		r := apart(t, cfg, func(ctx context.Context) error {
			if seawall.PriorityOf(ctx) != seawall.Sheddable {
				return d.hold(ctx)
			}
			if left, ok := seawall.Remaining(ctx); !ok || left > 995*time.Millisecond {
				return status.Errorf(codes.FailedPrecondition, "%v are left", left)
			}
			panic("ouch")
		})
		release := r.fill(t, d, 1)
		for kind, call := range kinds {
			err := call(t.Context(), r.client)
			wantCode(t, err, codes.Unavailable)
			if retryInfo(t, err) == 0 {
				t.Errorf("%s: refused without a RetryInfo", kind)
			}
		}
		release()
		r.idle(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		ctx = metadata.AppendToOutgoingContext(ctx, "seawall-priority", "sheddable")
		for _, kind := range []string{"unary", "bidi stream"} { // the tokens of those who were refused have come back
			wantCode(t, kinds[kind](ctx, r.client), codes.Internal)
		}
		cancel()
		for _, call := range kinds {
			wantCode(t, call(t.Context(), r.client), codes.ResourceExhausted)
		}
		r.idle(t)
		r.server.Drain()
		if s := r.server.Stats(); s.Panics != 2 || s.Refused != 8 {
			t.Errorf("%s: counted %+v", place, s)
		}
	}
}

// What is not used does nothing.
func TestPartAloneDoesOnlyItsPart(t *testing.T) {
	cfg := fixed(1, 0)
	cfg.Registry, cfg.TrustPeer = silent(), grpcx.TrustAll
	s := grpcx.NewServer("api", cfg)
	s.Drain()
	info := &grpc.UnaryServerInfo{FullMethod: "/a.B/C"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("seawall-priority", "sheddable"))
	for name, part := range map[string]grpcx.Interceptor{
		"recover": s.Recover(), "believe": s.Believe(), "deadline": s.Deadline(), "quota": s.Quota(),
	} {
		_, err := part.Unary(ctx, nil, info, func(inner context.Context, _ any) (any, error) {
			callers, _ := ctx.Deadline()
			ours, _ := inner.Deadline()
			if believed := seawall.PriorityOf(inner) == seawall.Sheddable; believed != (name == "believe") {
				t.Errorf("%s: priority %v", name, seawall.PriorityOf(inner))
			}
			if shorter := ours.Before(callers); shorter != (name == "deadline") {
				t.Errorf("%s: shortens the deadline: %t", name, shorter)
			}
			return nil, nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.Admit().Unary(ctx, nil, info, nil)
	wantCode(t, err, codes.Unavailable)
	defer func() {
		if v := recover(); v != "ouch" {
			t.Errorf("a panic became %v", v)
		}
	}()
	_, _ = s.Deadline().Unary(ctx, nil, info, func(context.Context, any) (any, error) { panic("ouch") })
}

// Interceptors further out see what a refusal is.
func TestRefusalStillMatchesItsSentinel(t *testing.T) {
	s := grpcx.NewServer("api", withRegistry(fixed(1, 0)))
	s.Drain()
	_, err := s.Admit().Unary(t.Context(), nil, &grpc.UnaryServerInfo{}, nil)
	wantIs(t, err, seawall.ErrRejected)
	wantIs(t, err, grpcx.ErrDraining)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s = grpcx.NewServer("api", withRegistry(fixed(1, 0)))
	_, err = s.Admit().Unary(ctx, nil, &grpc.UnaryServerInfo{}, nil)
	wantIs(t, err, context.Canceled)
	wantCode(t, err, codes.Canceled)
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%v is not %v", err, target)
	}
}

// odd is a gate of somebody's, which refuses in its own words.
type odd struct{ seawall.Gate }

func (odd) Acquire(context.Context) (seawall.Permit, error) {
	return seawall.Permit{}, context.DeadlineExceeded
}

// What a gate of the user's says is none of the caller's, whose time is not over.
func TestGateThatRefusesWithoutARejectionIsUnavailable(t *testing.T) {
	for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
		r := serve(t, "bufconn", admitted(grpcx.AdmissionConfig{Gate: odd{}, Place: place}), nothing)
		for kind, call := range kinds {
			err := call(t.Context(), r.client)
			wantCode(t, err, codes.Unavailable)
			if wait := retryInfo(t, err); wait < time.Second {
				t.Errorf("%s: RetryInfo is %v", kind, wait)
			}
		}
		if s := r.server.Stats(); s.Refused != int64(len(kinds)) || s.OutOfTime != 0 {
			t.Errorf("counted %+v", s)
		}
	}
	s := grpcx.NewServer("api", withRegistry(admitted(grpcx.AdmissionConfig{Gate: odd{}})))
	_, err := s.Admit().Unary(t.Context(), nil, &grpc.UnaryServerInfo{}, nil)
	wantIs(t, err, context.DeadlineExceeded)
	_ = err.Error()
}

// One limit for all that a program serves, whatever it speaks.
func TestGateIsSharedByServers(t *testing.T) {
	gate := bulkhead.New("all", bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Registry: silent()})
	cfg := admitted(grpcx.AdmissionConfig{Gate: gate})
	d := newDoor()
	one, other := serve(t, "bufconn", cfg, d.hold), serve(t, "bufconn", cfg, d.hold)
	release := one.fill(t, d, 1)
	for _, call := range kinds {
		wantCode(t, call(t.Context(), other.client), codes.Unavailable)
	}
	release()
	one.idle(t)
	wantCode(t, kinds["unary"](t.Context(), other.client), codes.OK)
}
