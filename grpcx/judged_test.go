package grpcx_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/grpcx"
)

// judging is an adaptive limit that tells how it is told that calls end; a success and a cancellation tell nothing.
func judging(place grpcx.Place) (grpcx.ServerConfig, *atomic.Pointer[error]) {
	told := &atomic.Pointer[error]{}
	cfg := at(place)
	cfg.Admission.Adaptive.Classify = func(err error) seawall.Verdict {
		told.Store(&err)
		return seawall.Classify(err)
	}
	return cfg, told
}

// T66, T37: all codes of a handler, wrapped ones and errors without a code too, are judged by the one table, also when a
// tap has admitted the call.
func TestGateLearnsTheOutcomeOfTheCallByItsCode(t *testing.T) {
	outcomes := map[codes.Code]seawall.Outcome{ // others are answers
		codes.Canceled: failure, codes.Unknown: failure, codes.DeadlineExceeded: failure, codes.Internal: failure,
		codes.Unavailable: failure, codes.DataLoss: failure, codes.ResourceExhausted: overload,
	}
	for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
		for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
			for _, err := range []error{status.Error(code, ""), wrapped{status.Error(code, "")}} {
				judgedAs(t, place, outcomes[code], func(context.Context) error { return err })
			}
		}
		judgedAs(t, place, failure, func(context.Context) error { return errors.New("no status") })
		judgedAs(t, place, failure, ouch)
		judgedAs(t, place, failure, func(context.Context) error { runtime.Goexit(); return nil })
		judgedAs(t, place, ignored, func(context.Context) error {
			return seawall.Reject("breaker", "psp", seawall.ReasonOpen, errors.New("open"), 0)
		})
	}
}

func judgedAs(t *testing.T, place grpcx.Place, want seawall.Outcome, do func(context.Context) error) {
	t.Helper()
	for kind, call := range kinds {
		cfg, told := judging(place)
		r := serve(t, "bufconn", cfg, do)
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan struct{}) // after a Goexit nobody answers
		go func() { defer close(answered); _ = call(ctx, r.client) }()
		eventually(t, "the gate is told", func() bool { return told.Load() != nil })
		cancel()
		<-answered
		if got := seawall.Classify(*told.Load()).Outcome; got != want {
			t.Errorf("%s, %s: %v was judged as %v, want %v", place, kind, *told.Load(), got, want)
		}
	}
}

// T66, T13: whose time was over, and who left, is not read from the code.
func TestTimeoutIsAFailureAndALeavingClientIsIgnored(t *testing.T) {
	for _, place := range []grpcx.Place{grpcx.InInterceptor, grpcx.BeforeDecode} {
		for kind, call := range kinds {
			cfg, told := judging(place)
			r := serve(t, "bufconn", cfg, func(ctx context.Context) error {
				<-ctx.Done()
				return status.Error(codes.NotFound, "whatever came of it")
			})
			eventually(t, "the gate is told", func() bool { // a call may be out of time before its handler begins
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				_ = call(ctx, r.client)
				return told.Load() != nil
			})
			ctx, cancel := context.WithCancel(t.Context())
			if got := seawall.Classify(*told.Load()).Outcome; got != failure {
				t.Errorf("%s: the caller's deadline was judged as %v", kind, got)
			}

			cfg, told = judging(place)
			begun, ended := make(chan struct{}, 1), make(chan struct{})
			r = serve(t, "bufconn", cfg, func(ctx context.Context) error {
				begun <- struct{}{}
				<-ctx.Done()
				defer close(ended)
				return status.Error(codes.Internal, "whatever came of it")
			})
			go func() { <-begun; cancel() }()
			_ = call(ctx, r.client)
			<-ended
			r.idle(t)
			if err := told.Load(); err != nil {
				t.Errorf("%s: a client that left was judged by %v", kind, *err)
			}
		}
	}
}

// How long a stream goes on after its first answer teaches an adaptive limit nothing.
func TestStreamIsMeasuredUpToItsFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := withRegistry(grpcx.ServerConfig{})
		cfg.Admission.Adaptive.Algorithm, cfg.Admission.Adaptive.AIMD.Timeout = bulkhead.AIMD, 30*time.Millisecond
		s := grpcx.NewServer("test", cfg)
		for _, answers := range []bool{true, false} {
			err := s.Admit().Stream(nil, fakeStream{ctx: t.Context()}, &grpc.StreamServerInfo{},
				func(_ any, stream grpc.ServerStream) error {
					for range 3 {
						time.Sleep(20 * time.Millisecond)
						if answers {
							_ = stream.SendMsg(nil)
						}
					}
					return nil
				})
			if err != nil {
				t.Error(err)
			}
		}
		if o := s.Admission().(*bulkhead.Adaptive).Stats().Outcomes; o.Successes != 2 || o.Dropped != 1 {
			t.Errorf("of a stream with answers and one without came %+v", o)
		}
	})
}

type fakeStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (f fakeStream) Context() context.Context { return f.ctx }
func (fakeStream) SendMsg(any) error          { return nil }
