package papers_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/retry"
)

var errDown = errors.New("down")

// wire carries a call from one layer to the next.
type wire func(ctx context.Context, next func(context.Context) error) error

// telling is a wire as our adapters are: the number of the attempt goes down with a call, the verdict comes back.
func telling(ctx context.Context, next func(context.Context) error) error {
	arrived := seawall.WithAttempt(context.WithoutCancel(ctx), seawall.Attempt(ctx))
	if err := next(arrived); err != nil {
		return &answerError{seawall.Classify(err)}
	}
	return nil
}

type answerError struct{ verdict seawall.Verdict }

func (*answerError) Error() string              { return "status 500" }
func (e *answerError) Verdict() seawall.Verdict { return e.verdict }

// mute is a wire to peers that know nothing of each other.
func mute(_ context.Context, next func(context.Context) error) error {
	if err := next(context.Background()); err != nil {
		return errors.New("status 500")
	}
	return nil
}

// layered returns the call of the topmost of some services, each of which calls the next one by a retry of its own.
func layered(layers int, cfg retry.Config, via wire, bottom func(context.Context) error) func(context.Context) error {
	cfg.Registry = silent()
	call := bottom
	for range layers {
		r, next := retry.New("layer", cfg), call
		call = func(ctx context.Context) error {
			return r.Do(ctx, func(ctx context.Context) error { return via(ctx, next) })
		}
	}
	return call
}

// retriesThroughLayers has a dependency at the bottom that is down, and counts the calls that reach it.
func retriesThroughLayers(t *testing.T, b *book) {
	const seed = 1
	b.given(seed, "the bottom fails every call; waits by full jitter from 50 ms")
	defer dice.Load(seed)()
	synctest.Test(t, func(t *testing.T) {
		// count makes some calls from the top, and returns how many reach the bottom.
		count := func(layers int, cfg retry.Config, via wire, calls int) float64 {
			reached := 0
			call := layered(layers, cfg, via, func(context.Context) error { reached++; return errDown })
			for range calls {
				if call(t.Context()) == nil {
					t.Error("a call succeeded")
				}
			}
			return float64(reached)
		}
		for _, c := range []struct {
			source           string
			layers, attempts int
		}{{"SRE book", 3, 4}, {"AWS", 5, 3}} {
			stack := fmt.Sprintf("%d layers of %d attempts (%s)", c.layers, c.attempts, c.source)
			all := math.Pow(float64(c.attempts), float64(c.layers))
			unfunded := retry.Config{MaxAttempts: c.attempts, Funding: retry.NoBudget}
			b.near(stack+", no budget, nothing propagated", all, count(c.layers, unfunded, mute, 1), 0)
			b.near(stack+", no budget, attempt and verdict propagated", all, count(c.layers, unfunded, telling, 1), 0)
			b.note("by design: NoBudget is the wish for all attempts, and no verdict of it forbids those above")
			b.near(stack+", budgets, attempt and verdict propagated", float64(c.attempts),
				count(c.layers, retry.Config{MaxAttempts: c.attempts}, telling, 1), 0)
			b.beside(stack+": failsafe-go", number(failsafeLayers(t, c.layers, c.attempts)), "nested in one process; it has no word for what was retried below")
		}
		const calls = 1000
		b.atMost("3 layers of 3, budgets alone, nothing propagated: calls at the bottom by calls at the top", 1+3*10.0/calls,
			count(3, retry.Config{}, mute, calls)/calls)
	})
}

func failsafeLayers(t *testing.T, layers, attempts int) float64 {
	reached := 0
	call := func() error { reached++; return errDown }
	for range layers {
		executor := failsafe.With(retrypolicy.NewBuilder[any]().WithMaxAttempts(attempts).Build())
		next := call
		call = func() error { return executor.Run(next) }
	}
	if call() == nil {
		t.Error("a call succeeded")
	}
	return float64(reached)
}
