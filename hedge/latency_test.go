package hedge_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
)

// law is a random latency. It is safe for concurrent use.
type law struct {
	mu     sync.Mutex // guards random
	random *rand.Rand
	draw   func(*rand.Rand) time.Duration
}

func newLaw(seed uint64, draw func(*rand.Rand) time.Duration) *law {
	return &law{random: rand.New(rand.NewPCG(seed, seed)), draw: draw}
}

// exponential has a mean, and its percentile p is -ln(1-p) times that.
func exponential(mean time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * float64(mean)) }
}

func (l *law) next() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.draw(l.random)
}

// op takes a random time, unless it is canceled.
func (l *law) op(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(l.next()):
		return nil
	}
}

// T27
func TestHedgingDoesNotMoveTheLatencyThatItGoesBy(t *testing.T) {
	percentiles, calls, tolerance := []float64{0.9, 0.95, 0.99}, int64(10_000), 0.05
	if raceEnabled { // long bubbles can crash the race detector: golang/go#78156
		percentiles, calls, tolerance = percentiles[1:2], 2000, 0.1
	}
	for _, percentile := range percentiles {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{
				Latency: hedge.Latency{Percentile: percentile, Window: time.Hour},
				Cap:     hedge.Cap{Ratio: 1}, Funding: hedge.NoBudget, MaxAttempts: 3,
			})
			g := &gate{}
			chain := seawall.Chain(h, g)
			l := newLaw(27, exponential(10*ms))
			for range calls {
				if err := chain.Do(t.Context(), l.op); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			want := -math.Log(1-percentile) * float64(10*ms)
			if got, ok := h.Delay(); !ok || math.Abs(float64(got)-want) > tolerance*want {
				t.Errorf("percentile %v is taken for %v, and is %v", percentile, got, time.Duration(want))
			}
			s := h.Stats()
			share := float64(s.Attempts-calls) / float64(calls)
			if most := 1.15 * ((1 - percentile) + (1-percentile)*(1-percentile)); share > most || share < 0.7*(1-percentile) {
				t.Errorf("percentile %v: %v of the calls were hedged", percentile, share)
			}
			if s.Hedge == 0 || s.Primary+s.Hedge != calls {
				t.Errorf("counted as %+v", s)
			}
			if g.count(seawall.Success) != calls || g.count(seawall.Failure) != 0 || g.count(seawall.Ignored) != s.Attempts-calls {
				t.Errorf("the gate inside counted %d, %d, %d",
					g.count(seawall.Success), g.count(seawall.Failure), g.count(seawall.Ignored))
			}
		})
	}
}

// What is the same for all calls is not exceeded by any: the estimate is never below the latency.
func TestCallsThatAllTakeTheSameAreNotHedged(t *testing.T) {
	for _, latency := range []time.Duration{2 * ms, 10 * ms, 31 * ms, 777*ms + 777, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Latency: hedge.Latency{Window: time.Hour}})
			l := newLaw(1, func(*rand.Rand) time.Duration { return latency })
			for range 300 {
				if err := h.Do(t.Context(), l.op); err != nil {
					t.Fatal(err)
				}
			}
			if s := h.Stats(); s.Attempts != 300 || s.Delay <= latency {
				t.Errorf("%v: %d attempts, and the delay is %v", latency, s.Attempts, s.Delay)
			}
		})
	}
}

func TestFailuresAndCancellationsAreNoLatencies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{
			Latency: hedge.Latency{MinCalls: 1, Initial: time.Second, Window: time.Hour}, Funding: hedge.NoBudget,
		})
		unknown := func(what string) {
			t.Helper()
			if d, _ := h.Delay(); d != time.Second {
				t.Errorf("%s: the delay is %v", what, d)
			}
		}
		unknown("at first")
		_ = h.Do(t.Context(), newEnds(end{ms, seawall.Permanent(errDown)}).op)
		unknown("a failure")
		_ = h.Do(t.Context(), newEnds(end{ms, errDown}, end{ms, nil}).op)
		unknown("a success after a failure")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_ = h.Do(ctx, newEnds(end{time.Hour, nil}, end{time.Hour, nil}).op)
		unknown("a call that was cut off")

		_ = h.Do(t.Context(), newEnds(end{50 * ms, verdict(seawall.Success, seawall.RepeatNever, 0)}).op)
		time.Sleep(time.Second)
		if d, _ := h.Delay(); d < 50*ms || d > 52*ms {
			t.Errorf("after an answer of 50 ms the delay is %v", d)
		}
	})
}

// T8
func TestNothingIsHedgedByALatencyOfLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{})
		for range 200 {
			_ = h.Do(t.Context(), newEnds(end{10 * ms, nil}).op)
		}
		if d, ok := h.Delay(); !ok || d > 11*ms {
			t.Errorf("the delay is %v, %v", d, ok)
		}
		time.Sleep(30 * time.Second)
		if d, ok := h.Delay(); ok {
			t.Errorf("the delay is still %v", d)
		}
		_ = h.Do(t.Context(), newEnds(end{time.Hour, nil}).op)
		if s := h.Stats(); s.Attempts != 201 || s.Delay != 0 {
			t.Errorf("counted as %+v", s)
		}
	})
}

func TestDelayHasAFloorAndACeiling(t *testing.T) {
	for _, c := range []struct {
		latency, initial, want time.Duration
	}{
		{0, 0, 5 * ms},
		{time.Hour, 0, 50 * ms},
		{20 * ms, 0, 20480 * time.Microsecond},
		{20 * ms, 3 * time.Second, 20480 * time.Microsecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{Latency: hedge.Latency{
				Min: 5 * ms, Max: 50 * ms, Initial: c.initial, Window: 24 * time.Hour, MinCalls: 3,
			}})
			for i := range 4 {
				d, ok := h.Delay()
				if want := c.initial; i < 3 && (d != want || ok != (want > 0)) {
					t.Errorf("%v: after %d calls the delay is %v, %v", c.latency, i, d, ok)
				}
				_ = h.Do(seawall.NotIdempotent(t.Context()), newEnds(end{c.latency, nil}).op)
				time.Sleep(time.Hour)
			}
			if d, ok := h.Delay(); !ok || d < c.want*32/33 || d > c.want {
				t.Errorf("%v: the delay is %v, want %v", c.latency, d, c.want)
			}
		})
	}
}

// T56
func TestLatencyShiftIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 10
		workers, window := 5, 30*time.Second
		if raceEnabled { // see above
			workers, window = 1, 10*time.Second
		}
		budget := seawall.NewBudget(seawall.BudgetConfig{})
		type key struct {
			hedge           *hedge.Hedge
			law             *law
			calls, attempts atomic.Int64
		}
		var keys [2]key
		slow := atomic.Bool{}
		for i := range keys {
			k := &keys[i]
			k.hedge, _ = newHedge(t, hedge.Config{
				Budget: budget, Funding: hedge.Contribute, Latency: hedge.Latency{Window: window, MinCalls: 50},
			})
			k.law = newLaw(uint64(i), func(r *rand.Rand) time.Duration {
				d := 5*ms + exponential(5*ms)(r)
				if i == 0 && slow.Load() {
					d *= 10
				}
				return d
			})
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range keys {
			k := &keys[i]
			for range workers {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						k.calls.Add(1)
						err := k.hedge.Do(t.Context(), func(ctx context.Context) error {
							if made := k.attempts.Add(1); float64(made) > 1.1*float64(k.calls.Load())+burst+0.001 {
								t.Errorf("key %d: %d attempts of %d calls", i, made, k.calls.Load())
							}
							return k.law.op(ctx)
						})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		time.Sleep(window * 4 / 3)
		before, _ := keys[1].hedge.Delay()
		old, _ := keys[0].hedge.Delay()
		slow.Store(true)
		time.Sleep(window * 4 / 3)
		after, _ := keys[1].hedge.Delay()
		if moved := float64(after) / float64(before); moved < 0.8 || moved > 1.25 {
			t.Errorf("the delay of the other key moved from %v to %v", before, after)
		}
		if now, _ := keys[0].hedge.Delay(); now < 6*old {
			t.Errorf("the delay did not follow: %v, then %v", old, now)
		}
		if s := keys[0].hedge.Stats(); s.DeniedByCap+s.DeniedByBudget == 0 {
			t.Error("nothing was refused: there was no storm to stop")
		}
		close(stop)
		wg.Wait()
	})
}

// T56
func TestSpentBudgetMeansNoHedgeAndNoFailedCall(t *testing.T) {
	for _, cfg := range []hedge.Config{
		{Delay: ms, BudgetConfig: seawall.BudgetConfig{Burst: 1, Ratio: 0.000001}},
		{Delay: ms, Cap: hedge.Cap{Burst: 1, Ratio: 0.000001}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, cfg)
			_ = h.Do(t.Context(), newEnds(end{time.Second, nil}, end{time.Second, nil}).op)
			for range 10 {
				e := newEnds(end{time.Second, nil})
				if err := h.Do(t.Context(), e.op); err != nil || time.Since(e.begin) != time.Second {
					t.Errorf("got %v after %v", err, time.Since(e.begin))
				}
				if err := h.Do(t.Context(), newEnds(end{time.Second, errDown}).op); err != errDown { //nolint:errorlint // untouched
					t.Errorf("got %v", err)
				}
			}
			if s := h.Stats(); s.Attempts != 22 || s.DeniedByCap+s.DeniedByBudget != 20 {
				t.Errorf("counted as %+v", s)
			}
		})
	}
}

// Dean and Barroso, "The Tail at Scale": a second request after the time of the 98th percentile. The leaf's tail is
// theirs from there on: two power laws through (10 ms, 2 %), (69 ms, 0.316 %) and (1800 ms, 0.001 %). With S(t) the share
// of latencies above t, that of the hedged ones is S(t)·S(t - 10 ms): it comes down to 0.1 % at 14.7 ms, S itself at 132 ms.
func TestTailAtScaleIsCutForTwoPercentOfExtraRequests(t *testing.T) {
	inverse := func(s float64) time.Duration { // of S
		t := 0.0
		switch {
		case s > 0.02:
			t = math.Pow(s, -1/1.69897) // the shape below 10 ms is ours, from 1 ms on
		case s > 0.00316:
			t = 10 * math.Pow(0.02/s, 1/0.9553)
		default:
			t = 69 * math.Pow(0.00316/s, 1/1.7648)
		}
		return time.Duration(t * float64(ms))
	}
	if raceEnabled {
		t.Skip("long bubbles can crash the race detector: golang/go#78156")
	}
	const calls = 20_000
	measure := func(cfg hedge.Config) (p999 time.Duration, extra float64) {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, cfg)
			l := newLaw(33, func(r *rand.Rand) time.Duration { return inverse(1 - r.Float64()) })
			took := make([]time.Duration, calls)
			for i := range took {
				begin := time.Now()
				if err := h.Do(t.Context(), l.op); err != nil {
					t.Fatal(err)
				}
				took[i] = time.Since(begin)
			}
			slices.Sort(took)
			p999, extra = took[calls*999/1000], float64(h.Stats().Attempts-calls)/calls
		})
		return p999, extra
	}
	unhedged, _ := measure(hedge.Config{MaxAttempts: 1})
	fixed, extra := measure(hedge.Config{Delay: 10 * ms})
	followed, followedExtra := measure(hedge.Config{Latency: hedge.Latency{Percentile: 0.98, MinCalls: 500, Window: time.Minute}})
	got := fmt.Sprintf("p99.9 %v unhedged, %v and %v hedged, for %.4f and %.4f extra requests",
		unhedged, fixed, followed, extra, followedExtra)
	t.Log(got)
	within := func(d, want time.Duration, tolerance float64) bool {
		return math.Abs(float64(d-want)) <= tolerance*float64(want)
	}
	if !within(unhedged, 132*ms, 0.35) || !within(fixed, 14700*time.Microsecond, 0.2) || !within(followed, 14700*time.Microsecond, 0.3) ||
		math.Abs(extra-0.02) > 0.004 || math.Abs(followedExtra-0.02) > 0.006 {
		t.Error(got)
	}
}
