package httpcache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpcache"
)

// numbered is an origin whose answers count.
func numbered(fields ...string) *held {
	var n atomic.Int64
	return newHeld(func(w http.ResponseWriter, _ *http.Request) {
		setFields(w.Header(), fields)
		fmt.Fprintf(w, "answer %d", n.Add(1))
	})
}

// aged makes a cache with an answer that is a while old.
func aged(t *testing.T, cfg httpcache.Config, o *held, age time.Duration) *httpcache.Cache {
	c := newCache(t, cfg, o)
	_, wait := together(t, c, 1, plain(t))
	o.let <- struct{}{}
	wait()
	o.calls.Store(0)
	time.Sleep(age)
	return c
}

const swr = "Cache-Control: max-age=10, stale-while-revalidate=60"

func TestTwentyStaleHitsMakeOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := numbered(swr)
		c := aged(t, httpcache.Config{}, o, 15*time.Second)
		results, wait := together(t, c, 20, plain(t))
		wait() // none of them waits for the origin
		for _, r := range results {
			if r.body != "answer 1" || r.cacheStatus() != "test; hit; ttl=-5" {
				t.Fatalf("a caller got %+v", r)
			}
		}
		if n := o.calls.Load(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
		close(o.let)
		synctest.Wait()
		if r := get(t, c, here); r.body != "answer 2" || r.cacheStatus() != "test; hit; ttl=10" {
			t.Errorf("got %+v", r)
		}
		if s := c.Stats(); s.Refreshes != 1 || s.RefreshesFailed != 0 || s.Stale != 20 || s.Rescued != 0 {
			t.Errorf("the counts are %+v", s)
		}
	})
}

func TestRefreshOutlivesTheCallerWhoCausedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := numbered(swr)
		c := aged(t, httpcache.Config{}, o, 15*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		ctx, record := seawall.WithRecord(ctx)
		do(c, request(ctx, http.MethodGet, here))
		cancel()
		synctest.Wait()
		close(o.let)
		synctest.Wait()
		if r := get(t, c, here); r.body != "answer 2" {
			t.Errorf("got %+v", r)
		}
		if f := record.Facts(); f.Stale != 15*time.Second || f.Replaced {
			t.Errorf("the record is %+v", f)
		}
	})
}

func TestRefreshHasALimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := numbered(swr)
		c := aged(t, httpcache.Config{RefreshTimeout: 3 * time.Second}, o, 15*time.Second)
		get(t, c, here)
		time.Sleep(4 * time.Second)
		if s := c.Stats(); s.Refreshes != 1 || s.RefreshesFailed != 1 {
			t.Errorf("the counts are %+v", s)
		}
		close(o.let)
	})
}

func TestFailedRefreshIsNotRepeatedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := false
		var calls int
		c := newCache(t, httpcache.Config{RetryEvery: 4 * time.Second}, roundTripper(func(r *http.Request) (*http.Response, error) {
			calls++
			if failing {
				return nil, errDown
			}
			return (&origin{handle: answers("old", swr)}).RoundTrip(r)
		}))
		get(t, c, here)
		time.Sleep(15 * time.Second)
		failing, calls = true, 0
		for range 8 { // seconds
			for range 10 {
				if r := get(t, c, here); r.body != "old" {
					t.Fatalf("got %+v", r)
				}
				synctest.Wait()
			}
			time.Sleep(time.Second)
		}
		if calls != 2 {
			t.Errorf("%d refreshes in 8 s, want 2", calls)
		}
		time.Sleep(60 * time.Second)
		if r := get(t, c, here); r.err == nil {
			t.Errorf("past the window got %+v", r)
		}
	})
}

func TestCloseEndsRefreshesAndWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := numbered(swr)
		c := aged(t, httpcache.Config{}, o, 15*time.Second)
		get(t, c, here)
		synctest.Wait()
		c.Close()
		if s := c.Stats(); s.Refreshes != 1 || s.RefreshesFailed != 1 {
			t.Errorf("the counts are %+v", s)
		}
		time.Sleep(10 * time.Second) // past the hold-off
		close(o.let)
		if r := get(t, c, here); r.body != "answer 2" || r.cacheStatus() != "test; fwd=stale; stored" {
			t.Errorf("a closed cache gives %+v", r)
		}
		c.Close()
	})
}

// A validation that somebody waits for is not refreshed beside.
func TestMissJoinsARefreshThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := numbered("Cache-Control: max-age=10, stale-while-revalidate=10")
		c := aged(t, httpcache.Config{}, o, 15*time.Second)
		get(t, c, here)
		time.Sleep(10 * time.Second) // the window is over
		results, wait := together(t, c, 3, plain(t))
		close(o.let)
		wait()
		for _, r := range results {
			if r.body != "answer 2" {
				t.Errorf("got %+v", r)
			}
		}
		if n := o.calls.Load(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

func TestRefreshValidatesWithoutTheCallersConditions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen http.Header
		o := &origin{}
		o.handle = func(w http.ResponseWriter, r *http.Request) {
			seen = r.Header
			setFields(w.Header(), []string{swr, `ETag: "a"`})
			io.WriteString(w, "x")
		}
		c := newCache(t, httpcache.Config{}, o)
		get(t, c, here)
		time.Sleep(15 * time.Second)
		if r := get(t, c, here, `If-None-Match: "a", "b"`); r.status != http.StatusNotModified {
			t.Errorf("got %+v", r)
		}
		synctest.Wait()
		if got := seen["If-None-Match"]; len(got) != 1 || got[0] != `"a"` {
			t.Errorf("the refresh asks with %q", got)
		}
	})
}
