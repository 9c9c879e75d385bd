package bulkhead_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
)

// T30, T34, T12, T44, T79: a million random operations at limits of 1 to 3 agree with a naive reference at each quiet
// moment: who is in, who waits, who was rejected and why, and every count. Nobody waits beside a free slot.
func TestBulkheadDoesNotDifferFromAQueueOnPaper(t *testing.T) {
	lists, length := 2000, 500
	if raceEnabled || testing.Short() {
		lists = 60
	}
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(lists) {
			ops := randomOps(rand.New(rand.NewPCG(seed, 30)), length)
			if err := runOps(t.Context(), ops); err != nil {
				ops = shortest(t.Context(), ops)
				t.Fatalf("seed %d: %v\nshortest list: %v\nwhich ends so: %v", seed, err, ops, runOps(t.Context(), ops))
			}
		}
	})
}

func randomOps(rng *rand.Rand, length int) []byte {
	ops := make([]byte, opSize*length)
	for i := range ops {
		ops[i] = byte(rng.Uint32())
	}
	return ops
}

// shortest leaves operations out of a list that fails, as long as the rest fails as well.
func shortest(ctx context.Context, ops []byte) []byte {
	for chunk := len(ops) / 2 / opSize * opSize; chunk > 0; chunk = chunk / 2 / opSize * opSize {
		for at := 0; at+chunk <= len(ops); {
			if less := slices.Delete(slices.Clone(ops), at, at+chunk); runOps(ctx, less) != nil {
				ops = less
			} else {
				at += chunk
			}
		}
	}
	return ops
}
