package httpx_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/httpx"
)

// below is a http.ResponseWriter that offers nothing besides, and writes down what it is asked for.
type below struct{ calls *[]string }

func (b below) note(call string)            { *b.calls = append(*b.calls, call) }
func (b below) Header() http.Header         { return http.Header{} }
func (b below) Write(p []byte) (int, error) { b.note("Write"); return len(p), nil }
func (b below) WriteHeader(int)             { b.note("WriteHeader") }

// The parts it may offer besides.
type (
	flushes struct{ b below }
	hijacks struct{ b below }
	reads   struct{ b below }

	writesStrings struct{ b below }
	pushes        struct{ b below }
)

func (w writesStrings) WriteString(s string) (int, error) {
	w.b.note("WriteString")
	return len(s), nil
}

func (p pushes) Push(string, *http.PushOptions) error {
	p.b.note("Push")
	return nil
}

func (f flushes) Flush() { f.b.note("Flush") }

func (h hijacks) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.b.note("Hijack")
	return nil, nil, nil
}

func (r reads) ReadFrom(src io.Reader) (int64, error) {
	r.b.note("ReadFrom")
	return io.Copy(io.Discard, src)
}

// T38: what the one below offers is offered, what it does not is not, and all of it is noticed.
func TestTheWriterOffersExactlyWhatTheOneBelowOffers(t *testing.T) {
	b := below{new([]string)}
	forms := offering(b)
	if len(forms) != 32 {
		t.Fatalf("%d forms", len(forms))
	}
	for name, w := range forms {
		t.Run(name, func(t *testing.T) {
			for _, part := range []struct {
				letter, call string
				use          func(http.ResponseWriter) (offered bool)
			}{
				{"F", "Flush", func(w http.ResponseWriter) bool {
					f, ok := w.(http.Flusher)
					if ok {
						f.Flush()
					}
					return ok
				}},
				{"F", "Flush", func(w http.ResponseWriter) bool { // as http.ResponseController does it
					return !errors.Is(http.NewResponseController(w).Flush(), http.ErrNotSupported)
				}},
				{"H", "Hijack", func(w http.ResponseWriter) bool {
					h, ok := w.(http.Hijacker)
					if ok {
						_, _, _ = h.Hijack()
					}
					return ok
				}},
				{"R", "ReadFrom", func(w http.ResponseWriter) bool {
					r, ok := w.(io.ReaderFrom)
					if ok {
						_, _ = r.ReadFrom(strings.NewReader("x"))
					}
					return ok
				}},
				{"S", "WriteString", func(w http.ResponseWriter) bool {
					s, ok := w.(io.StringWriter)
					if ok {
						_, _ = s.WriteString("x")
					}
					return ok
				}},
				{"P", "Push", func(w http.ResponseWriter) bool {
					p, ok := w.(http.Pusher)
					if ok {
						_ = p.Push("/a.css", nil)
					}
					return ok
				}},
				{"H", "Hijack", func(w http.ResponseWriter) bool { // as http.ResponseController does it
					_, _, err := http.NewResponseController(w).Hijack()
					return !errors.Is(err, http.ErrNotSupported)
				}},
			} {
				*b.calls = nil
				offered, begun := httpx.Wrap(w)
				want := strings.Contains(name, part.letter)
				if got := part.use(offered); got != want {
					t.Errorf("%s is offered: %v, want %v", part.call, got, want)
				}
				if begun() != (want && part.letter != "P") {
					t.Errorf("after %s the response has begun: %v", part.call, begun())
				}
				if got := strings.Join(*b.calls, " "); want && got != part.call {
					t.Errorf("%s became %q", part.call, got)
				}
			}
		})
	}
}

func TestWhatBeginsAResponse(t *testing.T) {
	for _, row := range []struct {
		name  string
		do    func(http.ResponseWriter)
		begun bool
	}{
		{"nothing", func(http.ResponseWriter) {}, false},
		{"a header field", func(w http.ResponseWriter) { w.Header().Set("X-A", "1") }, false},
		{"early hints", func(w http.ResponseWriter) { w.WriteHeader(103) }, false},
		{"a protocol switch", func(w http.ResponseWriter) { w.WriteHeader(101) }, true},
		{"a status", func(w http.ResponseWriter) { w.WriteHeader(204) }, true},
		{"bytes", func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) }, true},
		{"no bytes", func(w http.ResponseWriter) { _, _ = w.Write(nil) }, true},
		{"a string", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, true},
		{"a copy", func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("x")) }, true},
		{"a flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, begun := httpx.Wrap(httptest.NewRecorder())
			row.do(w)
			if begun() != row.begun {
				t.Errorf("begun is %v", begun())
			}
		})
	}
}

func TestAHijackThatFailsLeavesTheResponseOpen(t *testing.T) {
	w, begun := httpx.Wrap(failingHijacker{httptest.NewRecorder()})
	if _, _, err := w.(http.Hijacker).Hijack(); err == nil || begun() {
		t.Errorf("%v, begun is %v", err, begun())
	}
}

type failingHijacker struct{ *httptest.ResponseRecorder }

func (failingHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("no")
}
