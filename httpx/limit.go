package httpx

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// limitContext is the context of a handler: the request's, with a deadline that falls away when the response begins. A
// download or a stream of events may take as long as it takes; only a handler that says nothing is out of time.
//
// None of package context can do that. Its deadlines cannot be lifted, and a context canceled by hand says Canceled to
// those derived from it, which would make a dependency that hangs look like a client that left. But it derives from
// contexts of other packages: so this is one of its own, below a root of ours that ends as we say.
type limitContext struct {
	context.Context // below root
	root            limitRoot
	cancel          context.CancelFunc
	timer           *time.Timer
	detach          func() bool // from the request's context
	deadline        time.Time
}

// newLimitContext derives the context of a handler that has d to begin its response, and after that ends with
// DeadlineExceeded and the cause. The caller calls release when the handler has returned.
func newLimitContext(request context.Context, d time.Duration, cause error) *limitContext {
	c := &limitContext{root: limitRoot{Context: request}, deadline: time.Now().Add(d)}
	c.Context, c.cancel = context.WithCancel(&c.root)
	c.timer = time.AfterFunc(d, func() { c.root.finish(context.DeadlineExceeded, cause) })
	c.detach = context.AfterFunc(request, func() { c.root.finish(request.Err(), nil) })
	return c
}

// lift takes the deadline away. It does nothing if that has passed.
func (c *limitContext) lift() {
	c.timer.Stop()
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	c.root.lifted = true
}

// release ends the context and frees what it holds.
func (c *limitContext) release() {
	c.timer.Stop()
	c.detach()
	c.cancel()
}

// Deadline is the request's own, if any, once ours is lifted.
func (c *limitContext) Deadline() (time.Time, bool) {
	theirs, ok := c.root.Deadline()
	c.root.mu.Lock()
	defer c.root.mu.Unlock()
	if c.root.lifted || ok && theirs.Before(c.deadline) {
		return theirs, ok
	}
	return c.deadline, true
}

// limitRoot is what the context of a handler is derived from, and nothing else is.
type limitRoot struct {
	context.Context // the request's, for its values

	end atomic.Pointer[context.Context] // where context.Cause finds a cause of our own

	mu     sync.Mutex // guards the fields below
	child  func()     // ends the handler's context by what Err and context.Cause say
	err    error
	lifted bool
}

// finish ends the handler's context. Without a cause the request's own is the cause.
func (r *limitRoot) finish(err, cause error) {
	r.mu.Lock()
	if r.err != nil {
		r.mu.Unlock()
		return
	}
	r.err = err
	if cause != nil {
		end, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		r.end.Store(&end)
	}
	child := r.child
	r.mu.Unlock()
	if child != nil {
		child()
	}
}

var never = make(chan struct{})

// Done tells package context that there is something to wait for. It waits by AfterFunc.
func (r *limitRoot) Done() <-chan struct{} { return never }

// Err is asked by what AfterFunc was given.
func (r *limitRoot) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// AfterFunc is how package context asks to be told, see the documentation of context.WithCancel.
func (r *limitRoot) AfterFunc(f func()) (stop func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.child = f
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		waiting := r.child != nil && r.err == nil
		r.child = nil
		return waiting
	}
}

// Value lets context.Cause find the cause: it asks for a context under a key of its own, and end answers to no other.
func (r *limitRoot) Value(key any) any {
	if end := r.end.Load(); end != nil {
		if v := (*end).Value(key); v != nil {
			return v
		}
	}
	return r.Context.Value(key)
}
