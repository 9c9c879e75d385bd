package httpx_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/internal/leaktest"
)

// ward is a Handler behind a real server, of which all that a request may leave behind is watched.
type ward struct {
	*rig
	conns      atomic.Int64 // that are open, whoever has them
	reading    atomic.Int64 // reads of the bodies of requests
	running    atomic.Int64 // handlers
	goroutines int          // before the first request

	mu       sync.Mutex // guards the fields below
	busy     map[net.Conn]bool
	contexts []context.Context // of handlers
}

func newWard(t *testing.T, p protocol, cfg httpx.ServerConfig, next http.HandlerFunc) *ward {
	t.Helper()
	leaktest.Wait(time.Second) // what is still on its way out would hide what this one leaves behind
	s := &ward{busy: map[net.Conn]bool{}}
	h := httpx.NewHandler("api", cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Add(-1)
		s.mu.Lock()
		s.contexts = append(s.contexts, r.Context())
		s.mu.Unlock()
		next(w, r)
	}))
	s.rig = &rig{h: h, Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := r.WithContext(r.Context()) // net/http looks at the body of its own when the handler has returned
		req.Body = &readBody{r.Body, &s.reading}
		h.ServeHTTP(w, req)
	}))}
	s.Listener = &countingListener{s.Listener, &s.conns}
	s.Config.ErrorLog = discardLog
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy[c] = state == http.StateActive
	}
	if p == http2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	s.client = s.Client()
	s.client.Timeout = 20 * time.Second
	s.client.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute // so that nothing is sent unasked
	t.Cleanup(s.Close)
	s.goroutines = runtime.NumGoroutine()
	return s
}

type countingListener struct {
	net.Listener
	open *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countedConn{Conn: c, open: l.open}, nil
}

type countedConn struct {
	net.Conn
	once sync.Once
	open *atomic.Int64
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// readBody counts the reads that are under way.
type readBody struct {
	io.ReadCloser
	reading *atomic.Int64
}

func (b *readBody) Read(p []byte) (int, error) {
	b.reading.Add(1)
	defer b.reading.Add(-1)
	return b.ReadCloser.Read(p)
}

// now returns what is not as it was before the first request, but for the connections that a client keeps, and for
// goroutines.
func (s *ward) now() (left []string) {
	add := func(n int64, what string) {
		if n != 0 {
			left = append(left, fmt.Sprint(n, " ", what))
		}
	}
	add(s.running.Load(), "handlers run")
	a := s.h.Stats().Admission
	add(int64(a.InUse), "slots are in use")
	add(int64(a.Waiting), "requests wait")
	add(s.reading.Load(), "bodies are being read")
	s.mu.Lock()
	defer s.mu.Unlock()
	busy, alive := int64(0), int64(0)
	for _, b := range s.busy {
		if b {
			busy++
		}
	}
	for _, ctx := range s.contexts {
		if ctx.Err() == nil {
			alive++
		}
	}
	add(busy, "connections are busy")
	add(alive, "contexts live")
	return left
}

// left waits until all is as it was before the first request, and returns what is not. conns is how many connections
// the client keeps for later requests; the server stays up meanwhile, so that it does not clean up for us.
func (s *ward) left(limit time.Duration, conns int64) (left []string) {
	until := func(look func() []string) {
		end := time.Now().Add(limit)
		for left = look(); len(left) > 0 && time.Now().Before(end); left = look() {
			time.Sleep(2 * time.Millisecond)
		}
	}
	until(func() []string {
		l := s.now()
		if n := s.conns.Load(); n != conns {
			l = append(l, fmt.Sprintf("%d connections are kept, want %d", n, conns))
		}
		return l
	})
	if len(left) > 0 {
		return left
	}
	until(func() (l []string) {
		s.client.CloseIdleConnections() // again and again: the client may not have seen yet that a connection is idle
		if n := s.conns.Load(); n != 0 {
			l = append(l, fmt.Sprint(n, " connections are open"))
		}
		if n := runtime.NumGoroutine() - s.goroutines; n > 0 {
			l = append(l, fmt.Sprint(n, " goroutines are left"))
		}
		return l
	})
	return left
}

// What a row of the table looks at is no decoration: each of these is found.
func TestTheBaselineOfTheServersTableSeesWhatIsLeftBehind(t *testing.T) {
	for _, row := range []struct {
		name  string
		serve func(end chan struct{}) http.HandlerFunc
		want  string
	}{
		{"nothing", func(chan struct{}) http.HandlerFunc { return ok }, ""},
		{"a goroutine", func(end chan struct{}) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) { go func() { <-end }() }
		}, "1 goroutines are left"},
		{"a connection that was hijacked", func(end chan struct{}) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				context.AfterFunc(untilClosed(end), func() { conn.Close() })
			}
		}, "1 connections are kept, want 0"},
		{"a body that is read on", func(end chan struct{}) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				body, begun := r.Body.(*readBody), make(chan struct{})
				body.ReadCloser = io.NopCloser(readerFunc(func([]byte) (int, error) {
					close(begun)
					<-end
					return 0, io.EOF
				}))
				go func() { _, _ = body.Read(nil) }()
				<-begun
			}
		}, "1 bodies are being read"},
		{"a handler that still runs", func(end chan struct{}) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "0")
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
				<-end
			}
		}, "1 handlers run; 1 slots are in use; 1 connections are busy; 1 contexts live"},
	} {
		t.Run(row.name, func(t *testing.T) {
			end := make(chan struct{})
			s := newWard(t, http1, httpx.ServerConfig{Registry: quiet()}, row.serve(end))
			_, _, err := s.get(t, "/")
			conns := int64(1)
			if strings.Contains(row.name, "hijacked") {
				conns = 0
			}
			limit := 300 * time.Millisecond
			if row.want == "" {
				limit = 10 * time.Second
			}
			if got := strings.Join(s.left(limit, conns), "; "); got != row.want || err != nil {
				t.Errorf("found %q, want %q; %v", got, row.want, err)
			}
			close(end)
			s.client.CloseIdleConnections()
			waitFor(t, "the end", func() bool { return s.conns.Load() == 0 && runtime.NumGoroutine() <= s.goroutines })
		})
	}
	t.Run("a slot", func(t *testing.T) {
		s := newWard(t, http1, httpx.ServerConfig{Registry: quiet()}, ok)
		var permit seawall.Permit
		var err error
		if permit, err = s.h.Admission().Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.left(50*time.Millisecond, 0), "; "); got != "1 slots are in use" {
			t.Errorf("found %q", got)
		}
		permit.Done(nil)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// untilClosed is a context that ends with a channel.
func untilClosed(end chan struct{}) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-end
		cancel()
	}()
	return ctx
}
