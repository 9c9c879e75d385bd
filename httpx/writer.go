package httpx

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// writer is the http.ResponseWriter that a handler gets. It only notes whether a response has begun, and passes
// everything on.
//
// It is handed out in the form that offers what the one below offers, see wrap; http.ResponseController finds the rest
// by Unwrap.
type writer struct {
	below http.ResponseWriter
	limit *limitContext // falls away when a response begins; nil if there is none
	dirty atomic.Bool   // a response has begun, or the connection is not ours any more
}

// begun reports whether it is too late for an answer of ours.
func (w *writer) begun() bool { return w.dirty.Load() }

// begin notes that a response begins.
func (w *writer) begin() {
	if w.begun() || w.dirty.Swap(true) {
		return
	}
	if w.limit != nil {
		w.limit.lift()
	}
}

func (w *writer) Header() http.Header { return w.below.Header() }

func (w *writer) Unwrap() http.ResponseWriter { return w.below }

func (w *writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols { // others of the 1xx may be followed by anything
		w.begin()
	}
	w.below.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	return w.below.Write(p)
}

func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	return io.WriteString(w.below, s)
}

// FlushError is what http.ResponseController looks for, before anything below. Every form has it, so that none flushes
// behind the writer's back.
func (w *writer) FlushError() error {
	err := http.NewResponseController(w.below).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		w.begin()
	}
	return err
}
