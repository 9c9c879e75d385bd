package hedge_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/retry"
)

// slowly is a call that is hedged by every Hedge here.
func slowly(t *testing.T, p seawall.Policy) {
	t.Helper()
	if err := p.Do(t.Context(), newEnds(end{50 * ms, nil}, end{50 * ms, nil}).op); err != nil {
		t.Error(err)
	}
}

func available(b *seawall.Budget) int { return int(math.Round(1000 * b.Available())) }

func TestCapIsExactOverManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, Cap: hedge.Cap{Ratio: 0.3, Burst: 2}, Funding: hedge.NoBudget})
		for calls := int64(1); calls <= 1000; calls++ {
			slowly(t, h)
			// The two at the start, and then as many as the calls have paid for, the first of which found the Cap full.
			if want := 2 + (calls-1)*3/10; h.Stats().Attempts-calls != min(calls, want) {
				t.Fatalf("%d attempts of %d calls, want %d extra", h.Stats().Attempts, calls, want)
			}
		}
	})
}

func TestOwnBudgetIsFundedBySuccessesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, BudgetConfig: seawall.BudgetConfig{Ratio: 0.25, Burst: 4}})
		b := h.Budget()
		for range 4 {
			b.Take()
		}
		pay := func(what string, want int, call func()) {
			t.Helper()
			before := available(b)
			call()
			if got := available(b) - before; got != want {
				t.Errorf("%s changed the budget by %d thousandths, want %d", what, got, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		pay("a success", 250, func() { _ = h.Do(t.Context(), succeed) })
		pay("an answer", 250, func() {
			_ = h.Do(t.Context(), newEnds(end{0, verdict(seawall.Success, seawall.RepeatNever, 0)}).op)
		})
		pay("a failure", 0, func() { _ = h.Do(t.Context(), newEnds(end{0, seawall.Permanent(errDown)}).op) })
		pay("a dead caller", 0, func() { _ = h.Do(ctx, succeed) })
		for range 4 {
			_ = h.Do(t.Context(), succeed)
		}
		pay("a hedge of two successes", -750, func() { slowly(t, h) })
	})
}

func TestSharedBudgetIsPaidByTheOneWhoSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := &seawall.Registry{}
		r := retry.New("test", retry.Config{Registry: quiet})
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, Budget: r.Budget()})
		if h.Budget() != r.Budget() || h.Traits().Budget != r.Budget() {
			t.Error("the budget is not shared")
		}
		r.Budget().Take()
		r.Budget().Take()
		before := available(r.Budget())
		_ = seawall.Chain(r, h).Do(t.Context(), succeed)
		if got := available(r.Budget()) - before; got != 100 {
			t.Errorf("a success under both paid in %d thousandths, want 100", got)
		}
		alone, _ := newHedge(t, hedge.Config{Delay: 10 * ms, Budget: r.Budget(), Funding: hedge.Contribute})
		_ = alone.Do(t.Context(), succeed)
		if got := available(r.Budget()) - before; got != 200 {
			t.Errorf("a success under the one that contributes came to %d thousandths, want 200", got)
		}
	})
}

// A refused extra attempt costs nothing: neither the Cap, if it is the budget that refuses, nor the budget.
func TestRefusedAttemptGivesBackWhatItTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := seawall.NewBudget(seawall.BudgetConfig{Burst: 1, Ratio: 0.000001})
		b.Take()
		h, _ := newHedge(t, hedge.Config{Delay: 10 * ms, Budget: b, Cap: hedge.Cap{Burst: 1, Ratio: 0.000001}})
		_ = h.Do(t.Context(), newEnds(end{50 * ms, nil}).op)
		b.Refund()
		slowly(t, h)
		if s := h.Stats(); s.DeniedByBudget != 1 || s.DeniedByCap != 0 || s.Attempts != 3 || s.Budget != 0 {
			t.Errorf("counted as %+v", s)
		}
		b.Refund()
		_ = h.Do(t.Context(), newEnds(end{50 * ms, nil}).op)
		if s := h.Stats(); s.DeniedByCap != 1 || s.Attempts != 4 || s.Budget != 1 {
			t.Errorf("counted as %+v", s)
		}
	})
}

// T17: a token pays for load, and an attempt that one of our own gates stopped was none.
func TestExtraAttemptThatAGateRejectedCostsNothing(t *testing.T) {
	rejected := seawall.Reject("bulkhead", "b", seawall.ReasonFull, errDown, 0)
	for _, c := range []struct {
		name          string
		first, second error
		paid          int
	}{
		{"rejected", errDown, rejected, 0},
		{"rejected beside the first", nil, rejected, 0},
		{"failed", errDown, errDown, 1},
		{"rejected behind a call that was made", errDown, errors.Join(errDown, rejected), 1},
		{"the first is rejected", rejected, nil, 1}, // and took no token to be given back
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHedge(t, hedge.Config{
				Delay: 10 * ms, Cap: hedge.Cap{Burst: 3, Ratio: 0.000001}, BudgetConfig: seawall.BudgetConfig{Burst: 5, Ratio: 0.000001},
			})
			_ = h.Do(t.Context(), newEnds(end{50 * ms, c.first}, end{ms, c.second}).op)
			if got := available(h.Budget()); got != 1000*(5-c.paid) {
				t.Errorf("%s: the budget is at %d thousandths", c.name, got)
			}
			for range 5 {
				slowly(t, h)
			}
			if s := h.Stats(); s.Attempts != 2+5+3-int64(c.paid) {
				t.Errorf("%s: the cap let through: %+v", c.name, s)
			}
		})
	}
}

// T17: whoever has rejections repeated pays for it, or a closed gate would be hammered for nothing.
func TestExtraAttemptsAfterRejectionsArePaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHedge(t, hedge.Config{
			Delay: hedge.OnFailure, MaxAttempts: 3,
			Classify: func(error) seawall.Verdict {
				return seawall.Verdict{Outcome: seawall.Failure, Repeat: seawall.RepeatAlways}
			},
		})
		rejected := seawall.Reject("bulkhead", "b", seawall.ReasonFull, errDown, 0)
		_ = h.Do(t.Context(), newEnds(end{0, rejected}, end{0, rejected}, end{0, rejected}).op)
		if s := h.Stats(); s.Attempts != 3 || s.Budget != 8 {
			t.Errorf("counted as %+v", s)
		}
	})
}

// The events of the budget come on its edges only, and an edge is not crossed with each token.
func TestBudgetEventsComeOnTheEdgeOnly(t *testing.T) {
	for _, shared := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cfg := hedge.Config{
				Delay: 10 * ms, Cap: hedge.Cap{Ratio: 9, Burst: 100}, BudgetConfig: seawall.BudgetConfig{Ratio: 1, Burst: 10},
			}
			if shared {
				cfg.Budget, cfg.BudgetConfig = seawall.NewBudget(cfg.BudgetConfig), seawall.BudgetConfig{}
			}
			h, log := newHedge(t, cfg)
			pay := func() { // beside the calls
				if shared {
					cfg.Budget.Succeeded()
				}
			}
			expect := func(when string, want ...string) {
				t.Helper()
				var got []string
				for _, e := range log.list() {
					got = append(got, fmt.Sprint(e["level"], " ", e["msg"], " ", e["name"]))
				}
				if !slices.Equal(got, want) {
					t.Errorf("shared %v, %s: logged %q, want %q", shared, when, got, want)
				}
			}
			const empty, restored = "WARN seawall.hedge.budget_empty test", "INFO seawall.hedge.budget_restored test"
			fail := func() { _ = h.Do(t.Context(), newEnds(end{50 * ms, errDown}, end{ms, errDown}).op) }
			for range 10 {
				fail()
			}
			expect("all tokens spent")
			for range 50 {
				fail()
				_ = h.Do(t.Context(), succeed) // pays for one token, which the next call spends
				pay()
			}
			fail()
			fail()
			expect("empty for long", empty)
			for range 20 {
				pay()
				_ = h.Do(t.Context(), succeed)
			}
			expect("full again", empty, restored)
			for range 20 {
				fail()
			}
			expect("empty again", empty, restored, empty)
		})
	}
}

// T76: a family that forgets a Hedge gives its key a full Cap and a full budget.
func TestHedgeIsKeptForAMinuteAfterABucketOfItsOwnRefused(t *testing.T) {
	little, few := seawall.BudgetConfig{Burst: 1, Ratio: 0.000001}, hedge.Cap{Burst: 1, Ratio: 0.000001}
	shared := func() *seawall.Budget {
		b := seawall.NewBudget(little)
		b.Take()
		return b
	}
	for _, c := range []struct {
		name string
		cfg  hedge.Config
		keep bool
	}{
		{"the cap", hedge.Config{Cap: few, Funding: hedge.NoBudget}, true},
		{"its own budget", hedge.Config{BudgetConfig: little}, true},
		{"a shared budget", hedge.Config{Budget: shared()}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			c.cfg.Delay = 10 * ms
			h, _ := newHedge(t, c.cfg)
			expect := func(when string, want bool) {
				t.Helper()
				if got := h.Keep(); got != want {
					t.Errorf("%s: %s Keep is %v", c.name, when, got)
				}
			}
			if c.cfg.Budget == nil {
				slowly(t, h)
			}
			expect("before", false)
			_ = h.Do(t.Context(), newEnds(end{10*ms + 1, nil}).op)
			if s := h.Stats(); s.DeniedByCap+s.DeniedByBudget != 1 {
				t.Fatalf("%s: counted as %+v", c.name, s)
			}
			time.Sleep(time.Minute - 2)
			expect("almost a minute later", c.keep)
			time.Sleep(time.Nanosecond)
			expect("a minute later", false)
			_ = h.Do(t.Context(), newEnds(end{50 * ms, nil}).op)
			expect("refused again", c.keep)
		})
	}
}

// T76
func TestFamilyDoesNotFillAnEmptyCapByForgettingIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := seawall.NewGroup(2, func(string) *seawall.Pipeline {
			h, _ := newHedge(t, hedge.Config{Delay: hedge.OnFailure})
			return seawall.Chain(h)
		})
		attempts := 0
		for range 30 {
			_ = hosts.For("down").Do(t.Context(), func(context.Context) error { attempts++; return errDown })
			if attempts >= 30 {
				for _, other := range []string{"a", "b", "c", "d"} {
					_ = hosts.For(other).Do(t.Context(), succeed)
				}
			}
		}
		if attempts != 40 {
			t.Errorf("30 calls of a host that is down took %d attempts, want the calls and a burst of 10", attempts)
		}
	})
}

// A listener that panics is logged; one that ends the goroutine ends the call before the attempt.
func TestListenerThatDoesNotReturnCostsNoToken(t *testing.T) {
	for _, exit := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h, log := newHedge(t, hedge.Config{
				Delay: 10 * ms, BudgetConfig: seawall.BudgetConfig{Burst: 3}, Cap: hedge.Cap{Burst: 3},
				OnHedge: func(hedge.Event) {
					if exit {
						runtime.Goexit()
					}
					panic("listener")
				},
			})
			done := make(chan error, 1)
			go func() {
				err := errors.New("exited")
				defer func() { done <- err }()
				err = h.Do(t.Context(), newEnds(end{50 * ms, nil}, end{time.Second, nil}).op)
			}()
			err, s := <-done, h.Stats()
			if exit {
				if err == nil || s.Aborted != 1 || s.Attempts != 1 || s.Budget != 3 {
					t.Errorf("got %v, counted as %+v", err, s)
				}
				return
			}
			logged := log.list()
			if err != nil || s.Primary != 1 || s.Attempts != 2 || len(logged) != 1 || logged[0]["msg"] != "seawall.listener.panicked" {
				t.Errorf("got %v, counted as %+v, logged %v", err, s, logged)
			}
		})
	}
}
