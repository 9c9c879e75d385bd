package httpx_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

// underLimits runs a handler behind time limits, and reports whether its answer was cut off.
func underLimits(t *testing.T, cfg httpx.TimeLimitConfig, below http.ResponseWriter, h http.HandlerFunc) (cut bool) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so as well
			t.Errorf("panics with %v", v)
		} else {
			cut = v != nil
		}
	}()
	cfg.Registry = quiet()
	httpx.TimeLimit("copy", cfg)(h).ServeHTTP(below, httptest.NewRequest("GET", "/", nil))
	return false
}

// trickle gives a byte each time it was waited for.
type trickle struct {
	bytes int
	every time.Duration
}

func (s *trickle) Read(p []byte) (int, error) {
	if s.bytes == 0 {
		return 0, io.EOF
	}
	s.bytes--
	time.Sleep(s.every)
	p[0] = 'x'
	return 1, nil
}

// T38, T39: a copy that goes on, however slowly, does not stand still.
func TestACopyOfASourceThatTricklesIsNotTakenForIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &tape{header: http.Header{}}
		var n int64
		cut := underLimits(t, httpx.TimeLimitConfig{Idle: 50 * time.Millisecond}, below, func(w http.ResponseWriter, _ *http.Request) {
			n, _ = io.Copy(w, &trickle{bytes: 40, every: 20 * time.Millisecond})
		})
		if cut || n != 40 {
			t.Errorf("cut off: %t, after %d bytes: %q", cut, n, below.calls)
		}
	})
}

// T39: a limit does not wait for a source that hangs, nor for a handler that does not look at its context.
func TestACopyOfASourceThatHangsIsCutAtTheLimit(t *testing.T) {
	for name, cfg := range map[string]httpx.TimeLimitConfig{
		"idle": {Idle: 50 * time.Millisecond}, "total": {Total: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below := &tape{header: http.Header{}}
				src, feed := io.Pipe()
				var err error
				go func() {
					_, _ = io.WriteString(feed, "x")
					time.Sleep(60 * time.Millisecond)
					synctest.Wait()
					below.mu.Lock()
					calls := slices.Clone(below.calls)
					below.mu.Unlock()
					if !slices.Equal(calls, []string{"write x", "hijack", "close"}) {
						t.Errorf("past the limit, while the source hangs: %q", calls)
					}
					_, _ = io.WriteString(feed, "y")
					feed.Close()
				}()
				if !underLimits(t, cfg, below, func(w http.ResponseWriter, _ *http.Request) { _, err = io.Copy(w, src) }) {
					t.Error("the handler went on")
				}
				if !errors.Is(err, http.ErrHandlerTimeout) {
					t.Errorf("the copy ends with %v", err)
				}
			})
		})
	}
}

// A copy that begins too late does not read its source.
func TestACopyPastTheLimitReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cfg := range []httpx.TimeLimitConfig{{FirstByte: time.Millisecond}, {Total: time.Millisecond}} {
			underLimits(t, cfg, &tape{header: http.Header{}}, func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(time.Second)
				src := &trickle{bytes: 1}
				n, err := w.(io.ReaderFrom).ReadFrom(src)
				if n != 0 || !errors.Is(err, http.ErrHandlerTimeout) || src.bytes != 1 {
					t.Errorf("copied %d, %v", n, err)
				}
			})
		}
	})
}

// slowly is a client that takes its time for each piece.
type slowly struct {
	tape
	each   time.Duration
	bytes  int
	pieces int
}

func (w *slowly) take(n int) (int, error) {
	time.Sleep(w.each)
	w.bytes += n
	w.pieces++
	return n, nil
}

func (w *slowly) Write(p []byte) (int, error)       { return w.take(len(p)) }
func (w *slowly) WriteString(s string) (int, error) { return w.take(len(s)) }

// T39: what a client reads slowly is not idle, in one large write neither.
func TestALargeWriteToAClientThatReadsIsNotTakenForIdle(t *testing.T) {
	const size = 1<<20 + 1
	for name, write := range map[string]func(io.Writer) (int, error){
		"bytes":  func(w io.Writer) (int, error) { return w.Write(make([]byte, size)) },
		"string": func(w io.Writer) (int, error) { return io.WriteString(w, strings.Repeat("x", size)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below := &slowly{tape: tape{header: http.Header{}}, each: 20 * time.Millisecond}
				cut := underLimits(t, httpx.TimeLimitConfig{Idle: 50 * time.Millisecond}, below, func(w http.ResponseWriter, _ *http.Request) {
					if n, err := write(w); n != size || err != nil {
						t.Errorf("wrote %d, %v", n, err)
					}
				})
				if cut || below.bytes != size || below.pieces != 17 {
					t.Errorf("cut off: %t, after %d bytes in %d pieces", cut, below.bytes, below.pieces)
				}
				below.pieces = 0
				underLimits(t, httpx.TimeLimitConfig{Total: time.Second}, below, func(w http.ResponseWriter, _ *http.Request) { _, _ = write(w) })
				if below.pieces != 1 {
					t.Errorf("without an idle limit it goes out in %d pieces", below.pieces)
				}
			})
		})
	}
}

// sources writes down what is given to ReadFrom.
type sources struct {
	httptest.ResponseRecorder
	files, others int
}

func (w *sources) ReadFrom(src io.Reader) (int64, error) {
	what := src
	if part, ok := src.(*io.LimitedReader); ok {
		what = part.R
	}
	if _, ok := what.(*os.File); ok {
		w.files++
	} else {
		w.others++
	}
	return io.Copy(&w.ResponseRecorder, src)
}

// T38: files reach the writer below in a form that the system can copy by itself.
func TestAFileIsLeftToTheSystemUnderEveryLimit(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, 200<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, cfg := range map[string]httpx.TimeLimitConfig{"default": {}, "idle": {Idle: time.Minute}, "total": {Total: time.Minute}} {
		for _, size := range []int64{100, 512, 100 << 10, 512 + 64<<10, 200 << 10, -1} {
			below := &sources{ResponseRecorder: *httptest.NewRecorder()}
			underLimits(t, cfg, below, func(w http.ResponseWriter, _ *http.Request) {
				f, err := os.Open(name)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				src, want := io.LimitReader(f, size), size
				if size < 0 {
					src, want = f, 200<<10
				}
				if n, err := w.(io.ReaderFrom).ReadFrom(src); n != want || err != nil {
					t.Errorf("%s: copied %d of %d, %v", what, n, want, err)
				}
			})
			if below.others > 0 || size > 512 && below.files == 0 || size > 0 && int64(below.Body.Len()) != size {
				t.Errorf("%s, %d bytes: %d files, %d others, %d bytes", what, size, below.files, below.others, below.Body.Len())
			}
		}
	}
}
