package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"

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
	// opens at 0.25 after 20 calls, for 1s
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

// A dependency that answers, but takes too long for anybody to wait, is cut off as one that fails is.
func ExampleSlowCalls() {
	b := breaker.New("search", breaker.Config{
		MinCalls: 3,
		Slow:     breaker.SlowCalls{Over: 10 * time.Millisecond, Rate: 0.5},
		Registry: silent(),
	})
	slow := func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil }
	for range 3 {
		fmt.Println(b.Do(context.Background(), slow))
	}
	fmt.Println(b.State(), "after", b.Stats().Slow, "slow calls")
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// open after 3 slow calls
}

// Calls that hang open the breaker before any of them ends.
func ExampleStats_hung() {
	b := breaker.New("search", breaker.Config{
		MinCalls: 3,
		Slow:     breaker.SlowCalls{Over: 10 * time.Millisecond},
		Registry: silent(),
	})
	for range 3 {
		_, _ = b.Acquire(context.Background()) // and they never end
	}
	time.Sleep(12 * time.Millisecond)
	_, err := b.Acquire(context.Background())
	fmt.Println(errors.Is(err, breaker.ErrOpen), b.Stats().Slow)
	// Output: true 3
}

// After the probes the load comes back in steps. The first call of a step is let in, and then one of so many.
func ExampleRamp() {
	b := breaker.New("payments", breaker.Config{
		MinCalls: 1, OpenFor: time.Millisecond, Probes: breaker.Probes{Calls: 1},
		Ramp:     breaker.Ramp{Start: 0.25, Step: time.Hour},
		Registry: silent(),
	})
	ctx := context.Background()
	ok := func(context.Context) error { return nil }
	_ = b.Do(ctx, func(context.Context) error { return errors.New("connection refused") })
	for b.State() != breaker.Ramping {
		_ = b.Do(ctx, ok)
	}
	for range 5 {
		fmt.Println(b.Do(ctx, ok))
	}
	// Output:
	// <nil>
	// breaker "payments": ramping
	// breaker "payments": ramping
	// breaker "payments": ramping
	// <nil>
}

func ExampleConfig_consecutiveFailures() {
	b := breaker.New("mail", breaker.Config{ConsecutiveFailures: 2, Registry: silent()})
	for range 2 {
		_ = b.Do(context.Background(), func(context.Context) error { return errors.New("connection refused") })
	}
	fmt.Println(b.State(), "after", b.Stats().Calls.Failures, "failures")
	// Output: open after 2 failures
}

// unavailable is an error that knows when to come back, as that of an adapter which reads Retry-After.
type unavailable struct{ after time.Duration }

func (unavailable) Error() string               { return "503 Service Unavailable" }
func (e unavailable) RetryAfter() time.Duration { return e.after }

// What the dependency asks for is what the breaker waits for, and tells its callers.
func ExampleConfig_maxRetryAfter() {
	b := breaker.New("payments", breaker.Config{MinCalls: 1, MaxRetryAfter: time.Minute, Registry: silent()})
	down := func(context.Context) error { return unavailable{after: 50 * time.Second} }
	_ = b.Do(context.Background(), down)

	rejected, _ := errors.AsType[*seawall.RejectedError](b.Do(context.Background(), down))
	wait := rejected.RetryAfter()
	fmt.Println("retry after 50 s and some jitter:", wait > 49*time.Second && wait <= time.Minute)
	// Output: retry after 50 s and some jitter: true
}

// One breaker for each host: what one suffers does not touch another.
func ExampleNewGroup() {
	hosts := breaker.NewGroup("hosts", breaker.GroupConfig[string]{
		Breaker:  breaker.Config{MinCalls: 1},
		Label:    func(host string) string { return host },
		Registry: silent(),
	})
	ctx := context.Background()
	_ = hosts.For("a.example").Do(ctx, func(context.Context) error { return errors.New("connection refused") })

	for _, host := range []string{"a.example", "b.example"} {
		fmt.Println(hosts.For(host), "is", hosts.For(host).State())
	}
	fmt.Println(hosts.Len(), "hosts,", hosts.Stats().Open, "open")
	// Output:
	// breaker "hosts[a.example]" is open
	// breaker "hosts[b.example]" is closed
	// 2 hosts, 1 open
}

// A code base keeps the breaker that it has, and puts it into a chain.
func ExampleFromGobreaker() {
	legacy := gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 2 },
		IsExcluded:  breaker.GobreakerExcluded,
	})
	chain := seawall.Chain(breaker.FromGobreaker("payments", legacy, silent()))
	for range 3 {
		err := chain.Do(context.Background(), func(context.Context) error { return errors.New("connection refused") })
		fmt.Println(err, errors.Is(err, breaker.ErrOpen))
	}
	// Output:
	// connection refused false
	// connection refused false
	// breaker "payments": open true
}

// The other form of it executes functions, and is a policy as well.
func ExampleFromGobreakerExecute() {
	legacy := gobreaker.NewCircuitBreaker[any](gobreaker.Settings{IsExcluded: breaker.GobreakerExcluded})
	chain := seawall.Chain(breaker.FromGobreakerExecute("payments", legacy, silent()))
	receipt, err := seawall.Call(context.Background(), chain, func(context.Context) (string, error) {
		return "receipt 42", nil
	})
	fmt.Println(receipt, err)
	// Output: receipt 42 <nil>
}
