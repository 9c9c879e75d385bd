// Package storetest has the tests that every implementation of [httpx.IdempotencyStore] must pass:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) httpx.IdempotencyStore { return openStore(t) })
//	}
//
// They take about a second of real time, since leases have to run out, and ask nothing of the clocks but that they go on.
// [RunStuck] tests that the same store gives up when its database does not answer.
package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/internal/dice"
)

// Run runs the tests, side by side, each as a test of its own. open returns a store for one of them; it may be the same
// one each time, or use the same database, since no test touches the entries of another or expects the store to be
// empty. What is to be closed goes into t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) httpx.IdempotencyStore) {
	t.Helper()
	for _, c := range all() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.check(newBench(t.Context(), open(t))); err != nil {
				t.Error(err)
			}
		})
	}
}

func all() []testCase { return append(slices.Concat(cases, timed), random) }

// testCase is one thing that a store must do. check returns what it did instead.
type testCase struct {
	name  string
	check func(b *bench) error
}

const (
	long    = time.Hour              // more than any test takes
	short   = 200 * time.Millisecond // what tests wait for
	patient = 30 * time.Second       // until something that must happen counts as not happening
)

// bench is a store, and the requests that a test makes of it.
type bench struct {
	store httpx.IdempotencyStore
	run   func() (context.Context, context.CancelFunc) // a context for one call
	scope string                                       // unique for the test
}

func newBench(ctx context.Context, store httpx.IdempotencyStore) *bench {
	return &bench{
		store: store,
		run:   func() (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, patient) },
		scope: fmt.Sprintf("test-%016x", dice.Uint64()),
	}
}

// lease returns one for an entry of the test, with a token of its own.
func (b *bench) lease(key string) httpx.Lease {
	return httpx.Lease{
		Entry:       httpx.IdempotencyEntry{Tenant: b.scope, Method: "POST", Route: "/orders", Key: key},
		Fingerprint: httpx.Fingerprint{1, 2, 3},
		Token:       fmt.Sprintf("%016x%016x", dice.Uint64(), dice.Uint64()),
		For:         long,
	}
}

func (b *bench) begin(l httpx.Lease) (httpx.Claim, error) {
	ctx, cancel := b.run()
	defer cancel()
	return b.store.Begin(ctx, l)
}

func (b *bench) finish(l httpx.Lease, a httpx.StoredAnswer, keep time.Duration) error {
	ctx, cancel := b.run()
	defer cancel()
	return b.store.Finish(ctx, l, a, keep)
}

func (b *bench) release(l httpx.Lease) error {
	ctx, cancel := b.run()
	defer cancel()
	return b.store.Release(ctx, l)
}

// want begins an entry, and wants to find a state.
func (b *bench) want(l httpx.Lease, state httpx.ClaimState) error {
	claim, err := b.begin(l)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if claim.State != state {
		return fmt.Errorf("begin found %v, want %v", claim.State, state)
	}
	return nil
}

// steps runs steps up to the first that goes wrong, and says which it was.
func steps(list ...func() error) error {
	for i, step := range list {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// comes begins an entry, with a token that is new each time, until it is found in a state.
func (b *bench) comes(l httpx.Lease, state httpx.ClaimState) (httpx.Lease, error) {
	for end := time.Now().Add(patient); ; {
		l.Token = b.lease("").Token
		claim, err := b.begin(l)
		switch {
		case err != nil:
			return l, fmt.Errorf("begin: %w", err)
		case claim.State == state:
			return l, nil
		case time.Now().After(end):
			return l, fmt.Errorf("begin still finds %v, want %v", claim.State, state)
		}
		time.Sleep(short / 20)
	}
}
