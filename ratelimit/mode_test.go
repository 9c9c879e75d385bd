package ratelimit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// T79: in shadow nothing is rejected, and "would have rejected" equals the rejections of an enforcing twin on the same
// trace, with and without a queue.
func TestShadowCountsWhatAnEnforcingTwinRejects(t *testing.T) {
	seeds := 30
	if raceEnabled || testing.Short() {
		seeds = 6
	}
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, 79))
			cfg := ratelimit.Config{Rate: 100, Burst: 3}
			if seed%2 == 0 {
				cfg.MaxWait, cfg.MaxWaiting = 50*time.Millisecond, 1+rng.IntN(6)
			}
			enforcing := newLimiter(cfg)
			cfg.Mode = seawall.Shadow
			shadow := newLimiter(cfg)
			for range 1000 {
				time.Sleep(time.Duration(rng.Int64N(int64(15 * time.Millisecond))))
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rng.IntN(100))*time.Millisecond)
				defer cancel()
				_ = start(ctx, enforcing)
				if _, err := shadow.Acquire(ctx); err != nil {
					t.Fatalf("seed %d: shadow mode rejected a call: %v", seed, err)
				}
			}
			time.Sleep(time.Second)
			e, s := enforcing.Stats(), shadow.Stats()
			if s.ShadowRejected != e.Rejected.Total() || s.Allowed != 1000 || e.Allowed+e.Delayed+e.Rejected.Total() != 1000 {
				t.Fatalf("seed %d: %+v, but the twin has %+v", seed, s, e)
			}
			if s.ShadowRejected == 0 || e.Delayed == 0 && cfg.MaxWait > 0 {
				t.Fatalf("seed %d: %+v: nothing is proved", seed, e)
			}
		}
	})
}

// T79: the same of the throttle, whose rehearsed rejections are no evidence.
func TestThrottleShadowCountsWhatAnEnforcingTwinRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enforcing, shadow := newThrottle(ratelimit.ThrottleConfig{}), newThrottle(ratelimit.ThrottleConfig{Mode: seawall.Shadow})
		rng := rand.New(rand.NewPCG(79, 0))
		for range 20_000 {
			time.Sleep(10 * time.Millisecond)
			op := []func(context.Context) error{succeed, refuse, refuse, fail}[rng.IntN(4)]
			_ = enforcing.Do(t.Context(), op)
			if err := shadow.Do(t.Context(), op); errors.Is(err, seawall.ErrRejected) {
				t.Fatal(err)
			}
		}
		e, s := enforcing.Stats(), shadow.Stats()
		if s.ShadowRejected != e.Limited || e.Limited == 0 || s.Requests != e.Requests || s.Accepts != e.Accepts {
			t.Errorf("%+v, but the twin has %+v", s, e)
		}
	})
}

// T12: forced open runs nothing, forced closed rejects nothing and keeps counting, and then the limiter is where it was.
func TestLimiterObeysForcedModes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 1, Burst: 3})
		set := func(m seawall.Mode) {
			if err := l.SetMode(m); err != nil {
				t.Fatal(err)
			}
		}
		take(t, l, 1)
		set(seawall.ForcedOpen)
		_, err := l.Acquire(t.Context())
		wantRejection(t, err, seawall.ReasonForced, 0)
		if !errors.Is(err, ratelimit.ErrLimited) {
			t.Errorf("%v does not match ErrLimited", err)
		}
		set(seawall.ForcedClosed)
		take(t, l, 5) // two of them find tokens
		set(seawall.Off)
		take(t, l, 5)[0].Done(rejection())
		set(seawall.Enforce)
		_, err = l.Acquire(t.Context())
		wantRejection(t, err, seawall.ReasonLimited, time.Second)
		want := ratelimit.Stats{Rate: 1, Burst: 3, Allowed: 6, Rejected: ratelimit.Rejections{Limited: 1, Forced: 1}}
		if s := l.Stats(); s != want {
			t.Errorf("stats are\n%+v, want\n%+v", s, want)
		}
	})
}

// T12: the throttle's window goes on where it was.
func TestThrottleObeysForcedModes(t *testing.T) {
	th := newThrottle(ratelimit.ThrottleConfig{})
	th.SetRandom(func() float64 { return 0 })
	for range 30 {
		_ = th.Do(t.Context(), refuse)
	}
	before := th.Stats()
	set := func(m seawall.Mode) {
		if err := th.SetMode(m); err != nil {
			t.Fatal(err)
		}
	}
	set(seawall.ForcedOpen)
	wantRejection(t, th.Do(t.Context(), succeed), seawall.ReasonForced, 0)
	set(seawall.Off)
	if err := th.Do(t.Context(), succeed); err != nil {
		t.Error(err)
	}
	if s := th.Stats(); s.Requests != before.Requests || s.Accepts != before.Accepts || s.Admitted != before.Admitted {
		t.Errorf("stats are %+v, want the window of %+v", s, before)
	}
	set(seawall.ForcedClosed)
	if err := th.Do(t.Context(), succeed); err != nil {
		t.Error(err)
	}
	if s := th.Stats(); s.Requests != before.Requests+1 || s.Accepts != 1 {
		t.Errorf("stats are %+v", s)
	}
	set(seawall.Enforce)
	if err := th.Do(t.Context(), succeed); !errors.Is(err, ratelimit.ErrThrottled) {
		t.Errorf("error is %v", err)
	}
}

// T79: a switch lets those in that wait, or turns them away.
func TestLimiterSettlesItsQueueAtASwitch(t *testing.T) {
	for mode := seawall.Shadow; mode <= seawall.Off; mode++ {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(ratelimit.Config{Rate: 1, Burst: 1, MaxWait: time.Minute})
			take(t, l, 1)
			a, b := start(t.Context(), l), start(t.Context(), l)
			if err := l.SetMode(mode); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{a.settle(t), b.settle(t)} {
				if mode == seawall.ForcedOpen {
					wantRejection(t, err, seawall.ReasonForced, 0)
				} else if err != nil {
					t.Errorf("%v: %v", mode, err)
				}
			}
			if s := l.Stats(); s.Waiting != 0 || (s.Tokens == -2) != (mode == seawall.Shadow) || l.HasTimer() {
				t.Errorf("%v: stats are %+v", mode, s)
			}
		})
	}
}

// A limiter is kept by a family as long as a new one would let more through.
func TestKeepSaysWhetherANewOneWouldDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(ratelimit.Config{Rate: 10, Burst: 2, Mode: seawall.Shadow})
		want := func(want bool, what string) {
			t.Helper()
			if l.Keep() != want {
				t.Errorf("%s: keep is %t", what, !want)
			}
		}
		want(false, "new")
		take(t, l, 1)
		want(true, "not full")
		time.Sleep(100 * time.Millisecond)
		want(false, "full again")
		_ = l.SetMode(seawall.ForcedOpen)
		want(true, "a mode by hand")
		_ = l.SetMode(seawall.Shadow)
		want(false, "the mode of New again")
		update(t, l, ratelimit.Config{Rate: 10, Burst: 2, Mode: seawall.Off})
		want(false, "a mode by configuration")

		th := newThrottle(ratelimit.ThrottleConfig{})
		if th.Keep() {
			t.Error("a new throttle is to be kept")
		}
		_ = th.SetMode(seawall.Off)
		if !th.Keep() {
			t.Error("a mode by hand is not to be kept")
		}
	})
}
