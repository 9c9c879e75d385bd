package httpx_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/timeout"
)

// rig is a Handler behind a real server, and a client of it without any policy.
type rig struct {
	*httptest.Server
	h      *httpx.Handler
	client *http.Client
	log    syncBuffer
}

func newRig(t *testing.T, p protocol, cfg httpx.ServerConfig, next http.HandlerFunc) *rig {
	t.Helper()
	if cfg.Registry == nil {
		cfg.Registry = quiet()
	}
	return serveRig(t, p, httpx.NewHandler("api", cfg, next))
}

func serveRig(t *testing.T, p protocol, h http.Handler) *rig {
	t.Helper()
	x := &rig{Server: httptest.NewUnstartedServer(h)}
	x.h, _ = h.(*httpx.Handler)
	x.Config.ErrorLog = newLog(&x.log)
	if p == http2 {
		x.EnableHTTP2 = true
		x.StartTLS()
	} else {
		x.Start()
	}
	x.client = x.Client()
	x.client.Timeout = 20 * time.Second // so that what hangs fails
	t.Cleanup(func() {
		x.client.CloseIdleConnections()
		x.Close()
		if strings.Contains(x.log.String(), "superfluous") {
			t.Errorf("a second status: %s", x.log.String())
		}
	})
	return x
}

// onBoth runs a test over both protocols, side by side: most of their time they wait.
func onBoth(t *testing.T, test func(t *testing.T, p protocol)) {
	for _, p := range []protocol{http1, http2} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

func (x *rig) request(t *testing.T, method, path string, body io.Reader, fields ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, x.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	return req
}

// do makes a request and reads the whole answer. The error is that of either.
func (x *rig) do(req *http.Request) (*http.Response, string, error) {
	resp, err := x.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func (x *rig) get(t *testing.T, path string, fields ...string) (*http.Response, string, error) {
	t.Helper()
	return x.do(x.request(t, "GET", path, nil, fields...))
}

// rest checks that no slot is in use when all handlers have returned.
func (x *rig) rest(t *testing.T) {
	t.Helper()
	waitFor(t, "the slots", func() bool { return x.h.Stats().Admission.InUse == 0 })
}

// T38, T62: 503 is the server's state, and says so in the same way for every reason.
func TestAServerThatIsFullSays503WithAHintAndNeverLessForHealth(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		busy, done := make(chan struct{}), make(chan struct{})
		x := newRig(t, p, one(bulkhead.NoQueue, 0), func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/work" {
				close(busy)
				<-done
			}
		})
		var first sync.WaitGroup
		first.Go(func() { _, _, _ = x.get(t, "/work") })
		<-busy
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
			resp, body, err := x.do(x.request(t, method, "/more", nil))
			if err != nil {
				t.Fatal(err)
			}
			if method == "HEAD" {
				if body != "" {
					t.Errorf("HEAD got a body: %q", body)
				}
				body = "Service Unavailable\n"
			}
			checkRefusal(t, resp, body)
		}
		if resp, _, err := x.get(t, "/livez"); err != nil || resp.StatusCode != 200 {
			t.Errorf("health: %v, %v", resp, err)
		}
		close(done)
		first.Wait()
		x.rest(t)
	})
}

// T36, T62: who is more important, by the word of a trusted peer, takes the place of who is less.
func TestACriticalRequestTakesThePlaceOfASheddableOneInTheQueue(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		busy, done := make(chan struct{}), make(chan struct{})
		var served sync.Map
		cfg := one(1, time.Minute)
		cfg.Inbound = trusting(httpx.TrustLoopback)
		x := newRig(t, p, cfg, func(_ http.ResponseWriter, r *http.Request) {
			served.Store(r.URL.Path, seawall.PriorityOf(r.Context()))
			if r.URL.Path == "/first" {
				close(busy)
				<-done
			}
		})
		var all sync.WaitGroup
		status := map[string]int{}
		var mu sync.Mutex
		ask := func(path, priority string) {
			all.Go(func() {
				resp, _, err := x.get(t, path, "Seawall-Priority", priority)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				status[path] = resp.StatusCode
			})
		}
		ask("/first", "critical")
		<-busy
		ask("/batch", "sheddable")
		waitFor(t, "the queue", func() bool { return x.h.Stats().Admission.Waiting == 1 })
		ask("/pay", "critical-plus")
		waitFor(t, "the batch to be shed", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return status["/batch"] == 503
		})
		close(done)
		all.Wait()
		if status["/pay"] != 200 || status["/first"] != 200 {
			t.Errorf("answers: %v", status)
		}
		if _, ran := served.Load("/batch"); ran {
			t.Error("a handler ran for the request that was shed")
		}
		if p, _ := served.Load("/pay"); p != seawall.CriticalPlus {
			t.Errorf("the handler sees priority %v", p)
		}
	})
}

// T59: the client has its 503 while the handler still works, and the handler keeps its goroutine and its slot.
func TestATimeoutThatComesFirstIsAnsweredOnTimeAndTheHandlerIsNotAbandoned(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		done, late := make(chan struct{}), make(chan error, 4)
		cfg := one(bulkhead.NoQueue, 0)
		cfg.TimeLimit = within(30 * time.Millisecond)
		x := newRig(t, p, cfg, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000")
			w.Header().Set("Content-Encoding", "br")
			w.Header().Set("X-Of-The-Handler", "1")
			<-done // does not look at its context
			_, err := io.WriteString(w, "late")
			late <- err
			late <- http.NewResponseController(w).Flush()
			_, err = io.Copy(w, strings.NewReader("later"))
			late <- err
			w.WriteHeader(200)
			late <- context.Cause(r.Context())
		})
		resp, err := x.client.Do(x.request(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, resp.ContentLength)
		if _, err := io.ReadFull(resp.Body, body); err != nil || string(body) != "Service Unavailable\n" || resp.StatusCode != 503 {
			t.Errorf("%s, %q, %v", resp.Status, body, err)
		}
		for name, want := range map[string]string{
			"X-Of-The-Handler": "", "Content-Encoding": "", "Cache-Control": "no-store", "Seawall-Pushback": "",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
		}
		if p == http1 && !resp.Close {
			t.Error("the connection, which the handler has, is offered for the next request")
		}
		if n := x.h.Stats().Admission.InUse; n != 1 {
			t.Errorf("%d slots are in use while the handler runs", n)
		}
		close(done)
		for _, what := range []string{"write", "flush", "copy"} {
			if err := <-late; !errors.Is(err, http.ErrHandlerTimeout) {
				t.Errorf("a late %s gets %v", what, err)
			}
		}
		if err := <-late; !errors.Is(err, timeout.ErrExceeded) {
			t.Errorf("the cause is %v", err)
		}
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
			t.Errorf("behind the answer came %q, %v", rest, err)
		}
		resp.Body.Close()
		x.rest(t)
		if s := x.h.Stats(); s.OutOfTime != 1 || s.CutOff != 0 {
			t.Errorf("counted %+v", s)
		}
	})
}

// T39: the handler writes 1 KiB and stalls.
func TestALimitAfterTheFirstByteBreaksTheAnswerAndAddsNothingToIt(t *testing.T) {
	for name, limits := range map[string]httpx.TimeLimitConfig{
		"total": {Total: 80 * time.Millisecond},
		"idle":  {Idle: 50 * time.Millisecond},
	} {
		for how, stall := range map[string]func(*http.Request, chan struct{}){
			"looks at its context":         func(r *http.Request, _ chan struct{}) { <-r.Context().Done() },
			"does not look at its context": func(_ *http.Request, seen chan struct{}) { <-seen },
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				onBoth(t, func(t *testing.T, p protocol) {
					seen, cause := make(chan struct{}), make(chan error, 1)
					x := newRig(t, p, httpx.ServerConfig{TimeLimit: limits}, func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.WriteString(w, strings.Repeat("x", 1024))
						_ = http.NewResponseController(w).Flush()
						stall(r, seen)
						if _, err := io.WriteString(w, "more"); !errors.Is(err, http.ErrHandlerTimeout) {
							t.Errorf("a write past the limit gets %v", err)
						}
						cause <- context.Cause(r.Context())
					})
					resp, body, err := x.get(t, "/")
					close(seen) // the client knows, although the handler may still stall
					if err == nil {
						t.Errorf("the client took %s with %d bytes for a whole answer", resp.Status, len(body))
					}
					if body != strings.Repeat("x", 1024) {
						t.Errorf("the body is %q", body)
					}
					if err := <-cause; !errors.Is(err, timeout.ErrExceeded) {
						t.Errorf("the cause is %v", err)
					}
					x.rest(t)
					if s := x.h.Stats(); s.CutOff != 1 || s.OutOfTime != 0 {
						t.Errorf("counted %+v", s)
					}
				})
			})
		}
	}
}

// A response with a length and one that ends with the connection are cut so that the client notices.
func TestACutIsNoticedWhateverTheFraming(t *testing.T) {
	for name, fields := range map[string][]string{"length": {"Content-Length", "2000"}, "chunked": nil} {
		onBoth(t, func(t *testing.T, p protocol) {
			x := newRig(t, p, httpx.ServerConfig{TimeLimit: httpx.TimeLimitConfig{Total: 50 * time.Millisecond}},
				func(w http.ResponseWriter, r *http.Request) {
					for i := 0; i < len(fields); i += 2 {
						w.Header().Set(fields[i], fields[i+1])
					}
					w.WriteHeader(200)
					_, _ = w.Write(make([]byte, 1000))
					<-r.Context().Done()
				})
			if resp, body, err := x.get(t, "/"); err == nil {
				t.Errorf("%s: %v with %d bytes", name, resp.Status, len(body))
			}
		})
	}
}

// An HTTP/1.0 response without a length ends with its connection: only a reset tells that it is not whole.
func TestACutIsNoticedEvenByHTTP10(t *testing.T) {
	for name, end := range map[string]func(*http.Request){
		"limit": func(r *http.Request) { <-r.Context().Done() },
		"panic": func(*http.Request) { panic("boom") },
	} {
		x := newRig(t, http1, httpx.ServerConfig{TimeLimit: httpx.TimeLimitConfig{Total: 100 * time.Millisecond}},
			func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write(make([]byte, 1000))
				_ = http.NewResponseController(w).Flush()
				end(r)
			})
		conn, err := net.Dial("tcp", x.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n")
		if got, err := io.ReadAll(conn); err == nil {
			t.Errorf("%s: %d bytes were taken for a whole answer", name, len(got))
		}
		x.rest(t)
	}
}

func TestAStreamWithAHeartbeatOutlivesTheIdleLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &tape{header: http.Header{}}
		cut := underLimits(t, httpx.TimeLimitConfig{Idle: 50 * time.Millisecond}, below, func(w http.ResponseWriter, r *http.Request) {
			for range 12 {
				_, _ = io.WriteString(w, ": beat\n\n")
				w.(http.Flusher).Flush()
				time.Sleep(30 * time.Millisecond)
			}
			if r.Context().Err() != nil {
				t.Errorf("the context ended: %v", context.Cause(r.Context()))
			}
		})
		if cut || len(below.calls) != 24 {
			t.Errorf("cut off: %t, after %q", cut, below.calls)
		}
	})
}

// T64: a handler that waits for a slow upload is answered for on time, and is freed soon after.
func TestASlowUploadHoldsUpNeitherTheAnswerNorTheSlot(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		x := newRig(t, p, httpx.ServerConfig{TimeLimit: within(30 * time.Millisecond)}, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		})
		body, feed := io.Pipe()
		defer feed.Close()
		go func() { _, _ = feed.Write([]byte("a little")) }()
		resp, err := x.client.Do(x.request(t, "PUT", "/", body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 503 {
			t.Errorf("status %d", resp.StatusCode)
		}
		x.rest(t) // while the upload still hangs
	})
}

// 1xx responses do not decide what the answer is.
func TestEarlyHintsDoNotDecideTheAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		for _, row := range []struct {
			name   string
			then   func(http.ResponseWriter, *http.Request)
			status int
			link   string
		}{
			{"timeout", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 503, ""},
			{"panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, 500, ""},
			{"answer", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, "</a.css>"},
		} {
			x := newRig(t, p, httpx.ServerConfig{TimeLimit: within(100 * time.Millisecond)}, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", "</a.css>")
				w.WriteHeader(103)
				row.then(w, r)
			})
			hints := 0
			req := x.request(t, "GET", "/", nil)
			req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					if code == 103 && h.Get("Link") == "</a.css>" {
						hints++
					}
					return nil
				},
			}))
			resp, _, err := x.do(req)
			if err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			if resp.StatusCode != row.status || resp.Header.Get("Link") != row.link || hints != 1 {
				t.Errorf("%s: %s, Link %q, %d hints", row.name, resp.Status, resp.Header.Get("Link"), hints)
			}
		}
	})
}

func TestTrailersOfBothKindsArrive(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		x := newRig(t, p, httpx.ServerConfig{}, func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header() // held, as handlers do
			h.Set("Trailer", "Sum, Other")
			h.Set("X-Before", "1")
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			h.Set("Sum", "42")
			h.Set(http.TrailerPrefix+"Undeclared", "43")
			h.Set("X-After", "1")
		})
		resp, _, err := x.get(t, "/")
		if err != nil {
			t.Fatal(err)
		}
		if resp.Trailer.Get("Sum") != "42" || resp.Trailer.Get("Undeclared") != "43" ||
			resp.Header.Get("X-Before") != "1" || resp.Header.Get("X-After") != "" {
			t.Errorf("header %v, trailer %v", resp.Header, resp.Trailer)
		}
	})
}

// What the middlewares outside have set is there, and the handler may change it.
func TestTheHandlersHeaderBeginsWithTheOneOutside(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		for _, row := range []struct {
			limit  time.Duration
			do     http.HandlerFunc
			status int
			kept   string
			drop   string
		}{
			{time.Minute, func(w http.ResponseWriter, _ *http.Request) { w.Header().Del("X-Drop") }, 200, "1", ""},
			{time.Minute, func(w http.ResponseWriter, _ *http.Request) { w.Header().Del("X-Drop"); w.WriteHeader(404) }, 404, "1", ""},
			{20 * time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Del("X-Drop")
				<-r.Context().Done()
			}, 503, "1", "1"},
		} {
			inner := httpx.NewHandler("api", httpx.ServerConfig{TimeLimit: within(row.limit), Registry: quiet()}, row.do)
			x := serveRig(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Keep", "1")
				w.Header().Set("X-Drop", "1")
				inner.ServeHTTP(w, r)
			}))
			resp, _, err := x.get(t, "/")
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != row.status || resp.Header.Get("X-Keep") != row.kept || resp.Header.Get("X-Drop") != row.drop {
				t.Errorf("want %d: %s, %v", row.status, resp.Status, resp.Header)
			}
		}
	})
}

// T36, T18: a peer's deadline ends the handler, answered by a 503, and no handler starts past it.
func TestTheDeadlineOfAPeerIsKept(t *testing.T) {
	for name, field := range map[string][2]string{
		"ours": {"X-Request-Timeout-Ms", "60"}, "envoy": {"X-Envoy-Expected-Rq-Timeout-Ms", "60"}, "grpc": {"Grpc-Timeout", "60m"},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, p protocol) {
				cause := make(chan error, 1)
				x := newRig(t, p, httpx.ServerConfig{Inbound: httpx.InboundConfig{TrustPeer: httpx.TrustLoopback}},
					func(_ http.ResponseWriter, r *http.Request) {
						if left, ok := seawall.Remaining(r.Context()); !ok || left > 54*time.Millisecond {
							t.Errorf("%v are left of 60 ms less the margin", left)
						}
						<-r.Context().Done()
						cause <- context.Cause(r.Context())
					})
				resp, body, err := x.get(t, "/", field[0], field[1])
				if err != nil || resp.StatusCode != 503 || resp.Header.Get("Seawall-Pushback") != "" {
					t.Errorf("%v, %q, %v", resp, body, err)
				}
				if err := <-cause; !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the cause is %v", err)
				}
			})
		})
	}
}

// T34: a request whose time would be over before its turn is refused at once.
func TestNoHandlerStartsPastItsDeadline(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		busy, done := make(chan struct{}), make(chan struct{})
		cfg := one(10, time.Minute)
		cfg.Inbound = trusting(httpx.TrustAll)
		var ran atomic.Int64
		x := newRig(t, p, cfg, func(http.ResponseWriter, *http.Request) {
			if ran.Add(1) == 1 {
				close(busy)
				<-done
			}
		})
		var first sync.WaitGroup
		first.Go(func() { _, _, _ = x.get(t, "/") })
		<-busy
		resp, body, err := x.get(t, "/", "X-Request-Timeout-Ms", "20") // ends in the queue
		if err != nil {
			t.Fatal(err)
		}
		checkRefusal(t, resp, body)
		close(done)
		first.Wait()
		if ran.Load() != 1 {
			t.Errorf("%d handlers ran", ran.Load())
		}
	})
}

// T64: nothing of the body is read for a request that is refused.
func TestTheBodyOfARefusedRequestIsNotReadByUs(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		cfg := one(bulkhead.NoQueue, 0)
		cfg.Admission.Fixed.Mode = seawall.ForcedOpen
		inner := httpx.NewHandler("api", cfg, http.NotFoundHandler())
		var reads atomic.Int64
		x := serveRig(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req := r.Clone(r.Context())
			body := &countedBody{Reader: r.Body}
			req.Body = body
			inner.ServeHTTP(w, req)
			reads.Add(body.reads.Load())
		}))
		resp, body, err := x.do(x.request(t, "PUT", "/", strings.NewReader("some bytes")))
		if err != nil {
			t.Fatal(err)
		}
		checkRefusal(t, resp, body)
		if reads.Load() != 0 {
			t.Errorf("the body was read %d times", reads.Load())
		}
	})
}

// T38
func TestWhatTheProtocolOffersIsOffered(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		x := newRig(t, p, httpx.ServerConfig{}, func(w http.ResponseWriter, _ *http.Request) {
			_, flushes := w.(http.Flusher)
			_, hijacks := w.(http.Hijacker)
			_, reads := w.(io.ReaderFrom)
			_, pushes := w.(http.Pusher)
			_, writes := w.(io.StringWriter)
			fmt.Fprint(w, flushes, hijacks, reads, pushes, writes)
		})
		want := map[protocol]string{http1: "true true true false true", http2: "true false false true true"}[p]
		if _, body, err := x.get(t, "/"); err != nil || body != want {
			t.Errorf("%q, %v; want %q", body, err, want)
		}
	})
}

// A hijacked connection is the handler's: no limit touches it.
func TestAnUpgradeIsLeftAloneByEveryLimit(t *testing.T) {
	for name, hijack := range map[string]func(http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"assertion": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() },
		"controller": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		},
	} {
		t.Run(name, func(t *testing.T) {
			limits := httpx.TimeLimitConfig{FirstByte: 40 * time.Millisecond, Idle: 40 * time.Millisecond, Total: 40 * time.Millisecond}
			x := newRig(t, http1, httpx.ServerConfig{TimeLimit: limits}, func(w http.ResponseWriter, r *http.Request) {
				conn, rw, err := hijack(w)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				time.Sleep(120 * time.Millisecond) // real time: three limits
				line, _ := rw.ReadString('\n')
				fmt.Fprintf(conn, "%s %v\n", strings.TrimSpace(line), r.Context().Err())
			})
			conn, err := net.Dial("tcp", x.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\nhello\n")
			if line, err := bufio.NewReader(conn).ReadString('\n'); line != "hello <nil>\n" {
				t.Errorf("read %q, %v", line, err)
			}
			conn.Close()
			x.rest(t)
		})
	}
}

// A hijack through a writer that only unwraps is seen as well.
func TestAHijackFurtherDownIsNoticed(t *testing.T) {
	inner := httpx.NewHandler("api", httpx.ServerConfig{TimeLimit: within(40 * time.Millisecond), Registry: quiet()},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			time.Sleep(80 * time.Millisecond)
			fmt.Fprintf(conn, "%v\n", r.Context().Err())
		}))
	x := serveRig(t, http1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(unwraps{w, w}, r)
	}))
	conn, err := net.Dial("tcp", x.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "<nil>\n" {
		t.Errorf("read %q, %v", line, err)
	}
}

type plainWriter interface {
	Header() http.Header
	Write([]byte) (int, error)
	WriteHeader(int)
}

// unwraps is a writer that offers nothing, but says what is below.
type unwraps struct {
	plainWriter
	below http.ResponseWriter
}

func (u unwraps) Unwrap() http.ResponseWriter { return u.below }

func TestFilesAndCopiesArriveWhole(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	file := filepath.Join(t.TempDir(), "f.bin")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, limits := range map[string]httpx.TimeLimitConfig{
		"default": {}, "idle": {Idle: 10 * time.Second}, "total": {Total: 10 * time.Second}, "none": {FirstByte: httpx.Off},
	} {
		onBoth(t, func(t *testing.T, p protocol) {
			x := newRig(t, p, httpx.ServerConfig{TimeLimit: limits}, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/file":
					http.ServeFile(w, r, file)
				case "/copy":
					f, err := os.Open(file)
					if err != nil {
						t.Error(err)
						return
					}
					defer f.Close()
					if n, err := io.Copy(w, f); n != int64(len(content)) || err != nil {
						t.Errorf("copied %d, %v", n, err)
					}
				case "/empty":
					if n, err := io.Copy(w, strings.NewReader("")); n != 0 || err != nil {
						t.Errorf("copied %d, %v", n, err)
					}
				}
			})
			for _, path := range []string{"/file", "/copy"} {
				if resp, body, err := x.get(t, path); err != nil || resp.StatusCode != 200 || body != string(content) {
					t.Errorf("%s %s: %v, %d bytes, %v", name, path, resp, len(body), err)
				}
			}
			if resp, body, err := x.get(t, "/empty"); err != nil || resp.StatusCode != 200 || body != "" {
				t.Errorf("%s empty: %v, %q, %v", name, resp, body, err)
			}
		})
	}
}

// A source that hangs has not begun the response.
func TestACopyFromASourceThatHangsIsStillAnsweredFor(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		x := newRig(t, p, httpx.ServerConfig{TimeLimit: within(30 * time.Millisecond)}, func(w http.ResponseWriter, r *http.Request) {
			src, feed := io.Pipe()
			context.AfterFunc(r.Context(), func() { feed.CloseWithError(context.Cause(r.Context())) })
			if _, err := io.Copy(w, src); err == nil {
				t.Error("the copy ended well")
			}
		})
		if resp, _, err := x.get(t, "/"); err != nil || resp.StatusCode != 503 {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

// T38: a quota is the client's, and says 429; every answer under it tells about it.
func TestAQuotaSays429AndIsToldOnEveryAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		cfg := one(bulkhead.NoQueue, 0)
		cfg.Quotas = []httpx.QuotaConfig{{
			Name: "tenant", Limit: ratelimit.Config{Rate: 0.1, Burst: 3}, Key: httpx.KeyByField("X-Tenant"),
			Routes: []string{"/api/"}, XRateLimit: httpx.XRateLimitSeconds,
		}}
		x := newRig(t, p, cfg, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/broken" {
				w.WriteHeader(500)
			}
		})
		told := func(resp *http.Response) string {
			t.Helper()
			var all []string
			for _, name := range []string{"RateLimit-Policy", "RateLimit"} {
				list, err := httpsfv.UnmarshalList(resp.Header.Values(name))
				if err != nil || len(list) != 1 {
					t.Errorf("%s is %q, %v", name, resp.Header.Values(name), err)
					return ""
				}
				item := list[0].(httpsfv.Item)
				for _, param := range item.Params.Names() {
					v, _ := item.Params.Get(param)
					all = append(all, fmt.Sprint(param, "=", v))
				}
				if item.Value != "tenant" {
					t.Errorf("%s is about %v", name, item.Value)
				}
			}
			return strings.Join(all, " ")
		}
		for i, row := range []struct {
			path, tenant string
			status       int
			told         string
		}{
			{"/api/a", "a", 200, "q=3 w=30 r=2 t=10"},
			{"/api/broken", "a", 500, "q=3 w=30 r=1 t=10"},
			{"/api/a", "a", 200, "q=3 w=30 r=0 t=10"},
			{"/api/a", "a", 429, "q=3 w=30 r=0 t=10"},
			{"/api/a", "b", 200, "q=3 w=30 r=2 t=10"},
		} {
			resp, body, err := x.get(t, row.path, "X-Tenant", row.tenant)
			if err != nil || resp.StatusCode != row.status {
				t.Fatalf("%d: %v, %v", i, resp, err)
			}
			if got := told(resp); got != row.told {
				t.Errorf("%d: %q, want %q", i, got, row.told)
			}
			if resp.Header.Get("X-Ratelimit-Limit") != "3" || resp.Header.Get("X-Ratelimit-Remaining") == "" ||
				resp.Header.Get("X-Ratelimit-Reset") == "" {
				t.Errorf("%d: %v", i, resp.Header)
			}
			if row.status == 429 {
				after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
				if err != nil || after < 9 || after > 13 || body != "Too Many Requests\n" ||
					resp.Header.Get("Seawall-Pushback") != "refused" || resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%d: %v, %q", i, resp.Header, body)
				}
			}
		}
		for _, path := range []string{"/other", "/livez"} {
			if resp, _, err := x.get(t, path, "X-Tenant", "a"); err != nil || resp.StatusCode != 200 || resp.Header.Get("RateLimit") != "" {
				t.Errorf("%s, which is under no quota: %v, %v", path, resp, err)
			}
		}
		if n := x.h.Stats().Limited; n != 1 {
			t.Errorf("counted %d", n)
		}
	})
}

// A request that a middleware further in refuses has cost no token.
func TestARefusalFurtherInGivesTheTokenBack(t *testing.T) {
	cfg := one(bulkhead.NoQueue, 0)
	cfg.Admission.Fixed.Mode = seawall.ForcedOpen
	cfg.Quotas = []httpx.QuotaConfig{{Limit: ratelimit.Config{Rate: 0.001, Burst: 1}}}
	x := newRig(t, http1, cfg, func(http.ResponseWriter, *http.Request) {})
	for range 3 {
		resp, body, err := x.get(t, "/")
		if err != nil {
			t.Fatal(err)
		}
		checkRefusal(t, resp, body) // never a 429
		if resp.Header.Get("RateLimit") == "" {
			t.Error("the refusal does not tell about the quota")
		}
	}
}

// T2: however a handler ends, the slot comes back and the outcome is counted once.
func TestHowAHandlerEndsIsToldToTheLimit(t *testing.T) {
	for _, row := range []struct {
		name    string
		do      func(http.ResponseWriter, *http.Request)
		outcome string
	}{
		{"200", func(http.ResponseWriter, *http.Request) {}, "success"},
		{"404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "success"},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "failure"},
		{"panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, "failure"},
		{"abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "failure"},
		{"goexit", func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, "failure"},
		{"our limit", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "failure"},
		{"refused by a dependency", func(w http.ResponseWriter, _ *http.Request) {
			httpx.Refuse(w, seawall.Reject("breaker", "db", seawall.ReasonOpen, seawall.ErrRejected, time.Minute))
		}, "failure"},
		{"client left", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "ignored"},
	} {
		t.Run(row.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, p protocol) {
				cfg := httpx.ServerConfig{TimeLimit: within(200 * time.Millisecond)}
				if row.outcome == "ignored" {
					cfg.TimeLimit = within(time.Minute)
				}
				inside := make(chan struct{})
				x := newRig(t, p, cfg, func(w http.ResponseWriter, r *http.Request) {
					close(inside)
					row.do(w, r)
				})
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if row.outcome == "ignored" {
					go func() { <-inside; leave() }()
				}
				_, _, _ = x.do(x.request(t, "GET", "/", nil).WithContext(ctx))
				gate := x.h.Admission().(*bulkhead.Adaptive)
				waitFor(t, "the end", func() bool {
					s := gate.Stats()
					return s.InUse == 0 && s.Admitted == 1
				})
				o := gate.Stats().Outcomes
				got := map[string]int64{"success": o.Successes, "failure": o.Failures, "ignored": o.Ignored}
				if got[row.outcome] != 1 || o.Total() != 1 {
					t.Errorf("told %+v, want one %s", o, row.outcome)
				}
			})
		})
	}
}

// A handler may say that its dependency has refused.
func TestRefuseTellsTheClientThatNothingWasStarted(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		x := newRig(t, p, httpx.ServerConfig{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"1"`)
			httpx.Refuse(w, seawall.Reject("breaker", "db", seawall.ReasonOpen, seawall.ErrRejected, 10*time.Second))
		})
		resp, body, err := x.get(t, "/")
		if err != nil {
			t.Fatal(err)
		}
		checkRefusal(t, resp, body)
		if after, _ := strconv.Atoi(resp.Header.Get("Retry-After")); after < 9 || after > 13 || resp.Header.Get("Etag") != "" {
			t.Errorf("%v", resp.Header)
		}
	})
}

func TestADegradedAnswerSaysSoIfToldTo(t *testing.T) {
	stale := func(w http.ResponseWriter, r *http.Request) {
		seawall.RecordOf(r.Context()).Note(func(f *seawall.Facts) { f.Replaced, f.Stale = true, 12300*time.Millisecond })
		_, _ = io.WriteString(w, "old")
	}
	fallback := func(_ http.ResponseWriter, r *http.Request) {
		seawall.RecordOf(r.Context()).Note(func(f *seawall.Facts) { f.Replaced = true })
	}
	named := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Seawall-Degraded", "inventory")
		stale(w, r)
	}
	onBoth(t, func(t *testing.T, p protocol) {
		for _, row := range []struct {
			told httpx.Degraded
			do   http.HandlerFunc
			want string
		}{
			{httpx.DegradedTold, stale, "stale;age=12"},
			{httpx.DegradedTold, fallback, "fallback"},
			{httpx.DegradedTold, named, "inventory"},
			{httpx.DegradedTold, func(http.ResponseWriter, *http.Request) {}, ""},
			{httpx.DegradedUntold, stale, ""},
		} {
			x := newRig(t, p, httpx.ServerConfig{Degraded: row.told}, row.do)
			if resp, _, err := x.get(t, "/"); err != nil || resp.Header.Get("Seawall-Degraded") != row.want {
				t.Errorf("%v, %v; want %q", resp, err, row.want)
			}
		}
	})
}

// Panics over both protocols; what is logged has tests of its own.
func TestAPanicIsA500OrABrokenAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		for _, row := range []struct {
			do     http.HandlerFunc
			status int
		}{
			{func(http.ResponseWriter, *http.Request) { panic("boom") }, 500},
			{func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "1"); panic("boom") }, 500},
			{func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "half"); panic("boom") }, 0},
			{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0},
			{func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); panic("late") }, 503},
		} {
			x := newRig(t, p, httpx.ServerConfig{TimeLimit: within(50 * time.Millisecond)}, row.do)
			resp, body, err := x.get(t, "/")
			switch {
			case row.status == 0 && err == nil:
				t.Errorf("%s with %q was taken for a whole answer", resp.Status, body)
			case row.status != 0 && (err != nil || resp.StatusCode != row.status || resp.Header.Get("X-A") != ""):
				t.Errorf("%v, %q, %v; want %d", resp, body, err, row.status)
			}
			x.rest(t)
		}
	})
}

// T2, T38, T39: clients that leave and handlers of all kinds around the same limits, on real connections. The race
// detector, the log of net/http and the count of slots are what is looked at.
func TestAServerSurvivesHandlersAndClientsOfAllKinds(t *testing.T) {
	onBoth(t, func(t *testing.T, p protocol) {
		cfg := httpx.ServerConfig{TimeLimit: httpx.TimeLimitConfig{
			FirstByte: 3 * time.Millisecond, Idle: 2 * time.Millisecond, Total: 6 * time.Millisecond,
		}}
		cfg.Admission.Fixed = bulkhead.Config{Limit: 8, Queue: bulkhead.Queue{Limit: 8, MaxWait: 5 * time.Millisecond}}
		cfg.Inbound.TrustPeer = httpx.TrustLoopback
		x := newRig(t, p, cfg, func(w http.ResponseWriter, r *http.Request) {
			kind, _ := strconv.Atoi(r.URL.Query().Get("kind"))
			pause := func() { time.Sleep(time.Duration(kind%5) * time.Millisecond) } // a real clock: to be near the limits
			w.Header().Set("X-Kind", strconv.Itoa(kind))
			switch kind % 8 {
			case 0:
				pause()
				_, _ = io.WriteString(w, "late or not")
			case 1:
				_, _ = io.WriteString(w, "begun")
				_ = http.NewResponseController(w).Flush()
				pause()
				_, _ = w.Write(make([]byte, 64<<10))
			case 2:
				_, _ = io.Copy(io.Discard, r.Body)
				pause()
			case 3:
				w.WriteHeader(103)
				pause()
				w.WriteHeader(404)
			case 4:
				pause()
				panic("boom")
			case 5:
				_, _ = io.Copy(w, io.LimitReader(r.Body, 1<<20))
				pause()
			case 6:
				for range 4 {
					_, _ = io.WriteString(w, ": beat\n\n")
					_ = http.NewResponseController(w).Flush()
					pause()
				}
			case 7:
				if h, ok := w.(http.Hijacker); ok && kind%16 == 7 {
					pause()
					if conn, _, err := h.Hijack(); err == nil {
						conn.Close()
					}
					return
				}
				<-r.Context().Done()
			}
		})
		var clients sync.WaitGroup
		for c := range 8 {
			clients.Go(func() {
				for i := range 40 {
					kind := c*40 + i
					ctx, cancel := context.WithCancel(t.Context())
					if kind%7 == 0 {
						time.AfterFunc(time.Duration(kind%5)*time.Millisecond, cancel)
					}
					body := strings.NewReader(strings.Repeat("x", kind*500))
					req := x.request(t, "POST", "/?kind="+strconv.Itoa(kind), body).WithContext(ctx)
					if kind%3 == 0 {
						req.Header.Set("X-Request-Timeout-Ms", strconv.Itoa(1+kind%5))
					}
					resp, text, err := x.do(req)
					if err == nil && resp.StatusCode == 503 && text != "Service Unavailable\n" {
						t.Errorf("kind %d: a 503 with %q", kind, text)
					}
					if err == nil && resp.StatusCode == 200 && strings.Contains(text, "Unavailable") {
						t.Errorf("kind %d: a text of ours in the handler's answer", kind)
					}
					cancel()
				}
			})
		}
		clients.Wait()
		x.rest(t)
		for _, what := range []string{"superfluous", "hijacked connection", "Content-Length", "http: panic"} {
			if strings.Contains(x.log.String(), what) {
				t.Errorf("net/http complains: %s", x.log.String())
			}
		}
	})
}
