package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

// keySite is a server behind idempotency keys, and what has come of them.
type keySite struct {
	t     *testing.T
	url   string
	http  *http.Client
	keys  *httpx.Idempotency
	store *flakyStore
	runs  atomic.Int64
	act   atomic.Pointer[act] // what the handler does
}

func newKeySite(t *testing.T, p protocol, change func(*httpx.IdempotencyConfig)) *keySite {
	t.Helper()
	s := &keySite{t: t, store: &flakyStore{IdempotencyStore: httpx.NewMemoryStore(httpx.MemoryStoreConfig{})}}
	cfg := httpx.IdempotencyConfig{
		Tenant:   func(r *http.Request) string { return r.Header.Get("X-Customer") },
		Registry: quiet(),
		Store:    s.store,
	}
	if change != nil {
		change(&cfg)
	}
	s.keys = httpx.NewIdempotency("orders", cfg)
	s.does(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/orders/"+strconv.FormatInt(s.runs.Load(), 10))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, r.Body)
	})
	var requests atomic.Int64
	mux := http.NewServeMux()
	keyed := s.keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.runs.Add(1)
		(*s.act.Load())(w, r)
	}))
	mux.Handle("/orders", keyed)
	mux.Handle("/orders/{id}", keyed)
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", strconv.FormatInt(requests.Add(1), 10))
		w.Header().Set("Vary", "Accept")
		mux.ServeHTTP(w, r)
	})
	srv := httptest.NewUnstartedServer(httpx.NewHandler("api", httpx.ServerConfig{Registry: quiet()}, outer))
	srv.Config.ErrorLog = discardLog
	srv.EnableHTTP2 = p == http2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	s.url, s.http = srv.URL, srv.Client()
	return s
}

func (s *keySite) does(do act) { s.act.Store(&do) }

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body string
	err  error // of the body
}

// send makes a request: what is "Name: value" in about is a field, "?query" or "/path" is that, and the rest the body.
func (s *keySite) send(method, key string, about ...string) reply {
	s.t.Helper()
	resp, err := s.http.Do(s.request(method, key, about...))
	if err != nil {
		return reply{Response: &http.Response{Header: http.Header{}}, err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp, string(body), err}
}

func (s *keySite) request(method, key string, about ...string) *http.Request {
	s.t.Helper()
	path, header, body := "/orders", http.Header{"X-Customer": {"ann"}}, "1 ticket"
	for _, a := range about {
		name, value, field := strings.Cut(a, ": ")
		switch {
		case field:
			header.Set(name, value)
		case strings.HasPrefix(a, "?"):
			path += a
		case strings.HasPrefix(a, "/"):
			path = a
		default:
			body = a
		}
	}
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = header
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return req
}

// is checks an answer: its status, its body, and how many handlers have run by then.
func (s *keySite) is(r reply, status int, body string, runs int64) {
	s.t.Helper()
	if r.err != nil || r.StatusCode != status || r.body != body || s.runs.Load() != runs {
		s.t.Errorf("got %d %q, %v, after %d runs; want %d %q after %d",
			r.StatusCode, r.body, r.err, s.runs.Load(), status, body, runs)
	}
}

func (s *keySite) isReplay(r reply, want bool) {
	s.t.Helper()
	if got := r.Header.Get("Idempotent-Replayed"); (got == "true") != want {
		s.t.Errorf("Idempotent-Replayed: %q, want it set: %v", got, want)
	}
}

// refused checks an answer of ours, which no handler has made.
func (s *keySite) refused(r reply, status int, about string, runs int64) {
	s.t.Helper()
	if r.StatusCode != status || !strings.Contains(r.body, about) || r.Header.Get("Cache-Control") != "no-store" ||
		s.runs.Load() != runs {
		s.t.Errorf("got %d %q, %v, after %d runs; want %d about %q, not to be stored, after %d",
			r.StatusCode, r.body, r.Header, s.runs.Load(), status, about, runs)
	}
	after, _ := strconv.Atoi(r.Header.Get("Retry-After"))
	if wait := status == 409 || status == 503; (after > 0) != wait {
		s.t.Errorf("Retry-After: %q on a %d", r.Header.Get("Retry-After"), status)
	}
}

// flakyStore fails when it is told to.
type flakyStore struct {
	httpx.IdempotencyStore
	fail  atomic.Pointer[string] // the method that fails, or "all"
	hangs atomic.Bool            // instead of failing at once
}

var errStore = errors.New("dial tcp: connection refused, password=secret")

func (s *flakyStore) fails(what string) { s.fail.Store(&what) }

func (s *flakyStore) check(ctx context.Context, method string) error {
	if what := s.fail.Load(); what == nil || *what != method && *what != "all" {
		return nil
	}
	if s.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return errStore
}

func (s *flakyStore) Begin(ctx context.Context, l httpx.Lease) (httpx.Claim, error) {
	if err := s.check(ctx, "begin"); err != nil {
		return httpx.Claim{}, err
	}
	return s.IdempotencyStore.Begin(ctx, l)
}

func (s *flakyStore) Finish(ctx context.Context, l httpx.Lease, a httpx.StoredAnswer, keep time.Duration) error {
	if err := s.check(ctx, "finish"); err != nil {
		return err
	}
	return s.IdempotencyStore.Finish(ctx, l, a, keep)
}

func (s *flakyStore) Release(ctx context.Context, l httpx.Lease) error {
	if err := s.check(ctx, "release"); err != nil {
		return err
	}
	return s.IdempotencyStore.Release(ctx, l)
}

func answering(status int, body string) act {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var keyRules = []struct {
	name   string
	change func(*httpx.IdempotencyConfig)
	check  func(s *keySite)
}{
	{"without a key the handler runs each time", nil, func(s *keySite) {
		s.is(s.send("POST", ""), 201, "1 ticket", 1)
		r := s.send("POST", "")
		s.is(r, 201, "1 ticket", 2)
		s.isReplay(r, false)
	}},
	{"a missing key is a 400 where the route requires one", requireKey, func(s *keySite) {
		s.refused(s.send("POST", ""), 400, "missing", 0)
		s.is(s.send("POST", "k"), 201, "1 ticket", 1)
	}},
	{"safe methods need no key, and theirs mean nothing", requireKey, func(s *keySite) {
		for i, method := range []string{"GET", "HEAD", "OPTIONS"} {
			r := s.send(method, "")
			if r.StatusCode != 201 || s.runs.Load() != int64(2*i+1) {
				s.t.Errorf("%s: %d after %d runs", method, r.StatusCode, s.runs.Load())
			}
			s.send(method, "k")
			if s.runs.Load() != int64(2*i+2) {
				s.t.Errorf("%s with a key: %d runs", method, s.runs.Load())
			}
		}
	}},
	{"a repeat gets the first answer, marked, and no handler runs", nil, func(s *keySite) {
		first := s.send("POST", "k")
		s.is(first, 201, "1 ticket", 1)
		s.isReplay(first, false)
		for range 3 {
			r := s.send("POST", "k")
			s.is(r, 201, "1 ticket", 1)
			s.isReplay(r, true)
			if r.Header.Get("Location") != "/orders/1" || r.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
				s.t.Errorf("fields of the repeat: %v; of the first: %v", r.Header, first.Header)
			}
		}
	}},
	{"PUT, PATCH and DELETE have keys as POST has", nil, func(s *keySite) {
		for i, method := range []string{"PUT", "PATCH", "DELETE"} {
			s.is(s.send(method, "k"), 201, "1 ticket", int64(i+1))
			s.is(s.send(method, "k"), 201, "1 ticket", int64(i+1))
		}
	}},
	{"a quoted key and a bare one are one key", nil, func(s *keySite) {
		s.is(s.send("POST", `"8e03978e"`), 201, "1 ticket", 1)
		for _, same := range []string{`8e03978e`, ` "8e03978e" `, `"8e03978e";v=1`} {
			s.isReplay(s.send("POST", same), true)
		}
	}},
	{"the field has the name that it was given", func(c *httpx.IdempotencyConfig) {
		c.Field, c.Required = "x-request-key", httpx.KeyRequired
	}, func(s *keySite) {
		s.refused(s.send("POST", "k"), 400, "X-Request-Key: missing", 0)
		s.is(s.send("POST", "", "X-Request-Key: k"), 201, "1 ticket", 1)
		s.isReplay(s.send("POST", "", "X-Request-Key: k"), true)
	}},
	{"another key is another request", nil, func(s *keySite) {
		s.is(s.send("POST", "k"), 201, "1 ticket", 1)
		s.is(s.send("POST", "K"), 201, "1 ticket", 2)
	}},
	{"the same key with another body is a 422", nil, func(s *keySite) {
		s.is(s.send("POST", "k"), 201, "1 ticket", 1)
		s.refused(s.send("POST", "k", "2 tickets"), 422, "different request", 1)
		s.isReplay(s.send("POST", "k"), true)
	}},
	{"the same key with another query is a 422", nil, func(s *keySite) {
		s.is(s.send("POST", "k", "?a=1"), 201, "1 ticket", 1)
		s.refused(s.send("POST", "k", "?a=2"), 422, "different request", 1)
		s.refused(s.send("POST", "k"), 422, "different request", 1)
	}},
	{"the same key for another path of the route is a 422", nil, func(s *keySite) {
		s.is(s.send("POST", "k", "/orders/1"), 201, "1 ticket", 1)
		s.refused(s.send("POST", "k", "/orders/2"), 422, "different request", 1)
	}},
	{"the same key of another tenant is another request", nil, func(s *keySite) {
		s.is(s.send("POST", "k"), 201, "1 ticket", 1)
		s.is(s.send("POST", "k", "X-Customer: bob"), 201, "1 ticket", 2)
		s.is(s.send("POST", "k", "X-Customer: bob", "his tickets"), 422, "Idempotency-Key: used before for a different request\n", 2)
		s.isReplay(s.send("POST", "k"), true)
	}},
	{"the same key for another method is another request", nil, func(s *keySite) {
		s.is(s.send("POST", "k"), 201, "1 ticket", 1)
		s.is(s.send("PATCH", "k"), 201, "1 ticket", 2)
	}},
	{"the same key for another route is another request", nil, func(s *keySite) {
		s.is(s.send("POST", "k"), 201, "1 ticket", 1)
		s.is(s.send("POST", "k", "/orders/1"), 201, "1 ticket", 2)
	}},
	{"while the first runs, a repeat is a 409 with Retry-After, and another fingerprint a 422", nil, func(s *keySite) {
		in, out := make(chan struct{}), make(chan struct{})
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			close(in)
			<-out
			w.WriteHeader(http.StatusCreated)
		})
		first := make(chan reply)
		go func() { first <- s.send("POST", "k") }()
		<-in
		s.refused(s.send("POST", "k"), 409, "still at work", 1)
		s.refused(s.send("POST", "k", "2 tickets"), 422, "different request", 1)
		close(out)
		s.is(<-first, 201, "", 1)
		s.isReplay(s.send("POST", "k"), true)
		if got := s.keys.Stats(); got.New != 1 || got.InFlight != 1 || got.Conflict != 1 || got.Replayed != 1 {
			s.t.Errorf("%+v", got)
		}
	}},
	{"what the client has done wrong is kept", nil, func(s *keySite) {
		for i, status := range []int{400, 401, 403, 404, 409, 410, 412, 422} {
			s.does(answering(status, "no"))
			key := fmt.Sprint("k", i)
			s.is(s.send("POST", key), status, "no", int64(i+1))
			r := s.send("POST", key)
			s.is(r, status, "no", int64(i+1))
			s.isReplay(r, true)
		}
	}},
	{"an answer that asks for a repeat frees the key", nil, func(s *keySite) {
		for i, status := range []int{500, 502, 503, 504, 501, 599, 408, 421, 425, 429} {
			s.does(answering(status, "sorry"))
			key := fmt.Sprint("k", i)
			s.is(s.send("POST", key), status, "sorry", int64(2*i+1))
			s.does(answering(201, "done"))
			r := s.send("POST", key)
			s.is(r, 201, "done", int64(2*i+2))
			s.isReplay(r, false)
			s.isReplay(s.send("POST", key), true)
		}
	}},
	{"a panic frees the key", nil, func(s *keySite) {
		s.does(func(http.ResponseWriter, *http.Request) { panic("a bug") })
		if r := s.send("POST", "k"); r.StatusCode != 500 {
			s.t.Errorf("got %d", r.StatusCode)
		}
		s.does(answering(201, "done"))
		s.is(s.send("POST", "k"), 201, "done", 2)
	}},
	{"a panic after half an answer frees the key, and nothing of it is sent", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			_, _ = io.WriteString(w, "half")
			panic("a bug")
		})
		if r := s.send("POST", "k"); r.StatusCode != 500 || strings.Contains(r.body, "half") {
			s.t.Errorf("got %d %q", r.StatusCode, r.body)
		}
		s.does(answering(201, "done"))
		s.is(s.send("POST", "k"), 201, "done", 2)
	}},
	{"an aborted handler frees the key", nil, func(s *keySite) {
		s.does(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		if r := s.send("POST", "k"); r.err == nil {
			s.t.Errorf("got %d", r.StatusCode)
		}
		s.does(answering(201, "done"))
		// The server is not done with the key when the client sees its connection cut.
		s.until(func() bool { return s.keys.Stats().Freed == 1 })
		if r := s.send("POST", "k"); r.StatusCode != 201 || r.body != "done" {
			s.t.Errorf("got %d %q", r.StatusCode, r.body)
		}
	}},
	{"a handler that ends its goroutine frees the key", nil, func(s *keySite) {
		s.does(func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
		ctx, cancel := context.WithCancel(s.t.Context())
		go func() {
			if resp, err := s.http.Do(s.request("POST", "k").WithContext(ctx)); err == nil {
				resp.Body.Close()
			}
		}()
		s.until(func() bool { return s.keys.Stats().Freed == 1 })
		cancel() // over HTTP/1 the connection is nobody's now
		s.does(answering(201, "done"))
		s.is(s.send("POST", "k"), 201, "done", 2)
	}},
	{"a final 500 is kept, and says so", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, r *http.Request) {
			httpx.Final(r.Context())
			http.Error(w, "charged, and no ticket left", 500)
		})
		for i := range 2 {
			r := s.send("POST", "k")
			s.is(r, 500, "charged, and no ticket left\n", 1)
			s.isReplay(r, i > 0)
			if got := r.Header.Get("Seawall-Pushback"); got != "final" {
				s.t.Errorf("Seawall-Pushback: %q", got)
			}
		}
	}},
	{"a final panic is never run again", nil, func(s *keySite) {
		s.does(func(_ http.ResponseWriter, r *http.Request) {
			httpx.Final(r.Context())
			panic("a bug")
		})
		for i := range 3 {
			r := s.send("POST", "k")
			if r.StatusCode != 500 || s.runs.Load() != 1 || i > 0 && r.Header.Get("Seawall-Pushback") != "final" {
				s.t.Errorf("got %d, %v, after %d runs", r.StatusCode, r.Header, s.runs.Load())
			}
			s.isReplay(r, i > 0)
		}
	}},
	{"a final answer below 500 is as any other", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, r *http.Request) {
			httpx.Final(r.Context())
			w.WriteHeader(201)
		})
		for range 2 {
			r := s.send("POST", "k")
			s.is(r, 201, "", 1)
			if got := r.Header.Get("Seawall-Pushback"); got != "" {
				s.t.Errorf("Seawall-Pushback: %q", got)
			}
		}
	}},
	{"an answer above the bound is done without its body, and never run again", smallAnswers, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/orders/7")
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("ETag", `"v1"`)
			w.WriteHeader(201)
			_, _ = io.WriteString(w, strings.Repeat("x", 30))
			_, _ = io.WriteString(w, strings.Repeat("y", 30))
		})
		s.is(s.send("POST", "k"), 201, strings.Repeat("x", 30)+strings.Repeat("y", 30), 1)
		r := s.send("POST", "k")
		s.is(r, 201, "", 1)
		s.isReplay(r, true)
		if r.Header.Get("Seawall-Body") != "dropped" || r.Header.Get("Location") != "/orders/7" ||
			r.Header.Get("Content-Type") != "" || r.Header.Get("Etag") != "" || r.ContentLength != 0 {
			s.t.Errorf("fields: %v", r.Header)
		}
		if got := s.keys.Stats().BodiesDropped; got != 1 {
			s.t.Errorf("%d bodies dropped", got)
		}
	}},
	{"an answer at the bound is whole", smallAnswers, func(s *keySite) {
		s.does(answering(200, strings.Repeat("x", 40)))
		for range 2 {
			s.is(s.send("POST", "k"), 200, strings.Repeat("x", 40), 1)
		}
	}},
	{"a small stream arrives as it is written, and its repeat whole", nil, func(s *keySite) {
		out := make(chan struct{})
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "one ")
			w.(http.Flusher).Flush()
			<-out
			_, _ = io.WriteString(w, "two")
		})
		resp, err := s.http.Do(s.request("POST", "k"))
		if err != nil {
			s.t.Fatal(err)
		}
		first := make([]byte, 4)
		if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "one " {
			s.t.Errorf("%q, %v", first, err)
		}
		close(out)
		rest, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(rest) != "two" {
			s.t.Errorf("%q", rest)
		}
		r := s.send("POST", "k")
		s.is(r, 200, "one two", 1)
		s.isReplay(r, true)
	}},
	{"a stream that panics frees the key, and its client sees a broken answer", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "one ")
			w.(http.Flusher).Flush()
			panic("a bug")
		})
		if r := s.send("POST", "k"); r.err == nil {
			s.t.Errorf("got %d %q as if it were whole", r.StatusCode, r.body)
		}
		s.until(func() bool { return s.keys.Stats().Freed == 1 })
	}},
	{"events whose client leaves are done, and not repeated", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		ctx, cancel := context.WithCancel(s.t.Context())
		resp, err := s.http.Do(s.request("POST", "k").WithContext(ctx))
		if err != nil {
			s.t.Fatal(err)
		}
		cancel()
		resp.Body.Close()
		s.until(func() bool { return s.keys.Stats().BodiesDropped == 1 })
		r := s.send("POST", "k")
		s.is(r, 200, "", 1)
		if r.Header.Get("Seawall-Body") != "dropped" || r.Header.Get("Content-Type") != "" {
			s.t.Errorf("fields: %v", r.Header)
		}
	}},
	{"a handler that says nothing has said 200", nil, func(s *keySite) {
		s.does(func(http.ResponseWriter, *http.Request) {})
		for range 2 {
			s.is(s.send("POST", "k"), 200, "", 1)
		}
	}},
	{"a 204 is kept", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
		for range 2 {
			s.is(s.send("POST", "k"), 204, "", 1)
		}
	}},
	{"fields of the layers outside are not kept", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Vary", "Origin")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
		})
		first, r := s.send("POST", "k"), s.send("POST", "k")
		if first.Header.Get("X-Request-Id") != "1" || r.Header.Get("X-Request-Id") != "2" || len(r.Header["Set-Cookie"]) != 2 ||
			strings.Join(r.Header["Vary"], ",") != "Accept,Origin" {
			s.t.Errorf("fields: %v", r.Header)
		}
	}},
	{"what the handler takes away of them does not go out", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) { w.Header().Del("X-Request-Id") })
		if r := s.send("POST", "k"); r.Header["X-Request-Id"] != nil {
			s.t.Errorf("fields: %v", r.Header)
		}
	}},
	{"an answer shorter than it says is broken, and done without its body", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
		})
		if r := s.send("POST", "k"); r.err == nil {
			s.t.Errorf("got %d %q as if it were whole", r.StatusCode, r.body)
		}
		s.until(func() bool { return s.keys.Stats().BodiesDropped == 1 })
		r := s.send("POST", "k")
		s.isReplay(r, true)
		if r.StatusCode != 200 || r.body != "" || r.Header.Get("Seawall-Body") != "dropped" {
			s.t.Errorf("got %d %q, %v", r.StatusCode, r.body, r.Header)
		}
	}},
	{"early hints go out at once, and once", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			w.WriteHeader(201)
		})
		r := s.send("POST", "k")
		s.is(r, 201, "", 1)
		if r.Header.Get("Link") != "" {
			s.t.Errorf("fields: %v", r.Header)
		}
	}},
	{"trailers come with the first answer", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Sum", "42")
		})
		r := s.send("POST", "k")
		s.is(r, 200, "body", 1)
		if r.Trailer.Get("X-Sum") != "42" {
			s.t.Errorf("trailer: %v", r.Trailer)
		}
		s.is(s.send("POST", "k"), 200, "body", 1)
	}},
	{"a body above the bound is a 413, and is not run", smallBodies, func(s *keySite) {
		s.refused(s.send("POST", "k", strings.Repeat("x", 41)), 413, "too large", 0)
		req := s.request("POST", "k")
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", 41))), -1 // does not say so
		resp, err := s.http.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 413 || s.runs.Load() != 0 {
			s.t.Errorf("got %d", resp.StatusCode)
		}
		s.is(s.send("POST", "k", strings.Repeat("x", 40)), 201, strings.Repeat("x", 40), 1)
	}},
	{"hostile keys are a 400", nil, func(s *keySite) {
		for _, key := range []string{
			`"`, `""`, `"a`, `a"`, `"a"b`, `"a", "b"`, `a,b`, `a b`, `"\n"`, `\`, `;`, `a;b`, "ü", `"ü"`, strings.Repeat("k", 256),
			`"` + strings.Repeat("k", 256) + `"`, "\x7f", `"a" "b"`,
		} {
			req := s.request("POST", "x")
			req.Header["Idempotency-Key"] = []string{key}
			resp, err := s.http.Do(req)
			if err != nil {
				continue // net/http does not send it
			}
			resp.Body.Close()
			if resp.StatusCode != 400 || s.runs.Load() != 0 {
				s.t.Errorf("%q: %d after %d runs", key, resp.StatusCode, s.runs.Load())
			}
		}
		req := s.request("POST", "x")
		req.Header["Idempotency-Key"] = []string{"a", "a"}
		resp, err := s.http.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			s.t.Errorf("two keys: %d", resp.StatusCode)
		}
		req = s.request("POST", "x")
		req.Header["Idempotency-Key"] = []string{""}
		if resp, err = s.http.Do(req); err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			s.t.Errorf("an empty key: %d", resp.StatusCode)
		}
	}},
	{"without the store a request with a key is a 503, one without runs", nil, func(s *keySite) {
		s.store.fails("all")
		r := s.send("POST", "k")
		s.refused(r, 503, "", 0)
		if r.Header.Get("Seawall-Pushback") != "refused" || strings.Contains(r.body, "secret") {
			s.t.Errorf("got %v %q", r.Header, r.body)
		}
		s.is(s.send("POST", ""), 201, "1 ticket", 1)
		s.store.fails("")
		s.is(s.send("POST", "k"), 201, "1 ticket", 2)
	}},
	{"a store that hangs is a 503 after its time", quickStore, func(s *keySite) {
		s.store.hangs.Store(true)
		s.store.fails("begin")
		s.refused(s.send("POST", "k"), 503, "", 0)
	}},
	{"without the store the handler runs where that was chosen", func(c *httpx.IdempotencyConfig) {
		c.OnStoreError = httpx.StoreErrorRun
	}, func(s *keySite) {
		s.store.fails("begin")
		for i := range 2 {
			r := s.send("POST", "k")
			s.is(r, 201, "1 ticket", int64(i+1))
			s.isReplay(r, false)
		}
		if got := s.keys.Stats(); got.Unguarded != 2 || got.StoreErrors != 2 || got.New != 0 {
			s.t.Errorf("%+v", got)
		}
	}},
	{"an answer that cannot be kept is given all the same, and not run again before the lease is over", nil, func(s *keySite) {
		s.store.fails("finish")
		s.is(s.send("POST", "k"), 201, "1 ticket", 1)
		s.refused(s.send("POST", "k"), 409, "still at work", 1)
	}},
	{"of two that are nested the outer one has the key", nil, func(s *keySite) {
		inner := s.keys.Handler(http.HandlerFunc(answering(201, "inner")))
		s.does(inner.ServeHTTP)
		s.is(s.send("POST", "k"), 201, "inner", 1)
		s.isReplay(s.send("POST", "k"), true)
	}},
	{"the handler reads the body as it was", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				w.WriteHeader(400)
			}
			_, _ = io.WriteString(w, r.PostForm.Get("seat"))
		})
		s.is(s.send("POST", "k", "Content-Type: application/x-www-form-urlencoded", "seat=12"), 200, "12", 1)
	}},
	{"a connection with a key on it is not hijacked", nil, func(s *keySite) {
		s.does(func(w http.ResponseWriter, _ *http.Request) {
			if _, ok := w.(http.Hijacker); ok {
				s.t.Error("offers to be hijacked")
			}
			if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
				s.t.Error("was hijacked")
			}
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
				s.t.Error(err)
			}
		})
		s.is(s.send("POST", "k"), 200, "", 1)
	}},
}

func requireKey(c *httpx.IdempotencyConfig)   { c.Required = httpx.KeyRequired }
func smallAnswers(c *httpx.IdempotencyConfig) { c.MaxAnswer = 40 }
func smallBodies(c *httpx.IdempotencyConfig)  { c.MaxBody = 40 }
func quickStore(c *httpx.IdempotencyConfig)   { c.StoreTimeout = 20 * time.Millisecond }

// until polls for what another goroutine brings about.
func (s *keySite) until(done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("it does not come about")
		}
	}
}

func TestIdempotencyKeysKeepTheirRulesOverTheNetwork(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		for _, rule := range keyRules {
			t.Run(string(p)+"/"+rule.name, func(t *testing.T) {
				t.Parallel()
				rule.check(newKeySite(t, p, rule.change))
			})
		}
	}
}

// A thousand at once, over both protocols: one runs the handler, the others wait or get its answer.
func TestHandlerRunsOnceForAThousandRequestsWithOneKey(t *testing.T) {
	s := newKeySite(t, http2, nil)
	clients := 1000
	if raceEnabled {
		clients = 250
	}
	replies := make(chan reply, clients)
	s.does(func(w http.ResponseWriter, _ *http.Request) {
		s.until(func() bool { return s.keys.Stats().InFlight > 0 })
		answering(201, "done")(w, nil)
	})
	for range clients {
		go func() {
			for {
				r := s.send("POST", "k")
				if r.err == nil && r.StatusCode == 409 || r.StatusCode == 503 { // admission refuses some
					time.Sleep(20 * time.Millisecond)
					continue
				}
				replies <- r
				return
			}
		}()
	}
	fresh := 0
	for range clients {
		r := <-replies
		if r.err != nil || r.StatusCode != 201 || r.body != "done" {
			t.Fatalf("got %d %q, %v", r.StatusCode, r.body, r.err)
		}
		if r.Header.Get("Idempotent-Replayed") == "" {
			fresh++
		}
	}
	if n := s.runs.Load(); n != 1 || fresh != 1 {
		t.Errorf("the handler ran %d times, %d answers are not marked", n, fresh)
	}
}
