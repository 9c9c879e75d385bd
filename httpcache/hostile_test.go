package httpcache_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpcache"
)

// A client may send a list as long as a server takes, with as many quotes in it that are not closed. Searching for the
// end of each from its beginning takes minutes for such a list, and longer than a test may take for these.
func TestUnclosedQuotesCostNoMoreThanTheirLength(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: answers("hello", "Cache-Control: max-age=60", `Etag: "1"`, "Vary: Lang")})
	for _, list := range []string{strings.Repeat(`\"`, 1<<20), strings.Repeat(`\",`, 1<<20)} {
		for _, field := range []string{"Cache-Control", "If-None-Match", "Lang"} {
			req := request(t.Context(), http.MethodGet, here)
			req.Header.Set(field, list)
			if r := do(c, req); r.err != nil || r.body != "hello" {
				t.Errorf("%s: got %d, %v", field, r.status, r.err)
			}
		}
	}
}

// Lists are split as a slow reader would who searches for the end of each quote.
func TestListsAreSplitAsTheSlowWayDoes(t *testing.T) {
	end := func(s string) int { // of the quoted string at the beginning, or 0
		for i := 1; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if s[i] == '"' {
				return i + 1
			}
		}
		return 0
	}
	slow := func(list string) (names []string) {
		from := 0
		for i := 0; i <= len(list); {
			switch {
			case i == len(list) || list[i] == ',':
				if name := strings.Trim(list[from:i], " "); name != "" {
					names = append(names, name)
				}
				i++
				from = i
			case list[i] == '"':
				i += max(1, end(list[i:]))
			default:
				i++
			}
		}
		return names
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		text := make([]byte, r.IntN(14))
		for i := range text {
			text[i] = `"\,a `[r.IntN(5)]
		}
		var got []string
		for _, d := range httpcache.Directives([]string{string(text)}) {
			got = append(got, d[0])
		}
		if want := slow(string(text)); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q is split into %q, want %q", text, got, want)
		}
	}
}

// An age that is past all reckoning must not come out as youth.
func TestAnswerOfAncientDateIsNotFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, field := range []string{"Date: Mon, 01 Jan 0001 00:00:00 GMT", "Age: 99999999999999999999"} {
			o := &origin{handle: answers("hello", "Cache-Control: max-age=60", `Etag: "1"`, field)}
			c := newCache(t, httpcache.Config{}, o)
			get(t, c, here)
			time.Sleep(time.Second)
			if r := get(t, c, here); strings.Contains(r.cacheStatus(), "hit") || o.calls.Load() != 2 {
				t.Errorf("%s: got %q after %d requests", field, r.cacheStatus(), o.calls.Load())
			}
			if r := get(t, c, here, "Cache-Control: max-stale"); r.header.Get("Age") != fmt.Sprint(int64(httpcache.MaxSeconds)) {
				t.Errorf("%s: Age is %q", field, r.header.Get("Age"))
			}
		}
	})
}

// A path without a slash at its front would otherwise be read as the end of the host.
func TestPathCannotPassForAnotherHost(t *testing.T) {
	o := &origin{handle: answers("hello", "Cache-Control: max-age=60")}
	c := newCache(t, httpcache.Config{}, o)
	get(t, c, "http://origin.example.evil/x")
	req := request(t.Context(), http.MethodGet, "http://origin.example/")
	req.URL = &url.URL{Scheme: "http", Host: "origin.example", Path: ".evil/x"}
	for range 2 {
		if r := do(c, req); r.cacheStatus() != "" {
			t.Errorf("the answer of another host was given: %s", r.cacheStatus())
		}
	}
	if s := c.Stats(); s.Passed != 2 || s.Stored != 1 {
		t.Errorf("the counts are %+v", s)
	}
}

// What shows who asks is kept apart by its place, too.
func TestPartsOfAUserCannotPassForEachOther(t *testing.T) {
	n := 0
	c := newCache(t, httpcache.Config{}, &origin{handle: func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, n)
	}})
	for i, h := range []http.Header{
		{"Authorization": {"a"}},
		{"Cookie": {"a"}},
		{"Cookie": {"a", ""}},
		{"Cookie": {"", "a"}},
		{"Cookie": {"a\x00"}},
		{"Cookie": {"a\x00\x00"}},
		{"Authorization": {"a\x00"}},
		{"Authorization": {"a\x00\x00a"}},
		{"Authorization": {"a"}, "Cookie": {"a"}},
		{"Authorization": {"a", "a"}},
	} {
		req := request(t.Context(), http.MethodGet, here)
		req.Header = h
		if r := do(c, req); r.body != fmt.Sprint(i+1) {
			t.Errorf("%q got the answer %s, want %d", h, r.body, i+1)
		}
	}
}

// A transport that does not use net/http may spell fields as it likes.
func TestAnswersFieldsCountInAnySpelling(t *testing.T) {
	for _, h := range []http.Header{
		{"cache-control": {"no-store"}},
		{"cache-control": {"max-age=60"}, "set-cookie": {"id=1"}},
		{"Cache-Control": {"max-age=60"}, "vary": {"*"}},
	} {
		calls := 0
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			calls++
			return &http.Response{StatusCode: 200, Header: h.Clone(), Body: http.NoBody, Request: r}, nil
		}))
		get(t, c, here)
		if r := get(t, c, here); calls != 2 {
			t.Errorf("%v was stored: %+v", h, r)
		}
	}
}

func TestRequestWithoutFieldsIsAnswered(t *testing.T) {
	o := &origin{handle: answers("hello", "Cache-Control: max-age=0", `Etag: "1"`)}
	c := newCache(t, httpcache.Config{}, o)
	for range 2 {
		req := request(t.Context(), http.MethodGet, here)
		req.Header = nil
		if r := do(c, req); r.body != "hello" || req.Header != nil {
			t.Errorf("got %+v", r)
		}
	}
}

// A request whose caller has left already is not sent.
func TestRequestOfACallerWhoHasLeftIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{handle: answers("hello", "Cache-Control: max-age=60")}
		c := newCache(t, httpcache.Config{}, o)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errDown)
		if r := do(c, request(ctx, http.MethodGet, here)); !errors.Is(r.err, errDown) {
			t.Errorf("got %+v", r)
		}
		synctest.Wait()
		if n, s := o.calls.Load(), c.Stats(); n != 0 || s.Errors != 1 {
			t.Errorf("%d requests, counts %+v", n, s)
		}
	})
}

// A refresh that brings neither an answer nor an error of the origin leaves the stale one as it is: then each hit would
// begin another one, and 429 asks for the contrary.
func TestRefreshThatBringsNothingIsNotRepeatedAtOnce(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotImplemented} {
		synctest.Test(t, func(t *testing.T) {
			o := &origin{handle: answers("old", swr)}
			c := newCache(t, httpcache.Config{}, o)
			get(t, c, here)
			o.handle = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "no-store")
				w.WriteHeader(status)
			}
			time.Sleep(12 * time.Second)
			for range 10 {
				if r := get(t, c, here); r.body != "old" {
					t.Fatalf("%d: got %+v", status, r)
				}
				synctest.Wait()
			}
			if n, s := o.calls.Load(), c.Stats(); n != 2 || s.Refreshes != 1 || s.RefreshesFailed != 1 {
				t.Errorf("%d: %d requests, counts %+v", status, n, s)
			}
			time.Sleep(6 * time.Second)
			get(t, c, here)
			synctest.Wait()
			if n := o.calls.Load(); n != 3 {
				t.Errorf("%d: %d requests after RetryEvery", status, n)
			}
		})
	}
}

// Trailers that were not announced come with the end of a body that somebody else reads. Whoever has the response may
// copy it meanwhile, as middleware does, and finds the trailers at the end.
func TestTrailersThatWereNotAnnouncedDoNotRace(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		_ = http.NewResponseController(w).Flush()
		io.WriteString(w, "hello")
		w.Header().Set(http.TrailerPrefix+"Sum", "5")
	}))
	defer s.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	c := newCache(t, httpcache.Config{}, base)
	for range 20 {
		resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, s.URL))
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			copied := *resp
			if copied.Trailer.Get("Sum") != "" {
				t.Fatal("the trailers are there before the end")
			}
		}
		body, err := io.ReadAll(resp.Body)
		if string(body) != "hello" || err != nil || resp.Trailer.Get("Sum") != "5" {
			t.Fatalf("got %q, %v, trailers %v", body, err, resp.Trailer)
		}
		resp.Body.Close()
	}
	if n := c.Stats(); n.Stored != 0 || n.Fresh != 0 {
		t.Errorf("the counts are %+v", n)
	}
}

// A reason goes into Cache-Status as it is only if it can.
func TestReasonOfARejectionCannotBreakCacheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails error
		o := &origin{handle: answers("old", "Cache-Control: max-age=1, stale-if-error=60")}
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			if fails != nil {
				return nil, fails
			}
			return o.RoundTrip(r)
		}))
		get(t, c, here)
		time.Sleep(2 * time.Second)
		fails = seawall.Reject("mine", "gate", "a\r\nSet-Cookie: id=1", errDown, 0)
		if r := get(t, c, here); r.cacheStatus() != "test; hit; ttl=-1; detail=rejected" {
			t.Errorf("Cache-Status is %q", r.cacheStatus())
		}
	})
}

// The bytes of long targets, and of a long text of a status, count.
func TestLongTargetsCountForMemory(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: sized})
	long := "http://origin.example/" + strings.Repeat("a", 100_000) + "?10"
	for i := range 10 {
		get(t, c, long, fmt.Sprintf("Foo: %d", i))
	}
	if s := c.Stats(); s.Bytes < 1_000_000 {
		t.Errorf("10 variants of a target of 100,000 bytes count as %d", s.Bytes)
	}
}

// Conditions on the origin's state, and of other parts, are the origin's to decide.
func TestConditionsOnTheOriginsStatePassBy(t *testing.T) {
	o := &origin{handle: answers("hello", "Cache-Control: max-age=60", `Etag: "1"`, "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT")}
	c := newCache(t, httpcache.Config{}, o)
	get(t, c, here)
	for i, field := range []string{`If-Match: "2"`, "If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT", `If-Range: "2"`, "Range: bytes=0-1"} {
		if r := get(t, c, here, field); r.cacheStatus() != "test; fwd=bypass" || o.calls.Load() != int64(i)+2 {
			t.Errorf("%s: %q, %d requests", field, r.cacheStatus(), o.calls.Load())
		}
	}
}

// closing is a body that says when it is closed.
type closing struct {
	io.Reader

	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestBodyOfARequestThatIsNotSentIsClosed(t *testing.T) {
	o := &origin{handle: answers("hello")}
	c := newCache(t, httpcache.Config{}, o)
	req := request(t.Context(), http.MethodGet, here, "Cache-Control: only-if-cached")
	body := &closing{Reader: strings.NewReader("x")}
	req.Body = body
	if r := do(c, req); r.status != http.StatusGatewayTimeout || !body.closed || o.calls.Load() != 0 {
		t.Errorf("got %+v, closed %v", r, body.closed)
	}
}

// A caller's own validators are the caller's: nobody else gets a 304 for them, nor waits for one.
func TestRequestsWithValidatorsAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newHeld(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Etag", `"1"`)
			if r.Header.Get("If-None-Match") == `"1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			io.WriteString(w, "hello")
		})
		c := newCache(t, httpcache.Config{}, o)
		results, wait := together(t, c, 6, func(i int) *http.Request {
			if i%2 == 0 {
				return request(t.Context(), http.MethodGet, here, `If-None-Match: "1"`)
			}
			return request(t.Context(), http.MethodGet, here)
		})
		if n := o.calls.Load(); n != 4 {
			t.Errorf("%d requests, want one for each with a validator and one for the others", n)
		}
		close(o.let)
		wait()
		for i, r := range results {
			if want := [...]int{304, 200}[i%2]; r.status != want {
				t.Errorf("caller %d got %d, want %d", i, r.status, want)
			}
		}
	})
}

// An answer that takes the place of nothing is not read on, but what little there is of one that a stale answer stands in
// for is, so that its connection can be used again.
func TestConnectionOfAnErrorThatIsReplacedIsUsedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan int, 100)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" && r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, strings.Repeat("x", 10_000))
			return
		}
		w.Header().Set("Cache-Control", "max-age=0, stale-if-error=60")
		w.Header().Set("Etag", `"1"`)
		io.WriteString(w, "old")
	}))
	s.Listener.Close()
	s.Listener = l
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns <- 1
		}
	}
	s.Start()
	defer s.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	c := newCache(t, httpcache.Config{}, base)
	for range 10 {
		if r := get(t, c, s.URL); r.body != "old" || r.err != nil {
			t.Fatalf("got %+v", r)
		}
	}
	if n := len(conns); n != 1 {
		t.Errorf("%d connections for requests behind each other", n)
	}
}

// Whatever an origin writes, the cache answers as the transport would have, and stores nothing that it cannot give again.
func FuzzAnswers(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello")
	f.Add("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 1\r\n\r\n")
	f.Add("HTTP/1.1 304 Not Modified\r\nEtag: \"1\"\r\nVary: *, a\r\nDate: Mon, 01 Jan 0001 00:00:00 GMT\r\n\r\n")
	f.Add("HTTP/1.0 200\r\nConnection: Etag, Cache-Control\r\nAge: 9, 9\r\nCDN-Cache-Control: max-age=\"1\", a=(1 2)\r\nExpires: 0\r\n\r\nx")
	f.Fuzz(func(t *testing.T, wire string) {
		read := func(r *http.Request) (*http.Response, error) {
			return http.ReadResponse(bufio.NewReader(strings.NewReader(wire)), r)
		}
		direct := do(roundTripper(read), request(t.Context(), http.MethodGet, here))
		for _, shared := range []bool{false, true} {
			c := newCache(t, httpcache.Config{Shared: shared}, roundTripper(read))
			for range 3 {
				r := do(c, request(t.Context(), http.MethodGet, here))
				if (r.err == nil) != (direct.err == nil) || r.status != direct.status || r.body != direct.body {
					t.Fatalf("got %d %q %v, want %d %q %v", r.status, r.body, r.err, direct.status, direct.body, direct.err)
				}
				if line := r.cacheStatus(); bytes.ContainsAny([]byte(line), "\r\n") {
					t.Fatalf("Cache-Status is %q", line)
				}
			}
			if n := c.Stats(); n.Incoming != 0 || n.Waiting != 0 {
				t.Fatalf("the counts are %+v", n)
			}
		}
	})
}
