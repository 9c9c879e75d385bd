package httpx

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// sending notes what becomes of the connection of an attempt: a request without one was not sent.
type sending struct {
	asked, connected atomic.Bool // for a connection; got one

	hooks atomic.Pointer[httptrace.ClientTrace] // made when a base asks for them
}

// unsent reports whether it is certain that nothing of the request was sent. A connection is obtained by the goroutine
// that runs RoundTrip, so there is nothing left to race with when that has returned. Whether a header was written on a
// connection would not be as certain: net/http writes in another goroutine, also after it has given up waiting.
func (s *sending) unsent() bool { return s.asked.Load() && !s.connected.Load() }

// trace returns the hooks, with those of the caller's context behind them.
func (s *sending) trace(caller context.Context) *httptrace.ClientTrace {
	if hooks := s.hooks.Load(); hooks != nil {
		return hooks
	}
	hooks := &httptrace.ClientTrace{
		GetConn: func(string) { s.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { s.connected.Store(true) },
	}
	if httptrace.ContextClientTrace(caller) != nil {
		httptrace.WithClientTrace(caller, hooks) // puts the caller's hooks behind ours
	}
	s.hooks.CompareAndSwap(nil, hooks)
	return s.hooks.Load()
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
