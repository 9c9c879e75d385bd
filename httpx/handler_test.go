package httpx_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/timeout"
)

// one is a configuration with a single slot.
func one(queue int, maxWait time.Duration) httpx.ServerConfig {
	return httpx.ServerConfig{
		Admission: httpx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: queue, MaxWait: maxWait}}},
		Registry:  quiet(),
	}
}

// trusting believes peers to the letter.
func trusting(trust func(*http.Request) bool) httpx.InboundConfig {
	return httpx.InboundConfig{TrustPeer: trust, Margin: httpx.NoMargin}
}

// within limits the time to the first byte.
func within(d time.Duration) httpx.TimeLimitConfig { return httpx.TimeLimitConfig{FirstByte: d} }

// serve runs a Handler on loopback.
func serve(t *testing.T, cfg httpx.ServerConfig, h http.HandlerFunc) (*httpx.Handler, *httptest.Server) {
	t.Helper()
	handler := httpx.NewHandler("test", cfg, h)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = discardLog
	server.Start()
	t.Cleanup(server.Close)
	return handler, server
}

func get(t *testing.T, url string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// checkRefusal checks that a response is the one of a full server.
func checkRefusal(t *testing.T, resp *http.Response, body string) {
	t.Helper()
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != 503 || err != nil || seconds < 1 {
		t.Errorf("status %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	for name, want := range map[string]string{
		"Seawall-Pushback": "refused", "Cache-Control": "no-store", "Content-Type": "text/plain; charset=utf-8",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if body != "Service Unavailable\n" {
		t.Errorf("the body is %q", body)
	}
}

// T38
func TestAFullServerRefusesAndLetsHealthChecksPass(t *testing.T) {
	busy, done := make(chan struct{}), make(chan struct{})
	h, server := serve(t, one(bulkhead.NoQueue, 0), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/work" {
			close(busy)
			<-done
		}
		fmt.Fprint(w, "served ", r.URL.Path)
	})
	var first sync.WaitGroup
	first.Go(func() {
		if resp, body, err := get(t, server.URL+"/work"); err != nil || resp.StatusCode != 200 || body != "served /work" {
			t.Errorf("the first request: %v, %q, %v", resp, body, err)
		}
	})
	<-busy
	resp, body, err := get(t, server.URL+"/more")
	if err != nil {
		t.Fatal(err)
	}
	checkRefusal(t, resp, body)
	for _, path := range []string{"/livez", "/readyz", "/startupz"} {
		if resp, body, err := get(t, server.URL+path); err != nil || resp.StatusCode != 200 || body != "served "+path {
			t.Errorf("%s: %v, %q, %v", path, resp, body, err)
		}
	}
	if resp, _, err := get(t, server.URL+"/livez/"); err != nil || resp.StatusCode != 503 {
		t.Errorf("a path that only looks like a health check was let in: %v, %v", resp, err)
	}
	close(done)
	first.Wait()
	if s := h.Stats().Admission; s.InUse != 0 || s.Rejected.Full != 2 {
		t.Errorf("in the end: %+v", s)
	}
}

// Keys, faults and what else there is in Inner are for the requests that are handled. A check that panics is answered and
// told all the same.
func TestHealthChecksMeetNeitherKeysNorFaultsAndMayPanic(t *testing.T) {
	cfg := one(bulkhead.NoQueue, 0)
	keys := httpx.NewIdempotency("test", httpx.IdempotencyConfig{
		Tenant: httpx.OneTenant, Required: httpx.KeyRequired, Registry: quiet(),
	})
	faults := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}
	cfg.Inner = []func(http.Handler) http.Handler{keys.Handler, faults}
	h := httpx.NewHandler("test", cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/startupz" {
			panic("boom")
		}
		ok(w, r)
	}))
	for _, row := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/livez", 200}, {"GET", "/readyz", 200}, {"GET", "/startupz", 500}, {"POST", "/", 400}, {"GET", "/", http.StatusTeapot},
	} {
		if w := serveOne(h, httptest.NewRequest(row.method, row.path, nil)); w.Code != row.status {
			t.Errorf("%s %s: %d, want %d", row.method, row.path, w.Code, row.status)
		}
	}
	if n := h.Stats().Panics; n != 1 {
		t.Errorf("counted %d panics", n)
	}
}

func TestHealthPathsCanBeOthersOrNone(t *testing.T) {
	for _, row := range []struct {
		paths  []string
		path   string
		exempt bool
	}{
		{nil, "/livez", true},
		{[]string{}, "/livez", false},
		{[]string{"/up"}, "/up", true},
		{[]string{"/up"}, "/livez", false},
	} {
		cfg := one(bulkhead.NoQueue, 0)
		cfg.HealthPaths, cfg.Admission.Fixed.Mode = row.paths, seawall.ForcedOpen
		h := httpx.NewHandler("test", cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if len(row.paths) > 0 {
			row.paths[0] = "/scribbled" // T19
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", row.path, nil))
		if (w.Code == 200) != row.exempt {
			t.Errorf("%v: %s gets %d", row.paths, row.path, w.Code)
		}
	}
}

// A request waits for its turn, and a slot comes back however a handler ends.
func TestTheSlotIsHeldUntilTheHandlerHasEndedInWhateverWay(t *testing.T) {
	for name, end := range map[string]func(http.ResponseWriter){
		"return":  func(http.ResponseWriter) {},
		"panic":   func(http.ResponseWriter) { panic("boom") },
		"abort":   func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"goexit":  func(http.ResponseWriter) { runtime.Goexit() },
		"nothing": func(http.ResponseWriter) { panic(nil) },
		"stream": func(w http.ResponseWriter) {
			for range 10 {
				_, _ = io.WriteString(w, "data: x\n\n")
				_ = http.NewResponseController(w).Flush()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, server := serve(t, one(bulkhead.NoQueue, 0), func(w http.ResponseWriter, _ *http.Request) { end(w) })
			for range 3 {
				_, _, _ = get(t, server.URL)
			}
			server.Close() // waits for the handlers
			if s := h.Stats().Admission; s.InUse != 0 || s.Rejected.Full != 0 || s.Admitted < 3 {
				t.Errorf("after three requests: %+v", s)
			}
		})
	}
}

// T64: 100 queued clients disconnect.
func TestClientsThatLeaveLeaveTheQueueAndNoHandlerRunsForThem(t *testing.T) {
	busy, done := make(chan struct{}), make(chan struct{})
	var ran atomic.Int64
	h, server := serve(t, one(200, time.Hour), func(http.ResponseWriter, *http.Request) {
		if ran.Add(1) == 1 {
			close(busy)
			<-done
		}
	})
	var clients sync.WaitGroup
	clients.Go(func() { _, _, _ = get(t, server.URL) })
	<-busy
	ctx, leave := context.WithCancel(t.Context())
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	for range 100 {
		clients.Go(func() {
			req, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := tr.RoundTrip(req); err == nil {
				resp.Body.Close()
				t.Errorf("a client that left got %d", resp.StatusCode)
			}
		})
	}
	waitFor(t, "100 to queue", func() bool { return h.Stats().Admission.Waiting == 100 })
	leave()
	waitFor(t, "the queue to be empty", func() bool { return h.Stats().Admission.Waiting == 0 })
	close(done)
	clients.Wait()
	server.Close()
	if s := h.Stats().Admission; ran.Load() != 1 || s.InUse != 0 || s.Canceled != 100 {
		t.Errorf("%d handlers ran, %+v", ran.Load(), s)
	}
}

// waitFor polls what happens on the other side of a real socket.
func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// T64: an upload that is refused is not asked for.
func TestARefusedUploadIsNotRead(t *testing.T) {
	cfg := one(bulkhead.NoQueue, 0)
	cfg.Admission.Fixed.Mode = seawall.ForcedOpen
	_, server := serve(t, cfg, func(http.ResponseWriter, *http.Request) { t.Error("a handler ran") })
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PUT /upload HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
	answer := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answer, nil) // would be 100 if the server had wanted the body
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	checkRefusal(t, resp, string(body))
	if !resp.Close {
		t.Error("the connection goes on, with a body on it that nobody will read")
	}
}

// T36: what the request says reaches the queue.
func TestTheDeadlineOfATrustedPeerEndsItsWaitInTheQueue(t *testing.T) {
	for _, row := range []struct {
		name  string
		trust func(*http.Request) bool
		took  time.Duration
	}{
		{"trusted", httpx.TrustAll, 50 * time.Millisecond},
		{"not trusted", nil, time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := one(10, time.Second)
				cfg.Inbound.TrustPeer, cfg.Inbound.Margin = row.trust, httpx.NoMargin
				done := make(chan struct{})
				var ran atomic.Int64
				h := httpx.NewHandler("test", cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
					ran.Add(1)
					<-done
				}))
				go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				synctest.Wait()

				start := time.Now()
				r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
				r.Header.Set("X-Request-Timeout-Ms", "50")
				h.ServeHTTP(w, r)
				if took := time.Since(start); took != row.took {
					t.Errorf("refused after %v, want %v", took, row.took)
				}
				checkRefusal(t, w.Result(), w.Body.String())
				close(done)
				synctest.Wait()
				if ran.Load() != 1 {
					t.Errorf("%d handlers ran", ran.Load())
				}
			})
		})
	}
}

// T36, T32
func TestTheHandlerSeesWhatATrustedPeerSaysAndNothingOfOthers(t *testing.T) {
	for _, row := range []struct {
		name     string
		trust    func(*http.Request) bool
		header   http.Header
		attempt  int
		priority seawall.Priority
		left     time.Duration
	}{
		{"trusted", httpx.TrustAll, http.Header{
			"Seawall-Attempt": {"3"}, "Seawall-Priority": {"sheddable-plus"}, "X-Request-Timeout-Ms": {"1500"},
		}, 3, seawall.SheddablePlus, 1500 * time.Millisecond},
		{"not trusted", nil, http.Header{
			"Seawall-Attempt": {"3"}, "Seawall-Priority": {"sheddable-plus"}, "X-Request-Timeout-Ms": {"1500"},
		}, 1, seawall.Critical, 30 * time.Second},
		{"trusted, and says nothing", httpx.TrustAll, http.Header{}, 1, seawall.Critical, 30 * time.Second},
		{"trusted, and has more time than we", httpx.TrustAll, http.Header{
			"X-Envoy-Expected-Rq-Timeout-Ms": {"60000"},
		}, 1, seawall.Critical, 30 * time.Second},
		{"trusted, and talks nonsense", httpx.TrustAll, http.Header{
			"Seawall-Attempt": {"-3"}, "Seawall-Priority": {"7"}, "X-Request-Timeout-Ms": {"1s"},
		}, 1, seawall.Critical, 30 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ran := false
				h := httpx.NewHandler("test", httpx.ServerConfig{Inbound: trusting(row.trust), Registry: quiet()},
					http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						ran = true
						left, _ := seawall.Remaining(r.Context())
						attempt, priority := seawall.Attempt(r.Context()), seawall.PriorityOf(r.Context())
						if attempt != row.attempt || priority != row.priority || left != row.left {
							t.Errorf("sees %d, %v, %v; want %d, %v, %v", attempt, priority, left, row.attempt, row.priority, row.left)
						}
					}))
				r := httptest.NewRequest("GET", "/", nil)
				r.Header = row.header
				h.ServeHTTP(httptest.NewRecorder(), r)
				if !ran {
					t.Error("no handler ran")
				}
			})
		})
	}
}

// T58
func TestAHandlerThatSaysNothingInTimeBecomesA503(t *testing.T) {
	for _, row := range []struct {
		name   string
		header http.Header
		client time.Duration // of the request's own context; 0 is none
		do     func(http.ResponseWriter, *http.Request)
		code   int
		cause  error // of the handler's context in the end
		out    int64
	}{
		{
			name: "waits for its context", code: 503, out: 1, cause: timeout.ErrExceeded,
			do: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		},
		{
			name: "does not look at its context", code: 503, out: 1, cause: timeout.ErrExceeded,
			do: func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) },
		},
		{
			name: "answers too late", code: 503, out: 1, cause: timeout.ErrExceeded,
			do: func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				w.WriteHeader(418)
				if _, err := io.WriteString(w, "late"); !errors.Is(err, http.ErrHandlerTimeout) {
					t.Errorf("a late write gets %v", err)
				}
			},
		},
		{
			name: "says nothing, in time", code: 200,
			do: func(http.ResponseWriter, *http.Request) {},
		},
		{
			name: "the peer's deadline", code: 503, out: 1, cause: context.DeadlineExceeded,
			header: http.Header{"X-Request-Timeout-Ms": {"100"}},
			do:     func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		},
		{
			name: "the client is gone", code: 200, cause: context.Canceled, client: time.Second,
			do: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if row.client > 0 {
					time.AfterFunc(row.client, cancel)
				}
				var cause error
				h := httpx.NewHandler("test", httpx.ServerConfig{Inbound: trusting(httpx.TrustAll), Registry: quiet()},
					http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						row.do(w, r)
						cause = context.Cause(r.Context())
					}))
				w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil)
				r.Header = row.header
				h.ServeHTTP(w, r)
				if w.Code != row.code || !errors.Is(cause, row.cause) || h.Stats().OutOfTime != row.out {
					t.Errorf("status %d, cause %v, %d out of time; want %d, %v, %d",
						w.Code, cause, h.Stats().OutOfTime, row.code, row.cause, row.out)
				}
				if w.Code == 503 {
					if s := w.Header().Get("Retry-After"); s != "1" && s != "2" {
						t.Errorf("Retry-After is %q", s)
					}
					if p := w.Header().Get("Seawall-Pushback"); p != "" {
						t.Errorf("says %q, although the handler has run", p)
					}
				}
			})
		})
	}
}

// T39: a response that has begun is not cut, nor added to.
func TestAResponseThatHasBegunMayTakeAsLongAsItTakes(t *testing.T) {
	cfg := httpx.ServerConfig{TimeLimit: within(50 * time.Millisecond), Registry: quiet()}
	h, server := serve(t, cfg, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1024))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			t.Error("the context of a response that had begun was ended")
		case <-time.After(150 * time.Millisecond):
		}
		_, _ = io.WriteString(w, "end")
	})
	resp, body, err := get(t, server.URL)
	if err != nil || resp.StatusCode != 200 || body != strings.Repeat("x", 1024)+"end" || h.Stats().OutOfTime != 0 {
		t.Errorf("%v, %d bytes, %v", resp, len(body), err)
	}
}

func TestPanicsAreLoggedOnceAndAnsweredIfThatIsStillPossible(t *testing.T) {
	for _, row := range []struct {
		name   string
		do     func(http.ResponseWriter)
		code   int // 0: the connection is cut
		logged bool
	}{
		{"before anything was written", func(http.ResponseWriter) { panic("boom") }, 500, true},
		{"an error", func(http.ResponseWriter) { panic(errors.New("boom")) }, 500, true},
		{"an error that wraps the one that aborts", func(http.ResponseWriter) {
			panic(fmt.Errorf("boom: %w", http.ErrAbortHandler))
		}, 500, true},
		{"something that does not compare", func(http.ResponseWriter) { panic([]string{"boom"}) }, 500, true},
		{"after the header", func(w http.ResponseWriter) { w.WriteHeader(200); panic("boom") }, 0, true},
		{"after a flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush(); panic("boom") }, 0, true},
		{"after early hints", func(w http.ResponseWriter) { w.WriteHeader(103); panic("boom") }, 500, true},
		{"with a length that is not sent", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Etag", `"1"`)
			panic("boom")
		}, 500, true},
		{"on purpose", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var log syncBuffer
			registry := new(seawall.Registry)
			registry.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
			mux := http.NewServeMux()
			mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, _ *http.Request) { row.do(w) })
			h, server := serve(t, httpx.ServerConfig{Registry: registry}, mux.ServeHTTP)
			resp, body, err := get(t, server.URL+"/orders/s3cret?token=s3cret")
			server.Close()
			switch {
			case row.code == 0 && err == nil:
				t.Errorf("the client took %v, %q for a whole answer", resp.Status, body)
			case row.code != 0 && (err != nil || resp.StatusCode != row.code || body != "Internal Server Error\n"):
				t.Errorf("%v, %q, %v; want %d", resp, body, err, row.code)
			case row.code != 0 && (resp.Header.Get("Etag") != "" || resp.Header.Get("Cache-Control") != "no-store"):
				t.Errorf("the header is %v", resp.Header)
			}
			if n := strings.Count(log.String(), "seawall.httpx.panic"); row.logged != (n == 1) || n > 1 {
				t.Errorf("logged %d times", n)
			}
			if row.logged {
				for _, want := range []string{"boom", "name=test", "GET /orders/{id}", "handler_test.go"} {
					if !strings.Contains(log.String(), want) {
						t.Errorf("the log does not tell %q:\n%s", want, log.String())
					}
				}
			}
			if strings.Contains(log.String(), "s3cret") {
				t.Errorf("the log tells the path or the query:\n%s", log.String())
			}
			if n := h.Stats().Panics; row.logged != (n == 1) {
				t.Errorf("counted %d panics", n)
			}
		})
	}
}

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// The server cleans up what hangs on its own request; whoever logs outside wants the pattern.
func TestTheServersOwnRequestGetsBackWhatItNeedsAtTheEnd(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	file, err := parts.CreateFormFile("f", "f.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write(bytes.Repeat([]byte("x"), 100_000))
	parts.Close()

	files := func() int {
		entries, err := os.ReadDir(os.TempDir())
		if err != nil {
			t.Error(err)
		}
		return len(entries)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /upload", func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
		if files() == 0 {
			t.Error("the upload is not in a file, so this test says nothing")
		}
	})
	inner := httpx.NewHandler("test", httpx.ServerConfig{Registry: quiet()}, mux)
	pattern := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		pattern = r.Pattern
	}))
	resp, err := http.Post(server.URL+"/upload", parts.FormDataContentType(), &form)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	server.Close()
	if n := files(); n != 0 {
		t.Errorf("%d files of the form were left behind", n)
	}
	if pattern != "POST /upload" {
		t.Errorf("the pattern outside is %q", pattern)
	}
}

// T38: what a handler could do without us it can do with us.
func TestStreamsUpgradesAndControllersWorkThroughTheHandler(t *testing.T) {
	t.Run("hijack", func(t *testing.T) {
		_, server := serve(t, httpx.ServerConfig{Registry: quiet(), TimeLimit: within(50 * time.Millisecond)},
			func(w http.ResponseWriter, r *http.Request) {
				conn, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				time.Sleep(100 * time.Millisecond)
				line, _ := rw.ReadString('\n')
				fmt.Fprintf(conn, "%s %v\n", strings.TrimSpace(line), r.Context().Err())
			})
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\nhello\n")
		if line, err := bufio.NewReader(conn).ReadString('\n'); line != "hello <nil>\n" {
			t.Errorf("read %q, %v", line, err)
		}
	})
	t.Run("deadlines", func(t *testing.T) {
		_, server := serve(t, httpx.ServerConfig{Registry: quiet()}, func(w http.ResponseWriter, _ *http.Request) {
			c := http.NewResponseController(w)
			err := errors.Join(c.SetReadDeadline(time.Now().Add(time.Minute)),
				c.SetWriteDeadline(time.Now().Add(time.Minute)), c.EnableFullDuplex(), c.Flush())
			fmt.Fprint(w, err)
		})
		if _, body, err := get(t, server.URL); body != "<nil>" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
	})
	t.Run("events", func(t *testing.T) {
		next := make(chan string)
		_, server := serve(t, httpx.ServerConfig{Registry: quiet()}, func(w http.ResponseWriter, _ *http.Request) {
			for event := range next {
				fmt.Fprintf(w, "data: %s\n\n", event)
				w.(http.Flusher).Flush()
			}
		})
		go func() { next <- "0" }()
		req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		defer close(next)
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			if line, err := lines.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("read %q, %v", line, err)
			}
			_, _ = lines.ReadString('\n')
			if i < 2 {
				next <- strconv.Itoa(i + 1)
			}
		}
	})
}

func TestRetryAfterIsWholeSecondsAndNeverTooEarly(t *testing.T) {
	for _, row := range []struct {
		after       time.Duration
		least, most int64
	}{
		{0, 1, 2},
		{-time.Second, 1, 2},
		{time.Nanosecond, 1, 2},
		{time.Second, 1, 2},
		{time.Second + 1, 2, 3},
		{8 * time.Second, 8, 10},
		{time.Minute, 60, 75},
	} {
		low := httpx.RetrySeconds(row.after, func(int64) int64 { return 0 })
		high := httpx.RetrySeconds(row.after, func(n int64) int64 { return n - 1 })
		if low != row.least || high != row.most {
			t.Errorf("%v becomes %d to %d, want %d to %d", row.after, low, high, row.least, row.most)
		}
	}
}

func TestOnlyTheMachineItselfIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"10.0.0.1:80": false, "[2001:db8::1]:80": false, "@": false, "127.0.0.1": false, "localhost:80": false,
	} {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.RemoteAddr = addr
		if got := httpx.TrustLoopback(r); got != want {
			t.Errorf("from %q: %v", addr, got)
		}
	}
	for host, want := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:80": true, "localhost": true, "LOCALHOST:80": true,
		"a.example": false, "127.0.0.1.a.example": false, "localhost.a.example": false,
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := httpx.TrustLoopback(r); got != want {
			t.Errorf("to %q: %v", host, got)
		}
	}
}
