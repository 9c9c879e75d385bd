package httpx_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/internal/shrink"
)

// tape is a http.ResponseWriter that writes down, in order, what reaches it.
type tape struct {
	header http.Header

	mu       sync.Mutex // guards the fields below
	calls    []string
	hijacked bool
	slow     time.Duration // of the next Write
	inside   int           // operations under way: two at once are a race
}

func (w *tape) note(format string, args ...any) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
	if w.inside++; w.inside > 1 {
		w.calls = append(w.calls, "TWO AT ONCE")
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.inside--
	}
}

func (w *tape) Header() http.Header { return w.header }

func (w *tape) WriteHeader(status int) { w.note("status %d", status)() }

func (w *tape) Write(p []byte) (int, error) {
	defer w.note("write %s", strings.TrimSpace(string(p)))()
	w.mu.Lock()
	slow := w.slow
	w.slow = 0
	w.mu.Unlock()
	time.Sleep(slow)
	return len(p), nil
}

func (w *tape) Flush() { w.note("flush")() }

func (w *tape) ReadFrom(src io.Reader) (int64, error) {
	defer w.note("readfrom")()
	return io.Copy(io.Discard, src)
}

func (w *tape) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	defer w.note("hijack")()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	w.hijacked = true
	return tapeConn{w: w}, nil, nil
}

// tapeConn is a connection that can be closed.
type tapeConn struct {
	net.Conn
	w *tape
}

func (c tapeConn) Close() error {
	c.w.note("close")()
	return nil
}

// What a handler of the model does: an operation and its argument.
const (
	doSleep = iota
	doHeader
	doHints
	doWrite
	doSlowWrite
	doFlush
	doHijack
	doCopy
	doPanic
	doAbort
	doKinds
)

const doBytes = 2

// limitsOf reads the limits of a run. They are apart from each other, and from what the handler does, by parts of the
// unit, so that no two things happen at once.
func limitsOf(a, b, c byte) httpx.TimeLimitConfig {
	unit := 10 * time.Millisecond
	limit := func(b byte, apart time.Duration) time.Duration {
		if b%4 == 0 {
			return httpx.Off
		}
		return time.Duration(b%12+1)*unit + apart
	}
	cfg := httpx.TimeLimitConfig{
		FirstByte: limit(a, 5*time.Millisecond), Idle: limit(b, 7*time.Millisecond), Total: limit(c, 3*time.Millisecond),
	}
	if cfg.Total > 0 && cfg.FirstByte > cfg.Total { // which is not valid
		cfg.FirstByte = httpx.Off
	}
	return cfg
}

// modelWriter is the naive reference: it goes through the operations with a clock of its own.
type modelWriter struct {
	cfg           httpx.TimeLimitConfig
	now, latest   time.Duration
	phase         string // nothing, begun, hijacked, answered, aborted
	inside        bool
	calls, result []string
}

func (m *modelWriter) advance(to time.Duration) {
	least := func(at *time.Duration, d, from time.Duration) {
		if d > 0 && from+d < *at {
			*at = from + d
		}
	}
	due := time.Duration(1 << 62)
	switch m.phase {
	case "nothing":
		least(&due, m.cfg.FirstByte, 0)
		least(&due, m.cfg.Total, 0)
		if due <= to {
			m.phase = "answered"
			m.calls = append(m.calls, "status 503", "write Service Unavailable", "flush")
		}
	case "begun":
		least(&due, m.cfg.Idle, m.latest)
		least(&due, m.cfg.Total, 0)
		if due <= to {
			m.phase = "aborted"
			if !m.inside {
				m.calls = append(m.calls, "hijack", "close")
			}
		}
	}
	m.now = to
}

// use is an operation; it returns whether it goes through.
func (m *modelWriter) use(calls ...string) bool {
	if m.phase == "answered" || m.phase == "aborted" {
		return false
	}
	m.latest = m.now
	m.calls = append(m.calls, calls...)
	return true
}

func (m *modelWriter) begin() {
	if m.phase == "nothing" {
		m.phase = "begun"
	}
}

func (m *modelWriter) tell(ok bool) {
	m.result = append(m.result, map[bool]string{true: "ok", false: "timeout"}[ok])
}

func (m *modelWriter) run(ops []byte) {
	m.phase = "nothing"
	for ; len(ops) >= doBytes; ops = ops[doBytes:] {
		arg := time.Duration(ops[1]%8) * 10 * time.Millisecond
		switch ops[0] % doKinds {
		case doSleep:
			m.advance(m.now + arg)
		case doHeader:
			if m.use(fmt.Sprintf("status %d", 200+int(ops[1]%3))) {
				m.begin()
			}
		case doHints:
			m.use("status 103")
		case doWrite:
			ok := m.use("write x")
			if ok {
				m.begin()
			}
			m.tell(ok)
		case doSlowWrite:
			ok := m.use("write x")
			if ok {
				m.begin()
				m.inside = true
				m.advance(m.now + arg)
				m.inside = false
				m.latest = m.now
				if m.phase == "aborted" {
					m.calls = append(m.calls, "hijack", "close")
				}
			}
			m.tell(ok)
		case doFlush:
			ok := m.use("flush")
			if ok {
				m.begin()
			}
			m.tell(ok)
		case doHijack:
			was := m.phase
			ok := m.use("hijack")
			if ok && was != "hijacked" {
				m.phase = "hijacked"
			}
			m.tell(ok && was != "hijacked")
		case doCopy:
			calls := []string{"readfrom"}
			switch {
			case m.cfg.Idle > 0 || m.cfg.Total > 0: // what is not a file is copied by hand
				calls = []string{"write y"}
			case m.phase == "nothing":
				calls = []string{"write y", "readfrom"}
			}
			ok := m.use(calls...)
			if ok {
				m.begin()
			}
			m.tell(ok)
		case doPanic:
			m.result = append(m.result, "panic boom")
			return
		case doAbort:
			m.result = append(m.result, "panic "+http.ErrAbortHandler.Error())
			return
		}
	}
	if m.phase == "aborted" {
		m.result = append(m.result, "panic "+http.ErrAbortHandler.Error())
		return
	}
	m.result = append(m.result, "returned")
}

// runWriter runs a list through the middleware and the model, in a bubble. It returns how they differ.
func runWriter(list []byte) error {
	if len(list) < 3 {
		return nil
	}
	cfg := limitsOf(list[0], list[1], list[2])
	cfg.Registry = quiet()
	ops := list[3:]
	below := &tape{header: http.Header{}}
	var result []string
	tell := func(err error) {
		s := "ok"
		if err != nil {
			s = "timeout"
		}
		result = append(result, s)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Handler", "1")
		for ; len(ops) >= doBytes; ops = ops[doBytes:] {
			arg := time.Duration(ops[1]%8) * 10 * time.Millisecond
			switch ops[0] % doKinds {
			case doSleep:
				time.Sleep(arg)
				synctest.Wait()
			case doHeader:
				w.WriteHeader(200 + int(ops[1]%3))
			case doHints:
				w.WriteHeader(103)
			case doWrite:
				_, err := w.Write([]byte("x"))
				tell(err)
			case doSlowWrite:
				below.mu.Lock()
				below.slow = arg
				below.mu.Unlock()
				_, err := w.Write([]byte("x"))
				below.mu.Lock()
				below.slow = 0
				below.mu.Unlock()
				tell(err)
				synctest.Wait()
			case doFlush:
				tell(http.NewResponseController(w).Flush())
			case doHijack:
				_, _, err := http.NewResponseController(w).Hijack()
				tell(err)
			case doCopy:
				_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("y"))
				tell(err)
			case doPanic:
				panic("boom")
			case doAbort:
				panic(http.ErrAbortHandler)
			}
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	func() {
		defer func() {
			if v := recover(); v != nil {
				result = append(result, fmt.Sprint("panic ", v))
			} else {
				result = append(result, "returned")
			}
		}()
		httpx.TimeLimit("model", cfg)(http.HandlerFunc(handler)).ServeHTTP(below, r)
	}()
	time.Sleep(time.Second) // whatever is left running shows now
	synctest.Wait()

	m := &modelWriter{cfg: cfg}
	m.run(list[3:])
	unlimited := cfg.FirstByte == httpx.Off && cfg.Idle == httpx.Off && cfg.Total == httpx.Off
	if unlimited { // the handler has the writer below
		m.calls = slices.DeleteFunc(m.calls, func(s string) bool { return s == "write y" })
		below.calls = slices.DeleteFunc(below.calls, func(s string) bool { return s == "write y" })
	}
	if !slices.Equal(below.calls, m.calls) || !slices.Equal(result, m.result) {
		return fmt.Errorf("limits %+v\n got %q, told %q\nwant %q, told %q", cfg, below.calls, result, m.calls, m.result)
	}
	ours := slices.Contains(below.calls, "status 503")
	panicked := strings.HasPrefix(result[len(result)-1], "panic") && m.phase == "nothing"
	if unlimited || m.phase == "hijacked" { // perhaps without a header
		return nil
	}
	if has := below.header.Get("X-Handler") != ""; has == (ours || panicked) {
		return fmt.Errorf("limits %+v, %q: the handler's field is there: %t", cfg, below.calls, has)
	}
	return nil
}

// T39, T38: random handlers, limits and clocks against the reference.
func TestWhoWritesFirstDecidesAsInTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := 3000
		if testing.Short() {
			rounds = 500
		}
		for seed := range uint64(rounds) {
			random := rand.New(rand.NewPCG(seed, 39))
			list := make([]byte, 3+doBytes*(1+random.IntN(12)))
			for i := range list {
				list[i] = byte(random.Uint32())
			}
			if err := runWriter(list); err != nil {
				ops := shrink.List(list[3:], doBytes, func(ops []byte) bool {
					return runWriter(append(slices.Clone(list[:3]), ops...)) != nil
				})
				shortest := append(slices.Clone(list[:3]), ops...)
				t.Fatalf("seed %d, shortest list %v: %v", seed, shortest, runWriter(shortest))
			}
		}
	})
}

func FuzzWhoWritesFirst(f *testing.F) {
	f.Add([]byte{1, 0, 0, doSleep, 7, doWrite, 0})
	f.Add([]byte{1, 1, 1, doWrite, 0, doSleep, 7, doWrite, 0, doPanic, 0})
	f.Add([]byte{0, 2, 3, doHints, 0, doSlowWrite, 7, doFlush, 0, doCopy, 0, doHijack, 0})
	f.Fuzz(func(t *testing.T, list []byte) {
		synctest.Test(t, func(t *testing.T) {
			if err := runWriter(list[:min(len(list), 60)]); err != nil {
				t.Error(err)
			}
		})
	})
}

// T39: the handler and the limit at the same instant.
func TestAtTheSameInstantThereIsStillOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		won := map[int]int{}
		for range 2000 {
			w := httptest.NewRecorder()
			cfg := httpx.TimeLimitConfig{FirstByte: 10 * time.Millisecond, Registry: quiet()}
			var wrote, status error
			httpx.TimeLimit("tie", cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(10 * time.Millisecond)
				w.Header().Set("X-Handler", "1")
				w.WriteHeader(201)
				_, wrote = io.WriteString(w, "created")
				status = r.Context().Err()
			})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			won[w.Code]++
			switch w.Code {
			case 201:
				if w.Body.String() != "created" || wrote != nil || status != nil || w.Header().Get("X-Handler") == "" {
					t.Fatalf("half an answer: %q, %v, %v, %v", w.Body, wrote, status, w.Header())
				}
			case 503:
				if w.Body.String() != "Service Unavailable\n" || !errors.Is(wrote, http.ErrHandlerTimeout) ||
					!errors.Is(status, context.DeadlineExceeded) || w.Header().Get("X-Handler") != "" {
					t.Fatalf("half a refusal: %q, %v, %v, %v", w.Body, wrote, status, w.Header())
				}
			default:
				t.Fatalf("status %d", w.Code)
			}
		}
		if len(won) != 2 {
			t.Logf("no tie was ever decided the other way: %v", won)
		}
	})
}

// T38: a handler that returns when its time is over and has said nothing, is answered for, whoever sees it first.
func TestASilentHandlerThatReturnsAtTheLimitIsNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 500 {
			w := httptest.NewRecorder()
			cfg := httpx.TimeLimitConfig{FirstByte: 10 * time.Millisecond, Registry: quiet()}
			httpx.TimeLimit("tie", cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				deadline, _ := r.Context().Deadline()
				time.Sleep(time.Until(deadline)) // as a driver does that is given a timeout
			})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if w.Code != 503 {
				t.Fatalf("status %d", w.Code)
			}
		}
	})
}

// T39: what panics in the writer below stays away from it once the limit has the response.
func TestAnImpossibleStatusPastTheLimitDoesNotReachTheWriterBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &tape{header: http.Header{}}
		underLimits(t, within(10*time.Millisecond), below, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(20 * time.Millisecond)
			w.WriteHeader(0)
		})
		if slices.Contains(below.calls, "status 0") {
			t.Errorf("%q", below.calls)
		}
		below = &tape{header: http.Header{}}
		underLimits(t, within(10*time.Millisecond), below, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(1000) })
		if !slices.Contains(below.calls, "status 1000") {
			t.Errorf("net/http does not hear of it: %q", below.calls)
		}
	})
}

// slowHints is a writer below whose client takes its time for 1xx responses.
type slowHints struct {
	*tape
	slow time.Duration
}

func (w slowHints) WriteHeader(status int) {
	w.tape.WriteHeader(status)
	if status < 200 {
		time.Sleep(w.slow)
	}
}

// T39: the limit that comes while a 1xx response goes out is answered behind it, and never by a success of net/http's.
func TestALimitDuringEarlyHintsIsAnsweredBehindThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &tape{header: http.Header{"X-Outside": {"1"}}}
		underLimits(t, within(10*time.Millisecond), slowHints{below, 30 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>")
			w.WriteHeader(103)
			if _, err := io.WriteString(w, "late"); !errors.Is(err, http.ErrHandlerTimeout) {
				t.Errorf("a write past the limit gets %v", err)
			}
		})
		if want := []string{"status 103", "status 503", "write Service Unavailable", "flush"}; !slices.Equal(below.calls, want) {
			t.Errorf("%q, want %q", below.calls, want)
		}
		if below.header.Get("Link") != "" || below.header.Get("X-Outside") == "" {
			t.Errorf("the 503 has %v", below.header)
		}
	})
}

// lentHeader is a writer below that still reads the header of a 1xx response when its WriteHeader has returned, as the
// HTTP/2 server of net/http does if the stream was closed meanwhile.
type lentHeader struct {
	*tape
	lent, then http.Header
}

func (w *lentHeader) WriteHeader(status int) {
	w.tape.WriteHeader(status)
	if w.lent != nil {
		return
	}
	w.lent = w.header
	_, length := w.lent["Content-Length"]
	_, coding := w.lent["Transfer-Encoding"]
	if length || coding {
		w.lent = w.lent.Clone()
		delete(w.lent, "Content-Length")
		delete(w.lent, "Transfer-Encoding")
	}
	w.then = w.lent.Clone()
}

// T38: the stream was closed while a 1xx response went out, by a client whose deadline had passed before: the answer that
// follows changes nothing in the header that HTTP/2 may still be reading.
func TestAnAnswerBehindEarlyHintsDoesNotChangeTheHeaderThatIsStillRead(t *testing.T) {
	after := map[string]http.HandlerFunc{
		"limit":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"answer":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Del("Link"); w.WriteHeader(404) },
		"nothing": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "1") },
		"panic":   func(http.ResponseWriter, *http.Request) { panic("boom") },
	}
	for name, then := range after {
		for _, length := range []string{"", "5"} {
			t.Run(name+length, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
					defer cancel()
					below := &lentHeader{tape: &tape{header: http.Header{"X-Outside": {"1"}}}}
					if length != "" {
						below.header.Set("Content-Length", length)
					}
					handler := httpx.NewHandler("test", httpx.ServerConfig{
						TimeLimit: within(10 * time.Millisecond), Registry: quiet(),
					}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Link", "</style.css>")
						w.WriteHeader(103)
						then(w, r)
					}))
					handler.ServeHTTP(below, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
					if len(below.then) == 0 || !maps.EqualFunc(below.lent, below.then, slices.Equal) {
						t.Errorf("it was %v and is %v", below.then, below.lent)
					}
					if length == "" && strings.HasPrefix(name, "nothing") && below.header["Content-Length"] != nil {
						t.Errorf("the answer has %v", below.header)
					}
				})
			})
		}
	}
}

// A connection that is the handler's has no deadline of ours any more.
func TestAHijackedConnectionHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := httpx.TimeLimitConfig{FirstByte: time.Second, Idle: time.Second, Total: time.Minute}
		underLimits(t, cfg, &tape{header: http.Header{}}, func(w http.ResponseWriter, r *http.Request) {
			if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
			if deadline, is := r.Context().Deadline(); is || r.Context().Err() != nil {
				t.Errorf("it ends at %v, %v", deadline, r.Context().Err())
			}
		})
	})
}

// slowHijacker is a writer below that takes its time to hand the connection over.
type slowHijacker struct {
	*tape
	slow time.Duration
}

func (w slowHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.tape.Hijack()
	time.Sleep(w.slow)
	return conn, rw, err
}

// T39: a connection that comes too late is closed, and not the handler's.
func TestAHijackThatTheLimitOvertakesLeavesNoConnectionOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &tape{header: http.Header{}}
		cut := underLimits(t, within(10*time.Millisecond), slowHijacker{below, 30 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); conn != nil || !errors.Is(err, http.ErrHandlerTimeout) {
				t.Errorf("the handler gets %v, %v", conn, err)
			}
		})
		if !cut || !slices.Contains(below.calls, "close") || slices.Contains(below.calls, "status 503") {
			t.Errorf("cut off: %t, after %q", cut, below.calls)
		}
	})
}

// deaf is a writer below whose client does not read.
type deaf struct {
	*tape
	deadline chan struct{}
	once     sync.Once
}

func (w *deaf) Write(p []byte) (int, error) {
	defer w.note("write")()
	<-w.deadline
	return 0, os.ErrDeadlineExceeded
}

func (w *deaf) SetWriteDeadline(t time.Time) error {
	if !t.After(time.Now()) {
		w.once.Do(func() { close(w.deadline) })
	}
	return nil
}

func (*deaf) SetReadDeadline(time.Time) error { return nil }

// T39: a write to a client that does not read ends at the limit, and with it the handler.
func TestAWriteToAClientThatDoesNotReadEndsAtTheLimit(t *testing.T) {
	for name, cfg := range map[string]httpx.TimeLimitConfig{
		"idle": {Idle: 50 * time.Millisecond}, "total": {Total: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, below := time.Now(), &deaf{tape: &tape{header: http.Header{}}, deadline: make(chan struct{})}
				cut := underLimits(t, cfg, below, func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, "x")
				})
				if took := time.Since(start); !cut || took != 50*time.Millisecond {
					t.Errorf("cut off: %t, after %v", cut, took)
				}
			})
		})
	}
}
