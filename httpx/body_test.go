package httpx_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
)

// bodies gives requests with the three kinds of body: one that GetBody can make again, one that can only be streamed,
// and an in-memory one of net/http. opened counts what GetBody has made; nil for the others.
var bodies = map[string]func(*http.Request) (original *countedBody, made func() []*countedBody){
	"with GetBody": func(req *http.Request) (*countedBody, func() []*countedBody) {
		original := newCountedBody("hello")
		var made []*countedBody
		req.Body = original
		req.GetBody = func() (io.ReadCloser, error) {
			made = append(made, newCountedBody("hello"))
			return made[len(made)-1], nil
		}
		return original, func() []*countedBody { return made }
	},
	"streamed": func(req *http.Request) (*countedBody, func() []*countedBody) {
		original := newCountedBody("hello")
		req.Body, req.GetBody = original, nil
		return original, func() []*countedBody { return nil }
	},
}

// T21: the original is closed exactly once, whatever becomes of the request.
func TestTheRequestBodyIsClosedExactlyOnceOnEveryPath(t *testing.T) {
	readAll := func(r *http.Request) error {
		got, err := io.ReadAll(r.Body)
		if err == nil && string(got) != "hello" {
			return errors.New("the body is " + string(got))
		}
		return err
	}
	boom := errors.New("boom")
	for _, path := range []struct {
		name string
		base roundTripper
		cfg  func(*httpx.ClientConfig)
		ctx  func(context.Context) context.Context
		// how often the base is asked, for each kind of body
		replayed, streamed int
	}{
		{name: "success", replayed: 1, streamed: 1, base: func(r *http.Request) (*http.Response, error) {
			return response(200, "x"), readAll(r)
		}},
		{name: "success, unread", replayed: 1, streamed: 1, base: func(*http.Request) (*http.Response, error) {
			return response(200, "x"), nil
		}},
		{name: "503 each time", replayed: 3, streamed: 1, base: func(r *http.Request) (*http.Response, error) {
			return response(503, "x"), readAll(r)
		}},
		{name: "error before it was read", replayed: 3, streamed: 3, base: func(*http.Request) (*http.Response, error) {
			return nil, boom
		}},
		{name: "error after it was read", replayed: 3, streamed: 1, base: func(r *http.Request) (*http.Response, error) {
			return nil, errors.Join(boom, readAll(r))
		}},
		{name: "breaker open", base: nil, cfg: func(c *httpx.ClientConfig) { c.Breaker.Mode = seawall.ForcedOpen }},
		{name: "bulkhead closed", base: nil, cfg: func(c *httpx.ClientConfig) { c.Bulkhead.Mode = seawall.ForcedOpen }},
		{name: "context dead before", base: nil, ctx: func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}},
		{
			name: "breaker opens on the way", replayed: 1, streamed: 1,
			cfg:  func(c *httpx.ClientConfig) { c.Breaker = breaker.Config{MinCalls: 1} },
			base: func(*http.Request) (*http.Response, error) { return nil, boom },
		},
	} {
		for kind, give := range bodies {
			t.Run(path.name+", "+kind, func(t *testing.T) {
				cfg := quick()
				if path.cfg != nil {
					path.cfg(&cfg)
				}
				req := newRequest(t, "PUT", "")
				if path.ctx != nil {
					req = req.WithContext(path.ctx(req.Context()))
				}
				original, made := give(req)
				n, _, _, _ := tried(t, cfg, path.base, req)
				want := path.replayed
				if kind == "streamed" {
					want = path.streamed
				}
				if n != want {
					t.Errorf("%d attempts, want %d", n, want)
				}
				if got := original.closes.Load(); got != 1 {
					t.Errorf("the original was closed %d times", got)
				}
				if got := len(made()); got != max(0, want-1) && kind == "with GetBody" {
					t.Errorf("GetBody was asked %d times for %d attempts", got, want)
				}
				for i, b := range made() {
					if got := b.closes.Load(); got != 1 {
						t.Errorf("copy %d was closed %d times", i, got)
					}
				}
			})
		}
	}
}

func TestTheRequestBodyIsClosedWhenTheBasePanics(t *testing.T) {
	for kind, give := range bodies {
		t.Run(kind, func(t *testing.T) {
			// A base that panics before it comes to the body.
			var attempt context.Context
			base := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
				attempt = r.Context()
				panic("boom")
			})
			tr := httpx.NewTransport("test", quick(), base)
			req := newRequest(t, "PUT", "")
			original, _ := give(req)
			func() {
				defer func() {
					if got := recover(); got != "boom" {
						t.Errorf("the panic is %v", got)
					}
				}()
				resp, err := tr.RoundTrip(req)
				t.Error("returned", resp, err)
			}()
			if got := original.closes.Load(); got != 1 {
				t.Errorf("the body was closed %d times", got)
			}
			if attempt.Err() == nil {
				t.Error("the attempt's context lives on")
			}
			for _, b := range tr.Bulkheads() {
				if b.Stats().InUse != 0 {
					t.Error("the slot did not come back")
				}
			}
		})
	}
}

// roundTripperFunc is a base without any manners.
type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A transport may go on with the body of an attempt that it has given up. It must not get what belongs to the next one.
func TestAnAttemptThatWasGivenUpReadsNothingAnyMore(t *testing.T) {
	var left io.ReadCloser // by the first attempt
	attempt := 0
	req := newRequest(t, "POST", "")
	body := newCountedBody("hello")
	req.Body, req.GetBody = body, nil
	tr := httpx.NewTransport("test", quick(), roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GetConn("a.example:80")
		if attempt++; attempt == 1 {
			left = r.Body
			return nil, errors.New("connection refused")
		}
		if n, err := left.Read(make([]byte, 10)); n != 0 || !errors.Is(err, httpx.ErrTakenBack) {
			t.Errorf("the attempt before read %d bytes, %v", n, err)
		}
		if err := left.Close(); err != nil || body.closes.Load() != 0 {
			t.Errorf("the attempt before closed the body: %v", err)
		}
		got := make([]byte, 5)
		_, err := io.ReadFull(r.Body, got[:2])
		if err := errors.Join(err, left.Close()); err != nil || body.closes.Load() != 0 {
			t.Errorf("the attempt before closed the body under the second one: %v", err)
		}
		if _, err := io.ReadFull(r.Body, got[2:]); string(got) != "hello" || err != nil {
			t.Errorf("the second attempt read %q, %v", got, err)
		}
		return response(200, ""), r.Body.Close()
	}))
	if _, err := tr.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	if body.closes.Load() != 1 || attempt != 2 {
		t.Errorf("%d attempts, closed %d times", attempt, body.closes.Load())
	}
}

// What has been read in part is not there for another attempt, also if the transport has not let go of it yet.
func TestABodyThatWasBegunIsNotSentAgain(t *testing.T) {
	var sending io.ReadCloser
	attempts := 0
	req := newRequest(t, "PUT", "")
	body := newCountedBody("hello")
	req.Body, req.GetBody = body, nil
	tr := httpx.NewTransport("test", quick(), roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		attempts++
		sending = r.Body
		_, err := sending.Read(make([]byte, 1))
		return nil, errors.Join(err, errors.New("connection reset"))
	}))
	if _, err := tr.RoundTrip(req); err == nil || attempts != 1 {
		t.Errorf("%d attempts, %v", attempts, err)
	}
	if rest, err := io.ReadAll(sending); string(rest) != "ello" || err != nil {
		t.Errorf("the transport reads on %q, %v", rest, err)
	}
	sending.Close()
	if body.closes.Load() != 1 {
		t.Errorf("closed %d times", body.closes.Load())
	}
}

// A server may answer before it has read the body; whoever sends it closes it then, later.
func TestABodyThatIsStillBeingSentIsNotClosedUnderTheTransport(t *testing.T) {
	for kind, give := range bodies {
		t.Run(kind, func(t *testing.T) {
			var sending io.ReadCloser
			req := newRequest(t, "PUT", "")
			body, _ := give(req)
			tr := httpx.NewTransport("test", quick(), roundTripperFunc(func(r *http.Request) (*http.Response, error) {
				sending = r.Body
				return response(200, ""), nil
			}))
			if _, err := tr.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
			if n := body.closes.Load(); n != 0 {
				t.Fatalf("closed %d times when RoundTrip returned", n)
			}
			got, err := io.ReadAll(sending)
			if string(got) != "hello" || err != nil {
				t.Errorf("the transport reads %q, %v", got, err)
			}
			sending.Close()
			sending.Close()
			if n := body.closes.Load(); n != 1 {
				t.Errorf("closed %d times in the end", n)
			}
		})
	}
}

// T21: net/http's HTTP/2 gets the body anew after a refused stream, and if the caller leaves before that is sent again, it
// forgets to close it: a file would stay open.
func TestABodyThatTheBaseGotAnewAndForgotIsClosed(t *testing.T) {
	for name, keep := range map[string]int{"with GetBody": 0, "streamed": 100} {
		for _, end := range []string{"error", "panic", "unread", "sent", "answer"} {
			t.Run(name+" "+end, func(t *testing.T) {
				req := newRequest(t, "POST", "")
				original, made := bodies[name](req)
				cfg := quick()
				cfg.ReplayBuffer = keep
				var anew io.ReadCloser
				tr := httpx.NewTransport("test", cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
					_, _ = io.ReadAll(r.Body)
					r.Body.Close()
					var err error
					if anew, err = r.GetBody(); err != nil {
						t.Fatal(err)
					}
					if end == "error" { // it begins anew more than once
						if anew, err = r.GetBody(); err != nil {
							t.Fatal(err)
						}
					}
					switch end {
					case "panic":
						panic(end)
					case "sent": // what has begun to send it closes it, as soon as it can
						if text, err := io.ReadAll(anew); string(text) != "hello" || err != nil {
							t.Errorf("%q, %v", text, err)
						}
						return nil, errors.New(end)
					case "unread":
						anew.Close()
					case "answer":
						return response(200, "good"), nil
					}
					return nil, errors.New(end)
				}))
				func() {
					defer func() { _ = recover() }()
					resp, err := tr.RoundTrip(req)
					if err == nil {
						resp.Body.Close()
					}
				}()
				last := original
				if all := made(); len(all) > 0 {
					last = all[0]
				}
				if n := last.closes.Load(); (n == 0) != (end == "sent") {
					t.Errorf("closed %d times", n)
				}
				if end != "sent" {
					if n, err := anew.Read(make([]byte, 1)); n != 0 || err == nil {
						t.Errorf("read %d bytes of a body that is closed, %v", n, err)
					}
				}
				anew.Close()
				anew.Close()
				for _, body := range append(made(), original) {
					if n := body.closes.Load(); n != 1 {
						t.Errorf("closed %d times", n)
					}
				}
			})
		}
	}
}

func TestAGetBodyThatFailsEndsTheCallAndNothingElse(t *testing.T) {
	broken := errors.New("no body any more")
	req := newRequest(t, "PUT", "")
	body := newCountedBody("hello")
	req.Body, req.GetBody = body, func() (io.ReadCloser, error) { return nil, broken }
	n, stats, _, err := tried(t, quick(), func(*http.Request) (*http.Response, error) {
		return response(503, "x"), nil
	}, req)
	if n != 1 || !errors.Is(err, broken) || body.closes.Load() != 1 {
		t.Errorf("%d attempts, %v, body closed %d times", n, err, body.closes.Load())
	}
	if stats.Calls.Failures != 1 || stats.Ignored != 1 {
		t.Errorf("the breaker counted %+v; the missing body is no failure of the server", stats)
	}
}

// T21: what is streamed is not kept.
func TestALargeStreamIsNotHeldInMemory(t *testing.T) {
	size := int64(1 << 30)
	if raceEnabled || testing.Short() {
		size = 64 << 20
	}
	var before, during runtime.MemStats
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		runtime.GC()
		runtime.ReadMemStats(&before)
		n, err := io.Copy(io.Discard, r.Body)
		if n != size {
			t.Errorf("sent %d bytes of %d", n, size)
		}
		runtime.GC()
		runtime.ReadMemStats(&during)
		return response(503, ""), err
	})
	req := newRequest(t, "PUT", "")
	req.Body, req.GetBody = io.NopCloser(io.LimitReader(zeros{}, size)), nil
	if n, _, _, _ := tried(t, quick(), base, req); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// T21: a file is sent from where it stands, and not rewound for another attempt.
func TestAFileIsSentFromItsOffsetAndNotRewound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(path, []byte("0123456789hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(10, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	req := newRequest(t, "PUT", "")
	req.Body, req.GetBody = file, nil
	n, _, _, _ := tried(t, quick(), func(r *http.Request) (*http.Response, error) {
		got, err := io.ReadAll(r.Body)
		if string(got) != "hello" {
			t.Errorf("sent %q", got)
		}
		return response(503, ""), err
	}, req)
	if n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	if err := file.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file was left open: %v", err)
	}
}

// net/http sends a small in-memory body in one packet with the header if it recognises it.
func TestABodyThatNetHTTPKnowsIsHandedOnAsItIs(t *testing.T) {
	req := newRequest(t, "PUT", "hello")
	original := req.Body
	tr := httpx.NewTransport("test", quick(), roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Body != original {
			t.Errorf("the body became a %T", r.Body)
		}
		return response(200, ""), nil
	}))
	if _, err := tr.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	for _, none := range []io.ReadCloser{nil, http.NoBody} {
		req.Body, original = none, none
		if _, err := tr.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
	}
}

// T22
func TestTheCallersRequestIsLeftAsItIs(t *testing.T) {
	for _, row := range []struct {
		name string
		base roundTripper
		cfg  func(*httpx.ClientConfig)
	}{
		{name: "plain", base: func(*http.Request) (*http.Response, error) { return response(200, "x"), nil }},
		{name: "repeated", base: func(*http.Request) (*http.Response, error) { return response(503, "x"), nil }},
		{name: "failed", base: func(*http.Request) (*http.Response, error) { return nil, errors.New("boom") }},
		{
			name: "rejected",
			cfg: func(c *httpx.ClientConfig) {
				c.Bulkhead = bulkhead.Config{Mode: seawall.ForcedOpen}
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := quick()
			if row.cfg != nil {
				row.cfg(&cfg)
			}
			ctx := seawall.WithPriority(t.Context(), seawall.Sheddable)
			req := newRequest(t, "PUT", "hello").WithContext(ctx)
			req.Header = http.Header{"Accept": {"*/*"}, "Seawall-Attempt": {"7"}, "X-Request-Timeout-Ms": {"5"}}
			req.Trailer = http.Header{"X-Sum": {"1"}}
			want := *req
			header, trailer, u := req.Header.Clone(), req.Trailer.Clone(), *req.URL

			reading, stop := make(chan struct{}), make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() { // -race sees a write that is undone again
				close(reading)
				for {
					_ = req.Header.Get("Accept") + req.URL.String() + req.Method
					_, _, _ = req.Body, req.ContentLength, req.Context()
					select {
					case <-stop:
						return
					default:
						runtime.Gosched()
					}
				}
			})
			<-reading
			_, _, resp, _ := tried(t, cfg, row.base, req)
			close(stop)
			wg.Wait()

			if !reflect.DeepEqual(req.Header, header) || !reflect.DeepEqual(req.Trailer, trailer) || *req.URL != u {
				t.Errorf("the request became %v", req)
			}
			// The rest by value; functions do not compare.
			got := *req
			if (got.GetBody == nil) != (want.GetBody == nil) || got.Body != want.Body || got.Context() != want.Context() {
				t.Error("body or context of the request were replaced")
			}
			got.GetBody, want.GetBody = nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the request became %+v, was %+v", got, want)
			}
			if resp != nil && resp.Request != req {
				t.Error("the response does not belong to the caller's request")
			}
		})
	}
}

// One body, read for as many attempts as there are, always whole.
func TestEveryAttemptSendsTheWholeBody(t *testing.T) {
	var got []string
	req := newRequest(t, "PUT", "a whole body")
	if n, _, _, _ := tried(t, quick(), func(r *http.Request) (*http.Response, error) {
		part := make([]byte, 3*len(got)) // the first attempt reads nothing, the next ones some
		_, err := io.ReadFull(r.Body, part)
		rest, _ := io.ReadAll(r.Body)
		got = append(got, string(part)+string(rest))
		return response(502, ""), err
	}, req); n != 3 {
		t.Fatalf("%d attempts", n)
	}
	if want := strings.Repeat("a whole body|", 3); strings.Join(got, "|")+"|" != want {
		t.Errorf("sent %q", got)
	}
}
