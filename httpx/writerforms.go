package httpx

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// The forms of the writer: one for each combination of what the one below may offer besides. They are written out
// because a handler asks by type assertion, and an answer of the method "not supported" comes too late for it. F
// flushes, H hijacks, R reads from.
type (
	writerF   struct{ writer }
	writerH   struct{ writer }
	writerR   struct{ writer }
	writerFH  struct{ writer }
	writerFR  struct{ writer }
	writerHR  struct{ writer }
	writerFHR struct{ writer }
)

func (w *writerF) Flush()   { w.flush() }
func (w *writerFH) Flush()  { w.flush() }
func (w *writerFR) Flush()  { w.flush() }
func (w *writerFHR) Flush() { w.flush() }

func (w *writerH) Hijack() (net.Conn, *bufio.ReadWriter, error)   { return w.hijack() }
func (w *writerFH) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return w.hijack() }
func (w *writerHR) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return w.hijack() }
func (w *writerFHR) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

func (w *writerR) ReadFrom(src io.Reader) (int64, error)   { return w.readFrom(src) }
func (w *writerFR) ReadFrom(src io.Reader) (int64, error)  { return w.readFrom(src) }
func (w *writerHR) ReadFrom(src io.Reader) (int64, error)  { return w.readFrom(src) }
func (w *writerFHR) ReadFrom(src io.Reader) (int64, error) { return w.readFrom(src) }

func (w *writer) flush() {
	w.begin()
	w.below.(http.Flusher).Flush()
}

func (w *writer) hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.below.(http.Hijacker).Hijack()
	if err == nil {
		w.begin()
	}
	return conn, rw, err
}

func (w *writer) readFrom(src io.Reader) (int64, error) {
	w.begin()
	return w.below.(io.ReaderFrom).ReadFrom(src)
}

// wrap makes the writer for one request, and the form of it for the handler. They are one object.
func wrap(below http.ResponseWriter) (*writer, http.ResponseWriter) {
	const f, h, r = 1, 2, 4
	form := 0
	if _, ok := below.(http.Flusher); ok {
		form |= f
	}
	if _, ok := below.(http.Hijacker); ok {
		form |= h
	}
	if _, ok := below.(io.ReaderFrom); ok {
		form |= r
	}
	switch form {
	case f:
		w := &writerF{writer{below: below}}
		return &w.writer, w
	case h:
		w := &writerH{writer{below: below}}
		return &w.writer, w
	case r:
		w := &writerR{writer{below: below}}
		return &w.writer, w
	case f | h:
		w := &writerFH{writer{below: below}}
		return &w.writer, w
	case f | r:
		w := &writerFR{writer{below: below}}
		return &w.writer, w
	case h | r:
		w := &writerHR{writer{below: below}}
		return &w.writer, w
	case f | h | r:
		w := &writerFHR{writer{below: below}}
		return &w.writer, w
	}
	w := &writer{below: below}
	return w, w
}
