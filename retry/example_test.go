package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/retry"
)

// flaky fails twice before it works.
func flaky() func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if n := seawall.Attempt(ctx); n < 3 {
			return "", fmt.Errorf("attempt %d: connection refused", n)
		}
		return "receipt 42", nil
	}
}

func ExampleNew() {
	payments := retry.New("payments", retry.Config{
		MaxAttempts: 4,
		Backoff:     retry.Backoff{Base: time.Millisecond, Max: 20 * time.Millisecond},
	})

	receipt, err := seawall.Call(context.Background(), payments, flaky())
	fmt.Println(receipt, err)
	// Output: receipt 42 <nil>
}

func ExampleRetry_Do() {
	mail := retry.New("mail", retry.Config{Backoff: retry.Backoff{Base: time.Millisecond}})

	err := mail.Do(context.Background(), func(context.Context) error {
		return errors.New("connection refused")
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, retry.ErrExhausted))
	// Output:
	// retry "mail": 3 attempts, last: connection refused
	// true
}

func ExampleError() {
	search := retry.New("search", retry.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()

	err := search.Do(ctx, func(context.Context) error { return &busy{time.Minute} })

	switch e, _ := errors.AsType[*retry.Error](err); {
	case errors.Is(err, retry.ErrExhausted), errors.Is(err, retry.ErrBudget):
		fmt.Println("it is down")
	case errors.Is(err, retry.ErrOutOfTime):
		fmt.Printf("no time for attempt %d: %v\n", e.Attempts+1, e.Last)
	}
	// Output: no time for attempt 2: come back in 1m0s
}

// busy is an error that knows how long to stay away.
type busy struct{ after time.Duration }

func (b *busy) Error() string             { return fmt.Sprint("come back in ", b.after) }
func (b *busy) RetryAfter() time.Duration { return b.after }

// A permanent error, and a call that must not be carried out twice, are not repeated.
func Example_final() {
	orders := retry.New("orders", retry.Config{})
	ctx := context.Background()

	err := orders.Do(ctx, func(context.Context) error { return seawall.Permanent(errors.New("no such article")) })
	fmt.Println(err)

	err = orders.Do(seawall.NotIdempotent(ctx), func(context.Context) error { return errors.New("connection reset") })
	fmt.Println(err)

	fmt.Println(orders.Stats().Attempts, "attempts")
	// Output:
	// no such article
	// connection reset
	// 2 attempts
}

// Two retries to one dependency share its budget: together they add no more than 10 % to its load.
func ExampleRetry_Budget() {
	reads := retry.New("store.reads", retry.Config{})
	writes := retry.New("store.writes", retry.Config{Budget: reads.Budget()})

	fmt.Println(reads.Budget() == writes.Budget())
	// Output: true
}

// An empty budget ends a call with its own error, marked with ErrBudget.
func ExampleConfig_budget() {
	store := retry.New("store", retry.Config{
		BudgetConfig: seawall.BudgetConfig{Ratio: 0.2, Burst: 1},
		Backoff:      retry.Backoff{Base: time.Millisecond},
	})

	err := store.Do(context.Background(), func(context.Context) error { return errors.New("disk full") })
	fmt.Println(err)
	fmt.Println(errors.Is(err, retry.ErrBudget))
	// Output:
	// retry "store": 2 attempts, no budget for another, last: disk full
	// true
}

// A schedule that exists already plugs in by its constructor.
func ExampleConfig_schedule() {
	legacy := retry.New("legacy", retry.Config{
		MaxAttempts: retry.Unlimited,
		Schedule: func() backoff.BackOff {
			return backoff.WithMaxRetries(backoff.NewConstantBackOff(time.Millisecond), 4)
		},
		OnRetry: func(e retry.Event) { fmt.Println("attempt", e.Attempt, "after", e.Wait) },
	})

	_, err := seawall.Call(context.Background(), legacy, flaky())
	fmt.Println(err)
	// Output:
	// attempt 2 after 1ms
	// attempt 3 after 1ms
	// <nil>
}

func ExampleRetry_Update() {
	r := retry.New("catalog", retry.Config{})

	cfg := r.Config()
	cfg.MaxAttempts = -7
	fmt.Println(r.Update(cfg))

	cfg.MaxAttempts = 2
	fmt.Println(r.Update(cfg), r.Config().MaxAttempts)
	// Output:
	// retry: Config.MaxAttempts is -7, want at least 1, or Unlimited
	// <nil> 2
}

func ExampleBackoff_New() {
	schedule := retry.Backoff{Kind: retry.Exponential, Base: time.Second, Max: 5 * time.Second}.New()
	for range 4 {
		fmt.Println(schedule.NextBackOff())
	}
	// Output:
	// 1s
	// 2s
	// 4s
	// 5s
}

// Two layers that retry, each with a budget: the one next to the failure repeats, and the one above does not repeat what
// is exhausted.
func Example_layers() {
	quick := retry.Backoff{Base: time.Millisecond}
	checkout := retry.New("checkout", retry.Config{Backoff: quick})
	payments := retry.New("payments.refunds", retry.Config{Backoff: quick})
	calls := 0

	err := checkout.Do(context.Background(), func(ctx context.Context) error {
		return payments.Do(ctx, func(context.Context) error {
			calls++
			return errors.New("connection refused")
		})
	})
	fmt.Println(err)
	fmt.Println(calls, "calls")
	// Output:
	// retry "payments.refunds": 3 attempts, last: connection refused
	// 3 calls
}

// Attempts divided by calls is the factor by which retries multiply the load.
func ExampleRetry_Stats() {
	reports := retry.New("reports", retry.Config{Backoff: retry.Backoff{Base: time.Millisecond}})

	_, _ = seawall.Call(context.Background(), reports, flaky())
	_ = reports.Do(context.Background(), func(context.Context) error { return nil })

	s := reports.Stats()
	fmt.Printf("%d calls: %d at once, %d later; %d attempts\n", s.Calls(), s.FirstTry, s.Recovered, s.Attempts)
	// Output: 2 calls: 1 at once, 1 later; 4 attempts
}

// A caller that leaves during a wait gets its own cause and what was wrong before it, joined.
func ExampleError_Unwrap() {
	pages := retry.New("pages", retry.Config{Backoff: retry.Backoff{Kind: retry.Constant, Base: time.Hour}})
	closed, refused := errors.New("page closed"), errors.New("connection refused")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(10*time.Millisecond, func() { cancel(closed) })

	err := pages.Do(ctx, func(context.Context) error { return refused })
	fmt.Println(err)
	fmt.Println(errors.Is(err, closed), errors.Is(err, refused))
	// Output:
	// retry "pages": 1 attempt, page closed, last: connection refused
	// true true
}
