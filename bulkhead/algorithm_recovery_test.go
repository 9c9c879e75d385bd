package bulkhead_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// T61: for ten seconds every call times out after one second, and the limit is at its floor. It then took up to a minute
// to find what it had known before.
func TestLimitIsBackSoonAfterEverythingTimedOut(t *testing.T) {
	const from, to = time.Minute, 70 * time.Second
	forLaws(t, func(t *testing.T, l law, poisson bool, seed uint64) {
		for _, rate := range []float64{280, 600} {
			tr := simulate(scenario{
				length: 2 * time.Minute, rate: always(rate), poisson: poisson, workers: always(30), service: l.work,
				bypass: func(now time.Duration, _ *rand.Rand) (bulkhead.Ending, bool) {
					return bulkhead.Ending{Took: time.Second, Outcome: seawall.Failure, TimedOut: true}, from <= now && now < to
				},
			}, knee(), seed)
			if low, _ := tr.bounds(to-time.Second, to); low > 1 {
				t.Errorf("%v/s: the limit fell to %d only, and nothing is tested", rate, low)
			}
			up := tr.reaches(to, func(limit int) bool { return limit >= 20 })
			goodput := tr.goodput(to+4*time.Second, to+14*time.Second)
			t.Logf("%v/s: at 20 after %v, then %.1f/s", rate, up.Round(10*time.Millisecond), goodput)
			if up > 3500*time.Millisecond || goodput < 0.85*min(rate, 300) {
				t.Errorf("%v/s: at 20 after %v, want 3.5 s, then %.1f/s: %s", rate, up, goodput, tr.series(time.Second))
			}
		}
	})
}

// T61: for a minute half of the calls are pushed back, whatever the limit. A few round trips without a push-back are chance
// then, and each made the way back a quarter shorter, until there was none: half a minute later the limit was at 8.
func TestLimitIsBackSoonAfterHalfWasPushedBack(t *testing.T) {
	const from, to = 30 * time.Second, 90 * time.Second
	forLaws(t, func(t *testing.T, l law, poisson bool, seed uint64) {
		for _, rate := range []float64{280, 600} {
			tr := simulate(scenario{
				length: 2 * time.Minute, rate: always(rate), poisson: poisson, workers: always(30), service: l.work,
				bypass: func(now time.Duration, rng *rand.Rand) (bulkhead.Ending, bool) {
					pushedBack := from <= now && now < to && rng.IntN(2) == 0
					return bulkhead.Ending{Took: time.Millisecond, Outcome: seawall.Overload}, pushedBack
				},
			}, knee(), seed)
			if low := tr.mean(to-10*time.Second, to); low > 4 {
				t.Errorf("%v/s: the limit fell to %.1f only, and nothing is tested", rate, low)
			}
			up := tr.reaches(to, func(limit int) bool { return limit >= 20 })
			t.Logf("%v/s: at 20 after %v", rate, up.Round(10*time.Millisecond))
			if up > 10*time.Second {
				t.Errorf("%v/s: at 20 after %v, want 10 s: %s", rate, up, tr.series(2*time.Second))
			}
		}
	})
}

// Where the drops come back as soon as the limit does, the way back becomes shorter each time: the limit must not jump
// for ever between what it knew and what there is.
func TestLimitDoesNotReturnForEverToWhatIsTooMuch(t *testing.T) {
	m := bulkhead.NewModel(bulkhead.AdaptiveConfig{}, origin)
	now, dropped, ended := origin, 0, 0
	round := func(most int) {
		limit := m.Limit()
		e := bulkhead.Ending{Took: 100 * time.Millisecond, Outcome: seawall.Success}
		if limit > most {
			e = bulkhead.Ending{Took: time.Second, Outcome: seawall.Failure, TimedOut: true}
		}
		now += e.Took
		for i := range limit {
			e.Now, e.InFlight = now+time.Duration(i), i+1
			m.Observe(e)
			ended++
			if e.TimedOut {
				dropped++
			}
		}
		now += time.Duration(limit)
	}
	for now < origin+time.Minute {
		round(40)
	}
	for now < origin+2*time.Minute {
		round(10)
	}
	dropped, ended = 0, 0
	for now < origin+4*time.Minute {
		round(10)
	}
	if share := float64(dropped) / float64(ended); share > 0.15 || m.Learned() > 14 {
		t.Errorf("%.1f %% of %d calls are dropped, the limit is %d", 100*share, ended, m.Learned())
	}
}

// A call that got its slot when its time was nearly over says nothing of the server. Counted as drops, such calls kept the
// limit at its floor after an outage.
func TestAdaptiveDoesNotLearnFromCallsThatCameTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := bulkhead.NewAdaptive("server", bulkhead.AdaptiveConfig{Initial: 10, Registry: quietRegistry()})
		work := func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil }
		for range 100 {
			if err := a.Do(t.Context(), work); err != nil {
				t.Fatal(err)
			}
		}
		expired := func(after time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			err := a.Do(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		for range 100 {
			expired(10 * time.Millisecond)
		}
		if got := a.Stats(); got.Limit != 10 || got.Outcomes.Dropped != 0 || got.Outcomes.Failures != 100 {
			t.Errorf("after calls that had 10 ms: %+v", got)
		}
		for range 100 {
			expired(time.Second)
		}
		if got := a.Stats(); got.Limit >= 10 || got.Outcomes.Dropped != 100 {
			t.Errorf("after calls that had a second: %+v", got)
		}
	})
}

// A maximum below the limit that was known before the drops: the way back to it had no end, and the baseline was not
// measured any more.
func TestAdaptiveEndsARecoveryAtALowerMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, server := newAdaptive(bulkhead.AdaptiveConfig{}), newPool(100, laws[0])
		load(t, a, 130, 20*time.Second, server.serve)
		load(t, a, 40, 10*time.Second, func(context.Context) error {
			time.Sleep(time.Second)
			return context.DeadlineExceeded
		})
		if s := a.Stats(); s.Learned > 5 {
			t.Fatalf("the limit is %d after an outage, and nothing is tested", s.Learned)
		}
		if err := a.Update(bulkhead.AdaptiveConfig{Max: 30}); err != nil {
			t.Fatal(err)
		}
		load(t, a, 60, 10*time.Second, server.serve)
		before := a.Stats()
		load(t, a, 60, 2*time.Minute, server.serve)
		if after := a.Stats(); before.Learned != 30 || after.Drains == before.Drains {
			t.Errorf("the limit is %d ten seconds after the outage, want 30; %d drains in two minutes, want some",
				before.Learned, after.Drains-before.Drains)
		}
	})
}
