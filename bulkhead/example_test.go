package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

// reserve stands for a call of a database.
func reserve(context.Context) error { return nil }

func ExampleNew() {
	inventory := bulkhead.New("inventory", bulkhead.Config{
		Limit: 32,
		Queue: bulkhead.Queue{MaxWait: 250 * time.Millisecond},
	})
	cfg := inventory.Config()
	fmt.Println(inventory)
	fmt.Println(cfg.Limit, "at once,", cfg.Queue.Limit, "wait for", cfg.Queue.MaxWait)
	// Output:
	// bulkhead "inventory"
	// 32 at once, 32 wait for 250ms
}

func ExampleBulkhead_Do() {
	inventory := bulkhead.New("inventory", bulkhead.Config{Limit: 32, Registry: &seawall.Registry{}})

	err := inventory.Do(context.Background(), reserve)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleBulkhead_Acquire() {
	ctx := context.Background()
	streams := bulkhead.New("streams", bulkhead.Config{Limit: 100, Registry: &seawall.Registry{}})

	permit, err := streams.Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(streams.Stats().InUse, "open")

	fmt.Println(permit.Done(nil), permit.Done(nil)) // when the stream has ended; the first one counts
	fmt.Println(streams.Stats().InUse, "open")
	// Output:
	// 1 open
	// true false
	// 0 open
}

func Example_full() {
	ctx := context.Background()
	inventory := bulkhead.New("inventory", bulkhead.Config{
		Limit:    1,
		Queue:    bulkhead.Queue{Limit: bulkhead.NoQueue},
		Registry: &seawall.Registry{},
	})
	_ = inventory.Do(ctx, func(ctx context.Context) error {
		err := inventory.Do(ctx, reserve) // the only slot is taken
		if errors.Is(err, bulkhead.ErrFull) {
			fmt.Println("try again later:", err)
		}
		if r, ok := errors.AsType[*seawall.RejectedError](err); ok {
			fmt.Println(r.Kind, r.Name, r.Reason, r.RetryAfter())
		}
		return nil
	})
	// Output:
	// try again later: bulkhead "inventory": full
	// bulkhead inventory full 0s
}

func Example_deadline() {
	inventory := bulkhead.New("inventory", bulkhead.Config{Limit: 1, Registry: &seawall.Registry{}})
	_ = inventory.Do(context.Background(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		err := inventory.Do(ctx, reserve) // waits for the only slot until the caller's own deadline
		fmt.Println(err)
		fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, bulkhead.ErrFull))
		return nil
	})
	// Output:
	// bulkhead "inventory": gave up waiting: context deadline exceeded
	// true false
}

func ExampleAdaptiveLIFO() {
	inventory := bulkhead.New("inventory", bulkhead.Config{
		Limit: 32,
		Queue: bulkhead.Queue{
			Limit: 200,
			Order: bulkhead.AdaptiveLIFO, // in lasting overload those who came last are served, and in time
		},
		Registry: &seawall.Registry{},
	})
	queue := inventory.Config().Queue
	fmt.Println(queue.Order, "when the oldest of", queue.Limit, "has waited", queue.Target, "for", queue.Interval)
	// Output: adaptive_lifo when the oldest of 200 has waited 5ms for 100ms
}

func ExampleConfig_shares() {
	inventory := bulkhead.New("inventory", bulkhead.Config{
		Shares: bulkhead.Shares{
			Critical:  0.3,              // also in a flood of what is more important
			Sheddable: bulkhead.NoShare, // only what nobody else wants
		},
		Registry: &seawall.Registry{},
	})
	fmt.Printf("%+v\n", inventory.Config().Shares)
	// Output: {CriticalPlus:-1 Critical:0.3 SheddablePlus:0.05 Sheddable:-1}
}

func ExampleBulkhead_Update() {
	inventory := bulkhead.New("inventory", bulkhead.Config{Registry: quietRegistry()})

	cfg := inventory.Config()
	cfg.Limit = 8
	fmt.Println(inventory.Update(cfg), inventory.Config().Limit)

	cfg.Limit = -8
	fmt.Println(inventory.Update(cfg))
	// Output:
	// <nil> 8
	// bulkhead: Config.Limit is -8, want 1 to 1000000
}

func ExampleBulkhead_SetMode() {
	ctx := context.Background()
	inventory := bulkhead.New("inventory", bulkhead.Config{
		Limit:    1,
		Queue:    bulkhead.Queue{Limit: bulkhead.NoQueue},
		Registry: quietRegistry(),
	})
	_ = inventory.SetMode(seawall.Shadow) // a rehearsal: what would this limit have rejected?

	_ = inventory.Do(ctx, func(ctx context.Context) error {
		return inventory.Do(ctx, reserve)
	})
	s := inventory.Stats()
	fmt.Println(s.Admitted, "admitted,", s.ShadowRejected, "of them over the limit")
	// Output: 2 admitted, 1 of them over the limit
}

func ExampleBulkhead_Stats() {
	ctx := context.Background()
	inventory := bulkhead.New("inventory", bulkhead.Config{Limit: 2, Registry: &seawall.Registry{}})
	for range 3 {
		_ = inventory.Do(ctx, reserve)
	}
	s := inventory.Stats()
	fmt.Println(s.Admitted, "admitted,", s.Rejected.Total(), "rejected,", s.InUse, "of", s.Limit, "in")
	// Output: 3 admitted, 0 rejected, 0 of 2 in
}
