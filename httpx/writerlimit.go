package httpx

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// timed is the time limit of a request. Its fields are set before the handler starts, but for the atomic ones.
type timed struct {
	limits *limits // nil if there has been none
	ctx    limitContext
	timer  *time.Timer
	http1  bool
	// unframed: the response may have no other end than that of the connection.
	unframed bool
	began    time.Duration // reading of mono.Now
	latest   atomic.Int64  // reading of mono.Now at the end of the latest operation; only with an idle limit
	// settling is held by who does what the limit has decided, so that the handler's end can wait for it.
	settling sync.Mutex
}

// limits are the time limits of one configuration; 0 is none.
type limits struct {
	name                   string
	registry               *seawall.Registry
	firstByte, idle, total time.Duration
	exceeded               [3]error // the causes, in the order of the fields
}

// pieceSize is how much is written under a limit before that is taken for a sign of life.
const pieceSize = 64 << 10

// bodyGrace is how long a request's body may still be read after the limit has answered. It frees a handler that waits
// for a slow upload. It is not at once, because a connection that is closed with unread bytes in it may take the
// answer with it.
const bodyGrace = 500 * time.Millisecond

// arm puts the limits in force. left is the time until the deadline that the request has, or forever.
func (w *writer) arm(l *limits, r *http.Request, left time.Duration) {
	w.limits, w.own, w.http1, w.unframed = l, true, r.ProtoMajor < 2, isUnframed(r)
	if outside := w.below.Header(); len(outside) > 0 {
		w.fields = outside.Clone() // now: later the timer may be about to write
	}
	w.began = mono.Now()
	w.latest.Store(int64(w.began))
	first := earliest(l.firstByte, l.total)
	w.ctx.repeats = &w.repeats.Repeats
	w.ctx.begin(r.Context(), first)
	if first == 0 || left < first {
		first = left
	}
	w.settling.Lock() // the timer may be quicker than the assignment
	defer w.settling.Unlock()
	w.timer = time.AfterFunc(first, w.expire)
}

const forever = time.Duration(math.MaxInt64)

// earliest returns the shorter of two limits, of which 0 is none.
func earliest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// firstByte is told that the response has begun, or that the connection is the handler's.
func (w *writer) firstByte() {
	if w.limits == nil || w.state.Load()&disarmed != 0 {
		return
	}
	l := w.limits
	w.touch()
	total := l.total
	if w.phase() == hijacked { // it is not ours any more
		total = 0
	}
	w.ctx.lift(total)
	next := forever
	if total > 0 {
		next = w.began + total - mono.Now()
	}
	if l.idle > 0 && w.phase() != hijacked {
		next = min(next, l.idle)
	}
	if next == forever {
		w.timer.Stop()
		return
	}
	w.timer.Reset(max(0, next))
}

// touch notes a sign of life.
func (w *writer) touch() {
	if w.limits != nil && w.limits.idle > 0 {
		w.latest.Store(int64(mono.Now()))
	}
}

// cuts reports whether a limit may come after the response has begun.
func (w *writer) cuts() bool { return w.limits != nil && (w.limits.idle > 0 || w.limits.total > 0) }

// due returns what the limits make of a response in this phase now: a phase and its cause, or else the time after which
// to look again, which is forever if there is no more reason to.
func (w *writer) due(at phase) (to phase, again time.Duration, cause error) {
	l, now := w.limits, mono.Now()
	switch at {
	case nothing:
		left, cause := forever, error(nil)
		if l.firstByte > 0 {
			left, cause = w.began+l.firstByte-now, l.exceeded[0]
		}
		if l.total > 0 && w.began+l.total-now < left {
			left, cause = w.began+l.total-now, l.exceeded[2]
		}
		// The deadline of the request itself is the caller's own.
		if theirs, ok := w.ctx.Context.Deadline(); ok && time.Until(theirs) < left {
			left, cause = time.Until(theirs), context.DeadlineExceeded
		}
		if left <= 0 {
			return answered, 0, cause
		}
		return nothing, left, nil
	case header, body:
		left, cause := forever, error(nil)
		if l.idle > 0 {
			left, cause = time.Duration(w.latest.Load())+l.idle-now, l.exceeded[1]
		}
		if l.total > 0 && w.began+l.total-now < left {
			left, cause = w.began+l.total-now, l.exceeded[2]
		}
		if left <= 0 {
			return aborted, 0, cause
		}
		return at, left, nil
	case hijacked, answered, aborted:
	}
	return at, forever, nil
}

// expire is what the timer calls.
func (w *writer) expire() {
	w.settling.Lock()
	defer w.settling.Unlock()
	for {
		state := w.state.Load()
		if state&disarmed != 0 {
			return
		}
		to, again, cause := w.due(phaseOf(state))
		if cause == nil {
			if again != forever {
				w.timer.Reset(again)
				if w.state.Load()&disarmed != 0 { // since we looked: then nobody stops it any more
					w.timer.Stop()
				}
			}
			return
		}
		if !w.state.CompareAndSwap(state, state&^phaseBits|uint32(to)) {
			continue
		}
		w.ctx.expire(cause)
		switch {
		case state < operation:
			w.settle(to)
		case to == aborted:
			// The handler is in the middle of an operation, and does the rest itself when that ends. It ends soon.
			w.guard(w.stopSending)
		}
		return
	}
}

// settle does what the limit has decided. The writer below is ours: no operation is under way, and none begins.
func (w *writer) settle(to phase) {
	if to == answered {
		w.guard(w.outOfTime)
	} else {
		w.guard(w.cut)
	}
}

// guard runs what uses the writer below, which is perhaps not net/http's own. It may be on the timer's goroutine, where
// a panic would end the program.
func (w *writer) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			logPanic(w.limits.registry, w.limits.name, nil, v, debug.Stack())
		}
	}()
	f()
}

// outOfTime is the answer of the limit.
func (w *writer) outOfTime() {
	if w.early {
		replaceHeader(w.below.Header(), w.before)
	}
	h := w.below.Header()
	if w.http1 {
		// The handler has the connection until it returns. And net/http would wait here for a body that the handler reads.
		h.Set("Connection", "close")
	}
	w.tellUsedUp(http.StatusServiceUnavailable)
	writeAnswer(w.below, http.StatusServiceUnavailable, 0)
	if flush := flushOf(w.below); flush != nil {
		_ = flush()
	}
	_ = http.NewResponseController(w.below).SetReadDeadline(time.Now().Add(bodyGrace))
}

// cut ends the response in the middle: a broken answer, not a short success. HTTP/2 resets the stream; of HTTP/1 the
// connection is closed. What is left is for the panic with http.ErrAbortHandler when the handler returns.
func (w *writer) cut() {
	w.stopSending()
	c := http.NewResponseController(w.below)
	_ = c.SetReadDeadline(past)
	if !w.http1 {
		return
	}
	closeConn(w.below, w.unframed)
}

// isUnframed reports whether a response to r may have no other end than that of the connection.
func isUnframed(r *http.Request) bool { return r.ProtoMajor == 1 && r.ProtoMinor == 0 }

// closeConn takes the connection of an HTTP/1 response and closes it. If nothing else would tell the client that the
// response is not whole, the connection is reset.
func closeConn(below http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(below).Hijack()
	if err != nil {
		return
	}
	if reset {
		raw := conn
		if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
			raw = over.NetConn()
		}
		if tcp, ok := raw.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
	_ = conn.Close()
}

var past = time.Unix(1, 0)

func (w *writer) stopSending() { _ = http.NewResponseController(w.below).SetWriteDeadline(past) }

// disarm takes the limits out of force when the handler has ended, and returns how far the response is. From then on the
// header is that of the writer below.
func (w *writer) disarm(returned bool) phase {
	w.timer.Stop()
	var at phase
	for {
		state := w.state.Load()
		if at = phaseOf(state); at >= answered {
			w.settled()
			break
		}
		if w.state.CompareAndSwap(state, state|disarmed) {
			break
		}
	}
	w.ctx.release()
	switch {
	case at >= answered:
		return at
	case at != nothing:
		w.trailers()
	case returned:
		w.publish() // net/http sends it with a 200
	case w.early:
		replaceHeader(w.below.Header(), w.before)
	}
	w.own = false
	return at
}

// settled waits until what the limit has decided is done.
func (w *writer) settled() {
	w.settling.Lock()
	w.settling.Unlock() //nolint:staticcheck // an empty section waits for the one who is in it
}

// trailers brings what the handler has put into its header after the response had begun to the writer below.
func (w *writer) trailers() {
	var declared []string
	for name, values := range w.fields {
		switch {
		case strings.HasPrefix(name, http.TrailerPrefix):
			w.below.Header()[name] = values
		case name == "Trailer":
			declared = values
		}
	}
	for _, list := range declared {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if values, ok := w.fields[name]; ok {
				w.below.Header()[name] = values
			}
		}
	}
}

// logPanic logs a panic once, with the stack where it began.
func logPanic(registry *seawall.Registry, name string, r *http.Request, v any, stack []byte) {
	ctx, method, pattern := context.Background(), "", ""
	if r != nil {
		ctx, method, pattern = r.Context(), r.Method, r.Pattern
	}
	registry.Log(ctx, slog.LevelError, "seawall.httpx.panic",
		slog.String("name", name),
		slog.String("method", method),
		slog.String("pattern", pattern), // not the path, which may hold what is nobody's business
		slog.String("panic", fmt.Sprint(v)),
		slog.String("stack", string(stack)))
}
