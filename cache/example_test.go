package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
	"github.com/seawall-go/seawall/degrade"
)

func ExampleNew() {
	products := cache.New("products", cache.Config[string, string]{TTL: time.Minute, MaxStale: time.Hour, MaxBytes: 64 << 20})
	load := func(_ context.Context, sku string) (string, error) {
		fmt.Println("loaded", sku)
		return "a mug", nil
	}
	for range 2 {
		name, err := products.Get(context.Background(), "mug", load)
		fmt.Println(name, err)
	}
	// Output:
	// loaded mug
	// a mug <nil>
	// a mug <nil>
}

// A price service is down. The page still has a price, and says that it is an old one.
func ExampleCache_Lookup_staleWhileDown() {
	down := false
	price := func(context.Context, string) (int, error) {
		if down {
			return 0, errors.New("price service: connection refused")
		}
		return 995, nil
	}
	prices := cache.New("prices", cache.Config[string, int]{TTL: time.Minute, MaxStale: time.Hour})
	ctx := context.Background()
	show := func() {
		r, err := prices.Lookup(ctx, "mug", price)
		fmt.Println(r.Value, r.State, r.Why, err)
	}
	show()
	show()
	down = true
	prices.Expire(ctx, "mug") // as its minute would
	show()
	show()
	fmt.Println(prices.Snapshot().State)
	// Output:
	// 995 loaded  <nil>
	// 995 fresh  <nil>
	// 995 stale load_failed <nil>
	// 995 stale retry_later <nil>
	// stale
}

// That there is no such customer is remembered, for a time of its own.
func ExampleErrNotFound() {
	customers := cache.New("customers", cache.Config[int, string]{NegativeTTL: 10 * time.Second})
	find := func(_ context.Context, id int) (string, error) {
		fmt.Println("asked for", id)
		return "", fmt.Errorf("customer %d: %w", id, cache.ErrNotFound)
	}
	for range 2 {
		_, err := customers.Get(context.Background(), 7, find)
		fmt.Println(errors.Is(err, cache.ErrNotFound))
	}
	// Output:
	// asked for 7
	// true
	// true
}

// Two nodes tell each other what has changed.
func ExampleBackplane() {
	bus := &cache.Bus{} // a Redis or a NATS between processes
	stock := map[string]int{"mug": 3}
	load := func(_ context.Context, sku string) (int, error) { return stock[sku], nil }
	newNode := func() *cache.Cache[string, int] {
		return cache.New("stock", cache.Config[string, int]{Peers: cache.PeersConfig{Backplane: bus}, Registry: &seawall.Registry{}})
	}
	ctx, a, b := context.Background(), newNode(), newNode()
	show := func() {
		onA, _ := a.Get(ctx, "mug", load)
		onB, _ := b.Get(ctx, "mug", load)
		fmt.Println(onA, onB)
	}
	show()
	stock["mug"] = 2
	show() // nobody knows
	a.Expire(ctx, "mug")
	show()
	fmt.Println(a.Close(ctx), b.Close(ctx))
	// Output:
	// 3 3
	// 3 3
	// 2 2
	// <nil> <nil>
}

func ExampleCache_Get_readThrough() {
	rates := cache.New("rates", cache.Config[string, float64]{
		Load: func(context.Context, string) (float64, error) { return 1.08, nil },
	})
	fmt.Println(rates.Get(context.Background(), "EUR/USD", nil))
	// Output: 1.08 <nil>
}

func ExampleCache_Put() {
	table := map[string]int{}
	carts := cache.New("carts", cache.Config[string, int]{
		Store: func(_ context.Context, user string, items int) error { table[user] = items; return nil },
	})
	ctx := context.Background()
	fmt.Println(carts.Put(ctx, "ann", 2))
	items, err := carts.Get(ctx, "ann", nil)
	fmt.Println(items, err, table["ann"])
	// Output:
	// <nil>
	// 2 <nil> 2
}

func ExampleCache_GetMany() {
	names := cache.New("names", cache.Config[int, string]{})
	load := func(_ context.Context, ids []int) (map[int]string, error) {
		fmt.Println("loaded", ids)
		return map[int]string{1: "Ann", 2: "Bob"}, nil // there is no 3
	}
	ctx := context.Background()
	found, err := names.GetMany(ctx, []int{1, 2, 3}, load)
	fmt.Println(found, err)
	found, err = names.GetMany(ctx, []int{1, 2}, load)
	fmt.Println(found, err)
	// Output:
	// loaded [1 2 3]
	// map[1:Ann 2:Bob] <nil>
	// map[1:Ann 2:Bob] <nil>
}

func ExampleCache_Warm() {
	seats := cache.New("seats", cache.Config[int, string]{Load: func(_ context.Context, row int) (string, error) {
		return fmt.Sprint("row ", row), nil
	}})
	fmt.Println(seats.Warm(context.Background(), []int{1, 2, 3}, nil), seats.Len())
	// Output: <nil> 3
}

func ExampleDescribe() {
	pages := cache.New("pages", cache.Config[string, string]{})
	versions := 0
	load := func(ctx context.Context, path string) (string, error) {
		versions++
		cache.Describe(ctx, cache.Tags("author 7"), cache.TTL(10*time.Second), cache.Validator("v1"))
		return fmt.Sprint(path, " version ", versions), nil
	}
	ctx := context.Background()
	fmt.Println(pages.Get(ctx, "/about", load))
	pages.RemoveTags(ctx, "author 7")
	fmt.Println(pages.Get(ctx, "/about", load))
	// Output:
	// /about version 1 <nil>
	// /about version 2 <nil>
}

func ExampleCache_Remove() {
	sessions := cache.New("sessions", cache.Config[string, string]{MaxStale: time.Hour})
	ctx := context.Background()
	login := func(context.Context, string) (string, error) { return "ann", nil }
	gone := func(context.Context, string) (string, error) { return "", errors.New("session store is down") }
	_, _ = sessions.Get(ctx, "s1", login)
	sessions.Expire(ctx, "s1")
	fmt.Println(sessions.Get(ctx, "s1", gone)) // an old session is better than none
	sessions.Remove(ctx, "s1")
	fmt.Println(sessions.Get(ctx, "s1", gone)) // but not after a logout
	// Output:
	// ann <nil>
	//  session store is down
}

func ExampleCache_Stale() {
	prices := cache.New("prices", cache.Config[string, int]{MaxStale: time.Hour})
	ctx := context.Background()
	_ = prices.Put(ctx, "mug", 995)
	checkout := seawall.Chain(degrade.NewFallback("mug.copy", degrade.FallbackConfig{Func: prices.Stale("mug")}))
	price, err := seawall.Call(ctx, checkout, func(context.Context) (int, error) {
		return 0, errors.New("price service: connection refused")
	})
	fmt.Println(price, err)
	// Output: 995 <nil>
}

// While the load is high only what a page cannot do without is loaded; of the rest there are copies, or nothing.
func ExampleCache_Peek_brownout() {
	workers := bulkhead.New("workers", bulkhead.Config{Limit: 1})
	brown := degrade.NewBrownout("page", degrade.BrownoutConfig{Signal: func() float64 {
		s := workers.Stats()
		return float64(s.InUse) / float64(s.Limit)
	}})
	reviews := cache.New("reviews", cache.Config[string, string]{MaxStale: time.Hour})
	load := func(context.Context, string) (string, error) { return "good", nil }
	ctx := context.Background()
	show := func(sku string) {
		if brown.Allows(ctx, seawall.Sheddable) {
			text, err := reviews.Get(ctx, sku, load)
			fmt.Println(sku, text, err)
			return
		}
		r, ok := reviews.Peek(sku)
		fmt.Println(sku, r.Value, ok)
	}
	show("mug")
	_ = brown.SetLevel(degrade.WithoutSheddable) // as the signal would
	show("mug")
	show("cup")
	// Output:
	// mug good <nil>
	// mug good true
	// cup  false
}

func ExampleLayer() {
	shared := &cachetest.Memory{} // a Redis between processes
	newNode := func() *cache.Cache[string, int] {
		return cache.New("stock", cache.Config[string, int]{L2: cache.L2Config{Layer: shared}, Registry: &seawall.Registry{}})
	}
	ctx, a, b := context.Background(), newNode(), newNode()
	load := func(context.Context, string) (int, error) { fmt.Println("loaded"); return 3, nil }
	fmt.Println(a.Get(ctx, "mug", load))
	fmt.Println(a.Close(ctx)) // the value is in the layer by now
	fmt.Println(b.Get(ctx, "mug", load))
	// Output:
	// loaded
	// 3 <nil>
	// <nil>
	// 3 <nil>
}

func ExampleTimeoutError() {
	reports := cache.New("reports", cache.Config[string, string]{Hard: 10 * time.Millisecond})
	ready := make(chan struct{})
	_, err := reports.Get(context.Background(), "2026", func(context.Context, string) (string, error) {
		<-ready
		return "done", nil
	})
	fmt.Println(errors.Is(err, cache.ErrTimeout), err)
	close(ready) // the load goes on, and is kept
	fmt.Println(reports.Close(context.Background()))
	fmt.Println(reports.Get(context.Background(), "2026", nil))
	// Output:
	// true cache "reports": no answer within 10ms
	// <nil>
	// done <nil>
}
