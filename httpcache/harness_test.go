package httpcache_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpcache"
)

const here = "http://origin.example/thing"

// roundTripper is an in-memory base.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// origin is an in-memory origin: a handler, and how often it was asked.
type origin struct {
	calls  atomic.Int64
	handle http.HandlerFunc
}

func (o *origin) RoundTrip(r *http.Request) (*http.Response, error) {
	o.calls.Add(1)
	if err := r.Context().Err(); err != nil {
		return nil, context.Cause(r.Context())
	}
	w := httptest.NewRecorder()
	o.handle(w, r)
	resp := w.Result()
	resp.Request = r
	if resp.Header.Get("Date") == "" {
		resp.Header.Set("Date", httpDate(time.Now()))
	}
	if resp.Header.Get("Content-Length") == "" {
		resp.ContentLength = int64(w.Body.Len())
		if w.Body.Len() > 0 {
			resp.Header.Set("Content-Length", strconv.Itoa(w.Body.Len()))
		}
	}
	if r.Method == http.MethodHead || resp.StatusCode == http.StatusNotModified || w.Body.Len() == 0 {
		resp.Body = http.NoBody
	}
	return resp, nil
}

func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// answers makes a handler that gives the same fields and body each time. A field with an empty value is left out.
func answers(body string, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		setFields(w.Header(), fields)
		io.WriteString(w, body)
	}
}

// setFields adds lines such as "Name: value".
func setFields(h http.Header, lines []string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimSpace(value))
	}
}

// newCache makes a cache that nobody else sees, and closes it at the end of the test.
func newCache(t testing.TB, cfg httpcache.Config, base http.RoundTripper) *httpcache.Cache {
	t.Helper()
	if cfg.Registry == nil {
		cfg.Registry = quiet()
	}
	c := httpcache.New("test", cfg, base)
	t.Cleanup(c.Close)
	return c
}

// result is a response that has been read.
type result struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r result) cacheStatus() string { return strings.Join(r.header["Cache-Status"], ", ") }

func request(ctx context.Context, method, url string, fields ...string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		panic(err)
	}
	setFields(req.Header, fields)
	return req
}

// get sends a GET, and reads the answer.
func get(t testing.TB, rt http.RoundTripper, url string, fields ...string) result {
	t.Helper()
	return do(rt, request(t.Context(), http.MethodGet, url, fields...))
}

func do(rt http.RoundTripper, req *http.Request) result {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return result{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return result{resp.StatusCode, resp.Header, string(body), err}
}
