package fault

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// writer is that of an answer which a fault cuts or changes.
type writer struct {
	http.ResponseWriter

	in      *Injection
	passed  int64
	err     error  // how it was cut
	scratch []byte // what is changed: a caller's bytes are its own
}

// Write writes what is let through. It must not panic to cut an answer: that it runs in the handler's goroutine is only
// usual.
func (w *writer) Write(b []byte) (n int, err error) {
	if w.err != nil {
		return 0, w.err
	}
	room, by := w.in.room(w.passed)
	through := b
	if by != nil && int64(len(b)) > room {
		through = b[:room]
	} else {
		by = nil
	}
	if len(w.in.corrupt) > 0 {
		w.scratch = append(w.scratch[:0], through...)
		through = w.scratch
		w.in.Damage(through, w.passed)
	}
	if by == nil || len(through) > 0 {
		n, err = w.ResponseWriter.Write(through)
		w.passed += int64(n)
	}
	if by == nil || err != nil {
		return n, err
	}
	by.count()
	w.err = by.run.injected.reset("write")
	_ = http.NewResponseController(w.ResponseWriter).Flush() // the caller gets what was let through
	return n, w.err
}

// WriteString is Write, for io.WriteString.
func (w *writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// outside is the writer with the methods that the original has.
func (w *writer) outside() http.ResponseWriter {
	_, flushes := w.ResponseWriter.(http.Flusher)
	_, hijacks := w.ResponseWriter.(http.Hijacker)
	switch {
	case flushes && hijacks:
		return struct {
			*writer
			http.Flusher
			http.Hijacker
		}{w, flusher{w}, hijacker{w}}
	case flushes:
		return struct {
			*writer
			http.Flusher
		}{w, flusher{w}}
	case hijacks:
		return struct {
			*writer
			http.Hijacker
		}{w, hijacker{w}}
	}
	return w
}

type flusher struct{ w *writer }

func (f flusher) Flush() { f.w.ResponseWriter.(http.Flusher).Flush() } //nolint:forcetypeassert // outside has looked

type hijacker struct{ w *writer }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.w.ResponseWriter.(http.Hijacker).Hijack() //nolint:forcetypeassert // outside has looked
}

var _ io.StringWriter = (*writer)(nil)
