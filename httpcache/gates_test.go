package httpcache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpcache"
)

// quiet is a registry that logs nothing.
func quiet() *seawall.Registry {
	r := &seawall.Registry{}
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

// gated is a transport behind a policy.
func gated(p seawall.Policy, base http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		return seawall.Call(r.Context(), p, func(ctx context.Context) (*http.Response, error) {
			return base.RoundTrip(r.WithContext(ctx))
		})
	})
}

func TestOpenBreakerGivesTheStaleAnswerWithoutARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		registry := &seawall.Registry{}
		registry.SetLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: noTime})))
		b := breaker.New("origin", breaker.Config{Registry: registry})
		o := &origin{handle: answers("old", "Cache-Control: max-age=10, stale-if-error=3600")}
		c := newCache(t, httpcache.Config{Registry: registry}, gated(b, o))
		get(t, c, here)
		if err := b.SetMode(seawall.ForcedOpen); err != nil {
			t.Fatal(err)
		}
		time.Sleep(19 * time.Second)
		log.Reset()
		ctx, record := seawall.WithRecord(t.Context())
		r := do(c, request(ctx, http.MethodGet, here))
		if r.err != nil || r.status != 200 || r.body != "old" || r.cacheStatus() != "test; hit; ttl=-9; detail=forced" || r.header.Get("Age") != "19" {
			t.Errorf("got %+v", r)
		}
		if n := o.calls.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
		want := seawall.Facts{
			Replaced: true, Source: "stale", Stale: 19 * time.Second, Cache: seawall.CacheStale,
			DecidedBy: `httpcache "test"`, Reason: seawall.ReasonForced,
		}
		if f := record.Facts(); f != want {
			t.Errorf("the record is %+v, want %+v", f, want)
		}
		if s := c.Stats(); s.Stale != 1 || s.Rescued != 1 || s.Loads.Ignored != 1 {
			t.Errorf("the counts are %+v", s)
		}
		if got := log.String(); got != "level=WARN msg=seawall.cache.load_failed name=test error_type=rejected suppressed=0\n" {
			t.Errorf("the log is %q", got)
		}
		if r := get(t, c, here+"?other"); !errors.Is(r.err, breaker.ErrOpen) {
			t.Errorf("without a stored answer got %+v", r)
		}
	})
}

func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func TestBreakerThatTripsGivesTheStaleAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := false
		b := breaker.New("origin", breaker.Config{Registry: quiet()})
		calls := 0
		c := newCache(t, httpcache.Config{}, gated(b, roundTripper(func(r *http.Request) (*http.Response, error) {
			calls++
			if down {
				return nil, errDown
			}
			return (&origin{handle: answers("old", "Cache-Control: max-age=10, stale-if-error=3600")}).RoundTrip(r)
		})))
		get(t, c, here)
		time.Sleep(12 * time.Second)
		down, calls = true, 0
		for range 200 {
			if r := get(t, c, here); r.body != "old" {
				t.Fatalf("got %+v", r)
			}
		}
		if r := get(t, c, here); r.cacheStatus() != "test; hit; ttl=-2; detail=open" {
			t.Errorf("Cache-Status is %q", r.cacheStatus())
		}
		if calls >= 200 {
			t.Errorf("%d requests: the breaker did not open", calls)
		}
	})
}

// A rejection that comes after an attempt does not hide that a request was sent.
func TestRejectionAfterAnAttemptIsNoHit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails error
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			if fails != nil {
				return nil, fails
			}
			return (&origin{handle: answers("old", "Cache-Control: max-age=10, stale-if-error=60")}).RoundTrip(r)
		}))
		get(t, c, here)
		time.Sleep(15 * time.Second)
		open := seawall.Reject("breaker", "origin", seawall.ReasonOpen, breaker.ErrOpen, time.Second)
		for _, row := range []struct {
			err    error
			status string
		}{
			{open, "test; hit; ttl=-5; detail=open"},
			{fmt.Errorf("call: %w", open), "test; hit; ttl=-5; detail=open"},
			{fmt.Errorf("%w, and before it: %w", open, errDown), "test; fwd=stale; ttl=-5; detail=open"},
			{errors.Join(errDown, open), "test; fwd=stale; ttl=-5; detail=open"},
			{errDown, "test; fwd=stale; ttl=-5; detail=stale-if-error"},
		} {
			fails = row.err
			if r := get(t, c, here); r.body != "old" || r.cacheStatus() != row.status {
				t.Errorf("%v: got %+v, want %s", row.err, r, row.status)
			}
		}
	})
}

func TestFullBulkheadGivesTheStaleAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(answers("old", "Cache-Control: max-age=10, stale-if-error=3600"))
		b := bulkhead.New("origin", bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}, Registry: quiet()})
		c := newCache(t, httpcache.Config{}, gated(b, h))
		_, wait := together(t, c, 1, plain(t))
		h.let <- struct{}{}
		wait()
		time.Sleep(15 * time.Second)
		_, wait = together(t, c, 1, func(int) *http.Request { return request(t.Context(), http.MethodGet, here+"?other") })
		if r := get(t, c, here); r.body != "old" || !strings.HasSuffix(r.cacheStatus(), "hit; ttl=-5; detail=full") {
			t.Errorf("got %+v", r)
		}
		close(h.let)
		wait()
	})
}

// Twenty who wait for one request all get the stale answer when it fails, and do not repeat it.
func TestErrorIsSharedByThoseWhoHaveAStaleAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=10, stale-if-error=60")
			io.WriteString(w, "old")
		})
		c := newCache(t, httpcache.Config{}, h)
		_, wait := together(t, c, 1, plain(t))
		h.let <- struct{}{}
		wait()
		h.handle = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		time.Sleep(15 * time.Second)
		h.calls.Store(0)
		results, wait := together(t, c, 20, plain(t))
		close(h.let)
		wait()
		for _, r := range results {
			if r.status != 200 || r.body != "old" || !strings.HasSuffix(r.cacheStatus(), "fwd=stale; fwd-status=502; ttl=-5; detail=stale-if-error") {
				t.Fatalf("got %+v", r)
			}
		}
		if n := h.calls.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// The caller's own deadline is no error that a stale answer stands in for: nobody waits.
func TestCallersDeadlineIsNoFailureOfTheOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(answers("old", "Cache-Control: max-age=10, stale-if-error=60"))
		c := newCache(t, httpcache.Config{}, h)
		_, wait := together(t, c, 1, plain(t))
		h.let <- struct{}{}
		wait()
		time.Sleep(15 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if r := do(c, request(ctx, http.MethodGet, here)); !errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("got %+v", r)
		}
		close(h.let)
	})
}

// The record of a call says what the cache had, also where the answer is like any other.
func TestRecordSaysWhatTheCacheHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{handle: answers("old", "Cache-Control: max-age=10, stale-if-error=3600")}
		down := false
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			if down {
				return nil, errors.New("down")
			}
			return o.RoundTrip(r)
		}))
		asks := func(url string, want seawall.CacheResult) {
			t.Helper()
			ctx, record := seawall.WithRecord(t.Context())
			_ = do(c, request(ctx, http.MethodGet, url))
			if got := record.Facts().Cache; got != want {
				t.Errorf("%s: %v, want %v", url, got, want)
			}
		}
		asks(here, seawall.CacheMiss)
		asks(here, seawall.CacheFresh)
		down = true
		time.Sleep(time.Minute)
		asks(here, seawall.CacheStale)
		asks(here+"other", seawall.CacheError)
	})
}
