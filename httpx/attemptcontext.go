package httpx

import (
	"context"
	"time"

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
	timer  *time.Timer // rings at the limit that ends first; nil before there was one. Guarded by the scope's mutex.
}

// ended is what the context of an attempt becomes at its end, if nobody has asked for Done.
var ended = func() *standard {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(nil)
	return &standard{Context: ctx, cancel: cancel}
}()

// standard returns what the scope has become, and lets it become that if it is nothing yet.
func (s *scope) standard() *standard {
	if std := s.std.Load(); std != nil {
		return std
	}
	std := &standard{}
	std.Context, std.cancel = context.WithCancelCause(s.parent)
	s.mu.Lock()
	if !s.std.CompareAndSwap(nil, std) {
		s.mu.Unlock()
		std.cancel(nil)
		return s.std.Load()
	}
	s.rearmLocked()
	why := s.whyLocked()
	s.mu.Unlock()
	if why != nil {
		std.cancel(why)
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
	if s.std.Load() == nil {
		s.mu.Lock()
		if s.stage == stageOpen {
			s.reading.Store(true) // only the body is left to ask, while it is read
		}
		s.mu.Unlock()
	}
	return s.standard().Done()
}

// Err returns nil or, from the end of the attempt on, what a canceled context returns.
func (s *scope) Err() error {
	if std := s.std.Load(); std != nil {
		return std.Err()
	}
	if s.exceeded() == nil && s.parent.Err() == nil {
		return nil
	}
	return s.standard().Err()
}

// Value finds the caller's values, the trace of the attempt, and for package context what the scope has become.
func (s *scope) Value(key any) any {
	if key == traceKey {
		return s.trace(s.parent)
	}
	if std := s.std.Load(); std != nil {
		if v := std.Value(key); v != nil || std != ended {
			return v
		}
	}
	return s.parent.Value(key)
}
