package grpcx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/timeout"
)

// gate is one whose doings the test sees.
type gate struct {
	seawall.Gate
	admit func() // before a call is let in
	told  []error
}

func (g *gate) Acquire(context.Context) (seawall.Permit, error) {
	g.admit()
	return seawall.NewPermit(g, seawall.Ticket{}), nil
}

func (g *gate) Release(_ seawall.Ticket, err error) bool {
	g.told = append(g.told, err)
	return true
}

// The handler's time is the caller's less the margin, at most a tenth, or the limit, whichever ends first; what a call has
// waited is gone from the caller's.
func TestTimeOfAHandlerIsExact(t *testing.T) {
	const forever = time.Duration(-1)
	for _, c := range []struct {
		margin, limit         time.Duration
		callers, waits, unary time.Duration
		stream                time.Duration
		ours                  bool // the unary call's end is our limit
	}{
		{200 * time.Millisecond, time.Minute, 20 * time.Second, 0, 19800 * time.Millisecond, 19800 * time.Millisecond, false},
		{200 * time.Millisecond, time.Minute, time.Second, 0, 900 * time.Millisecond, 900 * time.Millisecond, false},
		{200 * time.Millisecond, 5 * time.Second, 20 * time.Second, 0, 5 * time.Second, 19800 * time.Millisecond, true},
		{200 * time.Millisecond, 5 * time.Second, forever, 0, 5 * time.Second, forever, true},
		{200 * time.Millisecond, 5 * time.Second, 20 * time.Second, 16 * time.Second, 3800 * time.Millisecond, 3800 * time.Millisecond, false},
		{200 * time.Millisecond, 5 * time.Second, 20 * time.Second, 14 * time.Second, 5 * time.Second, 5800 * time.Millisecond, true},
		{200 * time.Millisecond, grpcx.Off, 20 * time.Second, time.Second, 18800 * time.Millisecond, 18800 * time.Millisecond, false},
		{grpcx.NoMargin, time.Minute, 20 * time.Second, 0, 20 * time.Second, 20 * time.Second, false},
		{grpcx.NoMargin, grpcx.Off, forever, 0, forever, forever, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &gate{admit: func() { time.Sleep(c.waits) }}
			cfg := admitted(grpcx.AdmissionConfig{Gate: g})
			cfg.DeadlineMargin, cfg.Timeout = c.margin, c.limit
			s := grpcx.NewServer("api", withRegistry(cfg))
			caller := func() (context.Context, context.CancelFunc) {
				if c.callers == forever {
					return context.WithCancel(t.Context())
				}
				return context.WithTimeout(t.Context(), c.callers)
			}
			want := func(what string, ctx context.Context, want time.Duration) {
				left, ok := seawall.Remaining(ctx)
				if !ok {
					left = forever
				}
				if left != want {
					t.Errorf("%+v: the %s has %v", c, what, left)
				}
			}
			ctx, cancel := caller()
			_, err := grpcx.UnaryOf(s)(ctx, nil, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
				want("unary call", ctx, c.unary)
				if c.unary == forever {
					return nil, nil
				}
				<-ctx.Done()
				if ours := errors.Is(context.Cause(ctx), timeout.ErrExceeded); ours != c.ours {
					t.Errorf("%+v: the cause is %v", c, context.Cause(ctx))
				}
				return nil, ctx.Err()
			})
			cancel()
			if c.unary != forever {
				wantCode(t, err, codes.DeadlineExceeded)
			}
			ctx, cancel = caller()
			defer cancel()
			err = grpcx.StreamOf(s)(nil, fakeStream{ctx: ctx}, &grpc.StreamServerInfo{}, func(_ any, stream grpc.ServerStream) error {
				want("stream", stream.Context(), c.stream)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A call that is let in when its time is over begins no handler, and says nothing of the server to the gate.
func TestCallThatIsLetInTooLateIsIgnored(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &gate{admit: cancel}
	s := grpcx.NewServer("api", withRegistry(admitted(grpcx.AdmissionConfig{Gate: g})))
	_, err := grpcx.UnaryOf(s)(ctx, nil, &grpc.UnaryServerInfo{}, nil)
	wantCode(t, err, codes.Canceled)
	err = grpcx.StreamOf(s)(nil, fakeStream{ctx: ctx}, &grpc.StreamServerInfo{}, nil)
	wantCode(t, err, codes.Canceled)
	if len(g.told) != 2 || !errors.Is(g.told[0], seawall.ErrCanceled) || !errors.Is(g.told[1], seawall.ErrCanceled) {
		t.Errorf("the gate was told %v", g.told)
	}
}
