package breaker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

func setMode(t *testing.T, b *breaker.Breaker, m seawall.Mode) {
	t.Helper()
	if err := b.SetMode(m); err != nil {
		t.Fatal(err)
	}
	if got := b.Config().Mode; got != m {
		t.Fatalf("the mode is %v, want %v", got, m)
	}
}

// T12
func TestForcedOpenRunsNothingNotEvenProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 4})
		mustNotRun := func(context.Context) error {
			t.Error("op ran")
			return nil
		}
		rejectAll := func() {
			for range 100 {
				err := b.Do(t.Context(), mustNotRun)
				if r, ok := errors.AsType[*seawall.RejectedError](err); !ok || r.Reason != seawall.ReasonForced {
					t.Fatalf("got %v", err)
				}
			}
		}
		setMode(t, b, seawall.ForcedOpen) // while closed
		rejectAll()
		wantState(t, b, breaker.Closed)
		setMode(t, b, seawall.Enforce)
		trip(t, b)
		setMode(t, b, seawall.ForcedOpen) // while open, and across the end of the open time
		rejectAll()
		left := b.Stats().Reopen
		time.Sleep(left - 1)
		rejectAll()
		time.Sleep(time.Nanosecond)
		rejectAll()
		time.Sleep(time.Hour)
		rejectAll()
		setMode(t, b, seawall.Enforce) // back to the real state
		wantState(t, b, breaker.HalfOpen)
		acquire(t, b)
		setMode(t, b, seawall.ForcedOpen) // with a probe out
		rejectAll()
		setMode(t, b, seawall.Enforce)
		for range 4 {
			acquire(t, b)
		}
		reject(t, b)
	})
}

// T12
func TestForcedClosedRejectsNothingAndGoesOnCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told events
		b := newBreaker(breaker.Config{MinCalls: 4, Mode: seawall.ForcedClosed, OnStateChange: told.add})
		start := time.Now()
		for i := range 1000 {
			acquire(t, b).Done(errDown)
			if got := b.Stats().Calls.Failures; got != int64(i+1) {
				t.Fatalf("%d failures are counted after %d", got, i+1)
			}
			time.Sleep(100 * time.Millisecond)
		}
		s := b.Stats()
		if s.Rejected.Total()+s.ShadowRejected != 0 {
			t.Errorf("rejected %d, would have rejected %d", s.Rejected.Total(), s.ShadowRejected)
		}
		if s.State == breaker.Closed || s.Entered.Open < 3 {
			t.Errorf("after %v of failures the real state is %v, opened %d times", time.Since(start), s.State, s.Entered.Open)
		}
		told.wantChain(t, 5)
		for b.State() == breaker.HalfOpen {
			acquire(t, b).Done(errDown)
		}
		setMode(t, b, seawall.Enforce)
		reject(t, b)
	})
}

// T79
func TestOffLetsEveryCallPassUncounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(breaker.Config{MinCalls: 4})
		trip(t, b)
		setMode(t, b, seawall.Off)
		before := b.Stats()
		for range 100 {
			_ = b.Do(t.Context(), fail)
			if acquire(t, b).Done(errDown) {
				t.Error("a permit of a breaker that is off counted")
			}
		}
		if after := b.Stats(); after != before {
			t.Errorf("counted %+v, had %+v", after, before)
		}
		setMode(t, b, seawall.Enforce)
		reject(t, b)
	})
}

// T79: on the same trace, what Shadow would have rejected is what its enforcing twin does reject.
func TestShadowRejectsNothingAndCountsAsItsEnforcingTwin(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			cfg := breaker.Config{MinCalls: 5, Window: breaker.Window{Time: 5 * time.Second}}
			if seed%2 == 0 {
				cfg.Window = breaker.Window{Calls: 8}
			}
			twin := newBreaker(cfg)
			cfg.Mode = seawall.Shadow
			shadow := newBreaker(cfg)
			twin.SetRandom(rand.New(rand.NewPCG(seed, 1)).Float64)
			shadow.SetRandom(rand.New(rand.NewPCG(seed, 1)).Float64)

			type pair struct{ shadow, twin *seawall.Permit }
			var running []pair
			trace := rand.New(rand.NewPCG(seed, 2))
			badTimes := false
			for range 2000 {
				if trace.IntN(50) == 0 {
					badTimes = !badTimes
				}
				time.Sleep(time.Duration(trace.IntN(200)) * time.Millisecond)
				if trace.IntN(2) == 0 {
					p := pair{shadow: acquire(t, shadow)}
					if permit, err := twin.Acquire(t.Context()); err == nil {
						p.twin = &permit
					}
					running = append(running, p)
				} else if len(running) > 0 {
					i := trace.IntN(len(running))
					p := running[i]
					running[i] = running[len(running)-1]
					running = running[:len(running)-1]
					end := outcomes[trace.IntN(len(outcomes))].err
					if badTimes {
						end = errDown
					}
					p.shadow.Done(end)
					if p.twin != nil {
						p.twin.Done(end)
					}
				}
				is, would := twin.Stats(), shadow.Stats()
				if is.State != would.State || is.Window != would.Window || is.Rejected.Total() != would.ShadowRejected ||
					is.Reopen != would.Reopen || would.Rejected.Total() != 0 {
					t.Fatalf("seed %d: enforcing\n%+v, shadow\n%+v", seed, is, would)
				}
			}
			if twin.Stats().Rejected.Total() == 0 {
				t.Errorf("seed %d: nothing was rejected, so nothing was tested", seed)
			}
		})
	}
}

// T79: modes change under load, and no slot and no count is lost.
func TestModesSwitchUnderLoad(t *testing.T) {
	b := newBreaker(breaker.Config{
		MinCalls: 4, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond,
		Probes: breaker.Probes{Calls: 3, Timeout: time.Hour}, // a lost slot would stay lost
	})
	ctx := context.Background()
	var load sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		load.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-stop:
					return
				default:
				}
				if (i+j)%3 == 0 {
					_ = b.Do(ctx, fail)
				} else if p, err := b.Acquire(ctx); err == nil {
					p.Done(outcomes[j%len(outcomes)].err)
				}
			}
		})
	}
	for i := range 60 {
		setMode(t, b, seawall.Mode(i%5))
		time.Sleep(100 * time.Microsecond)
	}
	setMode(t, b, seawall.Enforce)
	close(stop)
	load.Wait()
	for deadline := time.Now().Add(5 * time.Second); b.State() != breaker.Closed; {
		_ = b.Do(ctx, succeed)
		if time.Now().After(deadline) {
			t.Fatalf("it does not recover: %+v", b.Stats())
		}
	}
}

func TestUnknownModeIsRefused(t *testing.T) {
	b := newBreaker(breaker.Config{})
	if err := b.SetMode(99); err == nil {
		t.Error("no error")
	}
	if got := b.Config().Mode; got != seawall.Enforce {
		t.Errorf("the mode is %v", got)
	}
}
