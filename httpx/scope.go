package httpx

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"sync"
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
	sending
	x      *exchange
	parent context.Context // the caller's
	since  time.Duration   // when it began: a reading of mono.Now, as all times here
	place  *openPlace      // among the open bodies; nil if it has none

	breaker, slot seawall.Permit
	conn          *http.ClientConn // of its own; nil if it is one of the base's pool

	req    http.Request // that goes out
	resp   *http.Response
	body   io.ReadCloser // of the response, as the base gave it
	failed error         // what the status says, if that is no good
	left   [1]string     // the value of the field that says how much time is left

	totalEnd time.Duration // if bounded

	bounded bool        // there is a total limit, and the caller's deadline is not nearer
	endless bool        // no limit ends the body, so it is among the open ones
	begun   bool        // the first byte of the body was read; its reader's own
	reading atomic.Bool // somebody waits for the body
	std     atomic.Pointer[standard]

	mu      sync.Mutex  // guards the fields below
	detach  func() bool // from the caller's context; nil if the scope does not watch it
	limits  limitEnds
	nearest limitKind // the limit that ends first
	why     limitKind // what of ours has ended the attempt
	stage   stage
}

// limitEnds are the ends of the limits that count now, each noEnd if there is none.
type limitEnds struct{ total, attempt, idle time.Duration }

const noEnd time.Duration = math.MaxInt64

// limitKind says which limit ends an attempt, or what else of ours.
type limitKind uint8

const (
	noLimit limitKind = iota
	totalLimit
	attemptLimit
	idleLimit
	discarded // the time that a response has which is not returned
	lost      // a race
)

type stage uint8

const (
	stageWaiting stage = iota // for the headers
	stageOpen                 // they are there
	stageReleased
)

var _ context.Context = (*scope)(nil)

// errDiscarded is the cause of the context of an attempt whose response was discarded, and took too long at it.
var errDiscarded = errors.New("httpx: response discarded")

// Bounds of what is read of a response that is not returned, so that its connection can be used again. Reading on costs
// time and traffic, a new connection costs a handshake: about as much as this.
const (
	drainBytes = 64 << 10
	drainTime  = 50 * time.Millisecond
)

// begin starts an attempt at now, with the limits that it has until its headers are there. Nobody else knows of the scope
// yet.
func (s *scope) begin(now time.Duration) {
	s.since = now
	s.limits.attempt, s.limits.idle = noEnd, noEnd
	if s.totalEnd = s.limits.total; !s.bounded {
		s.limits.total = noEnd
	}
	if d := s.x.limit.attempt; d != Off {
		s.limits.attempt = now + d
	}
	s.nearestLocked()
}

// nearestLocked chooses the limit that ends first. The total one wins a tie: nothing comes after it.
func (s *scope) nearestLocked() {
	l := &s.limits
	switch first := min(l.total, l.attempt, l.idle); {
	case first == noEnd:
		s.nearest = noLimit
	case s.nearest == discarded:
	case first == l.total:
		s.nearest = totalLimit
	case first == l.attempt:
		s.nearest = attemptLimit
	default:
		s.nearest = idleLimit
	}
}

// deadlineLocked returns when the nearest limit ends.
func (s *scope) deadlineLocked() time.Duration {
	return min(s.limits.total, s.limits.attempt, s.limits.idle)
}

// whyLocked returns what of ours has ended the attempt, as an error, or nil.
func (s *scope) whyLocked() error {
	switch s.why {
	case totalLimit:
		return s.x.limit.total
	case attemptLimit:
		return s.x.limit.attemptErr
	case idleLimit:
		return s.x.opts.idleLimit
	case discarded:
		return errDiscarded
	case lost:
		return seawall.ErrLost
	case noLimit:
	}
	return nil
}

// rearmLocked lets the timer ring at the limit that ends first now, if the scope has become a standard context.
func (s *scope) rearmLocked() {
	s.nearestLocked()
	std := s.std.Load()
	switch {
	case std == nil || s.stage == stageReleased:
	case s.nearest == noLimit:
		if std.timer != nil {
			std.timer.Stop()
		}
	case std.timer == nil:
		std.timer = time.AfterFunc(s.deadlineLocked()-mono.Now(), s.ring)
	default:
		std.timer.Reset(s.deadlineLocked() - mono.Now())
	}
}

// ring is the end of a limit, unless that was moved meanwhile. If the response is there, it ends the attempt as well:
// nobody may come for the body.
func (s *scope) ring() {
	std := s.std.Load()
	s.mu.Lock()
	if s.stage == stageReleased || s.nearest == noLimit || s.why != noLimit {
		s.mu.Unlock()
		return
	}
	if left := s.deadlineLocked() - mono.Now(); left > 0 {
		std.timer.Reset(left)
		s.mu.Unlock()
		return
	}
	s.why = s.nearest
	why := s.whyLocked()
	over := s.stage == stageOpen && s.why != discarded // else somebody waits for it
	s.mu.Unlock()
	if over {
		s.abandon(why)
		return
	}
	std.cancel(why)
}

// abandon ends an attempt whose body nobody may come for any more. It runs on a goroutine of its own, where a panic of a
// function of the user's would have no caller.
func (s *scope) abandon(why error) {
	end := s.failed
	if end == nil && s.reading.Load() { // who reads slowly has himself to blame
		end = &bodyError{why}
	}
	end = seawall.Settle(s.parent, end)
	events.Shield(s.x.opts.Registry.Logger(), "httpx", s.x.opts.name, func() {
		defer s.release(end)
		if std := s.std.Load(); std != nil {
			defer std.cancel(why) // who reads wakes up when the policies know
		}
		s.settle(end)
	})
}

// exceeded returns what of ours ended the attempt, or nil. It goes by the clock as well: what hands a deadline to a
// connection can be faster than the timer.
func (s *scope) exceeded() error {
	callerDone := s.parent.Err() != nil
	s.mu.Lock()
	late := s.expireLocked(callerDone)
	why := s.whyLocked()
	s.mu.Unlock()
	if std := s.std.Load(); late && std != nil {
		std.cancel(why)
	}
	return why
}

// expireLocked reports whether it has just found that a limit is over.
func (s *scope) expireLocked(callerDone bool) bool {
	if s.why != noLimit || s.nearest == noLimit || callerDone || s.stage == stageReleased || mono.Now() < s.deadlineLocked() {
		return false
	}
	s.why = s.nearest
	return true
}

// lose ends an attempt whose race is over, unless its response is there: that is then let go of as any other.
func (s *scope) lose() {
	std := s.standard() // so that there is something to cancel
	s.mu.Lock()
	losing := s.stage == stageWaiting && s.why == noLimit
	if losing {
		s.why = lost
	}
	s.mu.Unlock()
	if losing {
		std.cancel(seawall.ErrLost)
	}
}

// answer is told that the response is there, and what that is to the policies: nil for a good one. It returns false if a
// limit has just passed, or the race was lost, which has canceled the body.
func (s *scope) answer(resp *http.Response, verdict error) bool {
	s.resp, s.body, s.failed = resp, resp.Body, verdict
	callerDone := s.std.Load() != nil && s.parent.Err() != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	// Without a context that anybody looked at, nothing was cut off: a success that is late is one.
	if s.std.Load() != nil && s.expireLocked(callerDone) || s.why != noLimit {
		return false
	}
	s.stage = stageOpen
	switch {
	case resp.Body == http.NoBody: // what follows is the end
	case resp.StatusCode == http.StatusSwitchingProtocols:
		s.limits = limitEnds{noEnd, noEnd, noEnd}
		s.rearmLocked()
	default:
		if s.x.opts.AttemptSpan == SpanHeaders {
			s.limits.attempt = noEnd
		}
		if s.x.opts.IdleTimeout != Off {
			s.limits.idle = mono.Now() + s.x.opts.IdleTimeout
		}
		s.rearmLocked()
		s.endless = s.nearest == noLimit
	}
	return true
}

// attend tells the policies what the headers tell them, and puts the body that the caller gets into the response. If
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
		s.slot.Answered()
	default:
		s.breaker.Answered()
		s.slot.Answered()
	}
	if s.resp.StatusCode == http.StatusSwitchingProtocols {
		s.resp.Body = s.upgraded()
		return
	}
	s.watch()
	s.resp.Body = (*responseBody)(s)
}

// watch sees to it that an open body does not outlive its time or its caller, where that is up to us: if the base watches
// its context, or if no limit ends it.
func (s *scope) watch() {
	if s.x.opts.IdleTimeout != Off {
		s.standard()
	}
	if !s.endless && s.std.Load() == nil {
		return
	}
	if s.endless {
		s.x.t.open.add(s)
	}
	if s.parent.Done() != nil {
		detach := context.AfterFunc(s.parent, func() { s.abandon(context.Cause(s.parent)) })
		s.mu.Lock()
		s.detach = detach
		over := s.stage == stageReleased
		s.mu.Unlock()
		if over {
			detach()
		}
	}
}

// settle tells the policies of the host how the attempt ended, the innermost first. Only the first time counts.
func (s *scope) settle(end error) {
	s.slot.Done(end)
	s.breaker.Done(end)
}

// release ends the attempt; end is what the policies are told.
func (s *scope) release(end error) {
	s.mu.Lock()
	if s.stage == stageReleased {
		s.mu.Unlock()
		return
	}
	s.stage = stageReleased
	std, detach := s.std.Load(), s.detach
	if std != nil && std.timer != nil {
		std.timer.Stop()
	}
	s.mu.Unlock()
	if std == nil && !s.std.CompareAndSwap(nil, ended) { // a base has just asked for it
		std = s.std.Load()
	}
	if std != nil {
		std.cancel(nil)
	}
	if detach != nil {
		detach()
	}
	if s.conn != nil {
		_ = s.conn.Close() // it was for this attempt alone
	}
	if s.endless {
		s.x.t.open.remove(s)
	}
	s.settle(end)
}

// discard lets go of a response that is not returned: it reads what little there is to read, so that the connection can
// be used again, within a bound of bytes and one of time. An answer that was good has lost a race, which is neutral.
func (s *scope) discard() {
	end := s.failed
	if end == nil {
		end = seawall.ErrCanceled
	}
	defer s.release(end)
	if s.body != http.NoBody && s.conn == nil && s.resp.ContentLength <= drainBytes && s.startDraining() {
		_, _ = io.CopyN(io.Discard, s.body, drainBytes)
	}
	_ = s.body.Close() // nobody is left who could act on the error
}

// startDraining puts the bound of time in the place of all limits. It returns false if one of them has passed.
func (s *scope) startDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage == stageReleased || s.why != noLimit {
		return false
	}
	s.limits, s.nearest = limitEnds{mono.Now() + drainTime, noEnd, noEnd}, discarded
	s.rearmLocked()
	return true
}
