package events_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/internal/events"
)

func TestThrottleLetsOnePassInASecondAndCountsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var throttle events.Throttle
		for i, c := range []struct {
			wait       time.Duration
			suppressed int64
			ok         bool
		}{
			{0, 0, true},
			{0, 0, false},
			{999 * time.Millisecond, 0, false},
			{time.Millisecond, 2, true},
			{time.Hour, 0, true},
			{time.Second - 1, 0, false},
			{1, 1, true},
		} {
			time.Sleep(c.wait)
			if suppressed, ok := throttle.Allow(); suppressed != c.suppressed || ok != c.ok {
				t.Errorf("event %d: %d, %t, want %d, %t", i, suppressed, ok, c.suppressed, c.ok)
			}
		}
	})
}

// A Throttle that was used outside of a bubble would let nothing pass in it for a quarter of a century.
func TestThrottleLetsOnePassByAClockThatHasGoneBack(t *testing.T) {
	var throttle events.Throttle
	throttle.Allow()
	synctest.Test(t, func(t *testing.T) {
		for i, want := range []bool{true, false} {
			if _, ok := throttle.Allow(); ok != want {
				t.Errorf("event %d: %t, want %t", i, ok, want)
			}
		}
	})
}
