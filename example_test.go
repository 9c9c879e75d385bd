package seawall_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/retry"
)

// silent is a registry that logs nothing, so that the examples print only what they show.
func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func ExampleChain() {
	registry := silent()
	prices := seawall.Chain(
		degrade.NewFallback("prices.copy", degrade.FallbackConfig{
			Func: degrade.Value("9.80 (yesterday)"), Registry: registry,
		}),
		breaker.New("prices", breaker.Config{MinCalls: 2, Registry: registry}),
	)
	fmt.Println(prices)
	for range 3 {
		price, err := seawall.Call(context.Background(), prices, func(context.Context) (string, error) {
			fmt.Println("asking the price service")
			return "", errors.New("connection refused")
		})
		fmt.Println(price, err)
	}
	// Output:
	// fallback "prices.copy" → breaker "prices"
	// asking the price service
	// 9.80 (yesterday) <nil>
	// asking the price service
	// 9.80 (yesterday) <nil>
	// 9.80 (yesterday) <nil>
}

func ExampleCall() {
	b := breaker.New("greeter", breaker.Config{Registry: silent()})
	greeting, err := seawall.Call(context.Background(), b, func(context.Context) (string, error) {
		return "hello", nil
	})
	fmt.Println(greeting, err)
	// Output: hello <nil>
}

// twice is a policy of the user's own: it tries again once.
type twice struct{}

func (twice) Do(ctx context.Context, op func(context.Context) error) error {
	if err := op(ctx); err == nil || ctx.Err() != nil {
		return err
	}
	return op(ctx)
}

func ExamplePolicy() {
	answers := []string{"", "42"}
	answer, err := seawall.Call(context.Background(), seawall.Chain(twice{}), func(context.Context) (string, error) {
		answer := answers[0]
		answers = answers[1:]
		if answer == "" {
			return "", errors.New("connection reset")
		}
		return answer, nil
	})
	fmt.Println(answer, err)
	// Output: 42 <nil>
}

func ExampleCallDiscard() {
	n := 0
	reply, err := seawall.CallDiscard(context.Background(), twice{},
		func(context.Context) (*strings.Reader, error) {
			n++
			if n == 1 {
				return strings.NewReader("503"), errors.New("unavailable")
			}
			return strings.NewReader("200"), nil
		},
		func(r *strings.Reader) { fmt.Println("drained", r.Len(), "bytes of the first reply") },
	)
	fmt.Println("got", reply.Len(), "bytes of the second,", err)
	// Output:
	// drained 3 bytes of the first reply
	// got 3 bytes of the second, <nil>
}

func ExampleWithRecord() {
	registry := silent()
	stock := seawall.Chain(
		degrade.NewFallback("stock.unknown", degrade.FallbackConfig{Func: degrade.Value(-1), Registry: registry}),
		breaker.New("stock", breaker.Config{Mode: seawall.ForcedOpen, Registry: registry}),
	)
	ctx, record := seawall.WithRecord(context.Background())
	n, err := seawall.Call(ctx, stock, func(context.Context) (int, error) { return 12, nil })

	facts := record.Facts()
	fmt.Println(n, err)
	fmt.Println("replaced:", facts.Replaced, "by", facts.DecidedBy, "because:", facts.Reason)
	// Output:
	// -1 <nil>
	// replaced: true by fallback "stock.unknown" because: forced
}

// One budget for all that is tried again against one dependency, however it is tried again.
func ExampleBudget() {
	budget := seawall.NewBudget(seawall.BudgetConfig{Ratio: 0.1, Burst: 2})
	for i := range 4 {
		fmt.Println("extra attempt", i+1, "allowed:", budget.Take())
	}
	for range 10 {
		budget.Succeeded()
	}
	fmt.Println("after ten successes:", budget.Take(), budget.Take())
	// Output:
	// extra attempt 1 allowed: true
	// extra attempt 2 allowed: true
	// extra attempt 3 allowed: false
	// extra attempt 4 allowed: false
	// after ten successes: true false
}

// officeHours is a gate of the user's own: it lets calls through while somebody is there.
type officeHours struct{ open func() bool }

var errClosed = errors.New("office: closed")

// Acquire lets a call in, or says until when to stay away.
func (o officeHours) Acquire(context.Context) (seawall.Permit, error) {
	if !o.open() {
		return seawall.Permit{}, seawall.Reject("office", "support", seawall.ReasonShed, errClosed, 8*time.Hour)
	}
	return seawall.NewPermit(o, seawall.Ticket{}), nil
}

// Release learns how the call ended.
func (o officeHours) Release(_ seawall.Ticket, err error) bool {
	fmt.Println("ended as a", seawall.Classify(err).Outcome)
	return true
}

func (o officeHours) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, o, op)
}

func ExampleGate() {
	open := true
	support := officeHours{open: func() bool { return open }}
	ask := func(context.Context) error { return errors.New("nobody answered") }

	fmt.Println(support.Do(context.Background(), ask))
	open = false
	err := support.Do(context.Background(), ask)
	fmt.Println(err, "-", errors.Is(err, errClosed), errors.Is(err, seawall.ErrRejected))
	// Output:
	// ended as a failure
	// nobody answered
	// office "support": shed, retry in 8h0m0s - true true
}

// A status that is an answer and no failure, by an error that knows what it means.
func ExampleClassify() {
	fmt.Println(seawall.Classify(nil).Outcome)
	fmt.Println(seawall.Classify(errors.New("connection refused")).Outcome)
	fmt.Println(seawall.Classify(notFound{}).Outcome)
	fmt.Println(seawall.Classify(seawall.Permanent(errors.New("bad request"))).Repeat)
	// Output:
	// success
	// failure
	// success
	// never
}

type notFound struct{}

func (notFound) Error() string            { return "404 Not Found" }
func (notFound) Verdict() seawall.Verdict { return seawall.Verdict{Outcome: seawall.Success} }

func ExampleRejectedError() {
	b := breaker.New("payments", breaker.Config{Mode: seawall.ForcedOpen, Registry: silent()})
	err := b.Do(context.Background(), func(context.Context) error { return nil })
	if rejected, ok := errors.AsType[*seawall.RejectedError](err); ok {
		fmt.Println(rejected.Kind, rejected.Name, rejected.Reason, rejected.RetryAfter())
	}
	// Output: breaker payments forced 0s
}

func ExamplePipeline_Lint() {
	payments := seawall.Chain(
		breaker.New("payments", breaker.Config{}),
		retry.New("payments", retry.Config{}),
	)
	for _, finding := range payments.Lint() {
		fmt.Println(finding.Rule)
		fmt.Println(finding.Problem)
		fmt.Println(finding.Remedy)
	}
	// Output:
	// breaker_outside_retry
	// the breaker counts once for all attempts, and an open one stops none of those under way
	// put the breaker inside, so that each attempt asks it
}

func ExampleWithUser() {
	ctx := seawall.WithUser(context.Background(), "customer-42") // gates that shed by user keep her tasks whole
	ctx = seawall.WithPriority(ctx, seawall.SheddablePlus)       // and these calls may be missing for minutes
	user, _ := seawall.UserOf(ctx)
	fmt.Println(user, seawall.PriorityOf(ctx))
	// Output: customer-42 sheddable-plus
}

func ExampleRecord_NoteCache() {
	ctx, record := seawall.WithRecord(context.Background())
	seawall.RecordOf(ctx).NoteCache(seawall.CacheStale) // as a cache does; one of the program's own may as well
	seawall.RecordOf(ctx).NoteCache(seawall.CacheFresh)
	fmt.Println(record.Facts().Cache)
	// Output: stale
}
