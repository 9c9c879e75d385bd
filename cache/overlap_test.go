package cache_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
)

// A reader that sees the number of a mark before the mark would take the entry for one that the mark has left alone, and
// serve it for the rest of its time to live.
func TestReaderDoesNotOvertakeTheMarkOfEverything(t *testing.T) {
	c := newCache(t, config{TTL: time.Hour})
	rounds := 20_000
	if testing.Short() || raceEnabled {
		rounds = 2000
	}
	var source atomic.Int64
	load := func(context.Context, string) (int, error) { return int(source.Load()), nil }
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					c.Peek("a")
				}
			}
		})
	}
	for range rounds {
		if _, err := c.Get(t.Context(), "a", load); err != nil {
			t.Fatal(err)
		}
		now := source.Add(1)
		c.ExpireAll(t.Context())
		if v, err := c.Get(t.Context(), "a", load); int64(v) != now || err != nil {
			t.Errorf("after everything was expired a call gets %d, %v, want %d", v, err, now)
			break
		}
	}
	close(stop)
	readers.Wait()
}

// Two loads of a key run at once when everything is invalidated between their begins. The older one ends last.
func TestOlderLoadDoesNotReplaceWhatANewerOneHasBrought(t *testing.T) {
	for name, older := range map[string]func() (int, error){
		"a value":      func() (int, error) { return 1, nil },
		"not found":    func() (int, error) { return 0, cache.ErrNotFound },
		"a last word":  func() (int, error) { return 0, cache.Final(errDown) },
		"a mere error": func() (int, error) { return 0, errDown },
	} {
		for _, negative := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprint(name, ", negative for ", negative), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCache(t, config{TTL: time.Hour, MaxStale: time.Hour, NegativeTTL: negative})
					var all sync.WaitGroup
					all.Go(func() {
						_, _ = c.Get(t.Context(), "a", func(context.Context, string) (int, error) {
							time.Sleep(time.Second)
							return older()
						})
					})
					synctest.Wait()
					c.ExpireAll(t.Context())
					want(t, c, "a", always(2), 2, cache.Loaded)
					all.Wait()
					want(t, c, "a", failing(errDown), 2, cache.Fresh)
				})
			})
		}
	}
}

// That a key does not exist is as old as the begin of the load that has found so: a message of a change that comes late
// ends it if the change was later.
func TestLateMessageEndsANegativeEntryOfALoadThatBeganBefore(t *testing.T) {
	nothing := func(context.Context, string) (int, error) {
		time.Sleep(3 * time.Second)
		return 0, cache.ErrNotFound
	}
	many := func(ctx context.Context, _ []string) (map[string]int, error) {
		_, err := nothing(ctx, "")
		return nil, err
	}
	for name, load := range map[string]func(n *node){
		"one":  func(n *node) { _, _ = n.Get(context.Background(), "a", nothing) },
		"many": func(n *node) { _, _ = n.GetMany(context.Background(), []string{"a"}, many) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := &cache.Bus{}
				cfg := recoverable(config{NegativeTTL: time.Hour, L2: cache.L2Config{Skew: time.Second}, Peers: cache.PeersConfig{RecoverEvery: 10 * time.Second}})
				a, b := newNode(t, cfg, nil, bus), newNode(t, cfg, nil, bus)
				var all sync.WaitGroup
				all.Go(func() { load(b) })
				time.Sleep(time.Second)
				a.plane.down.Store(true)
				_ = a.Put(t.Context(), "a", 1)
				a.plane.down.Store(false)
				all.Wait()
				wantErr(t, b.Cache, "a", always(1), cache.ErrNotFound)
				time.Sleep(10 * time.Second)
				want(t, b.Cache, "a", always(1), 1, cache.Loaded)
			})
		})
	}
}

// Nobody waits for the writes to the second layer, of one key or of many.
func TestManyKeysDoNotWaitForTheWritesToTheLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, recoverable(config{}), &cachetest.Memory{}, nil)
		keys, loaded := []string{"a", "b", "c", "d"}, time.Time{}
		values, err := n.GetMany(t.Context(), keys, func(context.Context, []string) (map[string]int, error) {
			n.layer.slow.Store(int64(time.Second / 2)) // from here on
			loaded = time.Now()
			return map[string]int{"a": 1, "b": 2, "c": 3, "d": 4}, nil
		})
		if len(values) != len(keys) || err != nil {
			t.Fatal(values, err)
		}
		if waited := time.Since(loaded); waited > 0 {
			t.Errorf("the call has waited for the layer for %v", waited)
		}
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sets := n.layer.sets.Load(); sets != 4 {
			t.Errorf("%d writes to the layer", sets)
		}
	})
}
