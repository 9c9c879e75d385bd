package fault_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/fault"
)

// served is what a client sees of a handler behind a point.
type served struct {
	res  *http.Response
	body string
	err  error // of the request or of the body
}

func serve(t *testing.T, h http.Handler, h2 bool, path string) (s served) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = h2
	server.StartTLS()
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.res, s.err = server.Client().Do(req); s.err != nil {
		return s
	}
	defer func() { _ = s.res.Body.Close() }()
	text, err := io.ReadAll(s.res.Body)
	s.body, s.err = string(text), err
	return s
}

func TestHandlerAnswersWithTheStatusOfThePlan(t *testing.T) {
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "real") })
	p := started(t,
		call(fault.StatusCode, func(f *fault.Fault) {
			f.Status, f.Body, f.RetryAfter, f.Route = 503, "later", 90*time.Second, "/busy"
		}),
		call(fault.StatusCode, func(f *fault.Fault) { f.Status, f.Route = 204, "/empty" }),
		call(fault.Error, func(f *fault.Fault) { f.Rate, f.Route = 1, "/broken/" })).Point("a")
	for _, h2 := range []bool{false, true} {
		for path, want := range map[string]struct {
			status      int
			body, after string
		}{
			"/":         {200, "real", ""},
			"/busy":     {503, "later", "90"},
			"/empty":    {204, "", ""},
			"/broken/7": {500, "", ""},
		} {
			s := serve(t, p.Handler(next), h2, path)
			if s.err != nil || s.res.StatusCode != want.status || s.body != want.body || s.res.Header.Get("Retry-After") != want.after {
				t.Errorf("%s: %+v, %q, %v", path, s.res, s.body, s.err)
			}
		}
	}
}

func TestHandlerCutsTheConnection(t *testing.T) {
	for kind, runs := range map[fault.Kind]int{fault.ResetPeer: 0, fault.Timeout: 0, fault.AckLost: 1} {
		for _, h2 := range []bool{false, true} {
			ran := 0
			f := call(kind, nil)
			if kind == fault.Timeout {
				f.Timeout = time.Millisecond
			}
			s := serve(t, started(t, f).Point("a").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				ran++
				w.Header().Set("X-Real", "yes")
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, "real")
				w.(http.Flusher).Flush()
			})), h2, "/")
			if s.err == nil || s.res != nil || ran != runs {
				t.Errorf("%s, HTTP/2 %v: %+v, %v, ran %d times", kind, h2, s.res, s.err, ran)
			}
		}
	}
}

func TestHandlerCutsAnAnswerInItsMiddle(t *testing.T) {
	const text = "0123456789"
	for _, kind := range []fault.Kind{fault.Truncate, fault.ResetPeer} {
		for _, h2 := range []bool{false, true} {
			for _, declared := range []bool{false, true} {
				for _, pieces := range []int{1, 3, 10} {
					for _, after := range []int64{1, 4, 10} {
						i := started(t, call(kind, func(f *fault.Fault) { f.Bytes = after }))
						var failed error
						s := serve(t, i.Point("a").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
							if declared {
								w.Header().Set("Content-Length", strconv.Itoa(len(text)))
							}
							for rest := text; rest != "" && failed == nil; {
								n := min(pieces, len(rest))
								_, failed = io.WriteString(w, rest[:n])
								rest = rest[n:]
							}
						})), h2, "/")
						cut := after < int64(len(text))
						if s.body != text[:after] || (s.err != nil) != cut || errors.Is(failed, fault.ErrInjected) != cut {
							t.Errorf("%s after %d of pieces of %d, declared %v, HTTP/2 %v: %q, %v; the handler sees %v",
								kind, after, pieces, declared, h2, s.body, s.err, failed)
						}
						if cut && !h2 && !errors.Is(s.err, io.ErrUnexpectedEOF) {
							t.Errorf("the client sees %v", s.err)
						}
						if hits := i.Stats().Faults[0].Hits; hits != 1 && cut || hits != 0 && !cut {
							t.Errorf("%d hits", hits)
						}
					}
				}
			}
		}
	}
}

// T45: bytes are changed by the seed; those that the handler holds are not.
func TestHandlerChangesWhatIsSentAndNotWhatIsHeld(t *testing.T) {
	text := []byte(strings.Repeat("seawall ", 1000))
	f := call(fault.Corrupt, func(f *fault.Fault) { f.Rate = 0.01 })
	run := func(pieces int) string {
		s := serve(t, started(t, f).Point("a").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for rest := text; len(rest) > 0; rest = rest[min(pieces, len(rest)):] {
				if n, err := w.Write(rest[:min(pieces, len(rest))]); n != min(pieces, len(rest)) || err != nil {
					t.Error(n, err)
				}
			}
		})), false, "/")
		if s.err != nil || s.body == string(text) || len(s.body) != len(text) {
			t.Errorf("%d bytes, %v", len(s.body), s.err)
		}
		return s.body
	}
	if run(1000) != run(7) {
		t.Error("it depends on the pieces")
	}
	if string(text) != strings.Repeat("seawall ", 1000) {
		t.Error("the handler's own bytes have changed")
	}
}

// T45: a delay ends with the request, and the handler does not run.
func TestHandlerLeavesADelayWithItsRequest(t *testing.T) {
	for _, f := range []fault.Fault{
		call(fault.Latency, func(f *fault.Fault) { f.Latency = time.Minute }), call(fault.Timeout, nil),
	} {
		synctest.Test(t, func(t *testing.T) {
			h := started(t, f).Point("a").Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it ran") }))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			defer func() {
				if v := recover(); v != http.ErrAbortHandler || time.Since(start) != time.Second { //nolint:errorlint // a panic's value
					t.Errorf("%v after %v", v, time.Since(start))
				}
			}()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		})
	}
}

// T73: a handler behind what is off gets the original writer, and costs no allocation.
func TestHandlerThatIsOffIsNotThere(t *testing.T) {
	for name, i := range offInjectors(t) {
		w, req := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		var got http.ResponseWriter
		var gotRequest *http.Request
		h := i.Point("a").Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got, gotRequest = w, r }))
		h.ServeHTTP(w, req)
		if got != http.ResponseWriter(w) || gotRequest != req {
			t.Errorf("%s: the handler gets %T", name, got)
		}
		if raceEnabled {
			continue
		}
		if n := testing.AllocsPerRun(200, func() { h.ServeHTTP(w, req) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// forms of writers: with and without Flush and Hijack.
type (
	bare    struct{ http.ResponseWriter }
	flushes struct {
		bare
		http.Flusher
	}
	hijacks struct {
		bare
		http.Hijacker
	}
	both struct {
		bare
		http.Flusher
		http.Hijacker
	}
	flushed  struct{ n *int }
	hijacked struct{ n *int }
)

func (f flushed) Flush() { *f.n++ }

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) { *h.n++; return nil, nil, nil }

func TestHandlersWriterKeepsTheFormOfTheOriginal(t *testing.T) {
	var n int
	inner := bare{httptest.NewRecorder()}
	p := started(t, call(fault.Truncate, func(f *fault.Fault) { f.Bytes = 1 })).Point("a")
	for _, w := range []http.ResponseWriter{
		inner, flushes{inner, flushed{&n}}, hijacks{inner, hijacked{&n}}, both{inner, flushed{&n}, hijacked{&n}},
	} {
		_, wantFlush := w.(http.Flusher)
		_, wantHijack := w.(http.Hijacker)
		n = 0
		p.Handler(http.HandlerFunc(func(got http.ResponseWriter, _ *http.Request) {
			f, canFlush := got.(http.Flusher)
			h, canHijack := got.(http.Hijacker)
			if canFlush != wantFlush || canHijack != wantHijack {
				t.Errorf("%T: flushes %v, hijacks %v", w, canFlush, canHijack)
			}
			want := 0
			if canFlush {
				f.Flush()
				want++
			}
			if canHijack {
				_, _, _ = h.Hijack()
				want++
			}
			if n != want {
				t.Errorf("%T: %d calls came through, want %d", w, n, want)
			}
			if u, ok := got.(interface{ Unwrap() http.ResponseWriter }); !ok || u.Unwrap() != w {
				t.Errorf("%T cannot be unwrapped", got)
			}
		})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	}
}
