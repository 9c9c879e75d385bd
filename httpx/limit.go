package httpx

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall/internal/hop"
)

// limitContext is the context of a handler: the request's, with a deadline that falls away when the response begins. A
// download or a stream of events may take as long as it takes; only a handler that says nothing is out of time.
//
// None of package context can do that. Its deadlines cannot be lifted, and a context canceled by hand says Canceled to
// those derived from it, which would make a dependency that hangs look like a client that left. But it derives from
// contexts of other packages: so as soon as somebody waits for its end, or it ends, this one becomes a context of the
// standard library below a root of ours, which ends as we say. Most handlers only read it, and pay for nothing of that.
type limitContext struct {
	context.Context // the request's
	start           time.Time
	limit           atomic.Int64                // from start on; 0 if there is none, or none any more
	became          atomic.Pointer[liveContext] // nil as long as nobody waits
	repeats         *hop.Repeats                // of what the handler asks of others; nil if somebody further out reads that
}

// liveContext is what a limitContext becomes.
type liveContext struct {
	context.Context // below root
	root            limitRoot
	cancel          context.CancelFunc
	detach          func() bool // from the request's context
}

// gone is what a limitContext becomes at its end if nobody has waited for it.
var gone = canceledContext()

func canceledContext() *liveContext {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &liveContext{Context: ctx}
}

// begin makes a zero limitContext the context of a handler that has d to begin its response; 0 is no limit. The caller
// calls release when the handler has returned.
func (c *limitContext) begin(request context.Context, d time.Duration) {
	c.Context, c.start = request, time.Now()
	c.limit.Store(int64(d))
}

// lift takes the deadline away, or puts another one in its place, from the start on. It changes nothing for those who
// have derived a context from it: what they wait for is the end.
func (c *limitContext) lift(to time.Duration) { c.limit.Store(int64(to)) }

// expire ends the context with DeadlineExceeded and the cause, unless it has ended before.
func (c *limitContext) expire(cause error) { c.live().root.finish(context.DeadlineExceeded, cause) }

// release ends the context and frees what it holds.
func (c *limitContext) release() {
	if !c.became.CompareAndSwap(nil, gone) {
		c.became.Load().release()
	}
}

// live makes it a context that can be waited for.
func (c *limitContext) live() *liveContext {
	if l := c.became.Load(); l != nil {
		return l
	}
	l := &liveContext{root: limitRoot{Context: c.Context}}
	l.Context, l.cancel = context.WithCancel(&l.root)
	l.detach = context.AfterFunc(c.Context, func() { l.root.finish(l.root.Context.Err(), nil) })
	if !c.became.CompareAndSwap(nil, l) {
		l.release()
	}
	return c.became.Load()
}

func (l *liveContext) release() {
	if l != gone {
		l.detach()
		l.cancel()
	}
}

// Deadline is the limit or the request's own deadline, whichever is earlier. Once the limit is lifted it is the
// request's own.
func (c *limitContext) Deadline() (time.Time, bool) {
	theirs, ok := c.Context.Deadline()
	limit := time.Duration(c.limit.Load())
	if limit == 0 {
		return theirs, ok
	}
	if ours := c.start.Add(limit); !ok || ours.Before(theirs) {
		return ours, true
	}
	return theirs, true
}

// Done makes it a context that can be waited for.
func (c *limitContext) Done() <-chan struct{} { return c.live().Done() }

// Err returns nil, context.Canceled or context.DeadlineExceeded.
func (c *limitContext) Err() error {
	if l := c.became.Load(); l != nil {
		return l.Err()
	}
	return c.Context.Err()
}

// Value finds the request's values, where clients note that they have repeated enough, and for package context the
// standard context that it has become.
func (c *limitContext) Value(key any) any {
	if key == (hop.RepeatsKey{}) && c.repeats != nil {
		return c.repeats
	}
	switch l := c.became.Load(); l {
	case nil:
	case gone:
		if v := l.Value(key); v != nil {
			return v
		}
	default:
		return l.Value(key)
	}
	return c.Context.Value(key)
}

// limitRoot is what the context of a handler is derived from, and nothing else is.
type limitRoot struct {
	context.Context // the request's, for its values

	end atomic.Pointer[context.Context] // where context.Cause finds a cause of our own

	mu    sync.Mutex // guards the fields below
	child func()     // ends the handler's context by what Err and context.Cause say
	err   error
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
