package httpcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpcache"
)

// held is an origin that answers when it is let.
type held struct {
	origin
	let chan struct{}
}

func newHeld(handle http.HandlerFunc) *held {
	h := &held{let: make(chan struct{})}
	h.handle = handle
	return h
}

func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	h.calls.Add(1)
	select {
	case <-h.let:
		h.calls.Add(-1)
		return h.origin.RoundTrip(r)
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// together sends n requests at once, and waits until all that can happen without the origin has.
func together(t *testing.T, c http.RoundTripper, n int, req func(i int) *http.Request) (results []result, wait func()) {
	results = make([]result, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { results[i] = do(c, req(i)) })
	}
	synctest.Wait()
	return results, all.Wait
}

func plain(t *testing.T) func(int) *http.Request {
	return func(int) *http.Request { return request(t.Context(), http.MethodGet, here) }
}

// T25: the misses of many are one request.
func TestHundredMissesMakeOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(answers("hello", "Cache-Control: max-age=60"))
		c := newCache(t, httpcache.Config{}, o)
		results, wait := together(t, c, 100, plain(t))
		close(o.let)
		wait()
		collapsed := 0
		for i, r := range results {
			if r.err != nil || r.body != "hello" || r.status != 200 {
				t.Fatalf("caller %d got %+v", i, r)
			}
			if r.cacheStatus() == "test; fwd=uri-miss; ttl=60; collapsed" {
				collapsed++
			}
		}
		if n := o.calls.Load(); n != 1 || collapsed != 99 {
			t.Errorf("%d requests to the origin, want 1; %d collapsed, want 99", n, collapsed)
		}
		if s := c.Stats(); s.Joined != 99 || s.Miss != 100 || s.Loads.Success != 1 || s.Incoming != 0 {
			t.Errorf("the counts are %+v", s)
		}
	})
}

func TestValidationsOfManyAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(func(w http.ResponseWriter, r *http.Request) {
			setFields(w.Header(), []string{"Cache-Control: max-age=1", `ETag: "a"`})
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			io.WriteString(w, "hello")
		})
		c := newCache(t, httpcache.Config{}, o)
		first, wait := together(t, c, 1, plain(t))
		o.let <- struct{}{}
		wait()
		time.Sleep(2 * time.Second)
		results, wait := together(t, c, 20, plain(t))
		close(o.let)
		wait()
		for _, r := range append(results, first...) {
			if r.err != nil || r.status != 200 || r.body != "hello" {
				t.Fatalf("a caller got %+v", r)
			}
		}
		if n := o.calls.Load(); n != 2 {
			t.Errorf("%d requests to the origin, want 2", n)
		}
	})
}

// What is one user's must not be another's because both asked at the same time.
func TestPrivateAnswersDoNotLeakToThoseWhoWait(t *testing.T) {
	cases := map[string]struct {
		cfg    httpcache.Config
		fields []string
		users  string // the field that names the user
	}{
		"partition by cookie":     {httpcache.Config{}, cc("max-age=60"), "Cookie"},
		"partition by auth":       {httpcache.Config{}, cc("max-age=60, public"), "Authorization"},
		"shared: private":         {shared, cc("max-age=60, private"), "Cookie"},
		"shared: authorization":   {shared, cc("max-age=60"), "Authorization"},
		"shared: no-store":        {shared, cc("no-store"), "X-User"},
		"shared: no-cache":        {shared, cc("no-cache, max-age=60"), "X-User"},
		"shared: max-age=0":       {shared, append(cc("max-age=0"), `ETag: "a"`), "X-User"},
		"shared: set-cookie":      {shared, append(cc("max-age=60"), "Set-Cookie: a=b"), "X-User"},
		"public, but set-cookie":  {shared, append(cc("max-age=60, public"), "Set-Cookie: a=b"), "X-User"},
		"vary":                    {shared, append(cc("max-age=60"), "Vary: X-User"), "X-User"},
		"vary star":               {shared, append(cc("max-age=60"), "Vary: *"), "X-User"},
		"partition of the config": {httpcache.Config{Shared: true, Partition: func(r *http.Request) string { return r.Header.Get("X-User") }}, cc("max-age=60, public"), "X-User"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newHeld(func(w http.ResponseWriter, r *http.Request) {
					setFields(w.Header(), tc.fields)
					io.WriteString(w, "for "+r.Header.Get(tc.users))
				})
				c := newCache(t, tc.cfg, o)
				results, wait := together(t, c, 20, func(i int) *http.Request {
					return request(t.Context(), http.MethodGet, here, fmt.Sprintf("%s: u%d", tc.users, i))
				})
				close(o.let)
				wait()
				for i, r := range results {
					if want := fmt.Sprintf("for u%d", i); r.err != nil || r.body != want {
						t.Errorf("user %d got %q, %v", i, r.body, r.err)
					}
				}
			})
		})
	}
}

func TestWhatCannotBeSharedDoesNotQueueTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(answers("mine", "Cache-Control: no-store"))
		c := newCache(t, httpcache.Config{}, o)
		_, wait := together(t, c, 20, plain(t))
		if n := o.calls.Load(); n != 1 {
			t.Fatalf("%d requests while the first has no answer, want 1", n)
		}
		close(o.let)
		wait()
		o.let = make(chan struct{})
		o.calls.Store(0)
		_, wait = together(t, c, 20, plain(t))
		if n := o.calls.Load(); n != 20 {
			t.Errorf("%d of 20 requests are with the origin: the others wait for what is not theirs", n)
		}
		close(o.let)
		wait()
		time.Sleep(31 * time.Second) // it may have changed
		o.let = make(chan struct{})
		o.calls.Store(0)
		_, wait = together(t, c, 20, plain(t))
		if n := o.calls.Load(); n != 1 {
			t.Errorf("%d requests half a minute later, want 1", n)
		}
		close(o.let)
		wait()
	})
}

// Once the cache knows what an origin varies by, requests for one variant do not wait for another's.
func TestVariantsAreAskedForBesideEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(func(w http.ResponseWriter, r *http.Request) {
			setFields(w.Header(), []string{"Cache-Control: max-age=10", "Vary: Foo"})
			io.WriteString(w, r.Header.Get("Foo"))
		})
		c := newCache(t, httpcache.Config{}, o)
		_, wait := together(t, c, 1, func(int) *http.Request { return request(t.Context(), http.MethodGet, here, "Foo: 0") })
		o.let <- struct{}{}
		wait()
		o.calls.Store(0)
		results, wait := together(t, c, 30, func(i int) *http.Request {
			return request(t.Context(), http.MethodGet, here, fmt.Sprintf("Foo: %d", 1+i%3))
		})
		close(o.let)
		wait()
		for i, r := range results {
			if want := fmt.Sprint(1 + i%3); r.body != want {
				t.Errorf("got %q, want %q", r.body, want)
			}
		}
		if n := o.calls.Load(); n != 3 {
			t.Errorf("%d requests for 3 variants", n)
		}
	})
}

func TestTheFirstCallersLeaveDoesNotEndWhatOthersWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(answers("hello", "Cache-Control: max-age=60"))
		c := newCache(t, httpcache.Config{}, o)
		ctx, cancel := context.WithCancelCause(t.Context())
		first, firstDone := together(t, c, 1, func(int) *http.Request { return request(ctx, http.MethodGet, here) })
		others, wait := together(t, c, 5, plain(t))
		gone := errors.New("gone")
		cancel(gone)
		firstDone()
		if !errors.Is(first[0].err, gone) {
			t.Errorf("the first caller got %+v", first[0])
		}
		close(o.let)
		wait()
		for _, r := range others {
			if r.err != nil || r.body != "hello" {
				t.Errorf("another got %+v", r)
			}
		}
		if n := o.calls.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestFollowerLeavesOnItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(answers("hello", "Cache-Control: max-age=60"))
		c := newCache(t, httpcache.Config{}, o)
		first, wait := together(t, c, 1, plain(t))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		r := do(c, request(ctx, http.MethodGet, here))
		if !errors.Is(r.err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("the follower got %+v after %v", r, time.Since(start))
		}
		close(o.let)
		wait()
		if first[0].body != "hello" {
			t.Errorf("the first got %+v", first[0])
		}
	})
}

func TestNobodyLeftEndsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause atomic.Value
		o := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			cause.Store(context.Cause(r.Context()))
			return nil, context.Cause(r.Context())
		})
		c := newCache(t, httpcache.Config{}, o)
		ctx, cancel := context.WithCancel(t.Context())
		_, wait := together(t, c, 5, func(int) *http.Request { return request(ctx, http.MethodGet, here) })
		if cause.Load() != nil {
			t.Fatal("the request has ended")
		}
		cancel()
		wait()
		synctest.Wait()
		if cause.Load() == nil {
			t.Error("the request goes on for nobody")
		}
	})
}

// A request that outlives the caller who began it, whose deadline it tells, ends all the same.
func TestRequestWithoutItsCallerHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := roundTripper(func(r *http.Request) (*http.Response, error) {
			if _, ok := r.Context().Deadline(); !ok {
				<-r.Context().Done()
				return nil, context.Cause(r.Context())
			}
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})
		c := newCache(t, httpcache.Config{RefreshTimeout: 5 * time.Second}, o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, firstDone := together(t, c, 1, func(int) *http.Request { return request(ctx, http.MethodGet, here) })
		other, otherCancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer otherCancel()
		_, wait := together(t, c, 1, func(int) *http.Request { return request(other, http.MethodGet, here) })
		start := time.Now()
		firstDone()
		if time.Since(start) != time.Second {
			t.Errorf("the first left after %v", time.Since(start))
		}
		wait() // asks for itself after 6 s, and leaves after 10
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("the other left after %v", got)
		}
		if s := c.Stats(); s.Loads.Failure == 0 {
			t.Errorf("the first request did not end by its limit: %+v", s)
		}
	})
}

func TestBaseKnowsTheCallersDeadlineAndValues(t *testing.T) {
	type key struct{}
	deadline := time.Now().Add(time.Hour)
	o := &origin{handle: func(w http.ResponseWriter, r *http.Request) {
		if d, ok := r.Context().Deadline(); !ok || !d.Equal(deadline) || r.Context().Value(key{}) != "v" {
			t.Errorf("the base sees %v, %v, %v", d, ok, r.Context().Value(key{}))
		}
	}}
	c := newCache(t, httpcache.Config{}, o)
	ctx, cancel := context.WithDeadline(context.WithValue(t.Context(), key{}, "v"), deadline)
	defer cancel()
	if r := do(c, request(ctx, http.MethodGet, here)); r.err != nil {
		t.Error(r.err)
	}
}

func TestPanicOfTheBaseIsTheCallersWhoBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var calls atomic.Int64
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			if calls.Add(1) == 1 {
				<-let
				panic("boom")
			}
			return (&origin{handle: answers("hello")}).RoundTrip(r)
		}))
		var caught any
		var began sync.WaitGroup
		began.Go(func() {
			defer func() { caught = recover() }()
			do(c, request(t.Context(), http.MethodGet, here))
		})
		synctest.Wait()
		others, wait := together(t, c, 3, plain(t))
		close(let)
		began.Wait()
		wait()
		p, ok := caught.(*seawall.AttemptPanic)
		if !ok || p.Value != "boom" || !strings.Contains(string(p.Stack), "TestPanicOfTheBase") {
			t.Errorf("the caller who began panics with %v", caught)
		}
		for _, r := range others {
			if r.body != "hello" {
				t.Errorf("another got %+v", r)
			}
		}
	})
}

func TestGoexitOfTheBaseIsTheCallersWhoBegan(t *testing.T) {
	c := newCache(t, httpcache.Config{}, roundTripper(func(*http.Request) (*http.Response, error) {
		runtime.Goexit()
		return nil, nil
	}))
	returned := false
	var wait sync.WaitGroup
	wait.Go(func() {
		do(c, request(t.Context(), http.MethodGet, here))
		returned = true
	})
	wait.Wait()
	if returned {
		t.Error("RoundTrip returned")
	}
}

func TestErrorOfTheBaseIsReturnedAsItIs(t *testing.T) {
	c := newCache(t, httpcache.Config{}, roundTripper(func(*http.Request) (*http.Response, error) { return nil, errDown }))
	if r := get(t, c, here); r.err != errDown { //nolint:errorlint // as it is
		t.Errorf("got %v", r.err)
	}
	if s := c.Stats(); s.Errors != 1 || s.Loads.Failure != 1 {
		t.Errorf("the counts are %+v", s)
	}
}
