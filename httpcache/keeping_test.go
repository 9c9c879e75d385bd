package httpcache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpcache"
)

// whole is a response of a transport, with nothing added to it.
func whole(r *http.Request, status int, body string, fields ...string) *http.Response {
	h := http.Header{}
	setFields(h, fields)
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

// A 304 without Date is as old as it is, and not as old as the answer that it confirms.
func TestConfirmationWithoutADateIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			if calls++; calls > 1 {
				return whole(r, http.StatusNotModified, "", "Cache-Control: max-age=60", `Etag: "1"`), nil
			}
			return whole(r, http.StatusOK, "hello", "Cache-Control: max-age=60", `Etag: "1"`, "Date: "+httpDate(time.Now().Add(-time.Hour))), nil
		}))
		get(t, c, here)
		get(t, c, here)
		if r := get(t, c, here); calls != 2 || r.header.Get("Age") != "0" || r.body != "hello" {
			t.Errorf("%d requests, got %+v", calls, r)
		}
	})
}

// A confirmation that forbids to store, or sets a cookie, is for the caller who got it.
func TestConfirmationThatMustNotBeStoredIsNotShared(t *testing.T) {
	for _, field := range []string{"Cache-Control: no-store", "Set-Cookie: id=1"} {
		synctest.Test(t, func(t *testing.T) {
			o := newHeld(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Etag", `"1"`)
				if r.Header.Get("If-None-Match") == "" {
					w.Header().Set("Cache-Control", "max-age=1, must-revalidate")
					return
				}
				setFields(w.Header(), []string{field})
				w.WriteHeader(http.StatusNotModified)
			})
			c := aged(t, httpcache.Config{}, o, 2*time.Second)
			results, wait := together(t, c, 4, func(int) *http.Request {
				return request(t.Context(), http.MethodGet, here, "Cache-Control: max-stale") // which would take any
			})
			close(o.let)
			wait()
			for _, r := range results {
				if strings.Contains(r.cacheStatus(), "collapsed") || strings.Contains(r.cacheStatus(), "hit") {
					t.Errorf("%s: one got %+v", field, r)
				}
			}
			synctest.Wait()
			if n := o.calls.Load(); n != 4 {
				t.Errorf("%s: %d requests, want 4", field, n)
			}
		})
	}
}

// In a shared cache a partition is not one user: what sets a cookie is nobody else's there, either.
func TestPartitionOfASharedCacheIsNotOneUser(t *testing.T) {
	o := &origin{handle: answers("hello", "Cache-Control: max-age=60", "Set-Cookie: id=1")}
	c := newCache(t, httpcache.Config{Shared: true, Partition: func(*http.Request) string { return "tenant" }}, o)
	get(t, c, here)
	if r := get(t, c, here); o.calls.Load() != 2 {
		t.Errorf("another got %+v", r)
	}
}

// Those who wait for a request whose transport panics ask themselves, also with a stale answer at hand: it is no
// failure of the origin.
func TestPanicOfTheBaseIsNoFailureOfTheOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var calls atomic.Int64
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			if calls.Add(1) == 2 {
				<-let
				panic("boom")
			}
			return whole(r, 200, fmt.Sprint(calls.Load()), "Cache-Control: max-age=1, stale-if-error=60"), nil
		}))
		get(t, c, here)
		time.Sleep(2 * time.Second)
		go func() {
			defer func() { _ = recover() }()
			do(c, request(t.Context(), http.MethodGet, here))
		}()
		synctest.Wait()
		results, wait := together(t, c, 1, plain(t))
		close(let)
		wait()
		if r := results[0]; r.body != "3" {
			t.Errorf("who waited got %+v", r)
		}
	})
}

func TestAnswerToHEADFromTheStoreHasNoBody(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: answers("hello", "Cache-Control: max-age=60")})
	get(t, c, here)
	r := do(c, request(t.Context(), http.MethodHead, here))
	if r.body != "" || r.header.Get("Content-Length") != "5" || r.cacheStatus() != "test; hit; ttl=59" && r.cacheStatus() != "test; hit; ttl=60" {
		t.Errorf("got %+v", r)
	}
}

// A caller may use its request again as soon as it has its answer, or has left.
func TestRequestThatIsUsedAgainDoesNotChangeWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(answers("one", "Cache-Control: max-age=60", "Vary: Foo"))
		c := newCache(t, httpcache.Config{}, o)
		ctx, leave := context.WithCancel(t.Context())
		req := request(ctx, http.MethodGet, here, "Foo: 1")
		left := make(chan struct{})
		go func() { do(c, req); close(left) }()
		synctest.Wait()
		results, wait := together(t, c, 1, func(int) *http.Request { return request(t.Context(), http.MethodGet, here, "Foo: 1") })
		leave()
		<-left
		req.Header.Set("Foo", "2")
		close(o.let)
		wait()
		if r := results[0]; r.body != "one" {
			t.Errorf("who waited got %+v", r)
		}
		if r := get(t, c, here, "Foo: 2"); r.cacheStatus() != "test; fwd=vary-miss; stored" {
			t.Errorf("with another value got %s", r.cacheStatus())
		}
	})
}

// The end of a request from before an invalidation does not hide the one after it.
func TestRequestFromBeforeAnInvalidationEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(answers("hello", "Cache-Control: max-age=60"))
		c := newCache(t, httpcache.Config{}, o)
		_, early := together(t, c, 1, plain(t))
		if err := c.Invalidate(here); err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		_, gone := together(t, c, 1, func(int) *http.Request { return request(ctx, http.MethodGet, here) })
		_, late := together(t, c, 1, plain(t))
		if n := o.calls.Load(); n != 2 {
			t.Fatalf("%d requests", n)
		}
		o.let <- struct{}{} // to either of them
		synctest.Wait()
		_, more := together(t, c, 1, plain(t))
		if n := o.calls.Load(); n > 2 {
			t.Errorf("%d requests beside each other", n)
		}
		close(o.let)
		leave()
		early()
		gone()
		late()
		more()
	})
}

// Somebody comes while what nobody reads is given a moment to its end.
func TestWhoComesWithinTheGraceGetsTheWholeBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, _, in, calls := feeding(10, "Cache-Control: max-age=60")
		c := newCache(t, httpcache.Config{}, rt)
		resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		in.put("01234")
		resp.Body.Close()
		time.Sleep(10 * time.Millisecond)
		results, wait := together(t, c, 1, plain(t))
		time.Sleep(time.Second)
		in.put("56789")
		in.Close()
		wait()
		if r := results[0]; r.body != "0123456789" || r.err != nil || calls.Load() != 1 {
			t.Errorf("got %+v after %d requests", r, calls.Load())
		}
	})
}

// What Host names decides, and not the server that is dialed for it.
func TestInvalidationGoesByHost(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: answers("hello", "Cache-Control: max-age=60", "Location: /thing")})
	send := func(method, path string) result {
		req := request(t.Context(), method, "http://10.0.0.1"+path)
		req.Host = "shop.example"
		return do(c, req)
	}
	send(http.MethodGet, "/thing")
	send(http.MethodPost, "/other")
	if r := send(http.MethodGet, "/thing"); strings.Contains(r.cacheStatus(), "hit") {
		t.Errorf("got %s", r.cacheStatus())
	}
}

func TestTargetsAreToldApartAndFoundAgain(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: answers("hello", "Cache-Control: max-age=60")})
	hit := func(url, host string) bool {
		req := request(t.Context(), http.MethodGet, url)
		req.Host = host
		return strings.Contains(do(c, req).cacheStatus(), "hit")
	}
	for _, v := range []struct {
		url, host string
		want      bool
	}{
		{"http://10.0.0.1/a", "shop.example", false},
		{"http://10.0.0.2/a", "shop.example", false}, // another server of that name
		{"http://10.0.0.1/a", "shop.example", true},
		{"http://10.0.0.1/a?", "shop.example", false},
		{"http://10.0.0.1/a?", "shop.example", true},
		{"https://shop.example/a", "", false},
		{"https://shop.example:443/a", "", true},
		{"https://SHOP.example/a", "", true},
		{"https://shop.example:80/a", "", false},
		{"http://shop.example/a", "", false},
		{"http://shop.example:80/a", "", true},
		{"http://shop.example:443/a", "", false},
	} {
		if got := hit(v.url, v.host); got != v.want {
			t.Errorf("%s of %q: from the store %v, want %v", v.url, v.host, got, v.want)
		}
	}
}

// A body may grow in steps of twice its size: what is kept has the size that is counted.
func TestBodyOfUnknownLengthTakesWhatIsCounted(t *testing.T) {
	const n, size = 2000, 4700
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		resp := whole(r, 200, strings.Repeat("x", size), "Cache-Control: max-age=3600")
		resp.ContentLength = -1
		return resp, nil
	})
	c := newCache(t, httpcache.Config{}, base)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range n {
		get(t, c, fmt.Sprintf("http://origin.example/%d", i))
	}
	counted, grown := c.Stats().Bytes, heap()-before
	if counted < n*size || grown > counted*5/4 {
		t.Errorf("%d bytes are counted, and the heap has grown by %d", counted, grown)
	}
	runtime.KeepAlive(c)
}

// All variants of a URI together are bounded in bytes, too.
func TestVariantsOfOneURIAreBoundedInBytes(t *testing.T) {
	c := newCache(t, httpcache.Config{MaxBytes: 1 << 20}, &origin{handle: sized})
	for i := range 20 {
		get(t, c, "http://origin.example/?60000", fmt.Sprintf("Foo: %d", i))
	}
	if s := c.Stats(); s.Bytes > 4<<16 || s.Bytes < 3*60_000 {
		t.Errorf("the store holds %+v", s.Usage)
	}
}

// once is a body that tells its error with its last bytes, and an end after that.
type once struct {
	text string
	err  error
}

func (o *once) Read(p []byte) (int, error) {
	n, err := copy(p, o.text), o.err
	o.text, o.err = "", io.EOF
	return n, err
}

// What comes with the bytes that are too many is not lost.
func TestErrorOfABodyThatOutgrowsTheBoundArrives(t *testing.T) {
	broken := errors.New("the body broke")
	c := newCache(t, httpcache.Config{MaxObject: 100}, roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=60"}}, ContentLength: -1,
			Body: io.NopCloser(&once{strings.Repeat("x", 200), broken}), Request: r,
		}, nil
	}))
	if r := get(t, c, here); len(r.body) != 200 || !errors.Is(r.err, broken) {
		t.Errorf("got %d bytes, %v", len(r.body), r.err)
	}
}

// An answer that announces trailers is not promised to be stored.
func TestAnswerWithTrailersIsNotCalledStored(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Trailer", "Sum")
		io.WriteString(w, "hello")
		w.Header().Set("Sum", "5")
	}))
	defer s.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	c := newCache(t, httpcache.Config{}, base)
	resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, s.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if string(body) != "hello" || err != nil || resp.Trailer.Get("Sum") != "5" || resp.Header.Get("Cache-Status") != "test; fwd=uri-miss" {
		t.Errorf("got %q, %v, %v, %v", body, err, resp.Trailer, resp.Header)
	}
}

// The age of an answer includes the time for which its request was on its way.
func TestTimeOnTheWayIsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			time.Sleep(7 * time.Second)
			return whole(r, 200, "hello", "Cache-Control: max-age=60", "Age: 10"), nil
		}))
		get(t, c, here)
		if r := get(t, c, here); r.header.Get("Age") != "17" || r.cacheStatus() != "test; hit; ttl=43" {
			t.Errorf("got %+v", r)
		}
		time.Sleep(43*time.Second + 500*time.Millisecond)
		if r := get(t, c, here, "Cache-Control: max-stale=1"); r.cacheStatus() != "test; hit; ttl=-1" {
			t.Errorf("half a second behind its time got %q", r.cacheStatus())
		}
	})
}

// Two digits of a year stand for the past if they would be far ahead.
func TestYearOfTwoDigitsIsNotFarAhead(t *testing.T) {
	for _, v := range []struct {
		now  int
		text string
		want int
	}{
		{2026, "Sunday, 06-Nov-94 08:49:37 GMT", 1994},
		{2026, "Friday, 06-Nov-26 08:49:37 GMT", 2026},
		{2026, "Sunday, 06-Nov-67 08:49:37 GMT", 2067},
		{2010, "Sunday, 06-Nov-67 08:49:37 GMT", 1967},
		{2010, "Sunday, 06-Nov-50 08:49:37 GMT", 2050},
	} {
		got, ok := httpcache.ParseDate(v.text, time.Date(v.now, 5, 1, 0, 0, 0, 0, time.UTC))
		if !ok || got.Year() != v.want {
			t.Errorf("in %d %s is %v, %v, want %d", v.now, v.text, got, ok, v.want)
		}
	}
}

// A log line for each failure would be one for each request, while the origin is down.
func TestFailuresAreLoggedOnceInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		registry := &seawall.Registry{}
		registry.SetLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: noTime})))
		o := &origin{handle: answers("old", "Cache-Control: max-age=1, stale-if-error=60")}
		c := newCache(t, httpcache.Config{Registry: registry}, o)
		get(t, c, here)
		o.handle = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		time.Sleep(2 * time.Second)
		for range 5 {
			get(t, c, here)
		}
		time.Sleep(time.Second)
		get(t, c, here)
		const line = "level=WARN msg=seawall.cache.load_failed name=test error_type=status suppressed=%d status=502\n"
		if got, want := log.String(), fmt.Sprintf(line+line, 0, 4); got != want {
			t.Errorf("the log is\n%s, want\n%s", got, want)
		}
	})
}
