package httpx

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// sending notes what becomes of the connection of an attempt: a request without one was not sent.
type sending struct {
	asked, connected atomic.Bool // for a connection; got one

	hooks httptrace.ClientTrace // by which it knows
	conn  *http.ClientConn      // of its own; nil if it is one of the base's pool
}

// unsent reports whether it is certain that nothing of the request was sent. A connection is obtained by the goroutine
// that runs RoundTrip, so there is nothing left to race with when that has returned. Whether a header was written on a
// connection would not be as certain: net/http writes in another goroutine, also after it has given up waiting.
func (s *scope) unsent() bool {
	of := s.sending.Load()
	return of != nil && of.asked.Load() && !of.connected.Load()
}

// unasked reports whether it is certain that the base has not turned to the network at all: it has looked for whom to tell,
// and then told nothing. net/http looks before anything else, also further inside of other transports.
func (s *scope) unasked() bool {
	of := s.sending.Load()
	return of != nil && of.conn == nil && !of.asked.Load() && !of.connected.Load()
}

// ownConn returns the connection that is for this attempt alone, or nil.
func (s *scope) ownConn() *http.ClientConn {
	if of := s.sending.Load(); of != nil {
		return of.conn
	}
	return nil
}

// sent returns what is noted of the connection. Its hooks have those of the caller's context behind them.
func (s *scope) sent() *sending {
	if of := s.sending.Load(); of != nil {
		return of
	}
	of := &sending{}
	of.hooks.GetConn = func(string) { of.asked.Store(true) }
	of.hooks.GotConn = func(httptrace.GotConnInfo) { of.connected.Store(true) }
	if httptrace.ContextClientTrace(s.parent) != nil {
		httptrace.WithClientTrace(s.parent, &of.hooks) // puts the caller's hooks behind ours
	}
	s.sending.CompareAndSwap(nil, of)
	return s.sending.Load()
}

// traceKey is the key under which package httptrace asks a context for a trace. With it the context of an attempt can
// answer for itself, and make the hooks only for a base that has a use for them.
var traceKey = func() any {
	spy := &keySpy{Context: context.Background()}
	httptrace.ContextClientTrace(spy)
	return spy.key
}()

// keySpy is a context that notes what it was asked for.
type keySpy struct {
	context.Context
	key any
}

func (s *keySpy) Value(key any) any {
	s.key = key
	return nil
}
