package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/cache/cachetest"
)

type explosive struct{ cache.JSON[int] }

func (explosive) Encode(int) ([]byte, error) { panic("encode") }

type fragile struct{ cache.JSON[int] }

func (fragile) Decode([]byte) (int, error) { panic("decode") }

// What the user gives runs on goroutines of the cache too, where a panic would end the process.
func TestCodecThatPanicsCostsTheLayerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &cachetest.Memory{}
		n := newNode(t, config{Codec: explosive{}}, m, nil)
		want(t, n.Cache, "a", always(1), 1, cache.Loaded)
		synctest.Wait()
		if s := n.Stats().L2; s.EncodeErrors != 1 {
			t.Errorf("the stats are %+v", s)
		}
		n = newNode(t, config{}, m, nil)
		want(t, n.Cache, "a", always(1), 1, cache.Loaded)
		synctest.Wait()
		n = newNode(t, config{Codec: fragile{}}, m, nil)
		want(t, n.Cache, "a", always(2), 2, cache.Loaded)
		if s := n.Stats().L2; s.Corrupt != 1 {
			t.Errorf("the stats are %+v", s)
		}
	})
}

func TestKeyThatCannotBeReadIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &cache.Bus{}
		cfg := config{TTL: time.Hour, EncodeKey: func(s string) string { return s }, DecodeKey: func(string) (string, error) { panic("key") }}
		a, b := newNode(t, cfg, nil, bus), newNode(t, cfg, nil, bus)
		want(t, b.Cache, "a", always(1), 1, cache.Loaded)
		a.Expire(t.Context(), "a")
		want(t, b.Cache, "a", always(2), 2, cache.Loaded)
		if s := b.Stats().Messages; s.Gaps != 1 || s.Unreadable != 1 {
			t.Errorf("the messages are %+v", s)
		}
	})
}

func TestSizeIsNotAskedAboutWhatDoesNotExist(t *testing.T) {
	c := newCache(t, cache.Config[string, *int]{
		MaxBytes: 10_000, NegativeTTL: time.Hour, Size: func(_ string, v *int) int64 { return int64(*v) },
	})
	for range 2 {
		_, err := c.Get(t.Context(), "a", func(context.Context, string) (*int, error) { return nil, cache.ErrNotFound })
		if !errors.Is(err, cache.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if s := c.Stats(); s.Loads.NotFound != 1 || s.Entries != 1 {
		t.Errorf("the stats are %+v", s)
	}
	defer func() {
		if _, ok := recover().(*seawall.AttemptPanic); !ok {
			t.Error("a size that panics is the caller's")
		}
	}()
	_, _ = c.Get(t.Context(), "b", func(context.Context, string) (*int, error) { return nil, nil })
}

// A panic of Clone in the middle of many keys leaves nobody waiting.
func TestPanicBetweenManyKeysLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		armed := false
		c := newCache(t, config{Clone: func(v int) int {
			if armed {
				panic("clone")
			}
			return v
		}})
		want(t, c, "kept", always(1), 1, cache.Loaded)
		armed = true
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); p != "clone" {
					t.Errorf("the panic is %s", p)
				}
			}()
			_, _ = c.GetMany(t.Context(), []string{"missing", "kept"}, func(context.Context, []string) (map[string]int, error) {
				t.Error("loaded")
				return nil, nil
			})
		}()
		armed = false
		want(t, c, "missing", always(2), 2, cache.Loaded)
	})
}

// Marks of keys protect from the second layer; that they are many expires nothing in the memory.
func TestManyWritesDoNotExpireTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, config{TTL: time.Hour}, &cachetest.Memory{}, nil)
		n.SetMarks(10)
		want(t, n.Cache, "kept", always(1), 1, cache.Loaded)
		for i := range 100 {
			if err := n.Put(t.Context(), fmt.Sprint(i), i); err != nil {
				t.Fatal(err)
			}
			n.Remove(t.Context(), fmt.Sprint("removed", i))
		}
		want(t, n.Cache, "kept", failing(errDown), 1, cache.Fresh)
		if m := n.Stats().Marks; m > 10 {
			t.Errorf("%d marks", m)
		}
	})
}
