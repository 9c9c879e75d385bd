package httpx

import (
	"context"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/hop"
	"github.com/seawall-go/seawall/internal/mono"
)

// The context of an attempt begins as no more than a reference to the caller's, because not every base looks at it. As
// soon as one asks for Done, which is also what package context does to derive from it, it becomes a context of the
// standard library, with a channel and a timer; that is found by Value, so that package context treats the scope as one
// of its own: children register with it, without a goroutine, and inherit its cause.

// standard is what the context of an attempt becomes.
type standard struct {
	context.Context
	cancel context.CancelCauseFunc

	mu    sync.Mutex  // guards timer
	timer *time.Timer // rings at the limit that ends first; nil before there was one
}

// ended is what the context of an attempt is after its end, if nobody has asked for Done before.
var ended = func() *standard {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(nil)
	return &standard{Context: ctx, cancel: cancel}
}()

// become returns what the scope has become, or nil.
func (s *scope) become() *standard {
	if std := s.std.Load(); std != nil || s.state()&released == 0 {
		return std
	}
	return ended
}

// standard returns what the scope has become, and lets it become that if it is nothing yet. The end of the attempt may
// come meanwhile: release first sets the state and then looks for what is to be canceled, and here it is the other way
// round, so that one of the two finds the other.
func (s *scope) standard() *standard {
	if std := s.become(); std != nil {
		return std
	}
	std := &standard{}
	std.Context, std.cancel = context.WithCancelCause(s.parent)
	if !s.std.CompareAndSwap(nil, std) {
		std.cancel(nil)
		return s.std.Load()
	}
	s.rearm()
	if !s.state().live() {
		std.cancel(s.why())
	}
	return std
}

// Deadline returns the total limit or the caller's deadline, whichever is earlier. That of the attempt is none of the
// whole context.
func (s *scope) Deadline() (time.Time, bool) {
	if s.bounded {
		return mono.Time(s.totalEnd), true
	}
	return s.parent.Deadline()
}

// Done makes the scope a standard context.
func (s *scope) Done() <-chan struct{} {
	s.noteReader()
	return s.standard().Done()
}

// noteReader notes that somebody waits for the body, if the scope is about to become a standard context: only the body is
// left to ask, while it is read.
func (s *scope) noteReader() {
	if s.std.Load() == nil && s.state()&(opened|released) == opened {
		s.set(reading)
	}
}

// Err returns nil or, from the end of the attempt on, what a canceled context returns.
func (s *scope) Err() error {
	if std := s.become(); std != nil {
		return std.Err()
	}
	if s.exceeded() == nil && s.parent.Err() == nil {
		return nil
	}
	s.noteReader()
	return s.standard().Err()
}

// Value finds the caller's values, the trace of the attempt, where a client further in notes that it has repeated enough,
// and for package context what the scope has become.
func (s *scope) Value(key any) any {
	switch key {
	case traceKey:
		return &s.sent().hooks
	case hop.RepeatsKey{}:
		return s.x
	}
	if std := s.become(); std != nil {
		if v := std.Value(key); v != nil || std != ended {
			return v
		}
	}
	return s.parent.Value(key)
}

// end cancels the context, and stops what would.
func (std *standard) end() {
	std.mu.Lock()
	if std.timer != nil {
		std.timer.Stop()
	}
	std.mu.Unlock()
	std.cancel(nil)
}
