package breaker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
)

// In a testing/synctest bubble the clock begins anew in the year 2000, so a breaker that was made outside sees it jump
// back. It span for ever: no call could begin, and no time pass.
func TestBreakerMadeOutsideOfABubbleDoesNotHangInIt(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	fails := func(context.Context) error { return boom }
	works := func(context.Context) error { return nil }
	small := breaker.Config{Registry: quiet(), MinCalls: 4, OpenFor: time.Second}
	untimed := small
	untimed.Slow.Over = breaker.NoSlowCalls
	for name, cfg := range map[string]breaker.Config{"slow calls count": small, "slow calls off": untimed} {
		for _, state := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen, breaker.Ramping} {
			t.Run(name+"/"+state.String(), func(t *testing.T) {
				t.Parallel()
				b := breaker.New("global", cfg)
				bringTo := func(t *testing.T, state breaker.State) {
					if state == breaker.Closed {
						return
					}
					for range 4 {
						_ = b.Do(t.Context(), fails)
					}
					if state == breaker.Open {
						return
					}
					time.Sleep(2 * time.Second)
					_ = b.Do(t.Context(), works)
					for range 10 { // its probes
						if state == breaker.Ramping && b.State() != breaker.Ramping {
							_ = b.Do(t.Context(), works)
						}
					}
					if got := b.State(); got != state {
						t.Fatalf("%v, want %v", got, state)
					}
				}
				inBubble := func(t *testing.T) {
					_ = b.State()
					time.Sleep(time.Minute)
					deadline := time.Now().Add(time.Minute)
					for b.State() != breaker.Closed || b.Stats().State != breaker.Closed {
						_ = b.Do(t.Context(), works)
						time.Sleep(10 * time.Millisecond)
						if time.Now().After(deadline) {
							t.Fatalf("still %v after a minute of successes", b.State())
						}
					}
					time.Sleep(time.Minute)
					for range 4 {
						_ = b.Do(t.Context(), fails)
					}
					if got := b.State(); got != breaker.Open {
						t.Fatalf("%v after four failures, want open", got)
					}
					time.Sleep(time.Minute)
					bringTo(t, state) // for the next bubble, whose clock goes back by minutes only
				}
				if state != breaker.HalfOpen && state != breaker.Ramping {
					bringTo(t, state)
				} else {
					synctest.Test(t, func(t *testing.T) { // which takes time
						bringTo(t, state)
					})
				}
				synctest.Test(t, inBubble)
				synctest.Test(t, inBubble)
				_ = b.State() // and outside again
				for range 100 {
					_ = b.Do(t.Context(), works)
				}
			})
		}
	}
}

// Failures of before the clock jumped back are of another time: in the window they would stay for 26 years.
func TestFailuresOfAnotherClockDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for _, over := range []time.Duration{0, breaker.NoSlowCalls} {
		cfg := breaker.Config{Registry: quiet(), MinCalls: 10}
		cfg.Slow.Over = over
		b := breaker.New("global", cfg)
		for range 9 {
			_ = b.Do(t.Context(), func(context.Context) error { return errors.New("boom") })
		}
		synctest.Test(t, func(t *testing.T) {
			_ = b.Do(t.Context(), func(context.Context) error { return errors.New("boom") })
			if got := b.State(); got != breaker.Closed {
				t.Errorf("Slow.Over %v: %v after one failure of this time, want closed", over, got)
			}
		})
	}
}
