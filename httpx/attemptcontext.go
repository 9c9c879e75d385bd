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

// ended is what the context of an attempt becomes at its end, if nobody has asked for Done.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// standard returns what the scope has become, and lets it become that if it is nothing yet.
func (s *scope) standard() context.Context {
	if ctx := s.std.Load(); ctx != nil {
		return *ctx
	}
	ctx, cancel := context.WithCancelCause(s.parent)
	s.mu.Lock()
	if !s.std.CompareAndSwap(nil, &ctx) {
		s.mu.Unlock()
		cancel(nil)
		return *s.std.Load()
	}
	s.cancel = cancel
	s.rearmLocked()
	why := s.whyLocked()
	s.mu.Unlock()
	if why != nil {
		cancel(why)
	}
	return ctx
}

// Deadline returns the total limit or the caller's deadline, whichever is earlier. That of the attempt is none of the
// whole context.
func (s *scope) Deadline() (time.Time, bool) {
	if s.total != nil {
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
	if ctx := s.std.Load(); ctx != nil {
		return (*ctx).Err()
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
	if ctx := s.std.Load(); ctx != nil {
		if v := (*ctx).Value(key); v != nil || ctx != &ended {
			return v
		}
	}
	return s.parent.Value(key)
}
