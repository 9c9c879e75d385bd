package httpx_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/timeout"
)

// act is what the server does with one request.
type act func(w http.ResponseWriter, r *http.Request)

func status(code int) act {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
		if code != 204 && code != 304 {
			fmt.Fprintf(w, "status %d", code)
		}
	}
}

// hinted answers with a field and no body.
func hinted(code int, field, value string) act {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set(field, value)
		w.WriteHeader(code)
	}
}

// comeBack asks by a date for a time without further requests.
func comeBack(in time.Duration) act {
	return func(w http.ResponseWriter, r *http.Request) {
		hinted(503, "Retry-After", time.Now().Add(in).UTC().Format(http.TimeFormat))(w, r)
	}
}

// cut ends the connection without an answer, after reading the request.
func cut(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

// hang answers nothing as long as the client is there.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// halfBody ends the connection in the middle of the body.
func halfBody(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, strings.Repeat("x", 500))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// halfMeg answers with 512 KiB.
func halfMeg(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, strings.Repeat("x", 512<<10))
}

// someOf reads the begin of a body.
func someOf(r io.Reader) ([]byte, error) {
	some := make([]byte, 3)
	_, err := io.ReadFull(r, some)
	return some, err
}

// site is a server that does what it is told, and a Transport to it that is watched.
type site struct {
	*httptest.Server
	tr     *httpx.Transport
	base   *http.Transport
	unread bool // bodies of requests are left to the script

	mu       sync.Mutex // guards the fields below
	script   []act      // one for each request; the last one goes on
	got      []string   // method, attempt and body of each request
	contexts []context.Context
	bodies   atomic.Int64 // of responses of the base that are not closed
	dials    atomic.Int64
	conns    atomic.Int64 // open on the side of the server
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if !s.unread {
		body, _ = io.ReadAll(r.Body)
	}
	s.mu.Lock()
	do := s.script[min(len(s.got), len(s.script)-1)]
	s.got = append(s.got, strings.TrimSpace(r.Method+" "+r.Header.Get("Seawall-Attempt")+" "+string(body)))
	s.mu.Unlock()
	if !s.unread {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	do(w, r)
}

// RoundTrip is the base of the Transport.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.contexts = append(s.contexts, r.Context())
	s.mu.Unlock()
	resp, err := s.base.RoundTrip(r)
	if err == nil && resp.ContentLength != 0 && resp.Body != http.NoBody && resp.StatusCode != 101 {
		s.bodies.Add(1)
		resp.Body = &watchedBody{ReadCloser: resp.Body, open: &s.bodies}
	}
	return resp, err
}

func (s *site) CloseIdleConnections() { s.base.CloseIdleConnections() }

type watchedBody struct {
	io.ReadCloser
	open *atomic.Int64
	once sync.Once
}

func (b *watchedBody) Close() error {
	b.once.Do(func() { b.open.Add(-1) })
	return b.ReadCloser.Close()
}

type protocol string

const (
	http1 protocol = "HTTP/1"
	http2 protocol = "HTTP/2"
)

func newSite(t *testing.T, p protocol, cfg httpx.ClientConfig, script ...act) *site {
	t.Helper()
	return newSiteWith(t, p, cfg, func(*site) {}, script...)
}

// newSiteWith lets a test set up the server, which speaks HTTP/2 if it has TLS and is told to, before it starts. A server with
// a configuration of TLS has TLS.
func newSiteWith(t *testing.T, p protocol, cfg httpx.ClientConfig, setUp func(*site), script ...act) *site {
	t.Helper()
	s := &site{script: script}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = discardLog
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.conns.Add(-1)
		}
	}
	s.EnableHTTP2 = p == http2
	setUp(s)
	if s.EnableHTTP2 || s.TLS != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	s.base = s.Client().Transport.(*http.Transport)
	dial := s.base.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	s.base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		s.dials.Add(1)
		return dial(ctx, network, addr)
	}
	s.tr = httpx.NewTransport("test", cfg, s)
	return s
}

// rest checks that all is as it was before: nobody runs, nothing is open, no slot is in use, no context lives. The
// connections are counted while the server still runs, which would otherwise end those that the client has forgotten.
func (s *site) rest(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		s.base.CloseIdleConnections()
		n := s.conns.Load()
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Errorf("%d connections are open", n)
			break
		}
	}
	s.Close()
	if left := leaktest.Wait(5 * time.Second); len(left) > 0 {
		t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
	}
	if n := s.bodies.Load(); n != 0 {
		t.Errorf("%d bodies of responses were left open", n)
	}
	for i, ctx := range s.contexts {
		if ctx.Err() == nil {
			t.Errorf("the context of attempt %d is alive", i+1)
		}
	}
	for host, b := range s.tr.Bulkheads() {
		if n := b.Stats().InUse; n != 0 {
			t.Errorf("%s: %d slots are in use", host, n)
		}
	}
}

// row is one call, over real sockets.
type row struct {
	name   string
	method string
	key    bool // with an Idempotency-Key
	body   string
	stream bool // without a GetBody
	ctx    func(context.Context) (context.Context, context.CancelFunc)
	cfg    func(*httpx.ClientConfig)
	script []act
	read   func(io.Reader) ([]byte, error) // the response's body; nil to its end

	status   int     // of the response; 0 for none
	text     string  // of its body
	matches  []error // of the error, that of reading the body included
	not      []error
	requests []string // that reached the server
	judged   string   // by the breaker: successes, failures, overloads, ignored and slow; empty for no matter
}

func limited(d time.Duration) func(*httpx.ClientConfig) {
	return func(c *httpx.ClientConfig) { c.AttemptTimeout = d }
}

var callers = []error{context.Canceled, context.DeadlineExceeded}

// short is a limit that is to pass, and yet long enough for a handshake on a machine with other things to do.
const short = 400 * time.Millisecond

var rows = []row{
	{
		name: "a good answer", method: "GET", script: []act{status(200)},
		status: 200, text: "status 200", judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{
		name: "too many requests, GET", method: "GET", script: []act{hinted(429, "Retry-After", "0"), status(200)},
		status: 200, text: "status 200", judged: "1 0 1 0 0", requests: []string{"GET", "GET 2"},
	},
	{
		name: "too many requests, POST", method: "POST", body: "order", script: []act{hinted(429, "Retry-After", "0")},
		status: 429, judged: "0 0 1 0 0", requests: []string{"POST  order"},
	},
	{
		name: "a wait that cannot end in time goes back at once", method: "GET",
		script: []act{hinted(503, "Retry-After", "3600")},
		cfg:    func(c *httpx.ClientConfig) { c.Timeout = 5 * time.Second },
		status: 503, judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "a quota that is used up, and is not back in time", method: "GET",
		script: []act{hinted(429, "RateLimit", `"default";r=0;t=3600`)},
		cfg:    func(c *httpx.ClientConfig) { c.Timeout = 5 * time.Second },
		status: 429, judged: "0 0 1 0 0", requests: []string{"GET"},
	},
	{
		name: "a conflict of a repeat", method: "POST", key: true, body: "order",
		script: []act{status(503), hinted(409, "Retry-After", "0"), status(201)},
		status: 201, text: "status 201", judged: "1 1 1 0 0",
		requests: []string{"POST  order", "POST 2 order", "POST 3 order"},
	},
	{
		name: "final is not repeated", method: "GET", script: []act{hinted(503, "Seawall-Pushback", "final")},
		status: 503, judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "refused by a trusted peer, POST", method: "POST", body: "order",
		cfg:    func(c *httpx.ClientConfig) { c.TrustPeer = httpx.TrustLoopback },
		script: []act{hinted(503, "Seawall-Pushback", "refused"), status(201)},
		status: 201, text: "status 201", judged: "1 0 1 0 0", requests: []string{"POST  order", "POST 2 order"},
	},
	{
		name: "not implemented", method: "GET", script: []act{status(501)},
		status: 501, text: "status 501", judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "no progress within the idle limit", method: "GET",
		cfg: func(c *httpx.ClientConfig) { c.IdleTimeout = short },
		script: []act{func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}},
		status: 200, text: "half", matches: []error{timeout.ErrExceeded}, not: callers, judged: "0 1 0 0 0",
		requests: []string{"GET"},
	},
	{
		name: "the end of the body is late", method: "GET",
		cfg: func(c *httpx.ClientConfig) { c.AttemptTimeout, c.AttemptSpan = short, httpx.SpanEnd },
		script: []act{func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}},
		status: 200, text: "half", matches: []error{timeout.ErrExceeded}, not: callers, judged: "0 1 0 0 0",
		requests: []string{"GET"},
	},
	{
		name: "a late attempt is hedged, and its loser goes", method: "GET",
		cfg:    func(c *httpx.ClientConfig) { c.Hedge = &hedge.Config{Delay: short / 4} },
		script: []act{hang, status(200)},
		status: 200, text: "status 200", requests: []string{"GET", "GET 2"},
	},
	{
		name: "request timeout", method: "GET", script: []act{hinted(408, "Retry-After", "0"), status(200)},
		status: 200, text: "status 200", judged: "1 0 1 0 0", requests: []string{"GET", "GET 2"},
	},
	{
		name: "too early", method: "GET", script: []act{hinted(425, "Retry-After", "0"), status(200)},
		status: 200, text: "status 200", judged: "1 0 1 0 0", requests: []string{"GET", "GET 2"},
	},
	{
		name: "version not supported", method: "GET", script: []act{status(505)},
		status: 505, text: "status 505", judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "refused by a peer that is not trusted, POST", method: "POST", body: "order",
		script: []act{hinted(503, "Seawall-Pushback", "refused")},
		status: 503, judged: "0 0 1 0 0", requests: []string{"POST  order"},
	},
	{
		name: "not modified", method: "GET", script: []act{status(304)},
		status: 304, judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{
		name: "an empty answer", method: "GET", script: []act{hinted(200, "Content-Length", "0")},
		status: 200, judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{
		name: "the context says that it may be repeated, POST", method: "POST", body: "order",
		ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithCancel(httpx.Idempotent(ctx))
		},
		script: []act{status(503), status(201)},
		status: 201, text: "status 201", judged: "1 1 0 0 0", requests: []string{"POST  order", "POST 2 order"},
	},
	{
		name: "a key is made, POST", method: "POST", body: "order",
		cfg:    func(c *httpx.ClientConfig) { c.Keys = httpx.QuotedKeys },
		script: []act{status(503), status(201)},
		status: 201, text: "status 201", judged: "1 1 0 0 0", requests: []string{"POST  order", "POST 2 order"},
	},
	{
		name: "a hint beyond the cap", method: "GET", script: []act{hinted(503, "Retry-After", "3600"), status(200)},
		cfg:    func(c *httpx.ClientConfig) { c.Retry.MaxRetryAfter = 10 * time.Millisecond },
		status: 200, text: "status 200", judged: "1 1 0 0 0", requests: []string{"GET", "GET 2"},
	},
	{
		name: "the first byte is late", method: "GET",
		cfg: func(c *httpx.ClientConfig) { c.AttemptTimeout, c.AttemptSpan = short, httpx.SpanFirstByte },
		script: []act{func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}},
		status: 200, matches: []error{timeout.ErrExceeded}, not: callers, judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "settled at the headers", method: "GET", script: []act{halfBody},
		cfg:    func(c *httpx.ClientConfig) { c.Settle = httpx.AtHeaders },
		status: 200, text: strings.Repeat("x", 500), not: callers, judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{
		name: "a date to come back at that is too far", method: "GET", script: []act{comeBack(time.Hour)},
		cfg:    func(c *httpx.ClientConfig) { c.Timeout = 5 * time.Second },
		status: 503, judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "a date to come back at that has passed", method: "GET", script: []act{comeBack(-time.Hour), status(200)},
		status: 200, text: "status 200", judged: "1 1 0 0 0", requests: []string{"GET", "GET 2"},
	},
	{
		name: "a redirect", method: "GET", script: []act{hinted(302, "Location", "/next"), status(200)},
		status: 200, text: "status 200", judged: "2 0 0 0 0", requests: []string{"GET", "GET"},
	},
	{
		name: "the time that is left and the priority are sent", method: "GET",
		cfg: func(c *httpx.ClientConfig) { c.Timeout = time.Hour },
		ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(seawall.WithPriority(ctx, seawall.Sheddable), time.Minute)
		},
		script: []act{func(w http.ResponseWriter, r *http.Request) {
			ms, err := strconv.Atoi(r.Header.Get("X-Request-Timeout-Ms"))
			fmt.Fprint(w, err == nil && ms > 30_000 && ms <= 60_000, r.Header["Seawall-Priority"])
		}},
		status: 200, text: "true [sheddable]", judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{
		name: "a gate of our own that is shut", method: "POST", body: "order", script: []act{status(200)},
		cfg:     func(c *httpx.ClientConfig) { c.Breaker.Mode = seawall.ForcedOpen },
		matches: []error{seawall.ErrRejected, breaker.ErrOpen}, not: callers, judged: "0 0 0 0 0",
	},
	{
		name: "a rate of our own that leaves no token for a second attempt", method: "GET", script: []act{status(503)},
		cfg:     func(c *httpx.ClientConfig) { c.RateLimit = &ratelimit.Config{Rate: 0.001, Burst: 1} },
		matches: []error{seawall.ErrRejected, ratelimit.ErrLimited}, not: callers, judged: "0 1 0 1 0", requests: []string{"GET"},
	},
	{
		name: "closed early, a good answer", method: "GET", script: []act{halfMeg}, read: someOf,
		status: 200, text: "xxx", judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{
		name: "closed early, unavailable for good", method: "POST", body: "order", read: someOf,
		script: []act{func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			halfMeg(w, r)
		}},
		status: 503, text: "xxx", judged: "0 1 0 0 0", requests: []string{"POST  order"},
	},
	{
		name: "read more slowly than an attempt may take", method: "GET", cfg: limited(short), script: []act{halfMeg}, // T23
		read: func(r io.Reader) (text []byte, err error) {
			for part := make([]byte, 64<<10); err == nil; {
				time.Sleep(short / 6)
				var n int
				n, err = io.ReadFull(r, part)
				text = append(text, part[:n]...)
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return text, err
		},
		status: 200, text: strings.Repeat("x", 512<<10), judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{
		name: "a body that can only be streamed is sent once, PUT", method: "PUT", body: "seat", stream: true, script: []act{status(503)},
		status: 503, text: "status 503", judged: "0 1 0 0 0", requests: []string{"PUT  seat"},
	},
	{
		name: "a streamed body that is kept, PUT", method: "PUT", body: "seat", stream: true, script: []act{status(503), status(200)},
		cfg:    func(c *httpx.ClientConfig) { c.ReplayBuffer = 100 },
		status: 200, text: "status 200", judged: "1 1 0 0 0", requests: []string{"PUT  seat", "PUT 2 seat"},
	},
	{
		name: "a redirect that keeps the method wants the body again, POST", method: "POST", body: "order", stream: true,
		script: []act{hinted(307, "Location", "/next")}, status: 307, judged: "1 0 0 0 0", requests: []string{"POST  order"},
	},
	{
		name: "a gateway's timeout", method: "GET", script: []act{status(504), status(200)},
		status: 200, text: "status 200", judged: "1 1 0 0 0", requests: []string{"GET", "GET 2"},
	},
	{
		name: "another failure of the server", method: "GET", script: []act{status(507)},
		status: 507, text: "status 507", judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "a conflict of the first", method: "POST", key: true, body: "order", script: []act{status(409)},
		status: 409, text: "status 409", judged: "1 0 0 0 0", requests: []string{"POST  order"},
	},
	{name: "no content", method: "DELETE", script: []act{status(204)}, status: 204, requests: []string{"DELETE"}},
	{name: "HEAD", method: "HEAD", script: []act{status(200)}, status: 200, requests: []string{"HEAD"}},
	{
		name: "not found is an answer", method: "GET", script: []act{status(404)},
		status: 404, text: "status 404", judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{
		name: "unavailable once", method: "GET", script: []act{status(503), status(200)},
		status: 200, text: "status 200", judged: "1 1 0 0 0", requests: []string{"GET", "GET 2"},
	},
	{
		name: "unavailable for good: the last response, unread", method: "GET", script: []act{status(503)},
		status: 503, text: "status 503", judged: "0 3 0 0 0", requests: []string{"GET", "GET 2", "GET 3"},
	},
	{
		name: "POST without a key", method: "POST", body: "order", script: []act{status(503)},
		status: 503, text: "status 503", requests: []string{"POST  order"},
	},
	{
		name: "POST with a key", method: "POST", key: true, body: "order", script: []act{status(503), status(201)},
		status: 201, text: "status 201", requests: []string{"POST  order", "POST 2 order"},
	},
	{
		name: "PUT sends its body again", method: "PUT", body: "seat", script: []act{status(502), status(500), status(200)},
		status: 200, text: "status 200", requests: []string{"PUT  seat", "PUT 2 seat", "PUT 3 seat"},
	},
	{
		name: "connection cut, GET", method: "GET", script: []act{cut, status(200)},
		status: 200, text: "status 200", judged: "1 1 0 0 0", requests: []string{"GET", "GET 2"},
	},
	{
		name: "connection cut, POST", method: "POST", body: "order", script: []act{cut},
		not: callers, judged: "0 1 0 0 0", requests: []string{"POST  order"},
	},
	{
		name: "attempt limit, GET", method: "GET", cfg: limited(short), script: []act{hang, status(200)},
		status: 200, text: "status 200", judged: "1 1 0 0 1", requests: []string{"GET", "GET 2"},
	},
	{
		name: "attempt limit, POST", method: "POST", body: "order", cfg: limited(short), script: []act{hang},
		matches: []error{timeout.ErrExceeded}, not: callers, judged: "0 1 0 0 1", requests: []string{"POST  order"},
	},
	{
		name: "total limit", method: "GET", script: []act{hang},
		cfg:     func(c *httpx.ClientConfig) { c.Timeout = short },
		matches: []error{timeout.ErrExceeded}, not: callers, judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "the caller's deadline", method: "GET", script: []act{hang},
		ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, short)
		},
		matches: []error{context.DeadlineExceeded}, not: []error{timeout.ErrExceeded}, judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "the caller leaves", method: "GET", script: []act{hang},
		ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(short, cancel)
			return ctx, cancel
		},
		matches: []error{context.Canceled}, not: []error{timeout.ErrExceeded}, judged: "0 0 0 1 0", requests: []string{"GET"},
	},
	{
		name: "the body is cut by the peer", method: "GET", script: []act{halfBody},
		status: 200, text: strings.Repeat("x", 500), not: append(callers, timeout.ErrExceeded), judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "the body hangs until the total limit", method: "GET",
		cfg: func(c *httpx.ClientConfig) { c.Timeout = short },
		script: []act{func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}},
		status: 200, text: "half", matches: []error{timeout.ErrExceeded}, not: callers, judged: "0 1 0 0 0", requests: []string{"GET"},
	},
	{
		name: "the body takes longer than an attempt", method: "GET", cfg: limited(short),
		script: []act{func(w http.ResponseWriter, _ *http.Request) {
			for range 8 { // T23: 512 KiB
				_, _ = w.Write(bytes.Repeat([]byte{'x'}, 64<<10))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(short / 6)
			}
		}},
		status: 200, text: strings.Repeat("x", 512<<10), judged: "1 0 0 0 0", requests: []string{"GET"},
	},
	{name: "early hints pass", method: "GET", script: []act{func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "late")
	}}, status: 200, text: "late", requests: []string{"GET"}},
	{name: "compressed by the server", method: "GET", script: []act{func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "unpacked")
		_ = z.Close()
	}}, status: 200, text: "unpacked", requests: []string{"GET"}},
	{name: "a discarded body that never ends", method: "GET", script: []act{func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "wait")
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	}, status(200)}, status: 200, text: "status 200", requests: []string{"GET", "GET 2"}},
}

func TestConformance(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		for _, row := range rows {
			t.Run(string(p)+"/"+row.name, func(t *testing.T) {
				cfg := quick()
				if row.cfg != nil {
					row.cfg(&cfg)
				}
				s := newSite(t, p, cfg, row.script...)
				body := newCountedBody(row.body)
				defer func() {
					s.rest(t) // net/http may close the body a moment after it has returned
					if n := body.closes.Load(); row.body != "" && n != 1 {
						t.Errorf("the request's body was closed %d times", n)
					}
				}()
				ctx := context.Background()
				if row.ctx != nil {
					var cancel context.CancelFunc
					ctx, cancel = row.ctx(ctx)
					defer cancel()
				}
				req, err := http.NewRequestWithContext(ctx, row.method, s.URL, strings.NewReader(row.body))
				if err != nil {
					t.Fatal(err)
				}
				if row.body == "" {
					req.Body = nil
				} else {
					req.Body, req.GetBody = body, func() (io.ReadCloser, error) { return newCountedBody(row.body), nil }
				}
				if row.stream {
					req.GetBody = nil
				}
				if row.key {
					req.Header.Set("Idempotency-Key", "k")
				}
				row.check(t, s, req)
			})
		}
	}
}

func (row row) check(t *testing.T, s *site, req *http.Request) {
	t.Helper()
	resp, err := (&http.Client{Transport: s.tr}).Do(req)
	code, text := 0, ""
	if err == nil {
		defer resp.Body.Close()
		var read []byte
		readAll := io.ReadAll
		if row.read != nil {
			readAll = row.read
		}
		read, err = readAll(resp.Body)
		code, text = resp.StatusCode, string(read)
		empty := resp.ContentLength == 0 || row.method == http.MethodHead || code == 204 || code == 304
		if (resp.Body == http.NoBody) != empty {
			t.Errorf("the body of %d bytes is %T", resp.ContentLength, resp.Body)
		}
		resp.Body.Close()
	}
	if code != row.status || text != row.text {
		t.Errorf("status %d, %d bytes; want %d, %d bytes; error %v", code, len(text), row.status, len(row.text), err)
	}
	if good := len(row.matches)+len(row.not) == 0; good != (err == nil) {
		t.Errorf("the error is %v", err)
	}
	for _, e := range row.matches {
		if !errors.Is(err, e) {
			t.Errorf("%v does not match %v", err, e)
		}
	}
	for _, e := range row.not {
		if errors.Is(err, e) {
			t.Errorf("%v matches %v", err, e)
		}
	}
	if got := judged(s.tr); row.judged != "" && got != row.judged {
		t.Errorf("judged %s, want %s", got, row.judged)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Join(s.got, "|") != strings.Join(row.requests, "|") {
		t.Errorf("the server got %q, want %q", s.got, row.requests)
	}
}

// T20: a connection is used again after each discarded response.
func TestAThousandRepeatedCallsNeedOneConnection(t *testing.T) {
	calls := 1000
	if testing.Short() {
		calls = 100
	}
	for _, p := range []protocol{http1, http2} {
		t.Run(string(p), func(t *testing.T) {
			var n atomic.Int64
			s := newSite(t, p, quick(), func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1)%2 == 1 {
					w.WriteHeader(503)
				}
				_, _ = io.WriteString(w, strings.Repeat("x", 8<<10))
			})
			defer s.rest(t)
			for range calls {
				req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := s.tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			if got := n.Load(); got != int64(2*calls) {
				t.Errorf("%d requests for %d calls", got, calls)
			}
			if got := s.dials.Load(); got != 1 {
				t.Errorf("%d connections were made, want 1", got)
			}
			s.mu.Lock()
			s.contexts = nil
			s.mu.Unlock()
		})
	}
}

// T21, T70: a rejection comes through the http.Client with its details, and closes the body that was never sent.
func TestARejectionSaysWhoAndWhyAndUntilWhen(t *testing.T) {
	for _, row := range []struct {
		name     string
		cfg      func(*httpx.ClientConfig)
		sentinel error
		kind     string
		reason   seawall.Reason
		timed    bool
	}{
		{
			name: "open", sentinel: breaker.ErrOpen, kind: "breaker", reason: seawall.ReasonOpen, timed: true,
			cfg: func(c *httpx.ClientConfig) {
				c.Breaker, c.Retry.MaxAttempts = breaker.Config{MinCalls: 1}, 1
			},
		},
		{
			name: "full", sentinel: bulkhead.ErrFull, kind: "bulkhead", reason: seawall.ReasonFull,
			cfg: func(c *httpx.ClientConfig) {
				c.Bulkhead = bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}}
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := quick()
			row.cfg(&cfg)
			release := make(chan struct{})
			s := newSite(t, http1, cfg, func(w http.ResponseWriter, _ *http.Request) {
				if row.timed {
					w.WriteHeader(500)
					return
				}
				<-release
			})
			defer s.rest(t)
			letGo := sync.OnceFunc(func() { close(release) })
			defer letGo()
			client := &http.Client{Transport: s.tr}
			send := func(body io.Reader) error {
				req, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+"/x?token=s3cret", body)
				if err != nil {
					return err
				}
				resp, err := client.Do(req)
				if err == nil {
					resp.Body.Close()
				}
				return err
			}
			var first sync.WaitGroup
			first.Go(func() {
				if err := send(http.NoBody); err != nil {
					t.Errorf("the first request: %v", err)
				}
			})
			if row.timed {
				first.Wait()
			} else {
				waitFor(t, "the first request to have the slot", func() bool { return inUse(s.tr) == 1 })
			}
			body := newCountedBody("seat")
			err := send(body)
			letGo()
			first.Wait()

			rejected, ok := errors.AsType[*seawall.RejectedError](err)
			if !ok || !errors.Is(err, seawall.ErrRejected) || !errors.Is(err, row.sentinel) {
				t.Fatalf("the error is %v", err)
			}
			if rejected.Kind != row.kind || rejected.Reason != row.reason || rejected.Name != "test["+s.URL+"]" {
				t.Errorf("rejected by %s %q: %s", rejected.Kind, rejected.Name, rejected.Reason)
			}
			if row.timed != (rejected.RetryAfter() > 0) {
				t.Errorf("until %v from now", rejected.RetryAfter())
			}
			if strings.Contains(rejected.Error(), "s3cret") {
				t.Errorf("the rejection tells the query: %v", rejected)
			}
			if body.closes.Load() != 1 || body.reads.Load() != 0 {
				t.Errorf("the body was closed %d times, read %d times", body.closes.Load(), body.reads.Load())
			}
		})
	}
}

// T23, over a real connection.
func TestAProtocolSwitchWorksThroughTheClient(t *testing.T) {
	cfg := quick()
	cfg.Timeout, cfg.AttemptTimeout = 2*short, short
	s := newSite(t, http1, cfg, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		line, _ := rw.ReadString('\n')
		_, _ = conn.Write([]byte(strings.ToUpper(line)))
	})
	defer s.rest(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := (&http.Client{Transport: s.tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	time.Sleep(3 * short) // past both limits
	rw, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("the body is a %T", resp.Body)
	}
	if _, err := io.WriteString(rw, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(rw).ReadString('\n'); line != "HELLO\n" {
		t.Errorf("read %q, %v", line, err)
	}
}

// httputil.ReverseProxy refuses to pass on such an answer, and does not close it.
func TestAProtocolSwitchThatNobodyAskedForHoldsNoSlotBehindAProxy(t *testing.T) {
	s := newSite(t, http1, quick(), func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"))
		_, _ = conn.Read(make([]byte, 1)) // until the client closes
	})
	defer s.rest(t)
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	var said error
	proxy := &httputil.ReverseProxy{
		Transport: s.tr, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			said = err
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	rec := httptest.NewRecorder()
	proxy.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if rec.Code != http.StatusBadGateway || said == nil || !strings.Contains(said.Error(), "101 Switching Protocols, for which the request did not ask") {
		t.Errorf("%d: %v", rec.Code, said)
	}
	if len(s.got) != 1 {
		t.Errorf("it was asked %d times, want once: the next answer would be no other", len(s.got))
	}
}

func TestRedirectsAreFollowedHopByHopWithTheirOwnHosts(t *testing.T) {
	target := newSite(t, http1, quick(), status(503), status(200))
	s := newSite(t, http1, quick(), status(503), func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target.URL, http.StatusTemporaryRedirect)
	})
	defer func() {
		s.base.CloseIdleConnections()
		target.Close()
		s.rest(t)
	}()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL, strings.NewReader("seat"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: s.tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := strings.Join(append(s.got, target.got...), "|"); got != "PUT  seat|PUT 2 seat|PUT  seat|PUT  seat" { // our fields are for the first host
		t.Errorf("the servers got %q", got)
	}
	hosts := 0
	for range s.tr.Breakers() {
		hosts++
	}
	if hosts != 2 {
		t.Errorf("%d breakers for two hosts", hosts)
	}
}

// T22: the trace of the caller sees all that it would see.
func TestTheCallersTraceGoesOn(t *testing.T) {
	s := newSite(t, http1, quick(), status(503), status(200))
	defer s.rest(t)
	var wanted, got, wrote atomic.Int64
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GetConn:      func(string) { wanted.Add(1) },
		GotConn:      func(httptrace.GotConnInfo) { got.Add(1) },
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Add(1) },
	})
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if wanted.Load() != 2 || got.Load() != 2 || wrote.Load() != 2 {
		t.Errorf("saw %d, %d, %d of two attempts", wanted.Load(), got.Load(), wrote.Load())
	}
}
