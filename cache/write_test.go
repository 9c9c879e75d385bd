package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/timeout"
)

func TestPutWritesTheSourceFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := map[string]int{}
		var c *cache.Cache[string, int]
		c = newCache(t, config{TTL: time.Minute, Store: func(_ context.Context, key string, value int) error {
			if r, ok := c.Peek(key); ok && r.Value == value {
				t.Error("the cache has it before the source")
			}
			source[key] = value
			return nil
		}})
		if err := c.Put(t.Context(), "a", 5, cache.TTL(time.Second), cache.Tags("x")); err != nil || source["a"] != 5 {
			t.Fatalf("the source has %d, %v", source["a"], err)
		}
		want(t, c, "a", always(1), 5, cache.Fresh)
		time.Sleep(time.Second)
		want(t, c, "a", always(6), 6, cache.Loaded)
	})
}

func TestFailedStoreChangesNothingAndAnUnknownOutcomeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := timeout.New("store", timeout.Config{Limit: time.Second, Registry: quiet()})
		for _, s := range []struct {
			name    string
			store   func(context.Context, string, int) error
			unknown bool
		}{
			{"refused", func(context.Context, string, int) error { return errDown }, false},
			{"deadline", func(context.Context, string, int) error { return context.DeadlineExceeded }, true},
			{"said to be unknown", func(context.Context, string, int) error { return fmt.Errorf("%w: eof", cache.ErrUnknownOutcome) }, true},
			{"our limit", func(ctx context.Context, _ string, _ int) error {
				return limit.Do(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			}, true},
			{"a panic", func(context.Context, string, int) error { panic("store") }, true},
			{"an exit", func(context.Context, string, int) error { runtime.Goexit(); return nil }, true},
		} {
			c := newCache(t, config{TTL: time.Hour, MaxStale: time.Hour, Store: s.store})
			want(t, c, "a", always(1), 1, cache.Loaded)
			var all sync.WaitGroup
			all.Go(func() {
				defer func() { _ = recover() }()
				if err := c.Put(t.Context(), "a", 2); err == nil {
					t.Errorf("%s: no error", s.name)
				}
			})
			all.Wait()
			state := cache.Fresh
			if s.unknown {
				state = cache.Stale
			}
			if r, err := c.Lookup(t.Context(), "a", failing(errDown)); err != nil || r.Value != 1 || r.State != state {
				t.Errorf("%s: the copy is %+v, %v, want it %v", s.name, r, err, state)
			}
		}
	})
}

func TestPutOfACallerWhoHasLeftDoesNothing(t *testing.T) {
	c := newCache(t, config{Store: func(context.Context, string, int) error { t.Error("stored"); return nil }})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Put(ctx, "a", 1); !errors.Is(err, context.Canceled) || c.Len() != 0 {
		t.Errorf("%v, %d entries", err, c.Len())
	}
}

// gocache #206, ristretto #329: of two writes that overlap the source keeps one and the cache the other.
func TestOverlappingWritesLeaveNoValueThatTheSourceDoesNotHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var source atomic.Int64
		c := newCache(t, config{TTL: time.Hour, Store: func(_ context.Context, _ string, value int) error {
			source.Store(int64(value)) // the order at the source
			time.Sleep(time.Duration(10-value) * time.Second)
			return nil
		}})
		load := func(context.Context, string) (int, error) { return int(source.Load()), nil }
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() { _ = c.Put(t.Context(), "a", i+1) })
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if v, err := c.Get(t.Context(), "a", load); v != 3 || err != nil {
			t.Errorf("the cache says %d, %v, the source %d", v, err, source.Load())
		}
		all.Go(func() { _ = c.Put(t.Context(), "a", 4) })
		time.Sleep(time.Second)
		c.Expire(t.Context(), "a") // somebody else has written it
		source.Store(9)
		all.Wait()
		if v, _ := c.Get(t.Context(), "a", load); v != 9 {
			t.Errorf("a write that was overtaken left %d", v)
		}
		if err := c.Put(t.Context(), "a", 5); err != nil { // one alone is kept
			t.Fatal(err)
		}
		want(t, c, "a", failing(errDown), 5, cache.Fresh)
	})
}

func TestExpireKeepsTheValueForFailSafeAndRemoveDoesNot(t *testing.T) {
	for name, verbs := range map[string][2]func(*cache.Cache[string, int]){
		"key": {func(c *cache.Cache[string, int]) { c.Expire(context.Background(), "a", "other") }, func(c *cache.Cache[string, int]) { c.Remove(context.Background(), "a", "other") }},
		"tag": {func(c *cache.Cache[string, int]) { c.ExpireTags(context.Background(), "y", "x") }, func(c *cache.Cache[string, int]) { c.RemoveTags(context.Background(), "y", "x") }},
		"all": {func(c *cache.Cache[string, int]) { c.ExpireAll(context.Background()) }, func(c *cache.Cache[string, int]) { c.Clear(context.Background()) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, config{TTL: time.Hour, MaxStale: time.Hour})
				load := func(ctx context.Context, _ string) (int, error) { cache.Describe(ctx, cache.Tags("x")); return 1, nil }
				want(t, c, "a", load, 1, cache.Loaded)
				verbs[0](c)
				want(t, c, "a", failing(errDown), 1, cache.Stale)
				time.Sleep(time.Minute)
				want(t, c, "a", load, 1, cache.Loaded) // what is loaded after a mark is not older than it
				want(t, c, "a", failing(errDown), 1, cache.Fresh)
				verbs[1](c)
				wantErr(t, c, "a", failing(errDown), errDown)
				want(t, c, "a", load, 1, cache.Loaded)
				want(t, c, "a", failing(errDown), 1, cache.Fresh)
			})
		})
	}
}

func TestCopyThatIsRemovedWhileALoadRunsIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, remove := range []func(*cache.Cache[string, int]){
			func(c *cache.Cache[string, int]) { c.Remove(context.Background(), "a") },
			func(c *cache.Cache[string, int]) { c.RemoveTags(context.Background(), "x") },
			func(c *cache.Cache[string, int]) { c.Clear(context.Background()) },
		} {
			c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
			want(t, c, "a", func(ctx context.Context, _ string) (int, error) { cache.Describe(ctx, cache.Tags("x")); return 1, nil }, 1, cache.Loaded)
			time.Sleep(time.Minute)
			var all sync.WaitGroup
			all.Go(func() {
				wantErr(t, c, "a", func(context.Context, string) (int, error) { time.Sleep(time.Second); return 0, errDown }, errDown)
			})
			synctest.Wait()
			remove(c)
			all.Wait()
		}
	})
}

func TestMarksAreBoundedAndFoldedIntoOneOfEverything(t *testing.T) {
	c := newCache(t, config{TTL: time.Hour, MaxStale: time.Hour})
	c.SetMarks(10)
	load := func(ctx context.Context, key string) (int, error) {
		cache.Describe(ctx, cache.Tags(key))
		return 1, nil
	}
	want(t, c, "a", load, 1, cache.Loaded)
	c.ExpireTags(t.Context(), "a")
	for i := range 1000 {
		c.ExpireTags(t.Context(), fmt.Sprint(i))
		if n := c.Stats().Marks; n > 10 {
			t.Fatalf("%d marks", n)
		}
	}
	want(t, c, "a", failing(errDown), 1, cache.Stale) // its own mark is long gone
	want(t, c, "b", load, 1, cache.Loaded)
	c.RemoveTags(t.Context(), "b")
	for i := range 1000 {
		c.ExpireTags(t.Context(), fmt.Sprint(i))
	}
	wantErr(t, c, "b", failing(errDown), errDown)
}

func TestMarksAreForgottenWhenEveryEntryIsYounger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxTTL: time.Minute})
		c.SetMarks(100)
		for i := range 100 {
			c.ExpireTags(t.Context(), fmt.Sprint(i))
		}
		time.Sleep(time.Minute + 1)
		want(t, c, "a", always(1), 1, cache.Loaded)
		c.ExpireTags(t.Context(), "one more")
		if n := c.Stats().Marks; n != 1 {
			t.Errorf("%d marks", n)
		}
		want(t, c, "a", always(2), 1, cache.Fresh) // and nothing was folded
	})
}
