package hedge_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/retry"
)

// ask asks a replica for each attempt; the first one hangs.
func ask(ctx context.Context) (string, error) {
	switch seawall.Attempt(ctx) {
	case 1:
		<-ctx.Done()
		return "", context.Cause(ctx)
	default:
		return "replica 2", nil
	}
}

// Two replicas: the second one is asked if the first has not answered within 20 ms.
func ExampleNew() {
	search := hedge.New("search", hedge.Config{Delay: 20 * time.Millisecond})

	answer, err := seawall.Call(context.Background(), search, ask)
	fmt.Println(answer, err)
	fmt.Println(search.Stats().Hedge, "call was won by a later attempt")
	// Output:
	// replica 2 <nil>
	// 1 call was won by a later attempt
}

// By default the delay follows the latency: the slowest 5 % of the calls get a second attempt, here the slowest 1 %, as
// soon as enough latencies are known.
func ExampleConfig_latency() {
	search := hedge.New("search", hedge.Config{
		Latency: hedge.Latency{Percentile: 0.99, MinCalls: 1000, Min: 5 * time.Millisecond},
		Cap:     hedge.Cap{Ratio: 0.02, Burst: 5},
	})

	_, known := search.Delay()
	fmt.Println(known)
	// Output: false
}

// A hedge inside a retry takes from the retry's budget: together they add no more than 10 % to the load.
func ExampleHedge_Budget() {
	again := retry.New("articles", retry.Config{})
	late := hedge.New("articles", hedge.Config{Budget: again.Budget()})
	chain := seawall.Chain(again, late)

	fmt.Println(chain)
	fmt.Println(late.Budget() == again.Budget())
	// Output:
	// retry "articles" → hedge "articles"
	// true
}

// Hedges that share a budget without a retry around them fund it themselves. By default they would only take from it, until
// it is empty for good.
func ExampleContribute() {
	shared := seawall.NewBudget(seawall.BudgetConfig{Burst: 5})
	pays := hedge.New("search.pays", hedge.Config{Budget: shared, Funding: hedge.Contribute})
	takes := hedge.New("search.takes", hedge.Config{Budget: shared})
	ok := func(context.Context) error { return nil }

	shared.Take() // by some extra attempt
	fmt.Println(takes.Do(context.Background(), ok), shared.Available())
	fmt.Println(pays.Do(context.Background(), ok), shared.Available())
	// Output:
	// <nil> 4
	// <nil> 4.1
}

// Each shard has a latency of its own, and all share one budget.
func ExampleHedge_group() {
	budget := seawall.NewBudget(seawall.BudgetConfig{})
	quiet := seawall.DefaultRegistry().Detached()
	shards := seawall.NewGroup(1000, func(shard string) *seawall.Pipeline {
		return seawall.Chain(hedge.New(shard, hedge.Config{Budget: budget, Funding: hedge.Contribute, Registry: quiet}))
	})

	answer, err := seawall.Call(context.Background(), shards.For("shard 7"), func(context.Context) (int, error) {
		return 42, nil
	})
	fmt.Println(answer, err)
	// Output: 42 <nil>
}

func ExampleHedge_Do() {
	mail := hedge.New("mail", hedge.Config{Delay: hedge.OnFailure})

	err := mail.Do(context.Background(), func(ctx context.Context) error {
		if seawall.Attempt(ctx) == 1 {
			return errors.New("relay 1: connection refused") // and relay 2 is tried at once
		}
		return nil
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleError() {
	mail := hedge.New("relays", hedge.Config{Delay: hedge.OnFailure})
	errFull := errors.New("mailbox full")

	err := mail.Do(context.Background(), func(ctx context.Context) error {
		if seawall.Attempt(ctx) == 1 {
			return errors.New("relay 1: connection refused")
		}
		return errFull
	})

	if e, ok := errors.AsType[*hedge.Error](err); ok {
		fmt.Println(e.Attempts, "attempts, the last one:", e.Last)
	}
	fmt.Println(err)
	fmt.Println(errors.Is(err, errFull))
	// Output:
	// 2 attempts, the last one: mailbox full
	// hedge "relays": 2 attempts, last: mailbox full
	// true
}

func ExampleHedge_Update() {
	search := hedge.New("search.live", hedge.Config{Registry: (&seawall.Registry{}).Detached()})

	cfg := search.Config()
	cfg.MaxAttempts = 100
	fmt.Println(search.Update(cfg))
	// Output: hedge: Config.MaxAttempts is 100, want 1 to 10
}

// Delay is when a call that starts now would get its second attempt.
func ExampleHedge_Delay() {
	fixed := hedge.New("suggest", hedge.Config{Delay: 20 * time.Millisecond})
	fmt.Println(fixed.Delay())

	never := hedge.New("suggest.on_failure", hedge.Config{Delay: hedge.OnFailure})
	fmt.Println(never.Delay())
	// Output:
	// 20ms true
	// 0s false
}

// Attempts divided by Calls is what the Hedge makes of the load.
func ExampleHedge_Stats() {
	lookup := hedge.New("lookup", hedge.Config{Delay: 20 * time.Millisecond})

	_, _ = seawall.Call(context.Background(), lookup, ask)
	_ = lookup.Do(context.Background(), func(context.Context) error { return nil })

	s := lookup.Stats()
	fmt.Println(s.Attempts, "attempts for", s.Calls(), "calls,", s.Hedge, "of which a later attempt won")
	// Output: 3 attempts for 2 calls, 1 of which a later attempt won
}
