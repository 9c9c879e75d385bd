package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

// hop carries a call to the next service as an adapter does: what crosses are the number of the attempt and the verdict,
// or, with a peer that does not say, neither.
type hop func(ctx context.Context, next func(context.Context) error) error

func telling(ctx context.Context, next func(context.Context) error) error {
	arrived := seawall.WithAttempt(context.WithoutCancel(ctx), seawall.Attempt(ctx))
	if err := next(arrived); err != nil {
		return &adapterError{seawall.Classify(err)}
	}
	return nil
}

func silent(_ context.Context, next func(context.Context) error) error {
	if err := next(context.Background()); err != nil {
		return errors.New("status 500")
	}
	return nil
}

func nested(ctx context.Context, next func(context.Context) error) error { return next(ctx) }

// stack builds services on top of each other, each of which calls the next one by a Retry of its own, and returns the
// call of the topmost.
func stack(t *testing.T, layers int, cfg retry.Config, via hop, bottom func(context.Context) error) func(context.Context) error {
	call := bottom
	for range layers {
		r, _ := newRetry(t, cfg)
		next := call
		call = func(ctx context.Context) error {
			return r.Do(ctx, func(ctx context.Context) error { return via(ctx, next) })
		}
	}
	return call
}

// T5, and the arithmetic of Google's SRE book and of AWS: attempts to the power of layers.
func TestUnfundedRetriesMultiplyDownAStack(t *testing.T) {
	for _, row := range []struct{ layers, attempts, want int }{{3, 4, 64}, {5, 3, 243}} {
		for name, via := range map[string]hop{"nested": nested, "telling": telling, "silent": silent} {
			runs := 0
			call := stack(t, row.layers, retry.Config{
				MaxAttempts: row.attempts, Funding: retry.NoBudget, Backoff: retry.Backoff{Kind: retry.Immediate},
			}, via, counting(&runs, down))
			if err := call(t.Context()); err == nil || runs != row.want {
				t.Errorf("%d layers of %d attempts, %s: %d calls, want %d", row.layers, row.attempts, name, runs, row.want)
			}
		}
	}
}

// T71: with a budget, who is next to the failure repeats, and nobody above.
func TestOnlyTheLayerNextToTheFailureRetries(t *testing.T) {
	for _, row := range []struct{ layers, attempts int }{{3, 4}, {5, 3}, {2, 2}} {
		for name, via := range map[string]hop{"nested": nested, "telling": telling} {
			runs := 0
			call := stack(t, row.layers, retry.Config{
				MaxAttempts: row.attempts, Backoff: retry.Backoff{Kind: retry.Immediate},
			}, via, counting(&runs, down))
			if err := call(t.Context()); err == nil || runs != row.attempts {
				t.Errorf("%d layers of %d attempts, %s: %d calls, want %d", row.layers, row.attempts, name, runs, row.attempts)
			}
		}
	}
}

// T71: three services deep, 3 attempts each, whatever the last one does, and whether or not "do not retry" travels up.
func TestRetriesDoNotMultiplyDownAStack(t *testing.T) {
	const layers = 3
	for name, via := range map[string]hop{"nested": nested, "telling": telling, "silent": silent} {
		for _, failing := range []int{100, 90, 50, 10} { // of 100 calls
			synctest.Test(t, func(t *testing.T) {
				calls, bottom := 0, 0
				call := stack(t, layers, retry.Config{}, via, func(context.Context) error {
					if bottom++; bottom*61%100 < failing { // evenly mixed: 61 and 100 have no common divisor
						return errDown
					}
					return nil
				})
				for calls < 1000 {
					calls++
					_ = call(t.Context())
					// The bursts are all that a stack can add before it has seen a success.
					if bursts := float64(10 * layers); float64(bottom) > 1.34*float64(calls)+bursts {
						t.Fatalf("%s, %d %% failing: %d calls at the bottom for %d at the top", name, failing, bottom, calls)
					}
				}
				if float64(bottom) > 1.4*float64(calls) {
					t.Errorf("%s, %d %% failing: %d calls at the bottom for %d at the top", name, failing, bottom, calls)
				}
			})
		}
	}
}

// T71: what an inner Retry was not able to repeat, or not asked to, is left to the outer one.
func TestLayerThatCouldNotRepeatLeavesItToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, row := range map[string]struct {
			inner retry.Config
			err   error
			runs  int
		}{
			"inner has one attempt":         {inner: retry.Config{MaxAttempts: 1}, runs: 3},
			"inner has no budget by choice": {inner: retry.Config{Funding: retry.NoBudget}, runs: 9},
			"inner has used up attempts":    {runs: 3},
			"inner has used up budget":      {inner: retry.Config{BudgetConfig: seawall.BudgetConfig{Burst: 1}}, runs: 2},
			"final error":                   {err: seawall.Permanent(errDown), runs: 1},
		} {
			if row.err == nil {
				row.err = errDown
			}
			outer, _ := newRetry(t, retry.Config{Backoff: steady})
			row.inner.Backoff = steady
			inner, _ := newRetry(t, row.inner)
			runs := 0
			err := seawall.Chain(outer, inner).Do(t.Context(), script(&runs, row.err))
			if runs != row.runs || !errors.Is(err, errDown) {
				t.Errorf("%s: %d attempts, want %d; error %v", name, runs, row.runs, err)
			}
		}
	})
}

// A user who wants the multiplication says so, in the outer layer alone.
func TestClassifierOfTheOuterLayerMayRepeatWhatIsExhausted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer, _ := newRetry(t, retry.Config{Classify: func(err error) seawall.Verdict {
			v := seawall.Classify(err)
			if errors.Is(err, retry.ErrExhausted) {
				v.Repeat = seawall.RepeatIfIdempotent
			}
			return v
		}})
		inner, _ := newRetry(t, retry.Config{})
		runs := 0
		_ = seawall.Chain(outer, inner).Do(t.Context(), counting(&runs, down))
		if runs != 9 {
			t.Errorf("op ran %d times, want 9", runs)
		}
	})
}

// T71: the number of the attempt reaches the bottom, by whichever layer repeats.
func TestAttemptNumberCrossesHops(t *testing.T) {
	for layers := 1; layers <= 4; layers++ {
		numbers := ""
		call := stack(t, layers, retry.Config{Backoff: retry.Backoff{Kind: retry.Immediate}}, telling,
			func(ctx context.Context) error {
				numbers += fmt.Sprint(seawall.Attempt(ctx))
				return errDown
			})
		_ = call(t.Context())
		if numbers != "123" {
			t.Errorf("%d layers: the attempts had the numbers %s", layers, numbers)
		}
	}
}
