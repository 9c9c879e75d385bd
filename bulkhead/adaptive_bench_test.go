package bulkhead_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall/bulkhead"
)

// BenchmarkAdaptive is a slot taken and given back, with a bulkhead of a fixed limit as its baseline: the difference is
// two readings of the clock and what is learned.
func BenchmarkAdaptive(b *testing.B) {
	ctx := context.Background()
	fixed := newBulkhead(bulkhead.Config{Limit: 64})
	bench(b, "bulkhead", func() error {
		permit, err := fixed.Acquire(ctx)
		if err == nil {
			permit.Done(nil)
		}
		return err
	})
	for algorithm := bulkhead.Knee; algorithm <= bulkhead.AIMD; algorithm++ {
		a := newAdaptive(bulkhead.AdaptiveConfig{Algorithm: algorithm})
		bench(b, algorithm.String(), func() error {
			permit, err := a.Acquire(ctx)
			if err == nil {
				permit.Done(nil)
			}
			return err
		})
	}
}
