package cache

import (
	"context"
	"errors"
	"time"

	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/internal/mono"
)

var (
	// errNoCopy is why Stale has no answer.
	errNoCopy = errors.New("cache: no copy that may be served")
	// errOwnCopy is why it has none in a load. It is not ErrOwnKey, which no copy covers.
	errOwnCopy = errors.New("cache: the copy of a key is no answer of its own load")
)

// Stale makes a step of a [degrade.Fallback] of what the cache holds of a key: fresh, or as old as Config.MaxStale
// allows. It loads nothing. The age is told to the record of the call.
//
//	degrade.NewFallback("price.copy", degrade.FallbackConfig{Func: prices.Stale(sku)})
//
// It is for chains around something else than the cache: [Cache.Get] falls back on a stale copy by itself. In a load of
// the key the step has no answer, so that the load fails and the copy is served as stale: what a load returns counts as
// fresh, and a copy that came back through it would never be too old.
func (c *Cache[K, V]) Stale(key K) degrade.Step {
	return c.StaleOf(func(context.Context) (K, error) { return key, nil })
}

// StaleOf is [Cache.Stale] for a chain that serves many keys: key finds that of a call in its context.
func (c *Cache[K, V]) StaleOf(key func(ctx context.Context) (K, error)) degrade.Step {
	return degrade.StaleFunc(func(ctx context.Context, err error) (value V, age time.Duration, _ error) {
		k, kerr := key(ctx)
		if kerr != nil {
			return value, 0, kerr
		}
		if loads(ctx, c, k) {
			return value, 0, errOwnCopy
		}
		r, ok := c.Peek(k)
		if !ok {
			return value, 0, errNoCopy
		}
		if !errors.Is(err, degrade.ErrExercise) {
			c.counts.served(AsFallback)
			c.degradedAt(mono.Now())
		}
		return r.Value, max(r.Age, 1), nil
	})
}
