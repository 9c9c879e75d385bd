package benchmarks_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/jellydator/ttlcache/v3"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/seawall-go/seawall/cache"
)

const (
	cacheKeys    = 1 << 10
	cacheEntries = 1 << 14
	cacheTTL     = 10 * time.Minute
)

// product is what is cached: larger than a word, so that it is neither free to copy nor stored inline.
type product struct {
	name  string
	price int
}

// keptValue keeps what a hit returns alive.
var keptValue atomic.Int64

// loadingCache is a cache that loads what it does not have. get returns the price of a key.
type loadingCache struct {
	library string
	build   func(tb testing.TB, load func(key int) product) (get func(ctx context.Context, key int) (int, error))
}

var loadingCaches = []loadingCache{
	{"seawall", func(tb testing.TB, load func(int) product) func(context.Context, int) (int, error) {
		c := cache.New("benchmark", cache.Config[int, product]{TTL: cacheTTL, MaxEntries: cacheEntries, Registry: registry()})
		tb.Cleanup(func() { _ = c.Close(context.Background()) })
		fill := func(_ context.Context, key int) (product, error) { return load(key), nil }
		return func(ctx context.Context, key int) (int, error) {
			p, err := c.Get(ctx, key, fill)
			return p.price, err
		}
	}},
	{"otter", func(tb testing.TB, load func(int) product) func(context.Context, int) (int, error) {
		c := otter.Must(&otter.Options[int, product]{
			MaximumSize: cacheEntries, ExpiryCalculator: otter.ExpiryWriting[int, product](cacheTTL),
		})
		tb.Cleanup(func() { c.StopAllGoroutines() })
		fill := otter.LoaderFunc[int, product](func(_ context.Context, key int) (product, error) { return load(key), nil })
		return func(ctx context.Context, key int) (int, error) {
			p, err := c.Get(ctx, key, fill)
			return p.price, err
		}
	}},
	{"ristretto", func(tb testing.TB, load func(int) product) func(context.Context, int) (int, error) {
		c, err := ristretto.NewCache(&ristretto.Config[int, product]{
			NumCounters: 10 * cacheEntries, MaxCost: cacheEntries, BufferItems: 64, IgnoreInternalCost: true,
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(c.Close)
		return func(_ context.Context, key int) (int, error) { // it loads nothing by itself
			p, ok := c.Get(key)
			if !ok {
				p = load(key)
				c.SetWithTTL(key, p, 1, cacheTTL)
				c.Wait()
			}
			return p.price, nil
		}
	}},
	{"ttlcache", func(_ testing.TB, load func(int) product) func(context.Context, int) (int, error) {
		fill := ttlcache.LoaderFunc[int, product](func(c *ttlcache.Cache[int, product], key int) *ttlcache.Item[int, product] {
			return c.Set(key, load(key), ttlcache.DefaultTTL)
		})
		c := ttlcache.New(
			ttlcache.WithTTL[int, product](cacheTTL), ttlcache.WithCapacity[int, product](cacheEntries),
			ttlcache.WithDisableTouchOnHit[int, product](), ttlcache.WithLoader[int, product](ttlcache.NewSuppressedLoader(fill, nil)),
		)
		return func(_ context.Context, key int) (int, error) { return c.Get(key).Value().price, nil }
	}},
}

// BenchmarkCacheHit is a get of one of a thousand keys that are all there, through the cache's way to load.
func BenchmarkCacheHit(b *testing.B) {
	ctx := context.Background()
	for _, c := range loadingCaches {
		b.Run(c.library, func(b *testing.B) {
			get := c.build(b, func(key int) product { return product{"product", key} })
			for key := range cacheKeys {
				_, _ = get(ctx, key)
			}
			b.Run("serial", func(b *testing.B) {
				key, sum := 0, 0
				serial(b, func() error {
					key = (key + 1) % cacheKeys
					price, err := get(ctx, key)
					sum += price
					return err
				})
				keptValue.Add(int64(sum))
			})
			b.Run("parallel", func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					key, sum := 0, 0
					for pb.Next() {
						key = (key + 1) % cacheKeys
						price, err := get(ctx, key)
						if err != nil {
							b.Error(err)
							return
						}
						sum += price
					}
					keptValue.Add(int64(sum))
				})
			})
		})
	}
}

// stampedes are ways to load a key that has expired, when a thousand callers ask for it at once.
var stampedes = []struct {
	library string
	build   func(tb testing.TB, load func() int) (get func(ctx context.Context) (int, error), expire func())
}{
	{"seawall", func(tb testing.TB, load func() int) (func(context.Context) (int, error), func()) {
		c := cache.New("benchmark", cache.Config[int, int]{TTL: cacheTTL, Registry: registry()})
		tb.Cleanup(func() { _ = c.Close(context.Background()) })
		fill := func(context.Context, int) (int, error) { return load(), nil }
		return func(ctx context.Context) (int, error) { return c.Get(ctx, 1, fill) },
			func() { c.Expire(context.Background(), 1) }
	}},
	{"singleflight", func(_ testing.TB, load func() int) (func(context.Context) (int, error), func()) {
		m, group := &sync.Map{}, &singleflight.Group{}
		return func(context.Context) (int, error) {
			if v, ok := m.Load(1); ok {
				return v.(int), nil
			}
			v, err, _ := group.Do("1", func() (any, error) {
				v := load()
				m.Store(1, v)
				return v, nil
			})
			return v.(int), err
		}, func() { m.Delete(1) }
	}},
	{"naive", func(_ testing.TB, load func() int) (func(context.Context) (int, error), func()) {
		m := &sync.Map{}
		return func(context.Context) (int, error) {
			if v, ok := m.Load(1); ok {
				return v.(int), nil
			}
			v := load()
			m.Store(1, v)
			return v, nil
		}, func() { m.Delete(1) }
	}},
}

const stampedeCallers = 1000

// stampede lets all callers ask at once, and returns when all have their answer.
func stampede(tb testing.TB, get func(context.Context) (int, error)) {
	tb.Helper()
	start := make(chan struct{})
	var all sync.WaitGroup
	for range stampedeCallers {
		all.Go(func() {
			<-start
			if v, err := get(context.Background()); err != nil || v != 7 {
				tb.Errorf("got %d, %v", v, err)
			}
		})
	}
	close(start)
	all.Wait()
}

// loadSlowly is a source that takes a millisecond.
func loadSlowly(loads *atomic.Int64) func() int {
	return func() int {
		loads.Add(1)
		time.Sleep(time.Millisecond)
		return 7
	}
}

// BenchmarkCacheStampede is a thousand callers at a key that has expired and takes a millisecond to load: the time until
// all have their answer, and how many loads that took.
func BenchmarkCacheStampede(b *testing.B) {
	for _, s := range stampedes {
		b.Run(s.library, func(b *testing.B) {
			var loads atomic.Int64
			get, expire := s.build(b, loadSlowly(&loads))
			expiries := 0
			for b.Loop() {
				expire()
				stampede(b, get)
				expiries++
			}
			b.ReportMetric(float64(loads.Load())/float64(expiries), "loads/expiry")
		})
	}
}

func TestBenchmarkedCachesAreNotEmptyPaths(t *testing.T) {
	for _, c := range loadingCaches {
		var loads atomic.Int64
		get := c.build(t, func(key int) product { loads.Add(1); return product{"product", -key} })
		for range 3 {
			for key := range 100 {
				if price, err := get(t.Context(), key); price != -key || err != nil {
					t.Fatalf("%s: key %d is %d, %v", c.library, key, price, err)
				}
			}
		}
		if n := loads.Load(); n != 100 {
			t.Errorf("%s has loaded 100 keys %d times", c.library, n)
		}
	}
	for _, s := range stampedes {
		var loads atomic.Int64
		get, expire := s.build(t, loadSlowly(&loads))
		for range 3 {
			expire()
			stampede(t, get)
		}
		if n := loads.Load(); n < 3 || s.library == "seawall" && n != 3 {
			t.Errorf("%s: %d loads for three expiries", s.library, n)
		}
	}
}
