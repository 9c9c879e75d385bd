package bulkhead_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// In a testing/synctest bubble the clock begins anew in the year 2000. An adaptive bulkhead that was made outside did not
// learn there: its period would have ended 26 years later.
func TestAdaptiveMadeOutsideOfABubbleLearnsInIt(t *testing.T) {
	t.Parallel()
	a := bulkhead.NewAdaptive("global", bulkhead.AdaptiveConfig{Registry: new(seawall.Registry)})
	synctest.Test(t, func(t *testing.T) {
		before := a.Stats().Limit
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() {
				for range 3000 {
					_ = a.Do(t.Context(), func(context.Context) error {
						time.Sleep(10 * time.Millisecond)
						return nil
					})
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if s := a.Stats(); s.Limit <= before || s.Baseline == 0 {
			t.Errorf("limit %d with a baseline of %v, want more than %d and one that is known", s.Limit, s.Baseline, before)
		}
	})
}
