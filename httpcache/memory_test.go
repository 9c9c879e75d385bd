package httpcache_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpcache"
)

// sized is an origin whose bodies have the length that the query asks for, and that varies by Foo.
func sized(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.RawQuery)
	if err != nil {
		panic(err)
	}
	setFields(w.Header(), []string{"Cache-Control: max-age=3600", "Vary: Foo", "X-Filler: " + strings.Repeat("f", 100)})
	io.WriteString(w, strings.Repeat("x", n))
}

func TestMemoryIsBoundedInBytes(t *testing.T) {
	const limit = 4 << 20
	c := newCache(t, httpcache.Config{MaxBytes: limit}, &origin{handle: sized})
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 500 {
				url := fmt.Sprintf("http://origin.example/%d?%d", r.IntN(3000), r.IntN(20_000))
				if got := get(t, c, url, fmt.Sprintf("Foo: %d", r.IntN(100))); got.err != nil {
					t.Error(got.err)
				}
			}
		})
	}
	all.Wait()
	s := c.Stats()
	if s.Bytes > limit || s.Bytes < limit/2 || s.Evictions == 0 || s.Incoming != 0 {
		t.Errorf("%d bytes are stored of %d, %d evictions, %d coming in", s.Bytes, limit, s.Evictions, s.Incoming)
	}
	if grown := heap() - before; grown > 2*limit {
		t.Errorf("the heap has grown by %d bytes for a limit of %d", grown, limit)
	}
	runtime.KeepAlive(c)
}

func TestVariantsOfOneURIAreBounded(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: sized})
	for i := range 200 {
		get(t, c, "http://origin.example/?1000", fmt.Sprintf("Foo: %d", i))
	}
	if s := c.Stats(); s.Answers != 1 || s.Bytes > 32*2600 {
		t.Errorf("the store holds %+v", s.Usage)
	}
	if r := get(t, c, "http://origin.example/?1000", "Foo: 199"); !strings.Contains(r.cacheStatus(), "hit") {
		t.Errorf("the newest variant is gone: %s", r.cacheStatus())
	}
	if r := get(t, c, "http://origin.example/?1000", "Foo: 0"); strings.Contains(r.cacheStatus(), "hit") {
		t.Errorf("the oldest is there: %s", r.cacheStatus())
	}
}

func TestWhatComesInIsBoundedAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		let := make(chan struct{})
		c := newCache(t, httpcache.Config{MaxBytes: limit}, roundTripper(func(r *http.Request) (*http.Response, error) {
			length := int64(60_000)
			if r.URL.RawQuery == "unknown" {
				length = -1
			}
			body := io.MultiReader(strings.NewReader(strings.Repeat("x", 50_000)), readerFunc(func([]byte) (int, error) {
				<-let
				return 0, io.EOF
			}), strings.NewReader(strings.Repeat("y", 10_000)))
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=60"}}, ContentLength: length, Body: io.NopCloser(body), Request: r,
			}, nil
		}))
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				query := [...]string{"known", "unknown"}[i%2]
				r := get(t, c, fmt.Sprintf("http://origin.example/%d?%s", i, query))
				if len(r.body) != 60_000 || r.err != nil {
					t.Errorf("%d bytes, %v", len(r.body), r.err)
				}
			})
		}
		synctest.Wait()
		if s := c.Stats(); s.Incoming > limit/4 || s.Incoming < limit/8 {
			t.Errorf("%d bytes are coming in, want up to %d", s.Incoming, limit/4)
		}
		close(let)
		all.Wait()
		synctest.Wait()
		if s := c.Stats(); s.Incoming != 0 || s.TooLarge == 0 {
			t.Errorf("the counts are %+v", s)
		}
	})
}

// A fetch that began before an invalidation may have seen what was before it.
func TestInvalidationKeepsAnEarlierFetchFromBeingStored(t *testing.T) {
	for name, invalidate := range map[string]func(*httpcache.Cache){
		"by a method": func(c *httpcache.Cache) { do(c, request(context.Background(), http.MethodPost, here)) },
		"by call": func(c *httpcache.Cache) {
			if err := c.Invalidate("HTTP://Origin.example:80/thing"); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newHeld(answers("before", "Cache-Control: max-age=60"))
				c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodPost {
						return (&origin{handle: answers("ok")}).RoundTrip(r)
					}
					return o.RoundTrip(r)
				}))
				early, wait := together(t, c, 3, plain(t))
				invalidate(c)
				late, waitLate := together(t, c, 3, plain(t))
				if n := o.calls.Load(); n != 2 {
					t.Errorf("%d requests are out, want 2: who comes later must not join what began before", n)
				}
				o.let <- struct{}{}
				o.let <- struct{}{}
				close(o.let)
				wait()
				waitLate()
				for _, r := range append(early, late...) {
					if r.body != "before" {
						t.Errorf("got %+v", r)
					}
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(answers("before", "Cache-Control: max-age=60"))
		c := newCache(t, httpcache.Config{}, o)
		_, wait := together(t, c, 1, plain(t))
		if err := c.Invalidate(here); err != nil {
			t.Fatal(err)
		}
		close(o.let)
		wait()
		if s := c.Stats(); s.Answers != 0 || s.Invalidations != 1 {
			t.Errorf("it was stored: %+v", s)
		}
	})
}

func TestInvalidateWantsAnAbsoluteURI(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: answers("x")})
	for _, uri := range []string{"", "/thing", "://", "http://%zz/", "secret-token"} {
		if err := c.Invalidate(uri); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Invalidate(%q) = %v", uri, err)
		}
	}
}

// An answer that was asked for first and comes last does not replace a newer one.
func TestLateAnswerDoesNotReplaceANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			body := r.Header.Get("Call")
			if body == "1" {
				<-slow
			}
			return (&origin{handle: answers(body, "Cache-Control: max-age=60")}).RoundTrip(r)
		}))
		_, wait := together(t, c, 1, func(int) *http.Request {
			return request(t.Context(), http.MethodGet, here, "Call: 1", "Cache-Control: no-cache")
		})
		time.Sleep(time.Second)
		get(t, c, here, "Call: 2", "Cache-Control: no-cache")
		close(slow)
		wait()
		if r := get(t, c, here); r.body != "2" {
			t.Errorf("the store has %q", r.body)
		}
	})
}

// mapStore is a Store of a user's own.
type mapStore struct {
	mu sync.Mutex
	m  map[string]*httpcache.Answers
}

func (s *mapStore) Load(key string) *httpcache.Answers {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[key]
}

func (s *mapStore) Update(key string, change func(*httpcache.Answers) *httpcache.Answers) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next := change(s.m[key]); next != nil {
		s.m[key] = next
	} else {
		delete(s.m, key)
	}
}

func (s *mapStore) Usage() (u httpcache.Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.m {
		u.Answers, u.Bytes = u.Answers+1, u.Bytes+a.Bytes()
	}
	return u
}

func TestStoreMayBeOfYourOwn(t *testing.T) {
	store := &mapStore{m: map[string]*httpcache.Answers{}}
	o := &origin{handle: answers("hello", "Cache-Control: max-age=60")}
	c := newCache(t, httpcache.Config{Store: store}, o)
	get(t, c, here)
	if r := get(t, c, here); r.body != "hello" || o.calls.Load() != 1 || len(store.m) != 1 || c.Stats().Bytes < 5 {
		t.Errorf("got %+v with %d calls", r, o.calls.Load())
	}
}
