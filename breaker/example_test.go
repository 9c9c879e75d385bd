package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
)

// silent is a registry that logs nothing, so that the examples print only what they show.
func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func ExampleNew() {
	b := breaker.New("payments", breaker.Config{
		FailureRate: 0.25,
		Window:      breaker.Window{Calls: 100},
		Registry:    silent(),
	})
	cfg := b.Config() // with its defaults filled in
	fmt.Println(b, "is", b.State())
	fmt.Println("opens at", cfg.FailureRate, "after", cfg.MinCalls, "calls, for", cfg.OpenFor)
	// Output:
	// breaker "payments" is closed
	// opens at 0.25 after 20 calls, for 2s
}

func ExampleBreaker_Do() {
	b := breaker.New("payments", breaker.Config{MinCalls: 3, Registry: silent()})
	charge := func(context.Context) error { return errors.New("connection refused") }
	for range 5 {
		err := b.Do(context.Background(), charge)
		if errors.Is(err, breaker.ErrOpen) {
			fmt.Println("not called: the breaker is", b.State())
			continue
		}
		fmt.Println(err)
	}
	// Output:
	// connection refused
	// connection refused
	// connection refused
	// not called: the breaker is open
	// not called: the breaker is open
}

// A stream or a transport ends elsewhere than where it began: it holds a permit meanwhile.
func ExampleBreaker_Acquire() {
	b := breaker.New("feed", breaker.Config{Registry: silent()})
	ctx := context.Background()

	permit, err := b.Acquire(ctx)
	if err != nil {
		fmt.Println("not now:", err)
		return
	}
	streamErr := errors.New("stream reset") // what the stream ended with, perhaps in another goroutine
	fmt.Println("counted:", permit.Done(seawall.Settle(ctx, streamErr)))
	fmt.Println("counted twice:", permit.Done(nil))
	fmt.Printf("%+v\n", b.Stats().Calls)
	// Output:
	// counted: true
	// counted twice: false
	// {Successes:0 Failures:1}
}

func ExampleBreaker_Update() {
	b := breaker.New("payments", breaker.Config{Registry: silent()})
	cfg := b.Config()
	cfg.FailureRate = 0.8
	fmt.Println(b.Update(cfg), b.Config().FailureRate)

	cfg.FailureRate = 80 // a percentage, by mistake
	fmt.Println(b.Update(cfg), b.Config().FailureRate)
	// Output:
	// <nil> 0.8
	// breaker: Config.FailureRate is 80, want 0.000001 to 1 0.8
}

func ExampleBreaker_SetMode() {
	b := breaker.New("payments", breaker.Config{Registry: silent()})
	op := func(context.Context) error { fmt.Println("called"); return nil }

	_ = b.SetMode(seawall.ForcedOpen) // an operator takes the dependency out
	fmt.Println(b.Do(context.Background(), op))
	_ = b.SetMode(seawall.Enforce)
	fmt.Println(b.Do(context.Background(), op))
	// Output:
	// breaker "payments": forced
	// called
	// <nil>
}

func ExampleConfig_onStateChange() {
	b := breaker.New("payments", breaker.Config{
		MinCalls: 4,
		Registry: silent(),
		OnStateChange: func(e breaker.Event) {
			fmt.Printf("%s: %v -> %v, %d of %d calls failed\n", e.Name, e.From, e.To, e.Failures, e.Calls)
		},
	})
	for i := range 4 {
		_ = b.Do(context.Background(), func(context.Context) error {
			if i%2 == 0 {
				return nil
			}
			return errors.New("connection refused")
		})
	}
	// Output: payments: closed -> open, 2 of 4 calls failed
}

// A rejection says who rejected, why, and how long to stay away: a server passes that on as Retry-After.
func Example_errOpen() {
	b := breaker.New("payments", breaker.Config{MinCalls: 1, OpenFor: time.Minute, Registry: silent()})
	down := func(context.Context) error { return errors.New("connection refused") }
	_ = b.Do(context.Background(), down)

	err := b.Do(context.Background(), down)
	if rejected, ok := errors.AsType[*seawall.RejectedError](err); ok && errors.Is(err, breaker.ErrOpen) {
		wait := rejected.RetryAfter() // the time that is left, of a minute with a jitter of 20 %
		fmt.Println(rejected.Kind, rejected.Name, "is", rejected.Reason)
		fmt.Println("retry after about a minute:", wait > 40*time.Second && wait <= 72*time.Second)
	}
	// Output:
	// breaker payments is open
	// retry after about a minute: true
}
