package bulkhead_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// The rows of the table of section 3.8 of the anchors: 30 workers, 100 ms each, so that the best number in flight is 30.

// T29, (a): in ten minutes at twice the capacity the limit neither takes the loaded latency for the normal one, nor starves
// the workers.
func TestLimitDoesNotDriftInTenMinutesOfOverload(t *testing.T) {
	forLaws(t, func(t *testing.T, l law, poisson bool, seed uint64) {
		tr := simulate(scenario{
			length: 10 * time.Minute, rate: always(600.0), poisson: poisson, workers: always(30), service: l.work,
		}, knee(), seed)
		low, high := tr.bounds(15*time.Second, tr.length)
		band, goodput := tr.share(0, 27, 45), tr.goodput(0, tr.length)
		slower := float64(tr.p99()) / float64(l.unloaded())
		t.Logf("limit %d to %d, on average %.1f, within 27 to 45 for %.1f %% of the time; goodput %.1f/s; p99 %v, %.2f times as long as without load",
			low, high, tr.mean(0, tr.length), 100*band, goodput, tr.p99().Round(time.Millisecond), slower)
		if band < 0.95 {
			t.Errorf("the limit is within 27 to 45 for %.1f %% of the time, want 95 %%: %s", 100*band, tr.series(10*time.Second))
		}
		if goodput < 0.95*300 {
			t.Errorf("goodput is %.1f/s, want at least 285/s", goodput)
		}
		if slower > 2 {
			t.Errorf("p99 is %v, %.2f times as long as without load, want 2 times at the most", tr.p99(), slower)
		}
	})
}

// T29, (b): every call ends after exactly a second as a timeout.
func TestLimitFallsToTheFloorWhenAllCallsTimeOut(t *testing.T) {
	for name, healthy := range map[string]time.Duration{"from the start": 0, "after a healthy time": 20 * time.Second} {
		for algorithm := bulkhead.Knee; algorithm <= bulkhead.AIMD; algorithm++ {
			m := bulkhead.NewModel(bulkhead.AdaptiveConfig{Algorithm: algorithm}, origin)
			tr := simulate(scenario{
				length: 3 * time.Minute, rate: always(200.0), workers: always(1000), service: laws[0].work,
				bypass: func(now time.Duration, _ *rand.Rand) (bulkhead.Ending, bool) {
					return bulkhead.Ending{Took: time.Second, Outcome: seawall.Failure, TimedOut: true}, now > healthy
				},
			}, m, 1)
			// A window lasts until 20 calls, or 10, have ended; a limit of 1 lets one end in a second.
			windows := 0
			for i, at := range tr.at {
				if at > healthy && (i == 0 || tr.limit[i] < tr.limit[i-1]) {
					windows++
				}
			}
			took := tr.reaches(healthy, func(limit int) bool { return limit == 1 })
			t.Logf("%v, %s: floor after %v, in %d windows", algorithm, name, took, windows)
			most := 20
			if algorithm == bulkhead.AIMD {
				most = 40 // 0.9 to the power of 29 is a twentieth
			}
			if took > 2*time.Minute || windows > most {
				t.Errorf("%v, %s: the limit reaches 1 after %v and %d windows, want at most %d windows: %v",
					algorithm, name, took, windows, most, tr.limit)
			}
			if low, high := tr.bounds(took+healthy, tr.length); low != 1 || high != 1 {
				t.Errorf("%v, %s: then it is %d to %d, want 1", algorithm, name, low, high)
			}
		}
	}
}

// T29, (c): a fifth is rejected downstream in a millisecond, and the rest is quick.
func TestLimitDoesNotGrowWhenAFifthIsPushedBack(t *testing.T) {
	for algorithm := bulkhead.Knee; algorithm <= bulkhead.AIMD; algorithm++ {
		for _, rate := range []float64{100, 250, 600} {
			m := bulkhead.NewModel(bulkhead.AdaptiveConfig{Algorithm: algorithm}, origin)
			tr := simulate(scenario{
				length: 2 * time.Minute, rate: always(rate), workers: always(1000), service: laws[0].work,
				bypass: func(_ time.Duration, rng *rand.Rand) (bulkhead.Ending, bool) {
					return bulkhead.Ending{Took: time.Millisecond, Outcome: seawall.Overload}, rng.Float64() < 0.2
				},
			}, m, 2)
			if _, high := tr.bounds(0, tr.length); high > 20 {
				t.Errorf("%v at %v/s: the limit has grown from 20 to %d: %s", algorithm, rate, high, tr.series(5*time.Second))
			}
		}
	}
}

// T61, (d): half of the workers go, and come back.
func TestLimitFollowsTheNumberOfWorkers(t *testing.T) {
	const lost, back = time.Minute, 2 * time.Minute
	forLaws(t, func(t *testing.T, l law, poisson bool, seed uint64) {
		// What the workers can serve is what was drawn for them: the work of fifty seconds varies by chance.
		var work time.Duration
		served := 0
		tr := simulate(scenario{
			length: 3 * time.Minute, rate: always(600.0), poisson: poisson,
			workers: during(lost, back, 15, 30),
			service: func(now time.Duration, rng *rand.Rand) time.Duration {
				d := l.work(now, rng)
				if lost+10*time.Second <= now && now < back {
					work += d
					served++
				}
				return d
			},
		}, knee(), seed)
		capacity := 15 * float64(served) / work.Seconds()
		down := tr.mean(lost+10*time.Second, back)
		up := tr.reaches(back, func(limit int) bool { return limit >= 27 })
		goodput := tr.goodput(lost+10*time.Second, back)
		t.Logf("with 15 workers on average %.1f, goodput %.1f of %.1f/s; back at 27 after %v",
			down, goodput, capacity, up.Round(100*time.Millisecond))
		high := 16.5 // within ten percent
		if l.name != laws[0].name {
			high = 21 // what latencies say that vary, of so few workers
		}
		if down < 13.5 || down > high {
			t.Errorf("ten seconds after half of the workers are gone it is %.1f on average, want 13.5 to %.1f: %s",
				down, high, tr.series(2*time.Second))
		}
		if up > 20*time.Second {
			t.Errorf("it is back at 27 after %v, want 20 s: %s", up, tr.series(2*time.Second))
		}
		if goodput < 0.95*capacity {
			t.Errorf("goodput with 15 workers is %.1f/s, want 95 %% of %.1f/s", goodput, capacity)
		}
	})
}

// T61, (e): from 200 slots to 20, and back.
func TestLimitFollowsALossOfNineTenths(t *testing.T) {
	const lost, back = 90 * time.Second, 3 * time.Minute
	forLaws(t, func(t *testing.T, l law, poisson bool, seed uint64) {
		tr := simulate(scenario{
			length: 5 * time.Minute, rate: always(4000.0), poisson: poisson,
			workers: during(lost, back, 20, 200), service: l.work,
		}, knee(), seed)
		down := tr.reaches(lost, func(limit int) bool { return limit <= 30 })
		up := tr.reaches(back, func(limit int) bool { return limit >= 180 })
		small, large := tr.mean(lost+20*time.Second, back), tr.mean(back+30*time.Second, tr.length)
		t.Logf("at 30 after %v, then on average %.1f; back at 180 after %v, then on average %.1f",
			down.Round(10*time.Millisecond), small, up.Round(100*time.Millisecond), large)
		if down > 10*time.Second || small < 18 || small > 40 {
			t.Errorf("at 30 after %v, want 10 s; then %.1f on average, want 18 to 40: %s", down, small, tr.series(2*time.Second))
		}
		if up > 30*time.Second || large < 180 || large > 300 {
			t.Errorf("at 180 after %v, want 30 s; then %.1f on average, want 180 to 300: %s", up, large, tr.series(2*time.Second))
		}
		if goodput := tr.goodput(lost+20*time.Second, back); goodput < 0.95*200 {
			t.Errorf("goodput with 20 slots is %.1f/s, want 190/s", goodput)
		}
	})
}

// T29, (f): nine of ten calls fail at once, and the tenth is quick.
func TestLimitDoesNotGrowOnFastFailures(t *testing.T) {
	for algorithm := bulkhead.Knee; algorithm <= bulkhead.AIMD; algorithm++ {
		for _, rate := range []float64{100, 2000, 5000} {
			m := bulkhead.NewModel(bulkhead.AdaptiveConfig{Algorithm: algorithm}, origin)
			tr := simulate(scenario{
				length: 2 * time.Minute, rate: always(rate), workers: always(1000), service: laws[0].work,
				bypass: func(_ time.Duration, rng *rand.Rand) (bulkhead.Ending, bool) {
					return bulkhead.Ending{Took: 100 * time.Microsecond, Outcome: seawall.Failure}, rng.Float64() < 0.9
				},
			}, m, 3)
			if _, high := tr.bounds(0, tr.length); high > 20 {
				t.Errorf("%v at %v/s: the limit has grown from 20 to %d: %s", algorithm, rate, high, tr.series(10*time.Second))
			}
			if m.Baseline() > 0 && m.Baseline() < 90*time.Millisecond {
				t.Errorf("%v: the baseline is %v: a fast failure was taken for a latency", algorithm, m.Baseline())
			}
		}
	}
}

// T29, (f): an hour with one call in flight, one with a burst in each second that hits the limit and leaves it idle else, and
// one of low load in which latency doubles.
func TestLimitDoesNotGrowWhileIdle(t *testing.T) {
	doubling := func(now time.Duration, _ *rand.Rand) time.Duration { return 100*time.Millisecond + now/36_000 }
	for name, s := range map[string]scenario{
		"one in flight": {length: time.Hour, rate: always(9.0), workers: always(1000), service: laws[0].work},
		"rare bursts": {length: time.Hour, workers: always(1000), service: laws[0].work, rate: func(now time.Duration) float64 {
			return 3000 * max(0, 1-float64(now%time.Second/(10*time.Millisecond))) // for ten milliseconds in a second
		}},
		"slow ramp": {length: time.Hour, rate: always(25.0), poisson: true, workers: always(1000), service: doubling},
	} {
		for algorithm := bulkhead.Knee; algorithm <= bulkhead.AIMD; algorithm++ {
			m := bulkhead.NewModel(bulkhead.AdaptiveConfig{Algorithm: algorithm}, origin)
			tr := simulate(s, m, 4)
			if low, high := tr.bounds(0, tr.length); low != 20 || high != 20 {
				t.Errorf("%v, %s: the limit was %d to %d, want 20", algorithm, name, low, high)
			}
		}
	}
}

// (g): at the floor there is nothing to lower, and all the same something to learn.
func TestLimitRisesFromTheFloor(t *testing.T) {
	for _, l := range someLaws() {
		m := bulkhead.NewModel(bulkhead.AdaptiveConfig{Initial: 1}, origin)
		tr := simulate(scenario{length: 5 * time.Minute, rate: always(600.0), workers: always(30), service: l.work}, m, 5)
		took := tr.reaches(0, func(limit int) bool { return limit >= 27 })
		t.Logf("%s: from 1 to 27 in %v", l.name, took.Round(time.Second))
		if took > 90*time.Second {
			t.Errorf("%s: from 1 to 27 in %v, want 90 s: %s", l.name, took, tr.series(3*time.Second))
		}
	}
}

// (h): a service that works on two calls at once, and one that works on a thousand.
func TestLimitSuitsSmallAndLargeServices(t *testing.T) {
	for _, l := range someLaws() {
		for _, workers := range []int{1, 2, 5, 1000} {
			if raceEnabled && workers == 1000 {
				continue // millions of calls
			}
			m := bulkhead.NewModel(bulkhead.AdaptiveConfig{Max: 5000}, origin)
			tr := simulate(scenario{
				length: 5 * time.Minute, rate: always(float64(20 * workers)), workers: always(workers), service: l.work,
			}, m, 6)
			limit := tr.mean(2*time.Minute, tr.length)
			goodput := tr.goodput(time.Minute, tr.length) / float64(10*workers)
			t.Logf("%s, %d workers: %.1f on average, goodput %.3f of the capacity", l.name, workers, limit, goodput)
			low, high := float64(workers)*0.9, max(float64(workers)*1.6, float64(workers)+8)
			if limit < low || limit > high {
				t.Errorf("%s, %d workers: %.1f on average, want %.1f to %.1f: %s", l.name, workers, limit, low, high, tr.series(5*time.Second))
			}
			if goodput < 0.9 {
				t.Errorf("%s, %d workers: goodput is %.3f of the capacity, want 0.9", l.name, workers, goodput)
			}
		}
	}
}

// (i): load that comes in bursts neither drives the limit away nor lets it collapse.
func TestLimitSurvivesBursts(t *testing.T) {
	for _, l := range someLaws() {
		for _, half := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
			tr := simulate(scenario{
				length: 5 * time.Minute, workers: always(30), service: l.work,
				rate: func(now time.Duration) float64 { return 900 * float64(1-now/half%2) },
			}, knee(), 7)
			low, high := tr.bounds(30*time.Second, tr.length)
			mean := tr.mean(30*time.Second, tr.length)
			t.Logf("%s, on and off for %v: %d to %d, on average %.1f", l.name, half, low, high, mean)
			if mean < 15 || mean > 60 {
				t.Errorf("%s, on and off for %v: %.1f on average, want 15 to 60: %s", l.name, half, mean, tr.series(5*time.Second))
			}
		}
	}
}

// (i): minutes of light load do not lead to a limit that is far too high when overload comes.
func TestLimitIsReadyForOverloadAfterLightLoad(t *testing.T) {
	const heavy = 5 * time.Minute
	forLaws(t, func(t *testing.T, l law, _ bool, seed uint64) {
		tr := simulate(scenario{
			length: 8 * time.Minute, rate: during(0, heavy, 100.0, 600.0), poisson: true, workers: always(30), service: l.work,
		}, knee(), seed)
		if _, high := tr.bounds(0, heavy+5*time.Second); high > 60 {
			t.Errorf("the limit is %d when the overload comes", high)
		}
		if band := tr.share(heavy+15*time.Second, 27, 45); band < 0.9 {
			t.Errorf("within 27 to 45 for %.1f %% of the time: %s", 100*band, tr.series(10*time.Second))
		}
	})
}

// A service that has become slower, with as many workers as before, keeps its limit: what has changed is the baseline.
func TestLimitStaysWhenTheWorkItselfBecomesSlower(t *testing.T) {
	const slow, quick = time.Minute, 150 * time.Second
	forLaws(t, func(t *testing.T, l law, poisson bool, seed uint64) {
		m := knee()
		tr := simulate(scenario{
			length: 4 * time.Minute, rate: always(600.0), poisson: poisson, workers: always(30),
			service: func(now time.Duration, rng *rand.Rand) time.Duration {
				return time.Duration(during(slow, quick, 3, 1)(now)) * l.work(now, rng)
			},
		}, m, seed)
		slowly, after := tr.goodput(slow+20*time.Second, quick), tr.goodput(quick+20*time.Second, tr.length)
		t.Logf("goodput %.1f of 100/s while it is slow, then %.1f of 300/s; limit then %.1f on average", slowly, after, tr.mean(quick+20*time.Second, tr.length))
		if slowly < 85 || after < 280 {
			t.Errorf("goodput is %.1f of 100/s while it is slow, and then %.1f of 300/s: %s", slowly, after, tr.series(3*time.Second))
		}
		if mean := tr.mean(quick+20*time.Second, tr.length); mean > 45 {
			t.Errorf("then the limit is %.1f on average, want 45 at the most: %s", mean, tr.series(3*time.Second))
		}
	})
}

// A limit that is far too high from the start comes down by drains alone: no latency without load was ever seen.
func TestLimitComesDownFromAStartThatIsTooHigh(t *testing.T) {
	forLaws(t, func(t *testing.T, l law, poisson bool, seed uint64) {
		m := bulkhead.NewModel(bulkhead.AdaptiveConfig{Initial: 1000}, origin)
		tr := simulate(scenario{
			length: 2 * time.Minute, rate: always(600.0), poisson: poisson, workers: always(30), service: l.work,
		}, m, seed)
		took := tr.reaches(0, func(limit int) bool { return limit <= 45 })
		if took > time.Minute {
			t.Errorf("from 1000 to 45 in %v, want a minute: %s", took, tr.series(3*time.Second))
		}
	})
}
