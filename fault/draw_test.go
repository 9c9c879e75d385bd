package fault_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/fault"
)

func TestDrawsAreThoseOfSplitMix64(t *testing.T) {
	// The published outputs of splitmix64.c for the state 1234567.
	want := []uint64{
		6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
	}
	for n, w := range want {
		if got := fault.Draw(1234567, uint64(n+1)); got != w {
			t.Errorf("output %d is %d, want %d", n+1, got, w)
		}
	}
}

func TestRatesAreComparedExactly(t *testing.T) {
	const top = 1<<53 - 1
	for _, test := range []struct {
		drawn uint64 // upper 53 bits
		rate  float64
		want  bool
	}{
		{0, 0, false},
		{0, math.SmallestNonzeroFloat64, true},
		{1, math.SmallestNonzeroFloat64, false},
		{1<<52 - 1, 0.5, true},
		{1 << 52, 0.5, false},
		{top - 1, 1 - 0x1p-53, true},
		{top, 1 - 0x1p-53, false},
		{top, 1, true},
	} {
		if got := fault.Hit(test.drawn<<11|0x7ff, test.rate); got != test.want {
			t.Errorf("%d at rate %v: %v", test.drawn, test.rate, got)
		}
	}
}

// pattern says which of n calls of a running injector with one error fault are hit.
func pattern(t *testing.T, seed uint64, rate float64, n int, ctxOf func(n int) context.Context) []bool {
	t.Helper()
	i := fault.New("test", fault.Config{
		Plan: fault.Plan{Seed: seed, Faults: []fault.Fault{failing(0, time.Hour, "a", rate)}}, Registry: quiet(),
	})
	mustStart(t, i)
	p, hit := i.Point("a"), make([]bool, n)
	for k := range hit {
		hit[k] = p.Err(ctxOf(k)) != nil
	}
	if got, want := i.Stats().Faults[0].Hits, uint64(total(hit)); got != want {
		t.Errorf("%d hits counted, want %d", got, want)
	}
	return hit
}

func total(hit []bool) (n int) {
	for _, h := range hit {
		if h {
			n++
		}
	}
	return n
}

func noKey(int) context.Context { return context.Background() }

func keyed(k int) context.Context { return fault.WithKey(context.Background(), uint64(k)) }

// T45: the same seed gives the same faults call by call, and another seed others.
func TestTheSameSeedHitsTheSameCalls(t *testing.T) {
	for name, ctxOf := range map[string]func(int) context.Context{"numbered": noKey, "keyed": keyed} {
		first := pattern(t, 7, 0.3, 1000, ctxOf)
		if !slices.Equal(first, pattern(t, 7, 0.3, 1000, ctxOf)) {
			t.Errorf("%s: the same seed gives other hits", name)
		}
		if slices.Equal(first, pattern(t, 8, 0.3, 1000, ctxOf)) {
			t.Errorf("%s: another seed gives the same hits", name)
		}
	}
}

// A plan that is replayed with a later version hits the same calls: these are part of the package's behaviour.
func TestDrawsStayWhatTheyAreFromVersionToVersion(t *testing.T) {
	text := func(hit []bool) (s string) {
		for _, h := range hit {
			s += map[bool]string{true: "x", false: "."}[h]
		}
		return s
	}
	if got := text(pattern(t, 1, 0.3, 40, noKey)); got != wantNumbered {
		t.Errorf("numbered: %s", got)
	}
	if got := text(pattern(t, 1, 0.3, 40, keyed)); got != wantKeyed {
		t.Errorf("keyed:    %s", got)
	}
}

const (
	wantNumbered = ".......xxx.....xxx.........x..........xx"
	wantKeyed    = "..xxx.x..xx.xx.....x...x.....xxx.x..xx.."
)

// T45: over a million draws the share of hits stays within five standard deviations of the binomial distribution.
func TestRatesAreMet(t *testing.T) {
	draws := fewer(1_000_000)
	if testing.Short() {
		draws = min(draws, 100_000)
	}
	for _, rate := range []float64{0.0001, 0.01, 0.3, 0.5, 0.999} {
		for name, ctxOf := range map[string]func(int) context.Context{"numbered": noKey, "keyed": keyed} {
			got, n := total(pattern(t, 20, rate, draws, ctxOf)), float64(draws)
			if bound := 5 * math.Sqrt(n*rate*(1-rate)); math.Abs(float64(got)-n*rate) > bound {
				t.Errorf("%s: rate %v: %d hits, want %v ± %.0f", name, rate, got, n*rate, bound)
			}
		}
	}
}

// T45: also the first call is hit at the rate, over the seeds, and so is each attempt at the same key.
func TestTheFirstCallIsLikeAnyOther(t *testing.T) {
	const rate = 0.3
	seeds := float64(fewer(4000))
	retried := func(k int) context.Context { return seawall.WithAttempt(keyed(5), k+1) }
	for name, ctxOf := range map[string]func(int) context.Context{
		"numbered": noKey, "keyed": keyed, "retried": retried,
	} {
		var hit [3]int
		for seed := range uint64(seeds) {
			for k, h := range pattern(t, seed, rate, len(hit), ctxOf) {
				if h {
					hit[k]++
				}
			}
		}
		for k, got := range hit {
			if bound := 5 * math.Sqrt(seeds*rate*(1-rate)); math.Abs(float64(got)-seeds*rate) > bound {
				t.Errorf("%s: call %d of each seed: %d hits, want %v ± %.0f", name, k+1, got, seeds*rate, bound)
			}
		}
	}
}

// T73: a rate of 0 is exactly nothing, and costs what off costs. A rate of 1 is always.
func TestRate0HitsNeverAndRate1Always(t *testing.T) {
	for name, ctxOf := range map[string]func(int) context.Context{"numbered": noKey, "keyed": keyed} {
		if n := total(pattern(t, 3, 0, 10_000, ctxOf)); n != 0 {
			t.Errorf("%s: rate 0 hit %d times", name, n)
		}
		if n := total(pattern(t, 3, 1, 10_000, ctxOf)); n != 10_000 {
			t.Errorf("%s: rate 1 hit %d times of 10000", name, n)
		}
	}
	i := started(t, failing(0, time.Hour, "a", 0), slow(0, time.Hour, "a", 1), capacity(0, time.Hour, "a", 1))
	if len(i.Active()) != 3 || !i.Point("a").Off() {
		t.Error("faults that change nothing are not off")
	}
}

// T45: a key is hit or spared whatever else happens around it, in whichever order.
func TestAKeyIsHitWhateverOtherCallsDo(t *testing.T) {
	const calls = 2000
	want := pattern(t, 7, 0.3, calls, keyed)
	i := fault.New("test", fault.Config{
		Plan: fault.Plan{Seed: 7, Faults: []fault.Fault{failing(0, time.Hour, "a", 0.3)}}, Registry: quiet(),
	})
	mustStart(t, i)
	p, got := i.Point("a"), make([]bool, calls)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for k := calls - 1 - worker; k >= 0; k -= 8 {
				_ = p.Err(context.Background())
				got[k] = p.Err(keyed(k)) != nil
			}
		})
	}
	all.Wait()
	if !slices.Equal(got, want) {
		t.Error("the hits depend on the order")
	}
}

func TestARetryDrawsAnew(t *testing.T) {
	i := started(t, failing(0, time.Hour, "a", 0.5))
	var stuck int
	for key := range uint64(1000) {
		ctx := fault.WithKey(t.Context(), key)
		failed := 0
		for attempt := range 10 {
			if i.Point("a").Err(seawall.WithAttempt(ctx, attempt+1)) != nil {
				failed++
			}
		}
		if failed == 10 {
			stuck++
		}
	}
	if stuck > 10 { // about one in 1024 is to be expected
		t.Errorf("%d of 1000 calls failed in all attempts", stuck)
	}
}

// Two faults of one plan must not hit the same calls: their draws are independent.
func TestFaultsOfOnePlanDrawIndependently(t *testing.T) {
	count := fewer(100_000)
	n := float64(count)
	i := started(t, failing(0, time.Hour, "a", 0.5), failing(0, time.Hour, "b", 0.5), failing(0, time.Hour, "c", 0.5))
	for name, ctxOf := range map[string]func(int) context.Context{"numbered": noKey, "keyed": keyed} {
		var both [3]int
		for k := range count {
			a, b, c := i.Point("a").Err(ctxOf(k)), i.Point("b").Err(ctxOf(k)), i.Point("c").Err(ctxOf(k))
			for pair, hit := range []bool{a != nil && b != nil, b != nil && c != nil, a != nil && c != nil} {
				if hit {
					both[pair]++
				}
			}
		}
		for pair, got := range both {
			if bound := 5 * math.Sqrt(n*0.25*0.75); math.Abs(float64(got)-n*0.25) > bound {
				t.Errorf("%s: pair %d: %d common hits, want %v ± %.0f", name, pair, got, n*0.25, bound)
			}
		}
	}
}

func TestSeveralErrorFaultsAtOnePointAddUp(t *testing.T) {
	const n = 100_000
	i := started(t, failing(0, time.Hour, "a", 0.5), failing(0, time.Hour, "a", 0.5))
	failed := 0
	for range n {
		if i.Point("a").Err(t.Context()) != nil {
			failed++
		}
	}
	if bound := 5 * math.Sqrt(n*0.75*0.25); math.Abs(float64(failed)-n*0.75) > bound {
		t.Errorf("%d failed, want %v ± %.0f", failed, n*0.75, bound)
	}
	if s := i.Stats().Faults; s[0].Hits+s[1].Hits != uint64(failed) {
		t.Errorf("%d and %d hits of %d", s[0].Hits, s[1].Hits, failed)
	}
}

// T70: the error says what it is, and is judged like the failure of a dependency.
func TestInjectedErrorsAreFailuresThatSayWhatTheyAre(t *testing.T) {
	err := started(t, failing(0, time.Hour, "payments", 1)).Point("payments").Err(t.Context())
	err = fmt.Errorf("charge: %w", err)
	injected, ok := errors.AsType[*fault.InjectedError](err)
	if !ok || injected.Kind != fault.Error || injected.Target != "payments" || !errors.Is(err, fault.ErrInjected) {
		t.Fatalf("%+v", err)
	}
	if err.Error() != `charge: fault "payments": injected error` {
		t.Error(err)
	}
	if errors.Is(err, seawall.ErrRejected) {
		t.Error("it passes for a rejection")
	}
	want := seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatIfIdempotent}
	if got := seawall.Classify(err); got != want {
		t.Errorf("judged %+v", got)
	}
}
