package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/cache"
)

func TestThousandMissesAtOnceMakeOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{})
		var loads atomic.Int64
		load := func(ctx context.Context, key string) (int, error) {
			loads.Add(1)
			return lasting(time.Second, 1)(ctx, key)
		}
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { want(t, c, "a", load, 1, cache.Loaded) })
		}
		all.Wait()
		if s := c.Stats(); loads.Load() != 1 || s.Joined != 999 || s.Loads.Succeeded != 1 || s.Missed != 1000 {
			t.Errorf("%d loads; %+v", loads.Load(), s)
		}
	})
}

// golang/go #41133, #67087 and #53427, samber/hot #33, otter #124 and #137: the first caller's context ends everybody's
// load.
func TestLoadOutlivesTheCallerWhoBeganIt(t *testing.T) {
	type tenant struct{}
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{})
		first, leave := context.WithCancelCause(context.WithValue(context.Background(), tenant{}, "blue"))
		errLeft := errors.New("the user has left")
		load := func(ctx context.Context, key string) (int, error) {
			if ctx.Value(tenant{}) != "blue" {
				t.Error("the load does not see the values of the caller's context")
			}
			if d, ok := ctx.Deadline(); !ok || time.Until(d) != 30*time.Second {
				t.Errorf("the load's deadline is %v, %t", time.Until(d), ok)
			}
			return lasting(time.Second, 1)(ctx, key)
		}
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Get(first, "a", load); !errors.Is(err, errLeft) {
				t.Errorf("the first caller got %v", err)
			}
			if passed := time.Since(bubbleStart); passed != time.Millisecond {
				t.Errorf("the first caller got away after %v", passed)
			}
		})
		synctest.Wait()
		all.Go(func() { want(t, c, "a", load, 1, cache.Loaded) })
		time.Sleep(time.Millisecond)
		leave(errLeft)
		all.Wait()
		want(t, c, "a", load, 1, cache.Fresh)
	})
}

// bubbleStart is when the clock of a bubble starts.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestEachWaiterLeavesOnItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{})
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				limit := time.Duration(i+1) * time.Second
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				defer cancel()
				if _, err := c.Get(ctx, "a", lasting(time.Minute, 1)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("waiter %d got %v", i, err)
				}
				if passed := time.Since(bubbleStart); passed != limit {
					t.Errorf("waiter %d left after %v, want %v", i, passed, limit)
				}
			})
		}
		all.Wait()
		time.Sleep(30 * time.Second)
		if s := c.Stats(); s.Loads.Failed != 1 { // LoadTimeout: it was one load, and it had an end
			t.Errorf("the loads are %+v", s.Loads)
		}
	})
}

// golang/go #80924: a panic of one is a crash of all, or a wait without an end.
func TestPanicOfALoadReachesTheCallerWhoBeganItAndIsAnErrorForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{})
		load := func(context.Context, string) (int, error) {
			time.Sleep(time.Second)
			panic(errDown)
		}
		var panicked any
		var all sync.WaitGroup
		all.Go(func() {
			defer func() { panicked = recover() }()
			_, _ = c.Get(t.Context(), "a", load)
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				_, err := c.Get(t.Context(), "a", load)
				if p, ok := errors.AsType[*seawall.AttemptPanic](err); !ok || !errors.Is(p, errDown) {
					t.Errorf("a waiter got %v", err)
				}
			})
		}
		all.Wait()
		p, ok := panicked.(*seawall.AttemptPanic)
		if !ok || !errors.Is(p, errDown) || !strings.Contains(string(p.Stack), "TestPanicOfALoad") {
			t.Errorf("the caller panics with %v", panicked)
		}
		want(t, c, "a", always(1), 1, cache.Loaded)
	})
}

// T2
func TestGoexitOfALoadIsAnErrorForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{})
		load := func(context.Context, string) (int, error) {
			time.Sleep(time.Second)
			runtime.Goexit()
			return 1, nil
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { wantErr(t, c, "a", load, cache.ErrExited) })
		}
		all.Go(func() {
			values, err := c.GetMany(t.Context(), []string{"b", "c"}, func(context.Context, []string) (map[string]int, error) {
				runtime.Goexit()
				return nil, nil
			})
			if !errors.Is(err, cache.ErrExited) || len(values) != 0 {
				t.Errorf("many: %v, %v", values, err)
			}
		})
		all.Wait()
		want(t, c, "a", always(1), 1, cache.Loaded)
	})
}

func TestLoadThatAsksForItsOwnKeyGetsAnErrorAndNoDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, other := newCache(t, config{}), newCache(t, config{})
		own := func(ctx context.Context, key string) (int, error) { return c.Get(ctx, key, always(1)) }
		wantErr(t, c, "a", own, cache.ErrOwnKey)
		around := func(ctx context.Context, _ string) (int, error) {
			return c.Get(ctx, "c", func(ctx context.Context, _ string) (int, error) {
				return c.Get(context.WithoutCancel(ctx), "b", always(1))
			})
		}
		wantErr(t, c, "b", around, cache.ErrOwnKey)
		_, err := c.GetMany(t.Context(), []string{"d", "e"}, func(ctx context.Context, keys []string) (map[string]int, error) {
			_, err := c.Get(ctx, keys[1], always(1))
			return nil, err
		})
		if !errors.Is(err, cache.ErrOwnKey) {
			t.Errorf("many: %v", err)
		}
		elsewhere := func(ctx context.Context, key string) (int, error) { return other.Get(ctx, key, always(5)) }
		want(t, c, "f", elsewhere, 5, cache.Loaded) // the same key of another cache is another key
		nested := func(ctx context.Context, _ string) (int, error) { return c.Get(ctx, "g2", always(6)) }
		want(t, c, "g", nested, 6, cache.Loaded)
	})
}

// otter #203 and #188, jetcache-go #36: what was loaded before an invalidation or a write comes back after it.
func TestLoadDoesNotBringBackWhatWasInvalidatedMeanwhile(t *testing.T) {
	for name, invalidate := range map[string]func(c *cache.Cache[string, int]){
		"expire":     func(c *cache.Cache[string, int]) { c.Expire(context.Background(), "a") },
		"remove":     func(c *cache.Cache[string, int]) { c.Remove(context.Background(), "a") },
		"expireTag":  func(c *cache.Cache[string, int]) { c.ExpireTags(context.Background(), "t") },
		"removeTag":  func(c *cache.Cache[string, int]) { c.RemoveTags(context.Background(), "t") },
		"expire all": func(c *cache.Cache[string, int]) { c.ExpireAll(context.Background()) },
		"clear":      func(c *cache.Cache[string, int]) { c.Clear(context.Background()) },
		"put":        func(c *cache.Cache[string, int]) { _ = c.Put(context.Background(), "a", 2) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, config{MaxStale: time.Hour})
				var source atomic.Int64
				source.Store(1)
				load := func(ctx context.Context, _ string) (int, error) {
					cache.Describe(ctx, cache.Tags("t"))
					read := int(source.Load())
					time.Sleep(time.Second)
					return read, nil
				}
				var all sync.WaitGroup
				all.Go(func() { want(t, c, "a", load, 1, cache.Loaded) }) // who has waited gets the value
				time.Sleep(time.Millisecond)
				source.Store(2)
				invalidate(c)
				all.Go(func() { // who comes later does not
					if v, err := c.Get(t.Context(), "a", load); v != 2 || err != nil {
						t.Errorf("after the change a call gets %d, %v", v, err)
					}
				})
				all.Wait()
				time.Sleep(time.Minute / 2)
				if v, err := c.Get(t.Context(), "a", load); v != 2 || err != nil {
					t.Errorf("in the end it is %d, %v", v, err)
				}
			})
		})
	}
}

// otter #152 and #184: a caller who has missed and arrives late loads once more.
func TestMissThatArrivesAfterTheLoadDoesNotLoadAgain(t *testing.T) {
	c := newCache(t, cache.Config[int, int]{MaxEntries: 100_000})
	rounds := 2000
	if testing.Short() || raceEnabled {
		rounds = 300
	}
	for key := range rounds {
		var loads atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, _ = c.Get(t.Context(), key, func(context.Context, int) (int, error) { loads.Add(1); return 1, nil })
			})
		}
		all.Wait()
		if loads.Load() != 1 {
			t.Fatalf("key %d was loaded %d times", key, loads.Load())
		}
	}
}

func TestCloseWaitsForLoadsAndServesCopiesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Hour})
		want(t, c, "kept", always(1), 1, cache.Loaded)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { _, _ = c.Get(ctx, "slow", lasting(10*time.Second, 2)) }()
		synctest.Wait()
		cancel()
		if err := c.Close(context.Background()); err != nil || time.Since(bubbleStart) != 10*time.Second {
			t.Errorf("closed after %v: %v", time.Since(bubbleStart), err)
		}
		want(t, c, "slow", always(3), 2, cache.Fresh) // it was kept
		want(t, c, "kept", always(3), 1, cache.Fresh)
		wantErr(t, c, "new", always(3), cache.ErrClosed)
		if _, err := c.GetMany(t.Context(), []string{"new"}, nil); !errors.Is(err, cache.ErrNoLoad) {
			t.Error(err)
		}
	})
}

func TestCloseCancelsLoadsWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{})
		var cause error
		go func() {
			_, cause = c.Get(context.Background(), "slow", func(ctx context.Context, _ string) (int, error) {
				<-ctx.Done()
				return 0, context.Cause(ctx)
			})
		}()
		synctest.Wait()
		errLate := errors.New("no time left")
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, errLate)
		defer cancel()
		if err := c.Close(ctx); !errors.Is(err, errLate) || time.Since(bubbleStart) != time.Second {
			t.Errorf("closed after %v: %v", time.Since(bubbleStart), err)
		}
		synctest.Wait()
		if !errors.Is(cause, cache.ErrClosed) {
			t.Errorf("the load ended with %v", cause)
		}
	})
}

func TestGetManyLoadsAllThatIsMissingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{NegativeTTL: time.Minute, MaxStale: time.Hour})
		want(t, c, "fresh", always(1), 1, cache.Loaded)
		go func() { want(t, c, "joined", lasting(time.Second, 2), 2, cache.Loaded) }()
		synctest.Wait()
		var asked [][]string
		load := func(ctx context.Context, keys []string) (map[string]int, error) {
			asked = append(asked, keys)
			cache.Describe(ctx, cache.Tags("all"))
			cache.DescribeKey(ctx, "x", cache.TTL(time.Second), cache.Tags("x"))
			return map[string]int{"x": 10, "y": 20, "stranger": 30}, nil
		}
		values, err := c.GetMany(t.Context(), []string{"fresh", "joined", "x", "y", "absent", "x"}, load)
		if got := fmt.Sprint(values, err); got != "map[fresh:1 joined:2 x:10 y:20] <nil>" {
			t.Error(got)
		}
		if got := fmt.Sprint(asked); got != "[[x y absent]]" {
			t.Errorf("asked for %s", got)
		}
		wantErr(t, c, "absent", always(1), cache.ErrNotFound) // remembered
		want(t, c, "stranger", always(31), 31, cache.Loaded)  // what nobody asked for is not kept
		time.Sleep(time.Second)                               // x has a time of its own
		want(t, c, "y", always(21), 20, cache.Fresh)          // and y has not
		want(t, c, "x", failing(errDown), 10, cache.Stale)    // it is stale now
		c.RemoveTags(t.Context(), "x")                        // and has two tags
		wantErr(t, c, "x", failing(errDown), errDown)         //
		c.RemoveTags(t.Context(), "all")                      //
		wantErr(t, c, "y", failing(errDown), errDown)         //
		want(t, c, "fresh", always(2), 1, cache.Fresh)        // it has none
	})
}

func TestGetManyReturnsWhatThereIsBesideTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
		want(t, c, "old", always(1), 1, cache.Loaded)
		time.Sleep(time.Minute)
		want(t, c, "fresh", always(2), 2, cache.Loaded)
		values, err := c.GetMany(t.Context(), []string{"old", "fresh", "new", "newer"}, func(context.Context, []string) (map[string]int, error) {
			return nil, errDown
		})
		if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "2 of 4 keys") || fmt.Sprint(values) != "map[fresh:2 old:1]" {
			t.Errorf("got %v, %v", values, err)
		}
		defer func() {
			if p, ok := recover().(*seawall.AttemptPanic); !ok || p.Value != "many" {
				t.Errorf("the panic is %v", p)
			}
		}()
		_, _ = c.GetMany(t.Context(), []string{"x", "y"}, func(context.Context, []string) (map[string]int, error) { panic("many") })
		t.Error("no panic")
	})
}

func TestWarmLoadsInBatchesOneAfterTheOther(t *testing.T) {
	var running, batches atomic.Int64
	c := newCache(t, cache.Config[int, int]{LoadMany: func(_ context.Context, keys []int) (map[int]int, error) {
		if running.Add(1) > 1 {
			t.Error("two at once")
		}
		defer running.Add(-1)
		if batches.Add(1) == 2 {
			return nil, errDown
		}
		values := map[int]int{}
		for _, key := range keys {
			values[key] = -key
		}
		return values, nil
	}})
	keys := make([]int, 250)
	for i := range keys {
		keys[i] = i
	}
	if err := c.Warm(t.Context(), keys, nil); !errors.Is(err, errDown) || batches.Load() != 3 || c.Len() != 150 {
		t.Errorf("%d batches, %d entries: %v", batches.Load(), c.Len(), err)
	}
	if err := c.Warm(t.Context(), keys, nil); err != nil || batches.Load() != 4 || c.Len() != 250 {
		t.Errorf("%d batches, %d entries: %v", batches.Load(), c.Len(), err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Warm(done, keys, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v", err)
	}
	single := newCache(t, config{Load: always(3)})
	if err := single.Warm(t.Context(), []string{"a", "b"}, nil); err != nil || single.Len() != 2 {
		t.Errorf("one at a time: %v, %d entries", err, single.Len())
	}
}
