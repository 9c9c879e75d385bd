package retry_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall/retry"
)

const (
	base  = 50 * time.Millisecond
	limit = 5 * time.Second
	draws = 100_000
)

// law is what a schedule's waits look like.
type law struct {
	kind      retry.Kind
	low, high func(v time.Duration) time.Duration
	mean      func(v float64) float64
}

var laws = []law{
	{retry.FullJitter, zero, same, func(v float64) float64 { return v / 2 }},
	{retry.EqualJitter, half, same, func(v float64) float64 { return v * 3 / 4 }},
	{retry.Exponential, same, same, func(v float64) float64 { return v }},
}

func zero(time.Duration) time.Duration   { return 0 }
func half(v time.Duration) time.Duration { return v / 2 }
func same(v time.Duration) time.Duration { return v }

// draw returns the n-th wait of many schedules, sorted.
func draw(b retry.Backoff, n int64) []time.Duration {
	waits := make([]time.Duration, draws)
	for seed := range waits {
		waits[seed] = b.SeededAt(uint64(seed), n).NextBackOff()
	}
	slices.Sort(waits)
	return waits
}

func mean(waits []time.Duration) float64 {
	sum := 0.0
	for _, w := range waits {
		sum += float64(w)
	}
	return sum / float64(len(waits))
}

// T14
func TestJitterKeepsItsBoundsMeanAndSpread(t *testing.T) {
	for _, l := range laws {
		for _, n := range []int64{1, 2, 3, 7, 8, 100, 1 << 31, math.MaxInt64} {
			b := retry.Backoff{Kind: l.kind}
			v := b.Ceiling(n)
			if want := min(float64(limit), float64(base)*math.Pow(2, float64(n-1))); float64(v) != want {
				t.Fatalf("%v: v of wait %d is %v, want %v", l.kind, n, v, time.Duration(want))
			}
			waits := draw(b, n)
			first, last := waits[0], waits[draws-1]
			if first < l.low(v) || last > l.high(v) {
				t.Errorf("%v: wait %d from %v to %v, want %v to %v", l.kind, n, first, last, l.low(v), l.high(v))
			}
			if got, want := mean(waits), l.mean(float64(v)); math.Abs(got-want) > 0.01*want {
				t.Errorf("%v: wait %d is %v on average, want %v", l.kind, n, time.Duration(got), time.Duration(want))
			}
			spread := l.high(v) - l.low(v)
			for _, part := range []int{1, 5, 9} { // a tenth of the waits in each tenth, at the cap as elsewhere
				at := waits[draws*part/10]
				if want := l.low(v) + spread*time.Duration(part)/10; (at - want).Abs() > spread/50 {
					t.Errorf("%v: %d of 10 waits %d are below %v, want %v", l.kind, part, n, at, want)
				}
			}
		}
	}
}

// T14: the decorrelated law against its text, step by step: the article's s, and a wait that would be cut off drawn anew.
func TestDecorrelatedJitterFollowsItsLaw(t *testing.T) {
	const limit = time.Second
	b := retry.Backoff{Kind: retry.DecorrelatedJitter, Base: base, Max: limit}
	var first []time.Duration
	cut := 0
	for seed := range uint64(20_000) {
		schedule, twin := b.Seeded(seed), rand.New(rand.NewPCG(seed, seed))
		u := func(low, high time.Duration) time.Duration {
			return low + time.Duration(twin.Uint64N(uint64(high-low)+1))
		}
		s := base
		for i := range 12 {
			s = min(limit+1, u(base, 3*s))
			want := s
			if s > limit {
				s, want = limit, u(base, limit)
				cut++
			}
			got := schedule.NextBackOff()
			if got != want {
				t.Fatalf("seed %d: wait %d is %v, want %v", seed, i+1, got, want)
			}
			if i == 0 {
				first = append(first, got)
			}
		}
	}
	if cut < 20_000 {
		t.Errorf("%d waits were cut: the test has not been where the law differs from the article", cut)
	}
	if got := mean(first); math.Abs(got-2*float64(base)) > 0.02*float64(base) {
		t.Errorf("the first wait is %v on average, want %v", time.Duration(got), 2*base)
	}
}

// T14: the article's decorrelated law had 40 % of the grown waits on one instant.
func TestCallersDoNotMeetAtTheCap(t *testing.T) {
	const callers = 20_000
	for _, kind := range []retry.Kind{retry.FullJitter, retry.EqualJitter, retry.DecorrelatedJitter} {
		b := retry.Backoff{Kind: kind, Base: base, Max: time.Second}
		var bins [101]int // of 10 ms
		for seed := range uint64(callers) {
			schedule := b.Seeded(seed)
			for range 11 {
				schedule.NextBackOff()
			}
			bins[schedule.NextBackOff()/(10*time.Millisecond)]++
		}
		if most := slices.Max(bins[:]); most > callers/20 {
			t.Errorf("%v: %d of %d callers come back within the same 10 ms", kind, most, callers)
		}
		if top := bins[95] + bins[96] + bins[97] + bins[98] + bins[99]; top < callers/100 {
			t.Errorf("%v: only %d of %d waits are near the cap", kind, top, callers)
		}
		if bins[100] > callers/1000 {
			t.Errorf("%v: %d of %d waits are the cap itself", kind, bins[100], callers)
		}
	}
}

func TestResetGoesBackToTheFirstWait(t *testing.T) {
	for _, kind := range kinds() {
		b := retry.Backoff{Kind: kind, Base: base, Max: time.Hour}
		s := b.SeededAt(1, 20)
		for range 100 {
			s.NextBackOff()
			s.Reset()
			if wait := s.NextBackOff(); wait > 3*base {
				t.Fatalf("%v: the first wait after a Reset is %v", kind, wait)
			}
			for range 20 {
				s.NextBackOff()
			}
		}
	}
}

// T14
func TestJitterOffIsLegal(t *testing.T) {
	for kind, want := range map[retry.Kind][]time.Duration{
		retry.Constant:    {base, base, base},
		retry.Immediate:   {0, 0, 0},
		retry.Exponential: {base, 2 * base, 4 * base},
	} {
		s := retry.Backoff{Kind: kind}.New()
		for range 2 {
			for i, w := range want {
				if got := s.NextBackOff(); got != w {
					t.Errorf("%v: wait %d is %v, want %v", kind, i+1, got, w)
				}
			}
			s.Reset()
		}
	}
}

// T14, T43
func TestExtremeSchedulesDoNotOverflow(t *testing.T) {
	for _, kind := range kinds() {
		for _, b := range []retry.Backoff{
			{Kind: kind, Base: 1, Max: 1},
			{Kind: kind, Base: 1, Max: math.MaxInt64, Factor: 100},
			{Kind: kind, Base: math.MaxInt64},
			{Kind: kind, Base: math.MaxInt64 - 1, Max: math.MaxInt64, Factor: 1},
		} {
			for _, n := range []int64{1, 2, 63, 64, 1 << 31, math.MaxInt64 - 3} {
				s := b.SeededAt(1, n)
				for range 3 {
					if wait := s.NextBackOff(); wait < 0 || wait > max(b.Base, b.Max) {
						t.Errorf("%+v: wait %d is %v", b, n, wait)
					}
				}
			}
		}
	}
}

func kinds() (all []retry.Kind) {
	for k := retry.FullJitter; k <= retry.Immediate; k++ {
		all = append(all, k)
	}
	return all
}

func TestUnseededSchedulesDiffer(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[retry.Backoff{}.New().NextBackOff()] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 schedules begin with %d different waits", len(seen))
	}
}

func TestNewRefusesABackoffThatIsNotValid(t *testing.T) {
	defer func() {
		if got, want := recover(), "retry: Backoff.Base is -1ns, want at least 1ns"; got != want {
			t.Errorf("panicked with %v, want %s", got, want)
		}
	}()
	retry.Backoff{Base: -1}.New()
}

// T55
func TestBorrowedSchedulesAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		waits := map[time.Duration]int{} // first waits
		r, _ := newRetry(t, retry.Config{
			MaxAttempts: 4,
			Funding:     retry.NoBudget,
			Schedule: func() backoff.BackOff {
				b := backoff.NewExponentialBackOff()
				b.RandomizationFactor, b.InitialInterval, b.Multiplier = 0, time.Second, 3
				return b
			},
			OnRetry: func(e retry.Event) {
				mu.Lock()
				defer mu.Unlock()
				waits[e.Wait]++
			},
		})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { _ = r.Do(t.Context(), down) })
		}
		wg.Wait()
		want := map[time.Duration]int{time.Second: 100, 3 * time.Second: 100, 9 * time.Second: 100}
		if fmt.Sprint(waits) != fmt.Sprint(want) {
			t.Errorf("waits are %v, want %v", waits, want)
		}
	})
}

// stopping is a schedule that ends after some waits, with a wait that is not the constant backoff.Stop if so asked.
type stopping struct {
	left int
	end  time.Duration
}

func (s *stopping) Reset() {}
func (s *stopping) NextBackOff() time.Duration {
	if s.left--; s.left < 0 {
		return s.end
	}
	return 0
}

// T55
func TestScheduleThatStopsEndsTheCall(t *testing.T) {
	for _, end := range []time.Duration{backoff.Stop, -time.Hour} {
		r, _ := newRetry(t, retry.Config{
			MaxAttempts: retry.Unlimited,
			Schedule:    func() backoff.BackOff { return &stopping{2, end} },
		})
		runs := 0
		err := r.Do(t.Context(), counting(&runs, down))
		if e := asError(t, err); runs != 3 || e.Why != retry.ErrExhausted { //nolint:errorlint // it is set bare
			t.Errorf("op ran %d times, error %v", runs, err)
		}
		if s := r.Stats(); s.Exhausted != 1 || s.Budget != 8 {
			t.Errorf("stats are %+v, want 1 exhausted, and no token for the attempt that was not made", s)
		}
	}
}

// T55: a schedule whose constructor forgot Reset begins at its beginning all the same, and a time limit of its own
// starts behind the first attempt (T54).
func TestBorrowedScheduleIsResetFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newRetry(t, retry.Config{Schedule: func() backoff.BackOff {
			return &backoff.ExponentialBackOff{
				InitialInterval: time.Second, Multiplier: 2, MaxInterval: time.Minute,
				MaxElapsedTime: 5 * time.Second, Stop: backoff.Stop, Clock: backoff.SystemClock,
			}
		}})
		start, runs := time.Now(), 0
		err := r.Do(t.Context(), counting(&runs, func(context.Context) error {
			if runs == 1 {
				time.Sleep(time.Hour)
			}
			return errDown
		}))
		if took := time.Since(start) - time.Hour; runs != 3 || took != 3*time.Second {
			t.Errorf("op ran %d times, with %v of waits, error %v", runs, took, err)
		}
	})
}
