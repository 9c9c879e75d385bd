package grpcx_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/test/bufconn"

	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/grpcx/internal/echopb"
	"github.com/seawall-go/seawall/timeout"
)

// absent is a server that is there when it is up, and a client whose service config lets all calls wait for that.
type absent struct {
	client *grpcx.Client
	conn   *grpc.ClientConn
	stub   echopb.EchoClient
	up     atomic.Bool
	sent   chan struct{} // one for each time that a call is handed to grpc-go
}

func newAbsent(t *testing.T, cfg grpcx.ClientConfig) *absent {
	t.Helper()
	a := &absent{client: grpcx.NewClient("test", cfg), sent: make(chan struct{}, 100)}
	n := inMemory(t)
	n.serve(t, &echo{})
	buffers := n.listener.(*bufconn.Listener)
	n.dial = []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if !a.up.Load() {
				return nil, errors.New("refused")
			}
			return buffers.DialContext(ctx)
		}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}}),
		grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "waitForReady": true}]}`),
		grpc.WithChainUnaryInterceptor(func(
			ctx context.Context, m string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption,
		) error {
			a.sent <- struct{}{}
			return invoke(ctx, m, req, reply, cc, o...)
		}),
		grpc.WithChainStreamInterceptor(func(
			ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, m string, open grpc.Streamer, o ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			a.sent <- struct{}{}
			return open(ctx, d, cc, m, o...)
		}),
	}
	a.conn = n.connect(t, a.client.DialOptions()...)
	a.stub = echopb.NewEchoClient(a.conn)
	return a
}

// impatientClient has an attempt limit that passes long before its total limit.
func impatientClient(total time.Duration) grpcx.ClientConfig {
	return with(func(c *grpcx.ClientConfig) { c.Timeout, c.AttemptTimeout = total, 10*time.Millisecond })
}

// A method that waits for a connection by the service config does so as one that is called with grpc.WaitForReady: it is one
// waiting attempt, and one failure.
func TestAWaitByTheServiceConfigIsNotALoopOfAttempts(t *testing.T) {
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			a := newAbsent(t, impatientClient(150*time.Millisecond))
			err := call(t.Context(), a.stub)
			wantCode(t, err, codes.DeadlineExceeded)
			if limit, ok := errors.AsType[*timeout.ExceededError](err); !ok || limit.Limit != 150*time.Millisecond {
				t.Errorf("it has met %v", err)
			}
			wantTally(t, a.client, tally{Failures: 1})
			if n := a.client.Retry().Stats().Attempts; n != 1 {
				t.Errorf("%d attempts", n)
			}
			atRest(t, a.client)
		})
	}
}

func TestAWaitByTheServiceConfigOutlivesTheLimitOfTheAttempt(t *testing.T) {
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			a := newAbsent(t, impatientClient(time.Minute))
			ended := make(chan error, 1)
			go func() { ended <- call(t.Context(), a.stub) }()
			<-a.sent
			<-a.sent // the limit of the attempt has passed
			a.up.Store(true)
			if err := <-ended; err != nil {
				t.Error(err)
			}
			wantTally(t, a.client, tally{Successes: 1})
			atRest(t, a.client)
		})
	}
}

// The caller's end is the caller's.
func TestACallerWhoDoesNotWaitWithTheCallLeaves(t *testing.T) {
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			a := newAbsent(t, impatientClient(time.Minute))
			ctx, leave := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- call(ctx, a.stub) }()
			<-a.sent
			<-a.sent
			leave()
			wantCode(t, <-ended, codes.Canceled)
			wantTally(t, a.client, tally{Ignored: 1})
			atRest(t, a.client)
		})
	}
}

// What a call says of itself goes before the service config.
func TestACallThatSaysThatItDoesNotWaitFailsFast(t *testing.T) {
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			a := newAbsent(t, with(func(*grpcx.ClientConfig) {}))
			wantCode(t, call(t.Context(), a.stub, grpc.WaitForReady(false)), codes.Unavailable)
			if got := len(a.sent); got != 3 {
				t.Errorf("%d attempts, want 3", got)
			}
			wantTally(t, a.client, tally{Failures: 3})
		})
	}
}

// A check that waited would say nothing as long as the server is down.
func TestAHealthCheckDoesNotWaitForAServerThatIsDown(t *testing.T) {
	a := newAbsent(t, with(func(c *grpcx.ClientConfig) { c.Retry.MaxAttempts = 1 }))
	wantCode(t, grpcx.HealthCheck(a.conn, "")(t.Context()), codes.Unavailable)
}
