// Command pricecache shows stale-while-down for a price service: a hundred customers make one load; when the service
// dies the shop goes on selling at the last prices, and says how old they are; when it is back nobody has to restart
// anything.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/timeout"
)

func main() {
	seawall.DefaultRegistry().SetLogger(slog.New(slog.DiscardHandler)) // the program tells what happens by itself
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// service is the price service: it takes 20 ms, and can be down.
type service struct {
	down  atomic.Bool
	calls atomic.Int64
	price atomic.Int64
}

func (s *service) ask(ctx context.Context, sku string) (int64, error) {
	s.calls.Add(1)
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	switch {
	case s.down.Load():
		return 0, errors.New("price service: connection refused")
	case sku != "mug":
		return 0, fmt.Errorf("price of %q: %w", sku, cache.ErrNotFound)
	}
	return s.price.Load(), nil
}

func run(ctx context.Context, out io.Writer) error {
	prices := &service{}
	prices.price.Store(995)
	guard := seawall.Chain(
		breaker.New("prices", breaker.Config{MinCalls: 3, OpenFor: 100 * time.Millisecond, Ramp: breaker.Ramp{Start: breaker.NoRamp}}),
		timeout.New("prices", timeout.Config{Limit: 200 * time.Millisecond}),
	)
	load := func(ctx context.Context, sku string) (int64, error) {
		return seawall.Call(ctx, guard, func(ctx context.Context) (int64, error) { return prices.ask(ctx, sku) })
	}
	shop := cache.New("prices", cache.Config[string, int64]{
		TTL: 400 * time.Millisecond, MaxStale: time.Hour, RetryEvery: 50 * time.Millisecond, NegativeTTL: time.Minute,
	})

	say(out, "100 customers at once:  %s\n", customers(ctx, shop, load))
	say(out, "calls of the service:   %d\n", prices.calls.Load())

	for range 2 {
		_, err := shop.Get(ctx, "cup", load)
		say(out, "a cup:                  %v\n", err)
	}
	say(out, "calls of the service:   %d, that there is no cup is remembered\n", prices.calls.Load())

	prices.down.Store(true)
	time.Sleep(450 * time.Millisecond)
	before := prices.calls.Load()
	for range 10 {
		r, err := shop.Lookup(ctx, "mug", load)
		if err != nil {
			return err
		}
		if r.State != cache.Stale {
			return fmt.Errorf("the service is down, and the price is %v", r.State)
		}
		time.Sleep(30 * time.Millisecond)
	}
	recorded, record := seawall.WithRecord(ctx)
	r, err := shop.Lookup(recorded, "mug", load)
	if err != nil {
		return err
	}
	facts := record.Facts()
	say(out, "the service is down:    %d, %v, recorded: %t by %s\n", r.Value, r.State, facts.Stale > 0, facts.DecidedBy)
	say(out, "health sees:            %s\n", shop.Snapshot().State)
	say(out, "it was left alone:      %t\n", prices.calls.Load()-before < 10)

	prices.price.Store(1095)
	prices.down.Store(false)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if r, err = shop.Lookup(ctx, "mug", load); err != nil {
			return err
		}
		if r.State != cache.Stale {
			break
		}
		if time.Now().After(deadline) {
			return errors.New("the service is back, and the price is stale")
		}
	}
	say(out, "the service is back:    %d\n", r.Value)
	return shop.Close(ctx)
}

// customers asks for a price as many at once, and says what they got.
func customers(ctx context.Context, shop *cache.Cache[string, int64], load func(context.Context, string) (int64, error)) string {
	var all sync.WaitGroup
	var served, total atomic.Int64
	for range 100 {
		all.Go(func() {
			if price, err := shop.Get(ctx, "mug", load); err == nil {
				served.Add(1)
				total.Add(price)
			}
		})
	}
	all.Wait()
	return fmt.Sprintf("%d got a price, %d on average", served.Load(), total.Load()/max(served.Load(), 1))
}

// say prints. Where nobody can read, nobody has to be told.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
