package grpcx

import (
	"context"
	"time"
)

// opening is the caller's context with the deadline until which a stream is to have its first answer. The stream itself
// has the caller's own: what ends it later is none of our limits.
type opening struct {
	context.Context
	end time.Time // zero if there is none
}

// Deadline is the nearer of the two.
func (o opening) Deadline() (time.Time, bool) {
	callers, ok := o.Context.Deadline()
	if o.end.IsZero() || ok && callers.Before(o.end) {
		return callers, ok
	}
	return o.end, true
}

// entrance is the opening of a stream before the gates. It ends with the total limit where a gate lets it wait, for which alone
// it has a timer. It is used by one goroutine.
type entrance struct {
	opening
	limit  error           // the cause, if it is the limit that ends it
	within context.Context // nil if nobody has waited
	cancel context.CancelFunc
}

// Done is for who waits.
func (e *entrance) Done() <-chan struct{} {
	if e.within == nil {
		end, limited := e.opening.Deadline()
		if !limited || e.end.IsZero() || end.Before(e.end) {
			return e.opening.Done()
		}
		e.within, e.cancel = context.WithDeadlineCause(e.Context, end, e.limit)
	}
	return e.within.Done()
}

// Err returns whether the caller has left, or the limit has passed in a wait.
func (e *entrance) Err() error {
	if e.within == nil {
		return e.opening.Err()
	}
	return e.within.Err()
}

// Value finds the cause as well.
func (e *entrance) Value(key any) any {
	if e.within == nil {
		return e.opening.Value(key)
	}
	return e.within.Value(key)
}

// leave stops the timer.
func (e *entrance) leave() {
	if e.cancel != nil {
		e.cancel()
	}
}
