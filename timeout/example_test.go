package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/timeout"
)

// slow answers after a minute, unless its context ends.
func slow(ctx context.Context) (string, error) {
	select {
	case <-time.After(time.Minute):
		return "an answer", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func ExampleNew() {
	search := timeout.New("search", timeout.Config{Limit: 10 * time.Millisecond})

	_, err := seawall.Call(context.Background(), search, slow)
	fmt.Println(err)
	// Output: timeout "search": limit of 10ms exceeded
}

// The limit is told from the caller's own deadline by its error.
func ExampleTimeout_Do() {
	limit := timeout.New("settings", timeout.Config{Limit: time.Second})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()

	err := limit.Do(ctx, func(ctx context.Context) error {
		_, err := slow(ctx)
		return err
	})
	fmt.Println(errors.Is(err, timeout.ErrExceeded), errors.Is(err, context.DeadlineExceeded))
	// Output: false true
}

func ExampleExceededError() {
	limit := timeout.New("profile", timeout.Config{Limit: 10 * time.Millisecond})

	err := limit.Do(context.Background(), func(ctx context.Context) error {
		_, err := slow(ctx)
		fmt.Println("operation:", err, "because of", context.Cause(ctx))
		return err
	})
	if e, ok := errors.AsType[*timeout.ExceededError](err); ok {
		fmt.Println("caller:", e.Name, "took longer than", e.Limit)
	}
	// Output:
	// operation: context deadline exceeded because of timeout "profile": limit of 10ms exceeded
	// caller: profile took longer than 10ms
}

// Enter and Leave are for calls that are not one function, such as a stream.
func ExampleTimeout_Enter() {
	limit := timeout.New("stream", timeout.Config{Limit: time.Minute})
	caller := context.Background()

	ctx, err := limit.Enter(caller)
	if err != nil {
		fmt.Println(err)
		return
	}
	// ... open the stream with ctx, use it, and when it ends:
	err = limit.Leave(caller, ctx, nil)
	fmt.Println(err, ctx.Err())
	// Output: <nil> context canceled
}

func ExampleTimeout_Update() {
	limit := timeout.New("report", timeout.Config{Limit: time.Second})

	fmt.Println(limit.Update(timeout.Config{Limit: -5 * time.Second}))
	fmt.Println(limit.Update(timeout.Config{Limit: timeout.Off}), limit.Config().Limit == timeout.Off)
	// Output:
	// timeout: Config.Limit is -5s, want at least 1ns, or Off
	// <nil> true
}

// The limit is twice the time that 99 % of the calls take, and never above 2 s.
func ExampleConfig_adaptive() {
	search := timeout.New("search.adaptive", timeout.Config{
		Limit:    2 * time.Second,
		Adaptive: timeout.Adaptive{Percentile: 0.99, MinCalls: 50},
	})

	fmt.Println(search.Limit())
	for range 50 {
		_ = search.Do(context.Background(), func(context.Context) error { return nil })
	}
	cfg := search.Config()
	fmt.Println(cfg.Adaptive.Factor, cfg.Adaptive.Min)
	// Output:
	// 2s
	// 2 10ms
}

// Limit is what a call that starts now would have.
func ExampleTimeout_Limit() {
	limit := timeout.New("invoice", timeout.Config{Limit: 500 * time.Millisecond})
	fmt.Println(limit.Limit())

	_ = limit.Update(timeout.Config{Limit: timeout.Off})
	fmt.Println(limit.Limit() == timeout.Off)
	// Output:
	// 500ms
	// true
}

func ExampleTimeout_Stats() {
	limit := timeout.New("avatar", timeout.Config{Limit: 10 * time.Millisecond})

	_, _ = seawall.Call(context.Background(), limit, slow)
	_ = limit.Do(context.Background(), func(context.Context) error { return nil })

	s := limit.Stats()
	fmt.Println(s.Expired, "of", s.Calls(), "calls took too long")
	// Output: 1 of 2 calls took too long
}
