package fault

import (
	"io"
	"net/http"
)

// Handler returns a handler whose requests go through the point before they go through next. It feels the kinds for
// calls: a request waits, or is answered with a status; [Error] is a 500. What cuts a connection does so by
// http.ErrAbortHandler, so it must not be recovered on its way out: [ResetPeer], [Timeout] and [AckLost], for which next
// runs first; and [ResetPeer] and [Truncate] in the middle of an answer, whose writes fail from there on.
//
// The path of the URL is what Route is matched with. The waits obey the request's context, and if that ends first the
// connection is cut. While an answer is cut or changed the writer that next gets is another one: it has Flush and Hijack
// if the original has, and Unwrap for http.ResponseController. What is hijacked goes past it. Informational answers
// (1xx) and what has no body are not cut or changed.
//
// While nothing acts a request costs one atomic load more, and next gets the original writer.
func (p *Point) Handler(next http.Handler) http.Handler {
	if p == nil {
		return next
	}
	return &handler{next, p}
}

type handler struct {
	next  http.Handler
	point *Point
}

// ServeHTTP is that of next, and what the faults make of it.
func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	e := h.point.load()
	if e == nil || len(e.calls) == 0 {
		h.next.ServeHTTP(w, req)
		return
	}
	in := e.draw(req.Context(), callOf(req), wholeAnswers)
	if in == nil {
		h.next.ServeHTTP(w, req)
		return
	}
	if err := in.Wait(req.Context()); err != nil {
		panic(http.ErrAbortHandler)
	}
	switch e := in.Err; {
	case e == nil:
		h.spoil(w, req, in)
	case in.Lost:
		h.next.ServeHTTP(lost{http.Header{}}, req)
		panic(http.ErrAbortHandler)
	case e.Status == 0:
		panic(http.ErrAbortHandler)
	default:
		e.describe(w.Header())
		w.WriteHeader(e.Status)
		_, _ = io.WriteString(w, e.Body)
	}
}

// spoil runs next with a writer that cuts and changes what it writes.
func (h *handler) spoil(w http.ResponseWriter, req *http.Request, in *Injection) {
	if len(in.cuts)+len(in.corrupt) == 0 || req.Method == http.MethodHead {
		h.next.ServeHTTP(w, req)
		return
	}
	spoiled := &writer{ResponseWriter: w, in: in}
	h.next.ServeHTTP(spoiled.outside(), req)
	if spoiled.err != nil {
		panic(http.ErrAbortHandler)
	}
}

// lost is where an answer goes that nobody gets.
type lost struct{ header http.Header }

func (l lost) Header() http.Header         { return l.header }
func (l lost) WriteHeader(int)             {}
func (l lost) Write(b []byte) (int, error) { return len(b), nil }
func (l lost) Flush()                      {}
