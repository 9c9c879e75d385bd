package ratelimit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// In a testing/synctest bubble the clock begins anew in the year 2000. A limiter that was made outside let the burst pass
// and then nothing for 26 years; with MaxWait its timer went round without end.
func TestLimiterMadeOutsideOfABubbleGoesOnInIt(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{ratelimit.NoWait, time.Minute} {
		l := ratelimit.New("global", ratelimit.Config{Rate: 1, Burst: 2, MaxWait: wait, Registry: new(seawall.Registry)})
		inBubble := func(t *testing.T) {
			_ = l.Stats()
			time.Sleep(2 * time.Second) // by now it is full, whatever was taken before
			for range 5 {
				if err := l.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
					t.Errorf("MaxWait %v: %v", wait, err)
				}
				time.Sleep(time.Second)
			}
			time.Sleep(time.Hour)
			passed, start := 0, time.Now()
			for range 10 {
				if l.Do(t.Context(), func(context.Context) error { return nil }) == nil {
					passed++
				}
			}
			if took := time.Since(start); wait == ratelimit.NoWait && passed != 2 || wait > 0 && (passed != 10 || took != 8*time.Second) {
				t.Errorf("MaxWait %v: %d of 10 calls passed in %v", wait, passed, took)
			}
		}
		for range 2 { // the second time the clock goes back by an hour only
			synctest.Test(t, inBubble)
		}
	}
}

// A rehearsal must not go on with those that would have waited by another clock.
func TestLimiterInShadowForgetsWhoWaitedByAnotherClock(t *testing.T) {
	t.Parallel()
	l := ratelimit.New("global", ratelimit.Config{
		Rate: 1, Burst: 1, MaxWait: time.Minute, MaxWaiting: 3, Mode: seawall.Shadow, Registry: new(seawall.Registry),
	})
	for range 4 {
		_ = l.Do(t.Context(), func(context.Context) error { return nil })
	}
	synctest.Test(t, func(t *testing.T) {
		for range 10 {
			time.Sleep(2 * time.Second)
			_ = l.Do(t.Context(), func(context.Context) error { return nil })
		}
		time.Sleep(2 * time.Second)
		for range 4 {
			_ = l.Do(t.Context(), func(context.Context) error { return nil })
		}
	})
	if got := l.Stats().ShadowRejected; got != 0 {
		t.Errorf("%d calls would have been rejected, want none", got)
	}
}

// A full group forgot no key any more, and every new one was rejected.
func TestGroupMadeOutsideOfABubbleForgetsKeysInIt(t *testing.T) {
	t.Parallel()
	g := ratelimit.NewGroup("global", ratelimit.GroupConfig[int]{
		Limiter: ratelimit.Config{Rate: 1, Burst: 1}, MaxKeys: 2, Registry: new(seawall.Registry),
	})
	inBubble := func(t *testing.T) {
		for i := range 20 {
			time.Sleep(2 * time.Second)
			if err := g.Do(t.Context(), i, func(context.Context) error { return nil }); err != nil && i > 1 {
				t.Errorf("key %d: %v", i, err)
			}
		}
	}
	for i := range 2 {
		_ = g.Do(t.Context(), -i, func(context.Context) error { return nil })
	}
	for range 2 {
		synctest.Test(t, inBubble)
	}
}

// The window of a throttle did not move, so that it rejected for what had failed long ago.
func TestThrottleForgetsWhatFailedByAnotherClock(t *testing.T) {
	t.Parallel()
	th := ratelimit.NewThrottle("global", ratelimit.ThrottleConfig{Registry: new(seawall.Registry)})
	for range 100 {
		_ = th.Do(t.Context(), func(context.Context) error { return errors.New("boom") })
	}
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			if err := th.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	})
}
