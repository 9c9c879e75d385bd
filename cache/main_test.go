package cache_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/internal/leaktest"
)

// T40
func TestMain(m *testing.M) { leaktest.Main(m) }

var errDown = errors.New("connection refused")

func quiet() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

type config = cache.Config[string, int]

// newCache makes a cache in a silent registry, without jitter and early refreshes unless cfg wants them: what is not about
// these need not reckon with them. It is closed when the test ends.
func newCache[K comparable, V any](t testing.TB, cfg cache.Config[K, V]) *cache.Cache[K, V] {
	t.Helper()
	if cfg.Registry == nil {
		cfg.Registry = quiet()
	}
	if cfg.Jitter == 0 {
		cfg.Jitter = cache.NoJitter
	}
	if cfg.EarlyRefresh == 0 {
		cfg.EarlyRefresh = cache.NoEarlyRefresh
	}
	c := cache.New("test", cfg)
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// always is a load that gives a value.
func always[V any](v V) func(context.Context, string) (V, error) {
	return func(context.Context, string) (V, error) { return v, nil }
}

// failing is a load that fails.
func failing(err error) func(context.Context, string) (int, error) {
	return func(context.Context, string) (int, error) { return 0, err }
}

// lasting is a load that takes a time, and heeds its context.
func lasting(d time.Duration, v int) func(context.Context, string) (int, error) {
	return func(ctx context.Context, _ string) (int, error) {
		select {
		case <-time.After(d):
			return v, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// want gets a key and wants an answer.
func want(t testing.TB, c *cache.Cache[string, int], key string, load func(context.Context, string) (int, error), value int, state cache.State) cache.Result[int] {
	t.Helper()
	r, err := c.Lookup(context.Background(), key, load)
	if err != nil || r.Value != value || r.State != state {
		t.Fatalf("%s is %+v, %v, want %d, %v", key, r, err, value, state)
	}
	return r
}

// wantErr gets a key and wants an error.
func wantErr(t testing.TB, c *cache.Cache[string, int], key string, load func(context.Context, string) (int, error), target error) {
	t.Helper()
	if r, err := c.Lookup(context.Background(), key, load); !errors.Is(err, target) {
		t.Fatalf("%s is %+v, %v, want the error %v", key, r, err, target)
	}
}
