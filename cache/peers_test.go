package cache_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
)

// recoverable is a configuration whose breaker is out of the way.
func recoverable(cfg config) config {
	never := breaker.Config{MinCalls: 1_000_000, Window: breaker.Window{Calls: 1_000_000}}
	cfg.L2.Breaker, cfg.Peers.Breaker = never, never
	return cfg
}

func tagged(v *int) func(context.Context, string) (int, error) {
	return func(ctx context.Context, key string) (int, error) {
		cache.Describe(ctx, cache.Tags("tag of "+key))
		return *v, nil
	}
}

func TestInvalidationReachesTheOtherNodes(t *testing.T) {
	for _, shared := range []bool{false, true} {
		for name, invalidate := range map[string]func(n *node){
			"expire":     func(n *node) { n.Expire(context.Background(), "a") },
			"remove":     func(n *node) { n.Remove(context.Background(), "a") },
			"put":        func(n *node) { _ = n.Put(context.Background(), "a", 2) },
			"expire tag": func(n *node) { n.ExpireTags(context.Background(), "tag of a") },
			"remove tag": func(n *node) { n.RemoveTags(context.Background(), "tag of a") },
			"expire all": func(n *node) { n.ExpireAll(context.Background()) },
			"clear":      func(n *node) { n.Clear(context.Background()) },
		} {
			t.Run(fmt.Sprint(name, ", L2 ", shared), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var m *cachetest.Memory
					if shared {
						m = &cachetest.Memory{}
					}
					bus := &cache.Bus{}
					cfg := config{TTL: time.Hour, MaxStale: time.Hour}
					a, b, c := newNode(t, cfg, m, bus), newNode(t, cfg, m, bus), newNode(t, cfg, m, bus)
					source := 1
					for _, n := range []*node{a, b, c} {
						if v, err := n.Get(t.Context(), "a", tagged(&source)); v != 1 || err != nil {
							t.Fatal(v, err)
						}
						synctest.Wait()
					}
					time.Sleep(time.Second / 2)
					source = 2
					invalidate(a)
					for i, n := range []*node{a, b, c} {
						if v, err := n.Get(t.Context(), "a", tagged(&source)); v != 2 || err != nil {
							t.Errorf("node %d says %d, %v", i, v, err)
						}
						synctest.Wait()
					}
					if s := a.Stats().Messages; s.Sent != 1 || s.Echoes != 1 || s.Received != 0 {
						t.Errorf("the sender counts %+v", s)
					}
					if s := b.Stats().Messages; s.Received != 1 || !s.Listening {
						t.Errorf("a receiver counts %+v", s)
					}
				})
			})
		}
	}
}

// What a Put has written is taken from the layer by the others, whatever the allowance for clocks.
func TestOthersTakeWhatWasPutFromTheLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, bus := &cachetest.Memory{}, &cache.Bus{}
		a, b := newNode(t, config{}, m, bus), newNode(t, config{}, m, bus)
		want(t, b.Cache, "a", always(1), 1, cache.Loaded)
		synctest.Wait()
		if err := a.Put(t.Context(), "a", 2); err != nil {
			t.Fatal(err)
		}
		want(t, b.Cache, "a", failing(errDown), 2, cache.Fresh)
		a.Expire(t.Context(), "a") // and not any more
		wantErr(t, b.Cache, "a", failing(errDown), errDown)
	})
}

func TestLateMessageDoesNotExpireWhatIsNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &cache.Bus{}
		cfg := recoverable(config{TTL: time.Hour, L2: cache.L2Config{Skew: time.Second}, Peers: cache.PeersConfig{RecoverEvery: 10 * time.Second}})
		a, b := newNode(t, cfg, nil, bus), newNode(t, cfg, nil, bus)
		a.plane.down.Store(true)
		a.Expire(t.Context(), "a")
		a.plane.down.Store(false)
		time.Sleep(5 * time.Second)
		want(t, b.Cache, "a", always(2), 2, cache.Loaded)
		time.Sleep(10 * time.Second)
		if s := b.Stats().Messages; s.Received != 1 {
			t.Errorf("the message has not come: %+v", s)
		}
		want(t, b.Cache, "a", always(3), 2, cache.Fresh)
	})
}

func TestWhatCouldNotBeSentIsSentLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, bus := &cachetest.Memory{}, &cache.Bus{}
		cfg := recoverable(config{TTL: time.Hour, MaxStale: time.Hour})
		a, b := newNode(t, cfg, m, bus), newNode(t, cfg, m, bus)
		source := 1
		for _, key := range []string{"a", "b", "c", "d"} {
			want(t, a.Cache, key, tagged(&source), 1, cache.Loaded)
			synctest.Wait()
			want(t, b.Cache, key, tagged(&source), 1, cache.Fresh)
		}
		time.Sleep(time.Minute)
		a.plane.down.Store(true)
		a.layer.down.Store(true)
		source = 2
		for range 3 {
			a.Expire(t.Context(), "a") // the last one of a key
		}
		a.Remove(t.Context(), "b")
		a.Expire(t.Context(), "b") // does not bring back what was removed
		_ = a.Put(t.Context(), "c", 2)
		a.ExpireTags(t.Context(), "tag of d")
		if s := a.Stats(); s.Recovery.Waiting != 4 || a.Snapshot().State != "backplane_lost" {
			t.Errorf("%s: %+v", a.Snapshot().State, s.Recovery)
		}
		want(t, b.Cache, "a", tagged(&source), 1, cache.Fresh) // nobody has told it
		time.Sleep(10 * time.Second)
		a.plane.down.Store(false)
		time.Sleep(4 * time.Second)
		if n := a.Stats().Recovery.Waiting; n != 4 {
			t.Errorf("%d wait: the layer comes before the message", n)
		}
		a.layer.down.Store(false)
		time.Sleep(3 * time.Second)
		if s := a.Stats().Recovery; s.Waiting != 0 || s.Recovered != 4 || a.Snapshot().State != "ok" {
			t.Errorf("%s: %+v", a.Snapshot().State, s)
		}
		b.layer.down.Store(true)
		if r := want(t, b.Cache, "a", failing(errDown), 1, cache.Stale); r.Why != cache.LoadFailed {
			t.Errorf("a is %+v", r)
		}
		wantErr(t, b.Cache, "b", failing(errDown), errDown)
		b.layer.down.Store(false)
		want(t, b.Cache, "c", failing(errDown), 2, cache.Fresh)
		want(t, b.Cache, "d", tagged(&source), 2, cache.Loaded)
		fresh := newNode(t, cfg, m, bus)
		wantErr(t, fresh.Cache, "b", failing(errDown), errDown)
	})
}

func TestLateChangeGivesWayToWhatIsNewerInTheLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &cachetest.Memory{}
		cfg := recoverable(config{TTL: time.Hour, Peers: cache.PeersConfig{RecoverEvery: time.Minute}})
		a, b := newNode(t, cfg, m, nil), newNode(t, cfg, m, nil)
		a.layer.down.Store(true)
		_ = a.Put(t.Context(), "a", 1)
		a.Remove(t.Context(), "b")
		a.layer.down.Store(false)
		time.Sleep(10 * time.Second)
		_ = b.Put(t.Context(), "a", 2)
		want(t, b.Cache, "b", always(2), 2, cache.Loaded)
		time.Sleep(2 * time.Minute)
		if n := a.Stats().Recovery.Waiting; n != 0 {
			t.Errorf("%d wait", n)
		}
		c := newNode(t, cfg, m, nil)
		want(t, c.Cache, "a", always(3), 2, cache.Fresh)
		want(t, c.Cache, "b", always(3), 2, cache.Fresh)
	})
}

func TestTooMuchToRecoverBecomesOneChangeOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &cache.Bus{}
		cfg := recoverable(config{TTL: time.Hour, MaxStale: time.Hour, Peers: cache.PeersConfig{Queue: 10}})
		a, b := newNode(t, cfg, nil, bus), newNode(t, cfg, nil, bus)
		want(t, b.Cache, "kept", always(1), 1, cache.Loaded)
		a.plane.down.Store(true)
		for i := range 25 {
			a.Expire(t.Context(), fmt.Sprint(i))
			if n := a.Stats().Recovery.Waiting; n > 10 {
				t.Fatalf("%d wait", n)
			}
		}
		a.plane.down.Store(false)
		time.Sleep(3 * time.Second)
		want(t, b.Cache, "kept", failing(errDown), 1, cache.Stale)
		if s := a.Stats().Recovery; s.Waiting != 0 || s.Folded < 20 {
			t.Errorf("the recovery is %+v", s)
		}
		a.plane.down.Store(true)
		a.Remove(t.Context(), "gone")
		for i := range 25 {
			a.Expire(t.Context(), fmt.Sprint(i))
		}
		a.plane.down.Store(false)
		time.Sleep(3 * time.Second)
		wantErr(t, b.Cache, "kept", failing(errDown), errDown) // one of them was a removal
	})
}

func TestGapExpiresAllThatMayHaveBeenMissed(t *testing.T) {
	for _, shared := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var m *cachetest.Memory
			if shared {
				m = &cachetest.Memory{}
			}
			bus := &cache.Bus{}
			cfg := config{TTL: time.Hour, MaxStale: time.Hour}
			a, b := newNode(t, cfg, m, bus), newNode(t, cfg, m, bus)
			source := 1
			want(t, b.Cache, "a", tagged(&source), 1, cache.Loaded)
			synctest.Wait()
			time.Sleep(time.Minute)
			b.plane.lose()
			source = 2
			a.Expire(t.Context(), "a")
			want(t, b.Cache, "a", tagged(&source), 1, cache.Fresh) // it cannot know
			b.plane.hear()
			want(t, b.Cache, "a", failing(errDown), 1, cache.Stale) // it knows that it does not know
			b.Expire(t.Context(), "a")
			want(t, b.Cache, "a", tagged(&source), 2, cache.Loaded)
			if s := b.Stats().Messages; s.Gaps != 1 {
				t.Errorf("%d gaps", s.Gaps)
			}
		})
	}
}

func TestMessageOfAnotherVersionIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &cache.Bus{}
		n := newNode(t, config{TTL: time.Hour, MaxStale: time.Hour}, nil, bus)
		want(t, n.Cache, "a", always(1), 1, cache.Loaded)
		if err := bus.Publish(t.Context(), "seawall.cache.test", []byte("something else")); err != nil {
			t.Fatal(err)
		}
		want(t, n.Cache, "a", failing(errDown), 1, cache.Stale)
		if s := n.Stats().Messages; s.Unreadable != 1 || s.Gaps != 1 {
			t.Errorf("the messages are %+v", s)
		}
	})
}

func TestSubscriptionThatFailsAtFirstIsMadeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &cache.Bus{}
		p := &plane{bus: bus}
		p.refuses.Store(true)
		c := newCache(t, config{TTL: time.Hour, Peers: cache.PeersConfig{Backplane: p}})
		other := newNode(t, config{}, nil, bus)
		want(t, c, "a", always(1), 1, cache.Loaded)
		if s := c.Snapshot().State; s != "backplane_lost" {
			t.Errorf("the state is %s", s)
		}
		time.Sleep(5 * time.Second)
		p.refuses.Store(false)
		time.Sleep(5 * time.Second)
		want(t, c, "a", always(2), 2, cache.Loaded) // it may have missed something
		other.Expire(t.Context(), "a")
		want(t, c, "a", always(3), 3, cache.Loaded)
		if s := c.Snapshot().State; s != "ok" {
			t.Errorf("the state is %s", s)
		}
	})
}

func TestCloseTriesALastTimeToSendWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &cache.Bus{}
		cfg := recoverable(config{TTL: time.Hour})
		a, b := newNode(t, cfg, nil, bus), newNode(t, cfg, nil, bus)
		want(t, b.Cache, "a", always(1), 1, cache.Loaded)
		a.plane.down.Store(true)
		a.Expire(t.Context(), "a")
		a.plane.down.Store(false)
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, b.Cache, "a", always(2), 2, cache.Loaded)
		a.Expire(t.Context(), "a") // still works, and starts nothing
	})
}
