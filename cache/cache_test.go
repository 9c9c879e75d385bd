package cache_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/cache"
)

func TestValueIsFreshForItsTimeAndThenLoadedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute})
		want(t, c, "a", always(1), 1, cache.Loaded)
		time.Sleep(time.Minute - 1)
		if r := want(t, c, "a", always(2), 1, cache.Fresh); r.Age != time.Minute-1 || r.Why != "" {
			t.Errorf("the copy is %+v, want an age of a minute less 1ns", r)
		}
		time.Sleep(time.Nanosecond)
		if r := want(t, c, "a", always(2), 2, cache.Loaded); r.Age != 0 {
			t.Errorf("what was just loaded is %v old", r.Age)
		}
	})
}

// T25
func TestCachedAnswerIsReadByManyAtOnceAndAliasesNothingThatACallerChanges(t *testing.T) {
	type answer struct {
		header map[string]string
		body   []byte
	}
	var loads atomic.Int64
	c := newCache(t, cache.Config[string, answer]{Clone: func(a answer) answer {
		clone := answer{header: map[string]string{}, body: slices.Clone(a.body)}
		maps.Copy(clone.header, a.header)
		return clone
	}})
	var mine answer
	load := func(context.Context, string) (answer, error) {
		loads.Add(1)
		mine = answer{map[string]string{"Etag": "1"}, []byte("body")}
		return mine, nil
	}
	first, err := c.Get(t.Context(), "a", load)
	if err != nil {
		t.Fatal(err)
	}
	first.header["Etag"], first.body[0] = "changed", 'X' // by who began the load
	mine.header["Etag"], mine.body[0] = "changed", 'X'   // by the load itself
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			got, err := c.Get(t.Context(), "a", load)
			if err != nil || string(got.body) != "body" || got.header["Etag"] != "1" {
				t.Errorf("got %v, %v", got, err)
			}
			got.header["Etag"], got.body[0] = "changed", 'X' // under -race also a test of its own
		})
	}
	all.Wait()
	put := answer{map[string]string{"Etag": "2"}, []byte("body")}
	if err := c.Put(t.Context(), "b", put); err != nil {
		t.Fatal(err)
	}
	put.body[0] = 'X'
	if got, _ := c.Get(t.Context(), "b", load); string(got.body) != "body" {
		t.Errorf("what was put is %s", got.body)
	}
	if r, ok := c.Peek("b"); !ok || string(r.Value.body) != "body" {
		t.Errorf("what is peeked at is %s", r.Value.body)
	} else {
		r.Value.body[0] = 'X'
	}
	if got, _ := c.Get(t.Context(), "b", load); string(got.body) != "body" {
		t.Errorf("after a change of what was peeked at it is %s", got.body)
	}
	if loads.Load() != 1 {
		t.Errorf("%d loads", loads.Load())
	}
}

func TestJitterOnlyShortens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: 100 * time.Second, Jitter: 0.2})
		const keys = 200
		for i := range keys {
			want(t, c, fmt.Sprint(i), always(1), 1, cache.Loaded)
		}
		fresh := func() (n int) {
			for i := range keys {
				if r, ok := c.Peek(fmt.Sprint(i)); ok && r.State == cache.Fresh {
					n++
				}
			}
			return n
		}
		time.Sleep(80 * time.Second)
		if n := fresh(); n != keys {
			t.Errorf("%d of %d are fresh at the lower end of the jitter", n, keys)
		}
		time.Sleep(10 * time.Second)
		if n := fresh(); n < keys/3 || n > keys*2/3 {
			t.Errorf("%d of %d are fresh in the middle of the jitter", n, keys)
		}
		time.Sleep(10 * time.Second)
		if n := fresh(); n != 0 {
			t.Errorf("%d are fresh after the TTL", n)
		}
	})
}

func TestErrorsAreNeverCached(t *testing.T) {
	c := newCache(t, config{NegativeTTL: time.Hour, MaxStale: time.Hour})
	for _, err := range []error{errDown, context.DeadlineExceeded, cache.Final(errDown), fmt.Errorf("wrapped: %w", errDown)} {
		wantErr(t, c, "a", failing(err), err)
	}
	if c.Len() != 0 {
		t.Errorf("%d entries of errors", c.Len())
	}
	want(t, c, "a", always(1), 1, cache.Loaded)
}

// redis/rueidis #921: misses live as long as values.
func TestNegativeEntriesAreOptInAndHaveATimeOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Hour})
		wantErr(t, c, "a", failing(cache.ErrNotFound), cache.ErrNotFound)
		want(t, c, "a", always(1), 1, cache.Loaded) // nothing was remembered

		c = newCache(t, config{TTL: time.Hour, NegativeTTL: 10 * time.Second, MaxStale: time.Hour})
		wantErr(t, c, "a", failing(fmt.Errorf("sku: %w", cache.ErrNotFound)), cache.ErrNotFound)
		time.Sleep(10*time.Second - 1)
		wantErr(t, c, "a", always(1), cache.ErrNotFound)
		if s := c.Stats(); s.Negative != 2 || s.Loads.NotFound != 1 || s.Errors != 0 {
			t.Errorf("the stats are %+v", s)
		}
		time.Sleep(time.Nanosecond)
		wantErr(t, c, "a", failing(errDown), errDown) // that it was not there is never stale
		want(t, c, "a", always(1), 1, cache.Loaded)
		c.Remove(t.Context(), "a")
		wantErr(t, c, "a", failing(cache.ErrNotFound), cache.ErrNotFound)
		if err := c.Put(t.Context(), "a", 2); err != nil { // what comes into being is seen
			t.Fatal(err)
		}
		want(t, c, "a", always(3), 2, cache.Fresh)
	})
}

func TestNotFoundIsNotCoveredByAStaleValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
		for _, err := range []error{cache.ErrNotFound, cache.Final(errDown)} {
			want(t, c, "a", always(1), 1, cache.Loaded)
			time.Sleep(time.Minute)
			wantErr(t, c, "a", failing(err), err)
			wantErr(t, c, "a", failing(errDown), errDown) // and the copy is gone
		}
	})
}

func TestLoadDescribesItsValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxTTL: time.Hour})
		for key, ttl := range map[string]time.Duration{"short": time.Second, "long": 10 * time.Minute, "cut": 100 * time.Hour} {
			want(t, c, key, func(ctx context.Context, _ string) (int, error) {
				cache.Describe(ctx, cache.TTL(ttl), cache.Tags("a"), cache.Tags("b"))
				return 1, nil
			}, 1, cache.Loaded)
			time.Sleep(min(ttl, time.Hour) - 1)
			want(t, c, key, always(2), 1, cache.Fresh)
			time.Sleep(time.Nanosecond)
			want(t, c, key, always(2), 2, cache.Loaded)
		}
		cache.Describe(t.Context(), cache.TTL(time.Second)) // outside of a load
		if v := cache.ValidatorOf(t.Context()); v != "" {
			t.Errorf("the validator of nothing is %q", v)
		}
	})
}

func TestNotModifiedRenewsTheCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Hour})
		var asked []string
		load := func(ctx context.Context, _ string) (int, error) {
			asked = append(asked, cache.ValidatorOf(ctx))
			if cache.ValidatorOf(ctx) == "v1" {
				return 0, cache.NotModified
			}
			cache.Describe(ctx, cache.Validator("v1"), cache.Tags("prices"))
			return 1, nil
		}
		want(t, c, "a", load, 1, cache.Loaded)
		for range 2 {
			time.Sleep(time.Minute)
			if r := want(t, c, "a", load, 1, cache.Loaded); r.Age != 0 {
				t.Errorf("renewed, and %v old", r.Age)
			}
			time.Sleep(time.Minute - 1)
			want(t, c, "a", load, 1, cache.Fresh)
			time.Sleep(time.Nanosecond)
		}
		if got := strings.Join(asked, ","); got != ",v1,v1" {
			t.Errorf("asked with %q", got)
		}
		c.RemoveTags(t.Context(), "prices") // a renewed copy keeps its tags
		wantErr(t, c, "a", failing(errDown), errDown)
		wantErr(t, c, "b", failing(cache.NotModified), cache.NotModified) // there is nothing to renew
		if s := c.Stats(); s.Loads.NotModified != 2 {
			t.Errorf("%d not modified", s.Loads.NotModified)
		}
	})
}

func TestReadThroughLoadsWithoutAFunctionOfTheCaller(t *testing.T) {
	c := newCache(t, config{Load: always(7)})
	want(t, c, "a", nil, 7, cache.Loaded)
	wantErr(t, newCache(t, config{}), "a", nil, cache.ErrNoLoad)
}

func TestDefaultStandsInForWhatWasNeverLoaded(t *testing.T) {
	c := newCache(t, config{Default: func(_ context.Context, key string, err error) (int, error) {
		if key == "none" {
			return 0, errors.New("no default either")
		}
		return -1, nil
	}})
	r, err := c.Lookup(t.Context(), "a", failing(errDown))
	if err != nil || r.Value != -1 || r.State != cache.Default || !errors.Is(r.Cause, errDown) || r.Why != cache.LoadFailed {
		t.Errorf("the default is %+v, %v", r, err)
	}
	wantErr(t, c, "none", failing(errDown), errDown)
	want(t, c, "a", always(1), 1, cache.Loaded) // it was not kept
	if s := c.Stats(); s.Defaults != 1 || s.Errors != 1 {
		t.Errorf("the stats are %+v", s)
	}
}

func TestPeekLoadsNothingAndCountsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, config{TTL: time.Minute, MaxStale: time.Minute, NegativeTTL: time.Hour, Load: always(1)})
		if _, ok := c.Peek("a"); ok {
			t.Error("something is there")
		}
		want(t, c, "a", nil, 1, cache.Loaded)
		time.Sleep(time.Minute)
		if r, ok := c.Peek("a"); !ok || r.State != cache.Stale || r.Age != time.Minute {
			t.Errorf("the copy is %+v, %t", r, ok)
		}
		time.Sleep(time.Minute)
		if r, ok := c.Peek("a"); ok {
			t.Errorf("older than it may be: %+v", r)
		}
		wantErr(t, c, "b", failing(cache.ErrNotFound), cache.ErrNotFound)
		if _, ok := c.Peek("b"); ok {
			t.Error("a key that does not exist has a copy")
		}
		if s := c.Stats(); s.Fresh+s.Stale.Total() != 0 {
			t.Errorf("peeks were counted: %+v", s)
		}
	})
}

// T81
func TestHitAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx, load := context.Background(), always(1)
	c := newCache(t, config{TTL: time.Hour, Jitter: 0.1, EarlyRefresh: 1, MaxStale: time.Hour, NegativeTTL: time.Hour})
	_, _ = c.Get(ctx, "a", load)
	_, _ = c.Get(ctx, "tagged", func(ctx context.Context, _ string) (int, error) {
		cache.Describe(ctx, cache.Tags("x"))
		return 1, nil
	})
	_, _ = c.Get(ctx, "gone", failing(cache.ErrNotFound))
	c.ExpireTags(ctx, "y")
	for name, call := range map[string]func(){
		"Get":        func() { _, _ = c.Get(ctx, "a", load) },
		"tagged":     func() { _, _ = c.Get(ctx, "tagged", load) },
		"Lookup":     func() { _, _ = c.Lookup(ctx, "a", load) },
		"Peek":       func() { _, _ = c.Peek("a") },
		"a negative": func() { _, _ = c.Get(ctx, "gone", load) },
	} {
		if n := testing.AllocsPerRun(200, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
