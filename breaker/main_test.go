package breaker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/internal/leaktest"
)

// T40
func TestMain(m *testing.M) { leaktest.Main(m) }

var errDown = errors.New("connection refused")

func fail(context.Context) error { return errDown }

// verdictError is an error that says what it means, as those of the adapters do.
type verdictError struct {
	outcome seawall.Outcome
	after   time.Duration
}

func (e verdictError) Error() string { return "an end that is " + e.outcome.String() }
func (e verdictError) Verdict() seawall.Verdict {
	return seawall.Verdict{Outcome: e.outcome, After: e.after}
}

var (
	errOverload error = verdictError{outcome: seawall.Overload, after: time.Minute}
	errIgnored  error = verdictError{outcome: seawall.Ignored}
)

// downFor is a failure that asks for no other call for a time.
func downFor(after time.Duration) error { return verdictError{seawall.Failure, after} }

// outcomes are the ways in which a call can end, with the errors that say so.
var outcomes = []struct {
	outcome seawall.Outcome
	err     error
}{
	{seawall.Success, nil},
	{seawall.Failure, errDown},
	{seawall.Overload, errOverload},
	{seawall.Ignored, errIgnored},
}

// newBreaker makes a breaker that is alone in a silent registry. Unless cfg wants a ramp, the load comes back at once, so
// that what is not about the ramp need not wait for it.
func newBreaker(cfg breaker.Config) *breaker.Breaker {
	if cfg.Registry == nil {
		cfg.Registry = quiet()
	}
	if cfg.Ramp.Start == 0 {
		cfg.Ramp.Start = breaker.NoRamp
	}
	return breaker.New("payments", cfg)
}

func quiet() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// acquire gets a permit, which the breaker must give.
func acquire(t *testing.T, b *breaker.Breaker) *seawall.Permit {
	t.Helper()
	p, err := b.Acquire(context.Background())
	if err != nil {
		t.Fatalf("not admitted: %v", err)
	}
	return &p
}

// reject wants a rejection.
func reject(t *testing.T, b *breaker.Breaker) {
	t.Helper()
	_ = rejection(t, b)
}

// rejection wants a rejection, and returns it.
func rejection(t *testing.T, b *breaker.Breaker) *seawall.RejectedError {
	t.Helper()
	p, err := b.Acquire(context.Background())
	r, ok := errors.AsType[*seawall.RejectedError](err)
	if !ok {
		p.Done(nil)
		t.Fatalf("admitted, or another error: %v", err)
	}
	return r
}

// trip opens a closed breaker by failures.
func trip(t *testing.T, b *breaker.Breaker) {
	t.Helper()
	wantState(t, b, breaker.Closed)
	for range b.Config().MinCalls {
		_ = b.Do(context.Background(), fail)
	}
	wantState(t, b, breaker.Open)
}

// halfOpen trips a breaker and waits, in a bubble, until its open time is over. The era is half-open from the next
// call on.
func halfOpen(t *testing.T, b *breaker.Breaker) {
	t.Helper()
	trip(t, b)
	waitOpen(t, b)
}

func waitOpen(t *testing.T, b *breaker.Breaker) {
	t.Helper()
	time.Sleep(b.Stats().Reopen)
	wantState(t, b, breaker.HalfOpen)
}

func wantState(t *testing.T, b *breaker.Breaker, want breaker.State) {
	t.Helper()
	if got := b.State(); got != want {
		t.Fatalf("the breaker is %v, want %v; %+v", got, want, b.Stats())
	}
}

// ended returns the sum of all outcomes that a breaker has counted.
func ended(s breaker.Stats) int64 {
	return s.Calls.Successes + s.Calls.Failures + s.Overloads + s.Ignored + s.Late + s.Rejected.Total()
}
