package httpcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpcache"
)

// feed is a response body that comes in pieces, as the test gives them.
type feed struct {
	*io.PipeReader
	closes atomic.Int64
}

func (f *feed) Close() error {
	f.closes.Add(1)
	return f.PipeReader.Close()
}

// tap is the other end.
type tap struct{ *io.PipeWriter }

func (t tap) put(s string) { _, _ = io.WriteString(t, s) }

// feeding makes an origin whose one answer's body the test writes. A length of -1 is not told.
func feeding(length int64, fields ...string) (rt roundTripper, body *feed, in tap, calls *atomic.Int64) {
	r, w := io.Pipe()
	in = tap{w}
	body, calls = &feed{PipeReader: r}, &atomic.Int64{}
	return func(req *http.Request) (*http.Response, error) {
		if calls.Add(1) > 1 {
			return (&origin{handle: answers("alone")}).RoundTrip(req)
		}
		context.AfterFunc(req.Context(), func() { in.CloseWithError(context.Cause(req.Context())) })
		h := http.Header{}
		setFields(h, append([]string{"Date: " + httpDate(time.Now())}, fields...))
		return &http.Response{StatusCode: 200, Status: "200 OK", Header: h, Body: body, ContentLength: length, Request: req}, nil
	}, body, in, calls
}

func readN(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCallerReadsWhileTheBodyComesIn(t *testing.T) {
	for _, length := range []int64{10, -1} {
		synctest.Test(t, func(t *testing.T) {
			rt, body, in, calls := feeding(length, "Cache-Control: max-age=60")
			c := newCache(t, httpcache.Config{}, rt)
			resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
			if err != nil {
				t.Fatal(err)
			}
			in.put("hello")
			if got := readN(t, resp.Body, 5); got != "hello" {
				t.Errorf("read %q", got)
			}
			if s := c.Stats(); s.Stored != 0 || s.Incoming == 0 {
				t.Errorf("half of the body is stored: %+v", s)
			}
			in.put("world")
			in.Close()
			rest, err := io.ReadAll(resp.Body)
			if string(rest) != "world" || err != nil {
				t.Errorf("read %q, %v", rest, err)
			}
			resp.Body.Close()
			if r := get(t, c, here); r.body != "helloworld" || calls.Load() != 1 {
				t.Errorf("the store has %+v", r)
			}
			synctest.Wait()
			if s := c.Stats(); s.Incoming != 0 || body.closes.Load() != 1 {
				t.Errorf("%d bytes are still counted, the body was closed %d times", s.Incoming, body.closes.Load())
			}
		})
	}
}

func TestFollowersReadWhatHasComeInAndWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, _, in, calls := feeding(10, "Cache-Control: max-age=60")
		c := newCache(t, httpcache.Config{}, rt)
		first, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		in.put("hello")
		second, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		if second.ContentLength != 10 || readN(t, second.Body, 5) != "hello" {
			t.Errorf("the second gets %+v", second)
		}
		first.Body.Close() // the second still wants it
		time.Sleep(time.Minute)
		in.put("world")
		in.Close()
		if rest, err := io.ReadAll(second.Body); string(rest) != "world" || err != nil {
			t.Errorf("the second reads %q, %v", rest, err)
		}
		if _, err := first.Body.Read(make([]byte, 1)); err == nil {
			t.Error("a closed body reads on")
		}
		if calls.Load() != 1 {
			t.Errorf("%d requests", calls.Load())
		}
	})
}

// A slow reader must not slow down the others.
func TestFollowersDoNotWaitForASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, _, in, _ := feeding(1<<20, "Cache-Control: max-age=60")
		c := newCache(t, httpcache.Config{}, rt)
		slow, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			in.put(strings.Repeat("x", 1<<20))
			in.Close()
		}()
		if r := get(t, c, here); len(r.body) != 1<<20 || r.err != nil {
			t.Errorf("got %d bytes, %v", len(r.body), r.err)
		}
		if b, err := io.ReadAll(slow.Body); len(b) != 1<<20 || err != nil {
			t.Errorf("the slow one got %d bytes, %v", len(b), err)
		}
	})
}

// A body of unknown length may outgrow what is stored: nobody gets a half of it.
func TestBodyThatOutgrowsTheBoundIsTheFirstCallersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, body, in, calls := feeding(-1, "Cache-Control: max-age=60")
		c := newCache(t, httpcache.Config{MaxObject: 10_000}, rt)
		first, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		others, wait := together(t, c, 3, plain(t))
		go func() {
			for range 100 {
				in.put(strings.Repeat("x", 1000))
			}
			in.Close()
		}()
		wait()
		for _, r := range others {
			if r.body != "alone" {
				t.Errorf("another got %d bytes, %v", len(r.body), r.err)
			}
		}
		if b, err := io.ReadAll(first.Body); len(b) != 100_000 || strings.Trim(string(b), "x") != "" || err != nil {
			t.Errorf("the first got %d bytes, %v", len(b), err)
		}
		first.Body.Close()
		synctest.Wait()
		if s := c.Stats(); s.TooLarge != 1 || s.Answers != 0 || s.Incoming != 0 || calls.Load() != 4 || body.closes.Load() != 1 {
			t.Errorf("the counts are %+v; %d requests, %d closes", s, calls.Load(), body.closes.Load())
		}
	})
}

func TestBodyThatIsTooLargeByItsLengthIsNotCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, body, in, _ := feeding(20_000, "Cache-Control: max-age=60")
		c := newCache(t, httpcache.Config{MaxObject: 10_000}, rt)
		resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			in.put(strings.Repeat("x", 20_000))
			in.Close()
		}()
		if b, err := io.ReadAll(resp.Body); len(b) != 20_000 || err != nil {
			t.Errorf("got %d bytes, %v", len(b), err)
		}
		resp.Body.Close()
		if s := c.Stats(); s.Answers != 0 || s.Incoming != 0 || body.closes.Load() != 1 {
			t.Errorf("the counts are %+v; %d closes", s, body.closes.Load())
		}
	})
}

func TestCutBodyIsNotStored(t *testing.T) {
	for name, length := range map[string]int64{"known length": 10, "unknown length": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt, body, in, _ := feeding(length, "Cache-Control: max-age=60")
				c := newCache(t, httpcache.Config{}, rt)
				resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
				if err != nil {
					t.Fatal(err)
				}
				in.put("hello")
				in.CloseWithError(io.ErrUnexpectedEOF)
				if b, err := io.ReadAll(resp.Body); string(b) != "hello" || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("read %q, %v", b, err)
				}
				synctest.Wait()
				if s := c.Stats(); s.Answers != 0 || s.Incoming != 0 || body.closes.Load() != 1 {
					t.Errorf("the counts are %+v", s)
				}
			})
		})
	}
}

// A base may end a body early without an error, as a faulty proxy does.
func TestShortBodyIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, _, in, _ := feeding(10, "Cache-Control: max-age=60")
		c := newCache(t, httpcache.Config{}, rt)
		resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		in.put("hello")
		in.Close()
		_, _ = io.ReadAll(resp.Body)
		if s := c.Stats(); s.Answers != 0 {
			t.Errorf("the counts are %+v", s)
		}
	})
}

func TestTrailersAreNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt, _, in, _ := feeding(-1, "Cache-Control: max-age=60")
		var resp *http.Response
		c := newCache(t, httpcache.Config{}, roundTripper(func(r *http.Request) (*http.Response, error) {
			var err error
			resp, err = rt(r)
			return resp, err
		}))
		got, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		in.put("hello")
		resp.Trailer = http.Header{"X-Sum": {"1"}} // as HTTP/2 does for those that were not announced
		in.Close()
		if b, _ := io.ReadAll(got.Body); string(b) != "hello" || got.Trailer.Get("X-Sum") != "1" {
			t.Errorf("read %q with %v", b, got.Trailer)
		}
		if s := c.Stats(); s.Answers != 0 {
			t.Errorf("the counts are %+v", s)
		}
	})
}

// Many a caller has what it wants before it has read the end.
func TestBodyThatNobodyReadsToItsEndIsStoredIfThatIsNear(t *testing.T) {
	for wait, stored := range map[time.Duration]int64{10 * time.Millisecond: 1, time.Second: 0} {
		synctest.Test(t, func(t *testing.T) {
			rt, body, in, _ := feeding(10, "Cache-Control: max-age=60")
			c := newCache(t, httpcache.Config{}, rt)
			resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
			if err != nil {
				t.Fatal(err)
			}
			in.put("hello")
			resp.Body.Close()
			time.Sleep(wait)
			in.put("world")
			in.Close()
			synctest.Wait()
			if s := c.Stats(); s.Answers != stored || s.Incoming != 0 || body.closes.Load() != 1 {
				t.Errorf("after %v: %+v, %d closes", wait, s, body.closes.Load())
			}
		})
	}
}

func TestCallersContextEndsItsReading(t *testing.T) {
	for name, fields := range map[string]string{"stored": "Cache-Control: max-age=60", "passed on": "Cache-Control: no-store"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt, body, in, _ := feeding(10, fields)
				c := newCache(t, httpcache.Config{}, rt)
				ctx, cancel := context.WithCancelCause(t.Context())
				resp, err := c.RoundTrip(request(ctx, http.MethodGet, here))
				if err != nil {
					t.Fatal(err)
				}
				go in.put("hello")
				gone := errors.New("gone")
				go func() {
					time.Sleep(time.Second)
					cancel(gone)
				}()
				start := time.Now()
				if b, err := io.ReadAll(resp.Body); string(b) != "hello" || !errors.Is(err, gone) || time.Since(start) != time.Second {
					t.Errorf("read %q, %v after %v", b, err, time.Since(start))
				}
				resp.Body.Close()
				time.Sleep(time.Second)
				if body.closes.Load() != 1 {
					t.Errorf("%d closes", body.closes.Load())
				}
			})
		})
	}
}

func TestPanicOfABodyIsTheCallersWhoBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, httpcache.Config{}, roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Cache-Control": {"max-age=60"}}, ContentLength: -1,
				Body: io.NopCloser(readerFunc(func([]byte) (int, error) { panic("boom") })),
			}, nil
		}))
		resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = io.ReadAll(resp.Body)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// T25: what one caller does to its answer is not seen by another.
func TestCachedAnswersAliasNothing(t *testing.T) {
	text := strings.Repeat("payload ", 1000)
	c := newCache(t, httpcache.Config{}, &origin{handle: answers(text, "Cache-Control: max-age=60", "X-A: 1", "X-A: 2")})
	first, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, first.Body)
	first.Header["X-A"][0] = "spoilt"
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			resp, err := c.RoundTrip(request(t.Context(), http.MethodGet, here))
			if err != nil {
				t.Error(err)
				return
			}
			if _, ok := resp.Body.(io.WriterTo); ok {
				t.Error("the body shows its bytes to a writer")
			}
			if got := fmt.Sprint(resp.Header["X-A"]); got != "[1 2]" {
				t.Errorf("X-A is %s", got)
			}
			resp.Header["X-A"][0] = "spoilt"
			resp.Header.Set("X-B", "spoilt")
			b, err := io.ReadAll(resp.Body)
			if string(b) != text || err != nil {
				t.Errorf("read %d bytes, %v", len(b), err)
			}
			for i := range b {
				b[i] = 'x'
			}
			resp.Body.Close()
			if _, err := resp.Body.Read(b); err == nil {
				t.Error("a closed body reads on")
			}
		})
	}
	all.Wait()
	if r := get(t, c, here); r.body != text || r.header.Get("X-B") != "" {
		t.Errorf("the store has changed: %v", r.header)
	}
}

// The caller may use its request again as soon as it has the whole answer.
func TestRequestIsLeftAsItIs(t *testing.T) {
	c := newCache(t, httpcache.Config{}, &origin{handle: answers("x", "Cache-Control: no-cache", `ETag: "a"`)})
	req := request(t.Context(), http.MethodGet, here)
	for range 3 {
		do(c, req)
		if len(req.Header) != 0 {
			t.Fatalf("the request has %v", req.Header)
		}
	}
}
