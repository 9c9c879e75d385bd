package cachetest_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestMemoryIsALayer(t *testing.T) {
	cachetest.Layer(t, func(*testing.T) cache.Layer { return &cachetest.Memory{} })
}

func TestMemoryForgetsAtItsTimeExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &cachetest.Memory{}
		if err := m.Set(t.Context(), "a", nil, 1); err != nil || m.Keys() != 1 {
			t.Fatal(err, m.Keys())
		}
		if _, found, _ := m.Get(t.Context(), "a"); !found {
			t.Error("gone before its time")
		}
	})
}

func TestBusIsABackplane(t *testing.T) {
	var buses sync.Map // one for each test
	plane := func(t *testing.T) *cuttable {
		bus, _ := buses.LoadOrStore(t.Name(), &cuttable{})
		return bus.(*cuttable)
	}
	cachetest.Backplane(t,
		func(t *testing.T) cache.Backplane { return plane(t) },
		func(t *testing.T, _ cache.Backplane) { plane(t).cut() })
}

// cuttable is a bus that says that it has lost messages.
type cuttable struct {
	cache.Bus
	mu   sync.Mutex // guards gaps
	gaps []func()
}

func (c *cuttable) Subscribe(channel string, s cache.Subscriber) (func(), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gaps = append(c.gaps, s.Gap)
	return c.Bus.Subscribe(channel, s)
}

func (c *cuttable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, gap := range c.gaps {
		gap()
	}
}
