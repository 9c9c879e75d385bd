package httpx_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
)

// served is one request to a Handler, over real sockets.
type served struct {
	name   string
	only   protocol // empty for both
	cfg    func(*httpx.ServerConfig)
	method string
	body   func() io.Reader
	fields []string
	leaves bool // the client does, once the handler runs
	serve  http.HandlerFunc

	status int    // 0 for an answer that is broken, or none
	text   string // of the body, whole
	says   string // in Seawall-Pushback
	cut    bool   // HTTP/1 loses its connection, HTTP/2 at most the stream
	judged string // by the gate: successes, failures and ignored
}

const (
	busyText  = "Service Unavailable\n"
	panicText = "Internal Server Error\n"
)

func withTime(c httpx.TimeLimitConfig) func(*httpx.ServerConfig) {
	return func(s *httpx.ServerConfig) { s.TimeLimit = c }
}

func shut(c *httpx.ServerConfig) { c.Admission.Adaptive.Mode = seawall.ForcedOpen }

func untilTheEnd(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func begun(end http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		end(w, r)
	}
}

// inDrops is a body that comes a little, and then not before the request has been given up.
func inDrops() io.Reader {
	body, feed := io.Pipe()
	go func() {
		_, _ = feed.Write([]byte("a little"))
		time.Sleep(500 * time.Millisecond)
		feed.CloseWithError(errors.New("too slow"))
	}()
	return body
}

func order() io.Reader { return strings.NewReader("1 ticket") }

var servedRows = []served{
	{name: "a good answer", serve: ok, status: 200, text: "ok", judged: "1 0 0"},
	{
		name: "an upload that is read", method: "POST", body: order, status: 200, text: "1 ticket", judged: "1 0 0",
		serve: func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) },
	},
	{name: "an upload that is not read", method: "POST", body: order, serve: ok, status: 200, text: "ok", judged: "1 0 0"},
	{name: "HEAD", method: "HEAD", serve: ok, status: 200, judged: "1 0 0"},
	{name: "no content", serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, status: 204, judged: "1 0 0"},
	{name: "not modified", serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, status: 304, judged: "1 0 0"},
	{name: "a client's mistake", serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, status: 404, judged: "1 0 0"},
	{name: "a failure", serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, status: 500, judged: "0 1 0"},
	{
		name: "a stream", status: 200, text: strings.Repeat("beat", 5), judged: "1 0 0",
		serve: func(w http.ResponseWriter, _ *http.Request) {
			for range 5 {
				_, _ = io.WriteString(w, "beat")
				_ = http.NewResponseController(w).Flush()
			}
		},
	},
	{name: "a full server", cfg: shut, serve: ok, status: 503, text: busyText, says: "refused", judged: "0 0 0"},
	{
		name: "a full server and an upload", cfg: shut, method: "POST", body: order, serve: ok,
		status: 503, text: busyText, says: "refused", judged: "0 0 0",
	},
	{
		name: "a full server and an upload that waits to be asked for", cfg: shut, method: "POST", body: order,
		fields: []string{"Expect", "100-continue"}, serve: ok, status: 503, text: busyText, says: "refused", judged: "0 0 0",
		cut: true, // what comes behind the header may be the body or the next request
	},
	{
		name: "an upload that waits to be asked for", method: "POST", body: order, fields: []string{"Expect", "100-continue"},
		serve:  func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) },
		status: 200, text: "1 ticket", judged: "1 0 0",
	},
	{
		name: "a quota", serve: ok, status: 429, text: "Too Many Requests\n", says: "refused", judged: "0 0 0",
		cfg: func(c *httpx.ServerConfig) {
			c.Quotas = []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 1, Mode: seawall.ForcedOpen}}}
		},
	},
	{
		name: "a dependency that refuses", status: 503, text: busyText, says: "refused", judged: "0 1 0",
		serve: func(w http.ResponseWriter, _ *http.Request) { httpx.Refuse(w, seawall.ErrRejected) },
	},
	{
		name: "a gate further in that refuses", status: 503, text: busyText, says: "refused", judged: "0 0 1",
		serve: httpx.Admit("inner", httpx.AdmissionConfig{
			Fixed: bulkhead.Config{Limit: 1, Mode: seawall.ForcedOpen}, Registry: quiet(),
		})(http.HandlerFunc(ok)).ServeHTTP,
	},
	{
		name: "the first byte does not come", cfg: withTime(within(50 * time.Millisecond)), serve: untilTheEnd,
		status: 503, text: busyText, cut: true, judged: "0 1 0",
	},
	{
		name: "the first byte does not come, for a slow upload", cfg: withTime(within(50 * time.Millisecond)), method: "POST", body: inDrops,
		serve:  func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) },
		status: 503, text: busyText, cut: true, judged: "0 1 0",
	},
	{
		name: "a response that stands still", cfg: withTime(httpx.TimeLimitConfig{Idle: 50 * time.Millisecond}),
		serve: begun(untilTheEnd), text: "half", cut: true, judged: "0 1 0",
	},
	{
		name: "a response that takes too long", cfg: withTime(httpx.TimeLimitConfig{Total: 200 * time.Millisecond, FirstByte: 200 * time.Millisecond}),
		serve: begun(untilTheEnd), text: "half", cut: true, judged: "0 1 0",
	},
	{
		name: "the deadline of a peer", cfg: func(c *httpx.ServerConfig) { c.Inbound = trusting(httpx.TrustLoopback) },
		fields: []string{"X-Request-Timeout-Ms", "60"}, status: 503, text: busyText, cut: true, judged: "0 1 0",
		serve: func(http.ResponseWriter, *http.Request) { time.Sleep(200 * time.Millisecond) }, // else it may be quicker than we are
	},
	{name: "a panic", serve: func(http.ResponseWriter, *http.Request) { panic("boom") }, status: 500, text: panicText, judged: "0 1 0"},
	{
		name: "a panic in the middle", serve: begun(func(http.ResponseWriter, *http.Request) { panic("boom") }),
		text: "half", cut: true, judged: "0 1 0",
	},
	{
		name: "an abort", serve: begun(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		text: "half", cut: true, judged: "0 1 0",
	},
	{
		name: "the end of the goroutine", serve: begun(func(http.ResponseWriter, *http.Request) { runtime.Goexit() }),
		text: "half", cut: true, judged: "0 1 0",
	},
	{name: "a client that leaves", leaves: true, serve: untilTheEnd, cut: true, judged: "0 0 1"},
	{name: "a client that leaves a response", leaves: true, serve: begun(untilTheEnd), cut: true, judged: "0 0 1"},
	{
		name: "early hints", status: 404, judged: "1 0 0",
		serve: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(404)
		},
	},
	{
		name: "a key", method: "POST", body: order, fields: []string{"Idempotency-Key", "k"}, serve: ok, status: 200, text: "ok", judged: "1 0 0",
		cfg: func(c *httpx.ServerConfig) {
			c.Inner = append(c.Inner, httpx.NewIdempotency("keys", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: quiet()}).Handler)
		},
	},
	{
		name: "a connection that the handler takes", only: http1, status: 200, text: "taken", cut: true, judged: "1 0 0",
		serve: func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			answer(rw, "taken")
		},
	},
}

func answer(rw *bufio.ReadWriter, text string) {
	fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	_ = rw.Flush()
}

// T2, T38, T39, T59, T62, T64: what becomes of a request, in whichever way it ends, and that nothing of it is left behind:
// no slot, no handler, no context, no read of a body, no goroutine and no connection but one for the next request.
func TestEveryWayThatARequestEndsOnTheServerLeavesNothingBehind(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		for _, row := range servedRows {
			if row.only == "" || row.only == p {
				t.Run(string(p)+"/"+row.name, func(t *testing.T) { row.check(t, p) })
			}
		}
	}
}

func (row served) check(t *testing.T, p protocol) {
	cfg := httpx.ServerConfig{Registry: quiet()}
	if row.cfg != nil {
		row.cfg(&cfg)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	s := newWard(t, p, cfg, func(w http.ResponseWriter, r *http.Request) {
		if row.leaves {
			time.AfterFunc(20*time.Millisecond, leave)
		}
		row.serve(w, r)
	})
	method, body := "GET", io.Reader(nil)
	if row.method != "" {
		method = row.method
	}
	if row.body != nil {
		body = row.body()
	}
	resp, text, err := s.do(s.request(t, method, "/", body, row.fields...).WithContext(ctx))
	switch {
	case row.status == 0 && err == nil:
		t.Errorf("%s with %q was taken for a whole answer", resp.Status, text)
	case row.status == 0 && row.text != "" && text != row.text:
		t.Errorf("got %q, %v, want %q before the end", text, err, row.text)
	case row.status != 0 && (err != nil || resp.StatusCode != row.status || text != row.text || resp.Header.Get("Seawall-Pushback") != row.says):
		t.Errorf("got %v, %q, %v; want %d, %q and %q", resp, text, err, row.status, row.text, row.says)
	}
	kept := int64(1)
	if row.cut && p == http1 {
		kept = 0
	}
	if left := s.left(10*time.Second, kept); len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, "; "))
	}
	o := s.h.Admission().(*bulkhead.Adaptive).Stats().Outcomes
	if got := fmt.Sprint(o.Successes, o.Failures, o.Ignored); got != row.judged {
		t.Errorf("the gate was told %s, want %s", got, row.judged)
	}
}
