package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
)

// What waits for a layer that hangs is one limit each: Close waits for the one under way, and not for a thousand.
func TestCloseDoesNotWaitForAllThatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, recoverable(config{}), &cachetest.Memory{}, nil)
		n.layer.down.Store(true)
		for i := range 100 {
			n.Remove(t.Context(), fmt.Sprint(i))
		}
		n.layer.slow.Store(int64(time.Hour))
		time.Sleep(2500 * time.Millisecond) // the goroutine that tries again is at the first of them
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		_ = n.Close(ctx)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

// A load that was about to begin when the time of Close was over is canceled as those that ran.
func TestLoadThatIsAboutToBeginIsCanceledByClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, armed := make(chan struct{}), false
		c := newCache(t, config{Clone: func(v int) int {
			if armed {
				<-gate
			}
			return v
		}})
		want(t, c, "kept", always(1), 1, cache.Loaded)
		armed = true
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			_, err := c.GetMany(t.Context(), []string{"missing", "kept"}, func(ctx context.Context, _ []string) (map[string]int, error) {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			})
			if !errors.Is(err, cache.ErrClosed) {
				t.Errorf("the error is %v", err)
			}
		})
		synctest.Wait() // the flight of the missing key is claimed, and its load has not begun
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		all.Go(func() { _ = c.Close(ctx) })
		synctest.Wait()
		close(gate)
		all.Wait()
		if took := time.Since(began); took > 0 {
			t.Errorf("Close has waited for the load for %v", took)
		}
	})
}

// looking is a backplane that is asked to subscribe, fails once, and then looks at the cache from within.
type looking struct {
	cache.Bus
	asked int
	look  func()
}

func (l *looking) Subscribe(channel string, s cache.Subscriber) (func(), error) {
	if l.asked++; l.asked == 1 {
		return nil, errDown
	}
	l.look()
	return l.Bus.Subscribe(channel, s)
}

func TestBackplaneMayAskTheCacheWhileItSubscribes(t *testing.T) {
	plane, looked := &looking{}, make(chan bool, 1)
	ready := make(chan struct{})
	var c *cache.Cache[string, int]
	plane.look = func() {
		<-ready
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Stats()
		}()
		select {
		case <-done:
			looked <- true
		case <-time.After(10 * time.Second): // only a deadlock gets here
			looked <- false
		}
	}
	c = newCache(t, config{Peers: cache.PeersConfig{Backplane: plane, RecoverEvery: time.Millisecond}})
	close(ready)
	if !<-looked {
		t.Error("the backplane is called under a lock")
	}
}
