package bulkhead_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/bulkhead"
)

// The latency that teaches the limit ends with the answer, the slot with the body.
func TestAdaptiveMeasuresUpToTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdaptive(bulkhead.AdaptiveConfig{
			Algorithm: bulkhead.AIMD, AIMD: bulkhead.AIMDConfig{Timeout: 30 * time.Millisecond},
		})
		for i := range 300 {
			p, err := a.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			p.Answered()
			if a.Stats().InUse != 1 {
				t.Fatal("the slot is free before the end")
			}
			time.Sleep(time.Duration(i%2) * 50 * time.Millisecond) // of reading
			p.Done(nil)
		}
		wantOutcomes(t, a, bulkhead.Outcomes{Successes: 300})
	})
}
