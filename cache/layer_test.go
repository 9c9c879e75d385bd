package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
)

func TestPromotedEntryKeepsWhatIsLeftOfItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &cachetest.Memory{}
		cfg := config{TTL: time.Minute, MaxStale: time.Hour}
		a, b := newNode(t, cfg, m, nil), newNode(t, cfg, m, nil)
		want(t, a.Cache, "a", always(1), 1, cache.Loaded)
		synctest.Wait()
		time.Sleep(50 * time.Second)
		if r := want(t, b.Cache, "a", always(2), 1, cache.Fresh); r.Age != 50*time.Second {
			t.Errorf("promoted with an age of %v", r.Age)
		}
		time.Sleep(10*time.Second - 1)
		want(t, b.Cache, "a", always(2), 1, cache.Fresh)
		time.Sleep(time.Nanosecond)
		if r := want(t, b.Cache, "a", failing(errDown), 1, cache.Stale); r.Age != time.Minute {
			t.Errorf("the stale copy is %v old", r.Age)
		}
		if s := b.Stats(); s.L2.Hits != 1 || s.L2.Misses != 1 || a.Stats().L2.Writes != 1 {
			t.Errorf("the stats are %+v", s.L2)
		}
	})
}

// FusionCache #441: memory lives as long as the layer says.
func TestLayersTTLIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config{TTL: 10 * time.Second, L2: cache.L2Config{TTL: time.Hour}}
		n := newNode(t, cfg, &cachetest.Memory{}, nil)
		want(t, n.Cache, "a", always(1), 1, cache.Loaded)
		synctest.Wait()
		for range 5 {
			time.Sleep(10 * time.Second) // from the layer each time the memory has expired
			want(t, n.Cache, "a", always(2), 1, cache.Fresh)
		}
		if gets := n.Stats().L2.Hits; gets != 5 {
			t.Errorf("the layer was hit %d times", gets)
		}
		time.Sleep(time.Hour)
		want(t, n.Cache, "a", always(2), 2, cache.Loaded)
	})
}

// FusionCache #553 and #562: the layer drops what fail-safe needs, also when a tag or the key was expired.
func TestLayerKeepsWhatFailSafeNeeds(t *testing.T) {
	for name, expire := range map[string]func(*node){
		"ttl": func(*node) { time.Sleep(time.Minute) },
		"key": func(n *node) { n.Expire(context.Background(), "a") },
		"tag": func(n *node) { n.ExpireTags(context.Background(), "x") },
		"all": func(n *node) { n.ExpireAll(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &cachetest.Memory{}
				cfg := config{TTL: time.Minute, MaxStale: time.Hour}
				a := newNode(t, cfg, m, nil)
				want(t, a.Cache, "a", func(ctx context.Context, _ string) (int, error) {
					cache.Describe(ctx, cache.Tags("x"), cache.Validator("v1"))
					return 1, nil
				}, 1, cache.Loaded)
				synctest.Wait()
				time.Sleep(10 * time.Second)
				expire(a)
				for range 2 { // nodes that start anew
					b := newNode(t, cfg, m, nil)
					if r := want(t, b.Cache, "a", failing(errDown), 1, cache.Stale); r.Why != cache.LoadFailed {
						t.Errorf("from the layer: %+v", r)
					}
					want(t, b.Cache, "a", always(2), 1, cache.Stale) // it rests, as with a copy of its own
				}
				c := newNode(t, cfg, m, nil) // and its validator serves as well
				want(t, c.Cache, "a", func(ctx context.Context, _ string) (int, error) {
					if v := cache.ValidatorOf(ctx); v != "v1" {
						t.Errorf("the validator is %q", v)
					}
					return 0, cache.NotModified
				}, 1, cache.Loaded)
			})
		})
	}
}

// FusionCache #648: after a removal fail-safe brings back what the layer still has.
func TestRemovedValueDoesNotComeBackFromTheLayer(t *testing.T) {
	for name, remove := range map[string]func(*node){
		"key": func(n *node) { n.Remove(context.Background(), "a") },
		"tag": func(n *node) { n.RemoveTags(context.Background(), "x") },
		"all": func(n *node) { n.Clear(context.Background()) },
		"not found": func(n *node) {
			n.Expire(context.Background(), "a")
			_, _ = n.Get(context.Background(), "a", failing(cache.ErrNotFound))
			synctest.Wait()
		},
	} {
		for _, expired := range []bool{false, true} {
			t.Run(fmt.Sprint(name, expired), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := &cachetest.Memory{}
					cfg := config{TTL: time.Minute, MaxStale: time.Hour}
					a, b := newNode(t, cfg, m, nil), newNode(t, cfg, m, nil)
					want(t, a.Cache, "a", func(ctx context.Context, _ string) (int, error) { cache.Describe(ctx, cache.Tags("x")); return 1, nil }, 1, cache.Loaded)
					synctest.Wait()
					time.Sleep(10 * time.Second)
					if expired {
						time.Sleep(2 * time.Minute)
					}
					remove(a)
					wantErr(t, a.Cache, "a", failing(errDown), errDown)
					wantErr(t, b.Cache, "a", failing(errDown), errDown)
					wantErr(t, newNode(t, cfg, m, nil).Cache, "a", failing(errDown), errDown)
				})
			})
		}
	}
}

// eko/gocache and jetcache-go: an error, or a recursion. Here it is a miss, counted and overwritten.
func TestUnknownPayloadIsAMissCountedAndOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &cachetest.Memory{}
		writer := newNode(t, config{}, m, nil)
		want(t, writer.Cache, "other", always(9), 9, cache.Loaded)
		synctest.Wait()
		others, _, _ := m.Get(t.Context(), "test:v:other")
		good := func() []byte { data, _, _ := m.Get(t.Context(), "test:v:a"); return data }
		want(t, writer.Cache, "a", always(1), 1, cache.Loaded)
		synctest.Wait()
		whole := good()
		version := append([]byte(nil), whole[:len(whole)-4]...)
		version[1]++
		for name, data := range map[string][]byte{
			"empty": {}, "garbage": []byte("garbage"), "cut": whole[:len(whole)-1], "another version": cache.Seal(version),
			"another key's": others, "json": []byte(`{"a":1}`),
		} {
			if err := m.Set(t.Context(), "test:v:a", data, time.Hour); err != nil {
				t.Fatal(err)
			}
			n := newNode(t, config{}, m, nil)
			want(t, n.Cache, "a", always(2), 2, cache.Loaded)
			synctest.Wait()
			if s := n.Stats().L2; s.Corrupt != 1 || s.Writes != 1 {
				t.Errorf("%s: the stats are %+v", name, s)
			}
			want(t, newNode(t, config{}, m, nil).Cache, "a", always(3), 2, cache.Fresh)
		}
		other := newNode(t, config{Codec: dialect{}}, m, nil) // another codec of the same values
		want(t, other.Cache, "a", always(4), 4, cache.Loaded)
		if s := other.Stats().L2; s.Corrupt != 1 {
			t.Errorf("another codec: %+v", s)
		}
	})
}

type dialect struct{ cache.JSON[int] }

func (dialect) Name() string { return "dialect" }

func TestPayloadsAreCompressedAboveASize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &cachetest.Memory{}
		long := strings.Repeat("long ", 1000)
		cfg := cache.Config[string, string]{L2: cache.L2Config{Layer: m, CompressOver: 100}}
		a := newCache(t, cfg)
		for key, value := range map[string]string{"long": long, "short": "short"} {
			if v, err := a.Get(t.Context(), key, always(value)); v != value || err != nil {
				t.Fatal(v, err)
			}
		}
		synctest.Wait()
		if data, _, _ := m.Get(t.Context(), "test:v:long"); len(data) > 300 {
			t.Errorf("%d bytes for %d", len(data), len(long))
		}
		b := newCache(t, cfg)
		for key, value := range map[string]string{"long": long, "short": "short"} {
			if v, err := b.Get(t.Context(), key, always("loaded")); v != value || err != nil {
				t.Error(v, err)
			}
		}
	})
}

func TestOpenBreakerOfTheLayerMeansMemoryAloneAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, config{TTL: time.Minute}, &cachetest.Memory{}, nil)
		n.layer.down.Store(true)
		for i := range 10 {
			want(t, n.Cache, fmt.Sprint(i), always(i), i, cache.Loaded)
		}
		calls := n.layer.gets.Load() + n.layer.sets.Load()
		if s := n.Stats().L2; !s.Open || s.Skipped == 0 || s.Errors != calls || calls > 5 || n.Snapshot().State != "l2_lost" {
			t.Errorf("after %d calls: %s, %+v", calls, n.Snapshot().State, s)
		}
		n.layer.down.Store(false)
		time.Sleep(2 * time.Second)
		want(t, n.Cache, "back", always(1), 1, cache.Loaded)
		synctest.Wait()
		// How many of the failed writes recovery has made up for by then depends on the breaker's jittered open time.
		if s := n.Stats().L2; s.Open || s.Writes < 1 || n.Snapshot().State != "ok" {
			t.Errorf("back again: %s, %+v", n.Snapshot().State, s)
		}
	})
}

// FusionCache #534: the layer's limits are not kept by the first call with a stale value.
func TestLayerIsWaitedForAtMostItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, config{TTL: time.Minute, MaxStale: time.Hour, L2: cache.L2Config{Soft: 50 * time.Millisecond, Hard: 400 * time.Millisecond}}, &cachetest.Memory{}, nil)
		want(t, n.Cache, "a", always(1), 1, cache.Loaded)
		synctest.Wait()
		time.Sleep(time.Minute)
		n.layer.slow.Store(int64(time.Hour))
		start := time.Now()
		want(t, n.Cache, "a", always(2), 2, cache.Loaded)
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("with a stale value the layer took %v", took)
		}
		start = time.Now()
		want(t, n.Cache, "b", always(2), 2, cache.Loaded)
		if took := time.Since(start); took != 400*time.Millisecond {
			t.Errorf("without a value the layer took %v", took)
		}
	})
}

func TestLayerThatPanicsIsALayerThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, config{}, &cachetest.Memory{}, nil)
		n.layer.panics.Store(true)
		want(t, n.Cache, "a", always(1), 1, cache.Loaded)
		n.Remove(t.Context(), "a")
		if s := n.Stats().L2; s.Errors < 2 {
			t.Errorf("the stats are %+v", s)
		}
	})
}

// A value that is invalidated while it is on its way into the layer does not stay there.
func TestInvalidationOvertakesTheWriteOfALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &cachetest.Memory{}
		n := newNode(t, config{TTL: time.Hour, L2: cache.L2Config{Hard: time.Second}}, m, nil)
		n.layer.slow.Store(int64(100 * time.Millisecond))
		want(t, n.Cache, "a", always(1), 1, cache.Loaded) // its write takes until 200 ms
		var all sync.WaitGroup
		all.Go(func() {
			n.layer.slow.Store(0)
			n.Remove(t.Context(), "a") // and the removal no time
		})
		all.Wait()
		time.Sleep(time.Second)
		if _, found, _ := m.Get(t.Context(), "test:v:a"); found {
			t.Error("the layer has it")
		}
	})
}

func TestNewProcessLearnsOfMarksFromTheLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, bus := &cachetest.Memory{}, &cache.Bus{}
		cfg := config{TTL: time.Hour, MaxStale: time.Hour}
		load := func(ctx context.Context, _ string) (int, error) { cache.Describe(ctx, cache.Tags("x")); return 1, nil }
		a := newNode(t, cfg, m, bus)
		want(t, a.Cache, "a", load, 1, cache.Loaded)
		synctest.Wait()
		time.Sleep(time.Minute)
		a.ExpireTags(t.Context(), "x")
		b := newNode(t, cfg, m, bus) // it was not there
		want(t, b.Cache, "a", always(2), 2, cache.Loaded)
		synctest.Wait()
		gets := b.layer.gets.Load()
		time.Sleep(2 * time.Hour)
		want(t, b.Cache, "a", always(3), 3, cache.Loaded)
		if more := b.layer.gets.Load() - gets; more != 1 {
			t.Errorf("what it knows it asks for again: %d calls", more)
		}
	})
}

func TestEncodeErrorCostsTheLayerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, cache.Config[string, func()]{L2: cache.L2Config{Layer: &cachetest.Memory{}}})
		if f, err := c.Get(t.Context(), "a", always(func() {})); err != nil || f == nil {
			t.Fatal(err)
		}
		if err := c.Put(t.Context(), "b", func() {}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := c.Stats(); s.L2.EncodeErrors != 2 || s.Entries != 2 {
			t.Errorf("the stats are %+v", s.L2)
		}
	})
}

func TestKeysOfOtherTypesNeedFunctions(t *testing.T) {
	type key struct{ a, b string }
	cfg := cache.Config[key, int]{L2: cache.L2Config{Layer: &cachetest.Memory{}}}
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "Config.EncodeKey") {
		t.Errorf("validated as %v", err)
	}
	cfg.EncodeKey = func(k key) string { return k.a + "\x00" + k.b }
	cfg.DecodeKey = func(s string) (key, error) {
		a, b, ok := strings.Cut(s, "\x00")
		if !ok {
			return key{}, errors.New("no key")
		}
		return key{a, b}, nil
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if err := (cache.Config[uint8, int]{L2: cfg.L2}).Validate(); err != nil {
		t.Error(err)
	}
}
