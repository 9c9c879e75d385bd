package cache_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/cache"
)

func size(_ int, v string) int64 { return int64(len(v)) }

func TestBoundsOfEntriesAndBytesAreBothKept(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries int
		bytes   int64
		value   int // length
		want    int // entries in the end
	}{
		{"entries only", 100, 0, 10, 100},
		{"bytes only", 0, 1000, 10, 100},
		{"both, the entries first", 50, 1000, 10, 50},
		{"both, the bytes first", 500, 1000, 10, 100},
		{"both, not divisible", 300, 1000, 1, 250},
	} {
		t.Run(c.name, func(t *testing.T) {
			cc := newCache(t, cache.Config[int, string]{MaxEntries: c.entries, MaxBytes: c.bytes, Size: size})
			for key := range 2000 {
				_, _ = cc.Get(t.Context(), key, func(context.Context, int) (string, error) { return strings.Repeat("x", c.value), nil })
				if s := cc.Stats(); s.Entries > c.want || c.bytes > 0 && s.Bytes > c.bytes {
					t.Fatalf("%d entries with %d bytes", s.Entries, s.Bytes)
				}
			}
			if s := cc.Stats(); s.Entries != c.want || s.Evictions != 2000-int64(c.want) {
				t.Errorf("%d entries and %d evictions, want %d entries", s.Entries, s.Evictions, c.want)
			}
		})
	}
}

func TestValueThatIsTooLargeIsReturnedAndNotKept(t *testing.T) {
	c := newCache(t, cache.Config[int, string]{MaxBytes: 100, Size: size})
	load := func(n int) func(context.Context, int) (string, error) {
		return func(context.Context, int) (string, error) { return strings.Repeat("x", n), nil }
	}
	for range 2 {
		if v, err := c.Get(t.Context(), 1, load(101)); err != nil || len(v) != 101 {
			t.Fatalf("%d bytes, %v", len(v), err)
		}
	}
	if s := c.Stats(); s.Entries != 0 || s.TooLarge != 2 || s.Loads.Succeeded != 2 {
		t.Errorf("the stats are %+v", s)
	}
	_, _ = c.Get(t.Context(), 1, load(10))
	if err := c.Put(t.Context(), 1, strings.Repeat("x", 101)); err != nil || c.Len() != 0 {
		t.Errorf("a value that is not kept leaves the older one: %v, %d entries", err, c.Len())
	}
	for key := range 500 { // what weighs nothing would never be evicted
		_, _ = c.Get(t.Context(), key, load(0))
	}
	if s := c.Stats(); s.Entries != 100 || s.Bytes != 100 {
		t.Errorf("%d empty values with %d bytes", s.Entries, s.Bytes)
	}
}

func TestSizeCountsWhatAValuePointsTo(t *testing.T) {
	type node struct {
		name  string
		next  *node
		bytes []byte
		many  map[string]int
		any   any
	}
	empty := cache.SizeOf(0, node{})
	for _, c := range []struct {
		what     string
		value    node
		min, max int64
	}{
		{"a text", node{name: strings.Repeat("x", 1000)}, 1000, 1000},
		{"bytes", node{bytes: make([]byte, 10, 2000)}, 2000, 2000},
		{"a map", node{many: map[string]int{"a": 1, "b": 2}}, 50, 200},
		{"behind a pointer", node{next: &node{name: strings.Repeat("x", 1000)}}, 1000, 1200},
		{"in an interface", node{any: strings.Repeat("x", 1000)}, 1000, 1100},
	} {
		if got := cache.SizeOf(0, c.value) - empty; got < c.min || got > c.max {
			t.Errorf("%s counts %d, want %d to %d", c.what, got, c.min, c.max)
		}
	}
	circle := &node{name: "circle"}
	circle.next = circle
	if got := cache.SizeOf("key", circle); got > 1000 {
		t.Errorf("a circle counts %d", got)
	}
	if got := cache.SizeOf(0, [][2]int64{{1, 2}, {3, 4}}); got < 32 || got > 400 {
		t.Errorf("a flat slice counts %d", got)
	}
}

// tailscale #18919 and openclaw #109024: memory that only the same key frees. Random operations keep the bounds, and no
// read gives the value of another key.
func TestRandomOperationsKeepTheBoundsAndNeverMixKeysUp(t *testing.T) {
	operations := 10_000_000
	switch {
	case raceEnabled:
		operations = 1_000_000
	case testing.Short():
		operations = 500_000
	}
	const keys, entries, bytes = 1200, 1000, 40_000 // a value has up to 54 bytes, a few keys get most of the calls
	ctx := context.Background()
	c := newCache(t, cache.Config[int, string]{
		MaxEntries: entries, MaxBytes: bytes, Size: size, TTL: 10 * time.Second, MaxStale: time.Second, Jitter: 0.5,
		EarlyRefresh: 1, NegativeTTL: 10 * time.Second, RetryEvery: time.Second,
	})
	var values, tags [keys + 2]string
	for key := range values {
		values[key], tags[key] = fmt.Sprintf("%d:%s", key, strings.Repeat("x", key%50)), fmt.Sprint("t", key%20)
	}
	load := func(ctx context.Context, key int) (string, error) {
		switch cache.Describe(ctx, cache.Tags(tags[key])); rand.IntN(50) {
		case 0:
			return "", errDown
		case 1:
			return "", cache.ErrNotFound
		}
		return values[key], nil
	}
	loadMany := func(_ context.Context, keys []int) (map[int]string, error) {
		loaded := map[int]string{}
		for _, key := range keys {
			loaded[key] = values[key]
		}
		return loaded, nil
	}
	check := func(key int, got string, err error) {
		if err == nil && got != values[key] {
			t.Errorf("key %d has the value %q", key, got)
		}
	}
	workers := 2 * runtime.GOMAXPROCS(0)
	// A goroutine does a few of the operations only: with each maintenance of otter the race detector's own stack of a
	// goroutine grows, and starting another one from there gets slow.
	const shift = 2000
	var all sync.WaitGroup
	work := func(random *rand.Rand) {
		for i := range shift {
			key := int(keys * math.Pow(random.Float64(), 8))
			switch n := random.IntN(1000); {
			case n < 900:
				got, err := c.Get(ctx, key, load)
				check(key, got, err)
			case n < 910:
				_ = c.Put(ctx, key, values[key])
			case n < 915:
				c.Expire(ctx, key)
			case n < 920:
				c.Remove(ctx, key)
			case n < 922:
				c.ExpireTags(ctx, tags[key])
			case n < 925:
				got, err := c.GetMany(ctx, []int{key, key + 1, key + 2}, loadMany)
				for k, v := range got {
					check(k, v, err)
				}
			case n < 999:
				if r, ok := c.Peek(key); ok {
					check(key, r.Value, nil)
				}
			case random.IntN(100) == 0:
				c.Clear(ctx)
			}
			// A write is in the map a moment before what it evicts is out: one for each that runs, loads included.
			if i%8 != 0 {
				continue
			}
			if n := c.Len(); n > entries+2*workers {
				t.Errorf("%d entries", n)
				return
			}
		}
	}
	for w := range workers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for range (operations + workers*shift - 1) / (workers * shift) { // rounded up
				done := make(chan struct{})
				go func() {
					defer close(done)
					work(random)
				}()
				<-done
			}
		})
	}
	all.Wait()
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
	_ = c.Put(ctx, 0, values[0]) // the last maintenance
	if s := c.Stats(); s.Entries > entries || s.Bytes > bytes {
		t.Errorf("in the end there are %d entries with %d bytes", s.Entries, s.Bytes)
	}
}
