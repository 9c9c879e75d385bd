package ratelimit_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/ratelimit"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// newLimiter makes one in a registry of its own, so that its name stays as given and its events go nowhere else.
func newLimiter(cfg ratelimit.Config) *ratelimit.Limiter {
	cfg.Registry = quietRegistry()
	return ratelimit.New("geocoder", cfg)
}

// quietRegistry returns a registry that logs nothing.
func quietRegistry() *seawall.Registry {
	r := &seawall.Registry{}
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func succeed(context.Context) error { return nil }

// attempt is an Acquire in a goroutine of its own. Its fields may be read once it has ended.
type attempt struct {
	over   atomic.Bool
	permit *seawall.Permit
	err    error
	took   time.Duration
}

func (a *attempt) ended() bool { return a.over.Load() }

// start begins an attempt and waits, in a synctest bubble, until it has ended or waits.
func start(ctx context.Context, g seawall.Gate) *attempt {
	a := &attempt{}
	go func() {
		began := time.Now()
		permit, err := g.Acquire(ctx)
		a.permit, a.err, a.took = &permit, err, time.Since(began)
		a.over.Store(true)
	}()
	synctest.Wait()
	return a
}

// settle waits until a has ended, and returns its error.
func (a *attempt) settle(t *testing.T) error {
	t.Helper()
	synctest.Wait()
	if !a.ended() {
		t.Fatal("the call still waits")
	}
	return a.err
}

// take acquires n calls that are to be let in.
func take(t *testing.T, g seawall.Gate, n int) []*seawall.Permit {
	t.Helper()
	permits := make([]*seawall.Permit, n)
	for i := range permits {
		permit, err := g.Acquire(t.Context())
		if err != nil {
			t.Fatalf("call %d of %d: %v", i+1, n, err)
		}
		permits[i] = &permit
	}
	return permits
}

// drain takes what is there, and returns how much it was.
func drain(ctx context.Context, g seawall.Gate) (n int) {
	for {
		if _, err := g.Acquire(ctx); err != nil {
			return n
		}
		n++
	}
}

// wantRejection checks the reason of a rejection and when the call may come again.
func wantRejection(t *testing.T, err error, reason seawall.Reason, after time.Duration) {
	t.Helper()
	r, ok := errors.AsType[*seawall.RejectedError](err)
	if !ok {
		t.Fatalf("error is %v, want a rejection because of %s", err, reason)
	}
	if r.Reason != reason {
		t.Errorf("rejected because of %s, want %s", r.Reason, reason)
	}
	if got := r.RetryAfter(); got != after {
		t.Errorf("retry after %v, want %v", got, after)
	}
	if !errors.Is(err, seawall.ErrRejected) {
		t.Errorf("%v does not match seawall.ErrRejected", err)
	}
}

func update(t *testing.T, l *ratelimit.Limiter, cfg ratelimit.Config) {
	t.Helper()
	if err := l.Update(cfg); err != nil {
		t.Fatal(err)
	}
}

var canceledContext = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
