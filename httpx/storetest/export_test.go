package storetest

import (
	"context"
	"sync"

	"github.com/seawall-go/seawall/httpx"
)

// Failures runs the tests on a store each, side by side, and returns the names of those that fail.
func Failures(ctx context.Context, open func() httpx.IdempotencyStore) (names []string) {
	return failures(ctx, all(), open)
}

// StuckFailures is Failures for the tests of a store that is stuck.
func StuckFailures(ctx context.Context, open func() httpx.IdempotencyStore) (names []string) {
	return failures(ctx, stuck, open)
}

func failures(ctx context.Context, cases []testCase, open func() httpx.IdempotencyStore) (names []string) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, c := range cases {
		wg.Go(func() {
			if err := c.check(newBench(ctx, open())); err != nil {
				mu.Lock()
				defer mu.Unlock()
				names = append(names, c.name)
			}
		})
	}
	wg.Wait()
	return names
}
