package bulkhead_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// newBulkhead makes one in a registry of its own, so that its name stays as given and its events go nowhere else.
func newBulkhead(cfg bulkhead.Config) *bulkhead.Bulkhead {
	cfg.Registry = quietRegistry()
	return bulkhead.New("inventory", cfg)
}

// quietRegistry returns a registry that logs nothing.
func quietRegistry() *seawall.Registry {
	r := &seawall.Registry{}
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func succeed(context.Context) error { return nil }

// acquire takes a slot that is there for the asking.
func acquire(t *testing.T, b *bulkhead.Bulkhead) *seawall.Permit {
	t.Helper()
	permit, err := b.Acquire(t.Context())
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return &permit
}

// fill takes n slots.
func fill(t *testing.T, b *bulkhead.Bulkhead, n int) []*seawall.Permit {
	t.Helper()
	permits := make([]*seawall.Permit, n)
	for i := range permits {
		permits[i] = acquire(t, b)
	}
	return permits
}

// attempt is an Acquire in a goroutine of its own. Its fields may be read once it has ended.
type attempt struct {
	ended  bool
	permit *seawall.Permit
	err    error
	took   time.Duration
}

// start begins an attempt and waits, in a synctest bubble, until it has ended or waits.
func start(ctx context.Context, b *bulkhead.Bulkhead) *attempt {
	a := &attempt{}
	go func() {
		began := time.Now()
		permit, err := b.Acquire(ctx)
		a.ended, a.permit, a.err, a.took = true, &permit, err, time.Since(began)
	}()
	synctest.Wait()
	return a
}

// settle waits until a has ended, and returns its error.
func (a *attempt) settle(t *testing.T) error {
	t.Helper()
	synctest.Wait()
	if !a.ended {
		t.Fatal("the call still waits")
	}
	return a.err
}

func wantAdmitted(t *testing.T, a *attempt) {
	t.Helper()
	if err := a.settle(t); err != nil {
		t.Fatalf("rejected: %v, want it to get in", err)
	}
}

func wantReason(t *testing.T, err error, want seawall.Reason) {
	t.Helper()
	r, ok := errors.AsType[*seawall.RejectedError](err)
	if !ok {
		t.Fatalf("error is %v, want a rejection because of %s", err, want)
	}
	if r.Reason != want {
		t.Fatalf("rejected because of %s, want %s", r.Reason, want)
	}
}

// wantIdle checks that nothing is left in b.
func wantIdle(t *testing.T, b *bulkhead.Bulkhead) {
	t.Helper()
	if s := b.Stats(); s.InUse != 0 || s.Waiting != 0 {
		t.Fatalf("%d slots in use and %d calls waiting, want none", s.InUse, s.Waiting)
	}
	if n := b.QueueLen(); n != 0 {
		t.Fatalf("%d calls in the queue, want none", n)
	}
}

func wantCounts(t *testing.T, b *bulkhead.Bulkhead, inUse, waiting int) {
	t.Helper()
	if s := b.Stats(); s.InUse != inUse || s.Waiting != waiting {
		t.Fatalf("%d slots in use and %d calls waiting, want %d and %d", s.InUse, s.Waiting, inUse, waiting)
	}
}

// same reports whether two configurations are the same, field by field, other than in what they mean.
func same(a, b bulkhead.Config) bool { return reflect.DeepEqual(a, b) }
