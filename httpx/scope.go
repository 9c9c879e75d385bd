package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

// scope is one attempt: its context, its timer, its permits, the response and its body. It owns them, and has one exit,
// release, which may be taken several times, from several goroutines: at a transport error, at the end of the body or an
// error in it, at its Close, at a limit that passes while nobody reads, and when the response is discarded.
//
// It is the context of the attempt itself, which lives as long as the response body: see attemptcontext.go. So it hangs
// on the caller's context and not on the one that the policies hand in, which ends when RoundTrip returns. The timer
// stands in for it, with whichever limit ends first.
type scope struct {
	x      *exchange
	parent context.Context // the caller's
	since  time.Duration   // when it began: a reading of mono.Now, as all times here

	breaker, slot seawall.Permit

	url    url.URL // of the request as it is sent
	resp   *http.Response
	body   io.ReadCloser // of the response, as the base gave it
	failed error         // what the status says, if that is no good
	left   [1]string     // the value of the field that says how much time is left
	detach func() bool   // from the caller's context, if attached

	totalEnd time.Duration // if bounded
	moving   atomic.Int64  // the end of the limit that moves: the idle one, or that of draining
	word     atomic.Uint32 // a state
	bounded  bool          // there is a total limit, and the caller's deadline is not nearer
	endless  bool          // no limit ends the body

	rewinds *rewinds                // nil if there is no body that the base may get anew
	sending atomic.Pointer[sending] // nil until the base asks for a trace
	std     atomic.Pointer[standard]
}

var _ context.Context = (*scope)(nil)

// errDiscarded is the cause of the context of an attempt whose response was discarded, and took too long at it.
var errDiscarded = errors.New("httpx: response discarded")

// Bounds of what is read of a response that is not returned, so that its connection can be used again. Reading on costs
// time and traffic, a new connection costs a handshake: about as much as this.
const (
	drainBytes = 64 << 10
	drainTime  = 50 * time.Millisecond
)

// abandon ends an attempt whose body nobody may come for any more, and closes that, last, since it may take its time. It
// runs on a goroutine of its own, where a panic of a function of the user's would have no caller.
func (s *scope) abandon(why error) {
	end := s.failed
	if end == nil && s.state()&reading != 0 { // who reads slowly has himself to blame
		end = &bodyError{why}
	}
	end = seawall.Settle(s.parent, end)
	events.Shield(s.x.opts.Registry.Logger(), "httpx", s.x.opts.t.name, func() {
		defer s.leave()
		defer s.release(end)
		if std := s.std.Load(); std != nil {
			defer std.cancel(why) // who reads wakes up when the policies know
		}
		s.settle(end)
	})
}

// leave closes the body, or leaves that to who is reading: only the caller may close a body under a reader.
func (s *scope) leave() {
	if s.set(deserted)&reading == 0 {
		_ = s.shut() // nobody is left who could act on the error
	}
}

// shut closes the body of the response as the base gave it, the first time.
func (s *scope) shut() error {
	if s.state()&shut != 0 || s.set(shut)&shut != 0 {
		return nil
	}
	return s.body.Close()
}

// lose ends an attempt whose race is over, unless its response is there: that is then let go of as any other.
func (s *scope) lose() {
	std := s.standard() // so that there is something to cancel
	if s.turn(0, endedBy*state(lost)) {
		std.cancel(seawall.ErrLost)
	}
}

// answer is told that the response is there, and what that is to the policies: nil for a good one. It returns false if a
// limit has just passed, or the race was lost, which has canceled the body.
func (s *scope) answer(resp *http.Response, verdict error) bool {
	s.resp, s.body, s.failed = resp, resp.Body, verdict
	// Without a context that anybody looked at, nothing was cut off: a success that is late is one.
	if s.std.Load() != nil && s.parent.Err() == nil {
		s.expire()
	}
	next := opened
	if resp.StatusCode == http.StatusSwitchingProtocols {
		next |= upgraded
	}
	if s.x.opts.IdleTimeout != Off {
		s.moving.Store(int64(mono.Now() + s.x.opts.IdleTimeout))
	}
	if s.x.opts.Settle == AtEnd && resp.Body != http.NoBody { // before anybody else can tell of the end
		s.breaker.Answered()
		s.slot.Answered()
	}
	limit, _ := s.limit(next)
	s.endless = limit == noLimit && next&upgraded == 0 && resp.Body != http.NoBody
	if !s.turn(0, next) {
		return false
	}
	if s.x.opts.IdleTimeout != Off { // else the end has only moved away
		s.rearm()
	}
	return true
}

// attend tells the policies of what ends with the headers, and puts the body that the caller gets into the response. If
// there is none, the attempt ends here.
func (s *scope) attend() {
	switch {
	case s.body == http.NoBody:
		s.release(s.failed)
		return
	case s.x.opts.Settle == AtHeaders:
		s.settle(s.failed)
	case s.failed != nil || s.resp.StatusCode == http.StatusSwitchingProtocols:
		// Whatever the body does, it is not going to be good; and a connection that lives for hours holds no probe.
		s.breaker.Done(s.failed)
	}
	if s.resp.StatusCode == http.StatusSwitchingProtocols {
		s.resp.Body = s.upgraded()
		return
	}
	s.watch()
	s.resp.Body = (*responseBody)(s)
}

// watch sees to it that an open body does not outlive its time or its caller, where that is up to us: if the base watches
// its context, or if no limit ends it. What then still may stay open is listed: a timer for the few bases that do not look
// at their context would cost each request more than the policies do.
func (s *scope) watch() {
	if s.x.opts.IdleTimeout != Off {
		s.standard()
	}
	if s.endless || s.std.Load() == nil {
		s.x.opts.t.open.add(s)
		if s.set(onList)&released != 0 {
			s.x.opts.t.open.remove(s)
		}
	}
	if !s.endless && s.std.Load() == nil || s.parent.Done() == nil {
		return
	}
	s.detach = context.AfterFunc(s.parent, func() { s.abandon(context.Cause(s.parent)) })
	if s.set(attached)&released != 0 {
		s.detach()
	}
}

// settle tells the policies of the host how the attempt ended, the innermost first. Only the first time counts.
func (s *scope) settle(end error) {
	s.slot.Done(end)
	s.breaker.Done(end)
}

// release ends the attempt; end is what the policies are told.
func (s *scope) release(end error) {
	if s.state()&released != 0 { // as at the Close of a body that was read to its end
		return
	}
	was := s.set(released)
	if was&released != 0 {
		return
	}
	if was&attached != 0 {
		s.detach()
	}
	if std := s.std.Load(); std != nil {
		std.end()
	}
	if conn := s.ownConn(); conn != nil {
		_ = conn.Close()
	}
	if was&onList != 0 {
		s.x.opts.t.open.remove(s)
	}
	s.settle(end)
	if s.rewinds != nil {
		s.rewinds.drop()
	}
}

// discard lets go of a response that is not returned: it reads what little there is to read, so that the connection can
// be used again, within a bound of bytes and one of time. An answer that was good has lost a race, which is neutral.
func (s *scope) discard() {
	end := s.failed
	if end == nil {
		end = seawall.ErrCanceled
	}
	defer s.release(end)
	if s.body != http.NoBody && s.ownConn() == nil && s.resp.ContentLength <= drainBytes && s.startDraining() {
		_, _ = io.CopyN(io.Discard, s.body, drainBytes)
	}
	_ = s.shut() // nobody is left who could act on the error
}

// startDraining puts the bound of time in the place of all limits. It returns false if one of them has passed.
func (s *scope) startDraining() bool {
	s.moving.Store(int64(mono.Now() + drainTime))
	for st := s.state(); st.live(); st = s.state() {
		if s.turn(st, st|draining) {
			s.rearm()
			return true
		}
	}
	return false
}
