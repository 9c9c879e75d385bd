package cache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/internal/hop"
)

// T25: who waits for the load of another gets its error, and with it the word that what it asks was repeated enough: else the
// layers above all of them but the first would begin anew.
func TestThoseWhoShareALoadShareTheNoteThatItsAttemptsAreUsedUp(t *testing.T) {
	down := errors.New("down")
	var loads atomic.Int64
	fails := func(ctx context.Context) error {
		loads.Add(1)
		hop.NoteUsedUp(ctx)
		time.Sleep(time.Second)
		return down
	}
	for name, get := range map[string]func(*cache.Cache[string, int], context.Context) error{
		"one key": func(c *cache.Cache[string, int], ctx context.Context) error {
			_, err := c.Get(ctx, "a", func(ctx context.Context, _ string) (int, error) {
				return 0, fails(ctx)
			})
			return err
		},
		"many keys": func(c *cache.Cache[string, int], ctx context.Context) error {
			_, err := c.GetMany(ctx, []string{"a", "b"}, func(ctx context.Context, _ []string) (map[string]int, error) {
				return nil, fails(ctx)
			})
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCache(t, config{})
			callers := make([]hop.Repeating, 20)
			var all sync.WaitGroup
			for i := range callers {
				callers[i].Context = t.Context()
				all.Go(func() {
					if err := get(c, &callers[i]); !errors.Is(err, down) {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
			for i := range callers {
				if !callers[i].UsedUp() {
					t.Errorf("%s: caller %d is not told", name, i)
				}
			}
			if n := loads.Swap(0); n > 2 { // two where one caller began a, and another one b
				t.Errorf("%s: %d loads", name, n)
			}
			hit := hop.Repeating{Context: t.Context()} // a load that asks nobody twice
			if _, err := c.Get(&hit, "c", always(1)); err != nil || hit.UsedUp() {
				t.Errorf("%s: %v, told: %t", name, err, hit.UsedUp())
			}
		})
	}
}

// A refresh is not on behalf of the call that has caused it.
func TestRefreshWhoseAttemptsAreUsedUpTellsNoCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, EarlyRefresh: 1})
		slow := func(context.Context, string) (int, error) { time.Sleep(300 * time.Millisecond); return 1, nil }
		want(t, c, "a", slow, 1, cache.Loaded) // the sooner is it refreshed
		caller, refreshed := hop.Repeating{Context: t.Context()}, false
		for range int(2 * time.Minute / time.Millisecond) {
			_, err := c.Get(&caller, "a", func(ctx context.Context, _ string) (int, error) {
				refreshed = true
				hop.NoteUsedUp(ctx)
				return 2, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if refreshed {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if s := c.Stats(); s.Early != 1 || caller.UsedUp() {
			t.Errorf("%d early, told: %t", s.Early, caller.UsedUp())
		}
	})
}
