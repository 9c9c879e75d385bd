package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/ratelimit"
)

// newThrottle makes one in a registry of its own, with dice that fall the same way every time.
func newThrottle(cfg ratelimit.ThrottleConfig) *ratelimit.Throttle {
	cfg.Registry = quietRegistry()
	th := ratelimit.NewThrottle("geocoder", cfg)
	th.SetRandom(rand.New(rand.NewPCG(36, 11)).Float64)
	return th
}

// overloaded is an answer such as HTTP 429.
type overloaded struct{}

func (overloaded) Error() string            { return "too many requests" }
func (overloaded) Verdict() seawall.Verdict { return seawall.Verdict{Outcome: seawall.Overload} }

func refuse(context.Context) error { return overloaded{} }
func fail(context.Context) error   { return errors.New("connection refused") }

// backend serves so many calls a second, and refuses the others at no cost.
type backend struct {
	capacity float64
	credit   float64
	at       time.Time
	served   int
	refused  int
}

func (b *backend) call(context.Context) error {
	now := time.Now()
	b.credit = min(b.capacity, b.credit+b.capacity*now.Sub(b.at).Seconds())
	b.at = now
	if b.credit < 1 {
		b.refused++
		return overloaded{}
	}
	b.credit--
	b.served++
	return nil
}

// drive sends calls at a steady rate for some time, and returns how many were rejected locally.
func drive(t *testing.T, th *ratelimit.Throttle, perSecond int, length time.Duration, op func(context.Context) error) (calls, rejected int) {
	for range int(length.Seconds() * float64(perSecond)) {
		time.Sleep(time.Second / time.Duration(perSecond))
		calls++
		if err := th.Do(t.Context(), op); errors.Is(err, seawall.ErrRejected) {
			rejected++
		}
	}
	return calls, rejected
}

// Anchor 3.6: capacity 200/s, demand 1000/s, K = 2. In the steady state the backend gets K times what it accepts: 400
// sent, 600 dropped locally, one refusal for each accepted call. Under the race detector at a tenth of the rates.
func TestThrottleSendsKTimesTheCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const demand, capacity, minutes = 1000, 200, 5
		scale := 1
		if raceEnabled || testing.Short() {
			scale = 10
		}
		th := newThrottle(ratelimit.ThrottleConfig{})
		b := &backend{capacity: float64(capacity / scale), at: time.Now()}
		drive(t, th, demand/scale, 4*time.Minute, b.call)
		b.served, b.refused = 0, 0
		_, dropped := drive(t, th, demand/scale, minutes*time.Minute, b.call)
		perSecond := func(n int) float64 { return float64(n*scale) / (minutes * 60) }
		t.Logf("seed 36, 11: %.0f/s sent, %.0f/s dropped locally, %.0f/s served, %.0f/s refused",
			perSecond(b.served+b.refused), perSecond(dropped), perSecond(b.served), perSecond(b.refused))
		for _, c := range []struct {
			what      string
			got, want float64
		}{
			{"sent", perSecond(b.served + b.refused), 400},
			{"dropped", perSecond(dropped), 600},
			{"refused for each accepted", float64(b.refused) / float64(b.served), 1},
		} {
			if math.Abs(c.got/c.want-1) > 0.03 {
				t.Errorf("%s: %.3f, want %.3f ± 3 %%", c.what, c.got, c.want)
			}
		}
	})
}

// T11: local rejections count as requests, yet they do not keep the throttle shut. After a total outage that filled the
// window the share of the calls that get in grows, slowly first and then ever faster, and passes 90 % within two windows.
// The curve is pinned.
func TestThrottleRecoversWithinTwoWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, window = 100, 2 * time.Minute
		th := newThrottle(ratelimit.ThrottleConfig{Window: window})
		drive(t, th, perSecond, 5*time.Minute, fail)
		if p := th.Stats().RejectRatio; p != 0.9 {
			t.Fatalf("after the outage %v of the calls are rejected, want the cap", p)
		}
		healed := time.Now()
		first := false
		for calls := range 100 {
			if th.Do(t.Context(), succeed) == nil {
				t.Logf("the first call got in after %d rejections", calls)
				first = true
				break
			}
		}
		if !first {
			t.Error("not one of 100 calls got in")
		}
		for _, c := range []struct{ windows, rejected float64 }{
			{0.25, 0.9}, {0.5, 0.9}, {0.75, 0.83}, {1, 0.72}, {1.25, 0.6}, {1.5, 0.4}, {1.75, 0.08}, {2, 0},
		} {
			at := time.Duration(c.windows * float64(window))
			drive(t, th, perSecond, at-time.Since(healed), succeed)
			p := th.Stats().RejectRatio
			t.Logf("after %.2f windows %.2f are rejected", c.windows, p)
			if math.Abs(p-c.rejected) > 0.05 {
				t.Errorf("after %.2f windows %.2f of the calls are rejected, want %.2f", c.windows, p, c.rejected)
			}
		}
	})
}

// T11: an outage that is short against the window is over when it is over.
func TestThrottleRecoversFromAShortOutageSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(ratelimit.ThrottleConfig{})
		drive(t, th, 100, 2*time.Minute, succeed)
		drive(t, th, 100, 30*time.Second, fail)
		if calls, rejected := drive(t, th, 100, 10*time.Second, succeed); rejected > calls/10 {
			t.Errorf("%d of %d calls were rejected after 30 s of outage in a window of 2 min", rejected, calls)
		}
	})
}

// T8: an hour of silence leaves nothing in the window, and that is seen before the next call.
func TestThrottleForgetsWhatIsOldWhenItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(ratelimit.ThrottleConfig{})
		drive(t, th, 100, time.Minute, fail)
		if !th.Keep() {
			t.Error("a throttle that rejects need not be kept")
		}
		time.Sleep(2 * time.Minute)
		if s := th.Stats(); s.Requests != 0 || s.Accepts != 0 || s.RejectRatio != 0 || th.Keep() {
			t.Errorf("stats are %+v, keep: %t", s, th.Keep())
		}
		th.SetRandom(func() float64 { return 0 })
		if err := th.Do(t.Context(), succeed); err != nil {
			t.Error(err)
		}
	})
}

// T50: below the minimum volume nothing is rejected, whatever the dice say.
func TestThrottleRejectsNothingBelowItsMinimum(t *testing.T) {
	th := newThrottle(ratelimit.ThrottleConfig{})
	th.SetRandom(func() float64 { return 0 })
	for n := range 20 {
		if err := th.Do(t.Context(), refuse); errors.Is(err, seawall.ErrRejected) {
			t.Fatalf("call %d was rejected after as many refusals", n+1)
		}
	}
	err := th.Do(t.Context(), refuse)
	if !errors.Is(err, ratelimit.ErrThrottled) || !errors.Is(err, seawall.ErrRejected) {
		t.Errorf("call 21 got %v, want ErrThrottled", err)
	}
	if want := `throttle "geocoder": limited`; err.Error() != want {
		t.Errorf("the text is %s, want %s", err, want)
	}
	wantRejection(t, err, seawall.ReasonLimited, 0)
}

// The formula, digit by digit: the highest roll that rejects.
func TestThrottleFollowsTheFormula(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			k, maxReject     float64
			accepts, refused int
			want             float64
		}{
			{2, 0.9, 50, 50, 0},
			{2, 0.9, 51, 49, 0},
			{2, 0.9, 40, 60, 20.0 / 101},
			{2, 0.9, 0, 100, 0.9},
			{2, 1, 0, 100, 100.0 / 101},
			{1.5, 0.9, 60, 40, 10.0 / 101},
			{10, 0.9, 10, 90, 0},
			{10, 0.9, 9, 91, 10.0 / 101},
		} {
			th := newThrottle(ratelimit.ThrottleConfig{K: c.k, MaxReject: c.maxReject})
			roll := 1.0
			th.SetRandom(func() float64 { return roll })
			for i := range c.accepts + c.refused {
				op := refuse
				if i < c.accepts {
					op = succeed
				}
				_ = th.Do(t.Context(), op)
			}
			s := th.Stats()
			if int(s.Requests) != c.accepts+c.refused || int(s.Accepts) != c.accepts || math.Abs(s.RejectRatio-c.want) > 1e-12 {
				t.Errorf("%+v: stats are %+v", c, s)
			}
			if roll = c.want; c.want > 0 {
				if err := th.Do(t.Context(), succeed); err != nil {
					t.Errorf("%+v: a roll of exactly the ratio was rejected", c)
				}
			}
			if roll = th.Stats().RejectRatio - 1e-9; roll > 0 {
				if err := th.Do(t.Context(), succeed); err == nil {
					t.Errorf("%+v: a roll just below the ratio was not rejected", c)
				}
			}
		}
	})
}

// Requests count when the call starts: calls that hang are seen while they hang.
func TestThrottleSeesCallsThatHang(t *testing.T) {
	th := newThrottle(ratelimit.ThrottleConfig{})
	th.SetRandom(func() float64 { return 0 })
	permits := take(t, th, 20)
	if _, err := th.Acquire(t.Context()); !errors.Is(err, ratelimit.ErrThrottled) {
		t.Errorf("20 calls hang, and the next one got %v", err)
	}
	for _, p := range permits {
		p.Done(nil)
	}
	if _, err := th.Acquire(t.Context()); err != nil {
		t.Errorf("all have ended well, and the next one got %v", err)
	}
}

// T13, T72: who is to blame.
func TestThrottleJudgesTheEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("connection refused")
		rejected := seawall.Reject("breaker", "inner", seawall.ReasonOpen, errors.New("open"), 0)
		for _, c := range []struct {
			err               error
			evidence          ratelimit.Evidence
			requests, accepts int64
		}{
			{nil, ratelimit.OverloadAndFailure, 1, 1},
			{failure, ratelimit.OverloadAndFailure, 1, 0},
			{failure, ratelimit.OverloadOnly, 1, 1},
			{overloaded{}, ratelimit.OverloadAndFailure, 1, 0},
			{overloaded{}, ratelimit.OverloadOnly, 1, 0},
			{seawall.ErrAborted, ratelimit.OverloadAndFailure, 1, 0},
			{seawall.ErrCanceled, ratelimit.OverloadAndFailure, 0, 0},
			{rejected, ratelimit.OverloadAndFailure, 0, 0},
		} {
			th := newThrottle(ratelimit.ThrottleConfig{Evidence: c.evidence})
			if p := take(t, th, 1)[0]; !p.Done(c.err) || p.Done(c.err) { // T31
				t.Errorf("%v: the first Done did not count, or the second one did", c.err)
			}
			if s := th.Stats(); s.Requests != c.requests || s.Accepts != c.accepts ||
				s.Success+s.Failure+s.Overload+s.Ignored != 1 {
				t.Errorf("%v, %v: stats are %+v", c.err, c.evidence, s)
			}
		}
	})
}

func TestThrottleAsksItsOwnClassifier(t *testing.T) {
	th := newThrottle(ratelimit.ThrottleConfig{Classify: func(err error) seawall.Verdict {
		if err == nil {
			return seawall.Verdict{Outcome: seawall.Overload}
		}
		return seawall.Verdict{Outcome: 77} // none of the four is a failure
	}})
	_, _ = th.Do(t.Context(), succeed), th.Do(t.Context(), fail)
	if s := th.Stats(); s.Overload != 1 || s.Failure != 1 || s.Accepts != 0 {
		t.Errorf("stats are %+v", s)
	}
}

// T13: a context that is already dead is not counted, and a caller that cancels is no evidence.
func TestThrottleIsNeutralToCancellation(t *testing.T) {
	th := newThrottle(ratelimit.ThrottleConfig{})
	th.SetRandom(func() float64 { return 0 })
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		err := th.Do(ctx, func(ctx context.Context) error {
			cancel()
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		_ = th.Do(ctx, succeed)
	}
	if s := th.Stats(); s.Requests != 0 || s.Ignored != 100 || s.Admitted != 100 {
		t.Errorf("stats are %+v", s)
	}
}

// A request that had left the window already, by less than a step, was taken back from those of others.
func TestThrottleTakesNothingBackThatHasLeftTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = time.Second
		th := newThrottle(ratelimit.ThrottleConfig{Window: ratelimit.Steps * step})
		for range 3 {
			time.Sleep(step * 9 / 10)
			permit := take(t, th, 1)[0]
			time.Sleep((ratelimit.Steps - 1) * step)
			_ = th.Do(t.Context(), succeed)
			time.Sleep(step / 2) // the step in which the call came is over, but it is younger than the window is long
			permit.Done(rejection())
			if s := th.Stats(); s.Requests != 1 || s.Accepts != 1 {
				t.Errorf("stats are %+v", s)
			}
			time.Sleep(time.Hour - (ratelimit.Steps-1)*step - step/2 - step*9/10)
		}
	})
}

// T1, T75: a new window starts empty, and what began before is late. Other changes keep what is in it.
func TestThrottleKeepsItsWindowThroughAnUpdate(t *testing.T) {
	th := newThrottle(ratelimit.ThrottleConfig{})
	permits := take(t, th, 2)
	_ = th.Do(t.Context(), succeed)
	if err := th.Update(ratelimit.ThrottleConfig{K: 3, MinRequests: 5}); err != nil {
		t.Fatal(err)
	}
	if !permits[0].Done(nil) {
		t.Error("an end was late, though the window is the same")
	}
	if s := th.Stats(); s.Requests != 3 || s.Accepts != 2 {
		t.Errorf("stats are %+v", s)
	}
	if err := th.Update(ratelimit.ThrottleConfig{Window: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if permits[1].Done(nil) {
		t.Error("an end of the old window counted in the new one")
	}
	if s := th.Stats(); s.Requests != 0 || s.Accepts != 0 || s.Success != 3 || s.Admitted != 3 {
		t.Errorf("stats are %+v", s)
	}
}
