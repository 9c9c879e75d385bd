package httpx

import (
	"math"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

const noEnd time.Duration = math.MaxInt64

// limit returns the limit that ends first in a state, and when. The total one wins a tie: nothing comes after it.
func (s *scope) limit(st state) (kind limitKind, end time.Duration) {
	switch {
	case st&draining != 0:
		return discarded, time.Duration(s.moving.Load())
	case st&upgraded != 0:
		return noLimit, noEnd
	}
	kind, end = noLimit, noEnd
	if s.bounded {
		kind, end = totalLimit, s.totalEnd
	}
	if d := s.x.terms.attempt; d != Off && s.x.opts.AttemptSpan.covers(st) && s.since+d < end {
		kind, end = attemptLimit, s.since+d
	}
	if s.x.opts.IdleTimeout != Off && st&opened != 0 {
		if idle := time.Duration(s.moving.Load()); idle < end {
			kind, end = idleLimit, idle
		}
	}
	return kind, end
}

// covers reports whether the limit of the attempt counts in a state.
func (span AttemptSpan) covers(st state) bool {
	switch span {
	case SpanFirstByte:
		return st&begun == 0
	case SpanEnd:
		return true
	case SpanHeaders:
	}
	return st&opened == 0
}

// expire ends the attempt if a limit has passed. It returns which one, if it has just done so; else how long the one that
// ends first has still to go, or 0 if none counts.
func (s *scope) expire() (by limitKind, left time.Duration) {
	for {
		st := s.state()
		kind, end := s.limit(st)
		if kind == noLimit || !st.live() {
			return noLimit, 0
		}
		if left = end - mono.Now(); left > 0 {
			return noLimit, left
		}
		if s.turn(st, st|endedBy*state(kind)) {
			s.x.opts.t.limits.count(kind, st)
			return kind, 0
		}
	}
}

// why returns what of ours has ended the attempt, as an error, or nil.
func (s *scope) why() error {
	switch s.state().by() {
	case totalLimit:
		return s.x.terms.total
	case attemptLimit:
		return s.x.terms.attemptErr
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

// exceeded is why, by the clock as well: what hands a deadline to a connection can be faster than the timer.
func (s *scope) exceeded() error {
	late := noLimit
	if s.parent.Err() == nil {
		late, _ = s.expire()
	}
	why := s.why()
	if std := s.std.Load(); late != noLimit && std != nil {
		std.cancel(why)
	}
	return why
}

// rearm lets the timer ring at the limit that ends first now, if the scope has become a standard context. It is called
// where that may be earlier than before: a limit that has moved away is found when the timer rings.
func (s *scope) rearm() {
	std := s.std.Load()
	if std == nil {
		return
	}
	std.mu.Lock()
	defer std.mu.Unlock()
	st := s.state()
	kind, end := s.limit(st)
	switch {
	case st&released != 0:
	case kind == noLimit:
		if std.timer != nil {
			std.timer.Stop()
		}
	case std.timer == nil && s.endsWithCaller(end):
	case std.timer == nil:
		std.timer = time.AfterFunc(end-mono.Now(), s.ring)
	default:
		std.timer.Reset(end - mono.Now())
	}
}

// endsWithCaller reports whether the caller's context has ended by then, and the scope with it, so that it needs no timer.
func (s *scope) endsWithCaller(end time.Duration) bool {
	callers, ok := s.parent.Deadline()
	return ok && mono.Of(callers) <= end && s.parent.Done() != nil
}

// ring is the end of a limit, unless that was moved meanwhile, whoever has found it first. If the response is there, it
// ends the attempt as well: nobody may come for the body.
func (s *scope) ring() {
	std := s.std.Load()
	std.mu.Lock()
	if _, left := s.expire(); left > 0 {
		std.timer.Reset(left)
	}
	std.mu.Unlock()
	st, why := s.state(), s.why()
	switch by := st.by(); {
	case by == noLimit || st&released != 0:
	case by == discarded || by == lost || st&opened == 0: // somebody waits for it
		std.cancel(why)
	default:
		s.abandon(why)
	}
}
