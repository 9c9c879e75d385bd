package httpx

import (
	"bufio"
	"context"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
)

// phase is how far a response is. Whoever moves it on first, the handler or the time limit, decides in one atomic step
// what the client gets: there is never a second status, nor a text of ours behind one of the handler's.
type phase uint32

const (
	nothing  phase = iota // was written, so the limit may still answer
	header                // the status is decided, by the handler
	body                  // bytes have followed
	hijacked              // the connection is the handler's
	answered              // the limit came first: its 503 is the answer
	aborted               // the limit came in the middle: the answer is cut off
)

// The state of a writer in one word: the phase, whether the limit is out of force, and how many operations are under
// way, each of which has the writer below for itself until it ends.
const (
	phaseBits uint32 = 7
	disarmed  uint32 = 8
	operation uint32 = 16
)

func phaseOf(state uint32) phase { return phase(state & phaseBits) }

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

	own    bool            // the handler has a header of its own
	fields http.Header     // that header; nil while there is nothing in it
	early  bool            // there was a response of 1xx, with what the header held then
	before http.Header     // what the writer below had before that
	record *seawall.Record // what is told of in Seawall-Degraded; nil for nothing
	caches *cacheDefault   // what is told to caches, if the handler says nothing; nil for nothing
	// refusal is the error of the gate that has refused the request.
	refusal error

	permit   seawall.Permit // of the admission
	admitted bool
	untilEnd bool // the gate is not told when the response begins

	timed // the time limit of the request
}

// phase returns how far the response is.
func (w *writer) phase() phase { return phaseOf(w.state.Load()) }

// begun reports whether it is too late for an answer of ours.
func (w *writer) begun() bool { return w.phase() != nothing }

// enter begins an operation of the handler that brings the response to a phase at least. It returns false if the limit
// has the response; then the handler's context has ended.
func (w *writer) enter(to phase, status int) bool {
	for {
		state := w.state.Load()
		from := phaseOf(state)
		if from >= answered {
			w.settled()
			return false
		}
		next := state + operation
		if to > from {
			next += uint32(to - from)
		}
		if !w.state.CompareAndSwap(state, next) {
			continue
		}
		if from == nothing && to > nothing {
			w.commit(status)
		} else {
			w.touch()
		}
		return true
	}
}

// leave ends an operation. If the limit came meanwhile, it has left the rest to us.
func (w *writer) leave() {
	w.touch()
	if state := w.state.Add(^(operation - 1)); phaseOf(state) >= answered && state < operation {
		w.settling.Lock()
		defer w.settling.Unlock()
		w.settle(phaseOf(state))
	}
}

// commit begins the response.
func (w *writer) commit(status int) {
	w.status.Store(int32(status))
	w.publish()
	if w.record != nil && !w.unread() {
		setDegraded(w.below.Header(), w.record.Facts())
	}
	if w.caches != nil {
		w.caches.set(status, w.below.Header())
	}
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
	if w.own && w.fields != nil && !w.unread() {
		replaceHeader(w.below.Header(), w.fields)
	}
}

// unread reports whether the header below must be left alone: after a 1xx response whose stream was closed meanwhile, the
// HTTP/2 server of net/http may still be reading it. Nobody will see what is in it.
func (w *writer) unread() bool {
	return w.early && w.limits != nil && w.ctx.Context.Err() == context.Canceled
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
			w.below.WriteHeader(status)
		}
	default:
		if w.enter(header, status) {
			defer w.leave()
			w.below.WriteHeader(status)
		}
	}
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

// readFrom copies src. As long as nothing is written, the first bytes are waited for here: a source that hangs has not
// begun the response.
func (w *writer) readFrom(src io.Reader) (n int64, err error) {
	if w.phase() >= answered { // src is not read in vain
		w.settled()
		return 0, http.ErrHandlerTimeout
	}
	if w.own && !w.begun() {
		first := make([]byte, 512)
		for n == 0 {
			read, err := src.Read(first)
			if read > 0 {
				written, werr := w.Write(first[:read])
				n += int64(written)
				if werr != nil {
					return n, werr
				}
			}
			if err == io.EOF { // by its contract it comes bare
				return n, nil
			}
			if err != nil {
				return n, err
			}
		}
	}
	var m int64
	switch {
	case !w.cuts():
		m, err = w.readPiece(src)
	case isFile(src):
		m, err = w.readPieces(src)
	default: // may make us wait, and a limit does not wait for what is no operation
		buf := copyBuffers.Get().(*[32 << 10]byte)
		defer copyBuffers.Put(buf)
		m, err = io.CopyBuffer(writerOnly{w}, src, buf[:])
	}
	return n + m, err
}

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// writerOnly hides what else a writer has from io.Copy.
type writerOnly struct{ io.Writer }

// isFile reports whether src is a file on disk, or a part of one, which the system copies by itself, and at once.
func isFile(src io.Reader) bool {
	if part, ok := src.(*io.LimitedReader); ok {
		src = part.R
	}
	f, ok := src.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// readPieces copies a file in pieces, each of which shows that the response goes on.
func (w *writer) readPieces(src io.Reader) (n int64, err error) {
	whole, ok := src.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	for {
		size := min(whole.N, pieceSize)
		piece := &io.LimitedReader{R: whole.R, N: size} // one around another is nothing that the system copies
		m, err := w.readPiece(piece)
		n += m
		whole.N -= size - piece.N
		if err != nil || m < pieceSize {
			return n, err
		}
	}
}

func (w *writer) readPiece(src io.Reader) (int64, error) {
	if !w.enter(body, http.StatusOK) {
		return 0, http.ErrHandlerTimeout
	}
	defer w.leave()
	return w.below.(io.ReaderFrom).ReadFrom(src)
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
	return wrap(rw)
}

// timed is the time limit of a request. Its fields are set before the handler starts, but for the atomic ones.
type timed struct {
	limits *limits // nil if there has been none
	ctx    limitContext
	timer  *time.Timer
	http1  bool
	// unframed: the response may have no other end than that of the connection.
	unframed bool
	began    time.Duration // reading of mono.Now
	latest   atomic.Int64  // reading of mono.Now at the end of the latest operation; only with an idle limit
	// settling is held by who does what the limit has decided, so that the handler's end can wait for it.
	settling sync.Mutex
}
