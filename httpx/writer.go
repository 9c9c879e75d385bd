package httpx

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/hop"
)

//go:generate go run writerforms_gen.go

// writer is the http.ResponseWriter that a handler gets. One serves all the middlewares of a request, see share. It
// follows the response, and passes everything on, except while a time limit is in force: then the handler fills a
// header of its own, which reaches the writer below when the response begins, because the limit may be about to
// write there.
//
// It is handed out in the form that offers what the one below offers, see wrap; http.ResponseController finds the rest
// by Unwrap.
type writer struct {
	below  http.ResponseWriter
	state  atomic.Uint32
	status atomic.Int32 // of the response, once the phase is header or body

	own     bool            // the handler has a header of its own
	fields  http.Header     // that header; nil while there is nothing in it
	early   bool            // there was a response of 1xx, with what the header held then
	before  http.Header     // what the writer below had before that
	record  *seawall.Record // what is told of in Seawall-Degraded; nil for nothing
	caches  *cacheDefault   // what is told to caches, if the handler says nothing; nil for nothing
	repeats hop.Repeating   // of what the handler asks of others; its context is nil if another one leads to it
	// refusal is the error of the gate that has refused the request, here or further in.
	refusal error
	outer   *writer // the one further out, if any
	field   string  // where it is said what a repeat of the request would do; NoField for nowhere

	permit   seawall.Permit // of the admission
	admitted bool
	untilEnd bool // the gate is not told when the response begins

	timed // the time limit of the request
}

// commit begins the response.
func (w *writer) commit(status int) {
	w.status.Store(int32(status))
	w.publish()
	if w.record != nil {
		setDegraded(w.below.Header(), w.record.Facts())
	}
	if w.caches != nil {
		w.caches.set(status, w.below.Header())
	}
	w.tellUsedUp(status)
	w.begin()
}

// begin is told that the response has begun, or that the connection is the handler's.
func (w *writer) begin() {
	if w.admitted && !w.untilEnd {
		w.permit.Answered()
	}
	w.firstByte()
}

// publish brings the handler's header to the writer below.
func (w *writer) publish() {
	if w.own && w.fields != nil {
		replaceHeader(w.below.Header(), w.fields)
	}
}

// replaceHeader makes dst hold what src does.
func replaceHeader(dst, src http.Header) {
	for name := range dst {
		if _, kept := src[name]; !kept {
			delete(dst, name)
		}
	}
	maps.Copy(dst, src)
}

// Header is what the handler fills.
func (w *writer) Header() http.Header {
	if !w.own {
		return w.below.Header()
	}
	if w.fields == nil {
		w.fields = http.Header{}
	}
	return w.fields
}

// Unwrap is where http.ResponseController finds what the writer does not have. What would go behind its back stays with
// it.
func (w *writer) Unwrap() http.ResponseWriter { return (*beneath)(w) }

func (w *writer) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999: // a panic of the writer below, before anything has begun
		if w.enter(nothing, 0) {
			defer w.leave()
			w.below.WriteHeader(status)
		}
	case status < 200 && status != http.StatusSwitchingProtocols: // may be followed by anything
		if w.enter(nothing, 0) {
			defer w.leave()
			if w.own && !w.early && !w.begun() {
				w.before = w.below.Header().Clone()
			}
			w.publish()
			w.early = true
			w.inform(status)
		}
	default:
		if w.enter(header, status) {
			defer w.leave()
			w.below.WriteHeader(status)
		}
	}
}

// inform sends a 1xx response. If its stream is closed meanwhile, net/http's HTTP/2 server returns while it may still be
// reading the header, which the answer then changes. It reads a copy if there is a Content-Length, which has no place in a
// 1xx: one without a value is there for that, and nobody sends it.
func (w *writer) inform(status int) {
	h := w.below.Header()
	if _, has := h["Content-Length"]; !has {
		h["Content-Length"] = nil
		defer delete(h, "Content-Length")
	}
	w.below.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	if !w.enter(body, http.StatusOK) {
		return 0, http.ErrHandlerTimeout
	}
	defer w.leave()
	return inPieces(w, p, w.below.Write)
}

// inPieces writes p, in pieces if there is an idle limit: each of them shows that the client reads, however slowly.
func inPieces[T []byte | string](w *writer, p T, write func(T) (int, error)) (n int, err error) {
	for w.limits != nil && w.limits.idle > 0 && len(p)-n > pieceSize {
		m, err := write(p[n : n+pieceSize])
		n += m
		if err != nil {
			return n, err
		}
		w.touch()
	}
	m, err := write(p[n:])
	return n + m, err
}

// FlushError is what http.ResponseController looks for, before anything below. Every form has it, so that none flushes
// behind the writer's back.
func (w *writer) FlushError() error {
	flush := flushOf(w.below)
	if flush == nil {
		return http.ErrNotSupported
	}
	if !w.enter(header, http.StatusOK) {
		return http.ErrHandlerTimeout
	}
	defer w.leave()
	return flush()
}

// flushOf finds how to flush a writer, as http.ResponseController does; nil if it cannot be.
func flushOf(w http.ResponseWriter) func() error {
	for {
		switch f := w.(type) {
		case interface{ FlushError() error }:
			return f.FlushError
		case http.Flusher:
			return func() error { f.Flush(); return nil }
		case interface{ Unwrap() http.ResponseWriter }:
			w = f.Unwrap()
		default:
			return nil
		}
	}
}

func (w *writer) flush() { _ = w.FlushError() }

func (w *writer) writeString(s string) (int, error) {
	if !w.enter(body, http.StatusOK) {
		return 0, http.ErrHandlerTimeout
	}
	defer w.leave()
	return inPieces(w, s, func(s string) (int, error) { return io.WriteString(w.below, s) })
}

// hijack gives the connection to the handler. If it fails, the response is as it was.
func (w *writer) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.enter(nothing, 0) {
		return nil, nil, http.ErrHandlerTimeout
	}
	defer w.leave()
	conn, rw, err := http.NewResponseController(w.below).Hijack()
	if err != nil {
		return nil, nil, err
	}
	for {
		state := w.state.Load()
		to := hijacked
		if phaseOf(state) >= answered { // the limit came meanwhile, and the answer cannot be sent any more
			to = aborted
		}
		if !w.state.CompareAndSwap(state, state&^phaseBits|uint32(to)) {
			continue
		}
		if to == aborted {
			_ = conn.Close()
			return nil, nil, http.ErrHandlerTimeout
		}
		w.begin()
		return conn, rw, nil
	}
}

// push begins no response of this request.
func (w *writer) push(target string, opts *http.PushOptions) error {
	return w.below.(http.Pusher).Push(target, opts)
}

// beneath is a writer as http.ResponseController sees it when it looks below: a hijack further down is noticed.
type beneath writer

// Header is that of the writer below.
func (b *beneath) Header() http.Header { return b.below.Header() }

// Write writes behind the writer's back.
func (b *beneath) Write(p []byte) (int, error) { return b.below.Write(p) }

// WriteHeader writes behind the writer's back.
func (b *beneath) WriteHeader(status int) { b.below.WriteHeader(status) }

// Hijack is here because the one that is offered may be further down.
func (b *beneath) Hijack() (net.Conn, *bufio.ReadWriter, error) { return (*writer)(b).hijack() }

// Unwrap returns the writer below.
func (b *beneath) Unwrap() http.ResponseWriter { return b.below }

// shared is how the middlewares of one request find its writer.
type shared interface{ shared() *writer }

func (w *writer) shared() *writer { return w }

// share returns the writer of the request, and the form of it for the handler: the one that a middleware further out has
// made, or a new one.
func share(rw http.ResponseWriter) (*writer, http.ResponseWriter) {
	if s, ok := rw.(shared); ok {
		return s.shared(), rw
	}
	return nest(rw)
}

// nest makes a new writer inside of those that the request has.
func nest(rw http.ResponseWriter) (*writer, http.ResponseWriter) {
	w, offered := wrap(rw)
	w.outer, w.field = outerOf(rw), pushbackField(rw)
	return w, offered
}

// outerOf finds the writer that a middleware further out has made, below what others have put around it; nil if there is
// none.
func outerOf(rw http.ResponseWriter) *writer {
	for {
		switch below := rw.(type) {
		case shared:
			return below.shared()
		case *recorder:
			rw = below.below
		case interface{ Unwrap() http.ResponseWriter }:
			rw = below.Unwrap()
		default:
			return nil
		}
	}
}
