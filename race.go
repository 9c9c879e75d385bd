package seawall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// ErrLost is the cause of the context of an attempt that another one made superfluous.
var ErrLost = errors.New("seawall: another attempt won")

// AttemptPanic carries a panic of an attempt that ran in a goroutine of its own to the caller's goroutine, which panics
// with this value.
type AttemptPanic struct {
	Value any    // what the attempt panicked with
	Stack []byte // the attempt's own stack
}

// Error returns the value with the attempt's stack.
func (p *AttemptPanic) Error() string {
	return fmt.Sprintf("%v [in a raced attempt]\n\n%s", p.Value, p.Stack)
}

// Unwrap returns the value if it is an error.
func (p *AttemptPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// attemptEnd is how an attempt of a race ended; n counts from 1, and is 0 as long as none has.
type attemptEnd[T any] struct {
	n      int
	v      T
	err    error
	panic  *AttemptPanic
	goexit bool
}

func throughRacer[T any, O operation[T]](
	ctx context.Context, r Racer, watch Stopwatch, inner *stage, op O,
) (v T, err error) {
	if watch != nil && !watch.Timed() {
		watch = nil
	}
	h := &heat[T, O]{op: op, inner: inner, watch: watch, race: r.Race(ctx), ended: make(chan struct{}, 1)}
	h.ends = h.one[:0]
	winner := 0
	err = ErrAborted // until the race is decided
	attempts, cancel := context.WithCancelCause(ctx)
	defer func() {
		cancel(ErrLost)
		h.close()
		err = h.race.End(winner, err)
	}()
	last := h.run(ctx, attempts)
	switch {
	case last.panic != nil:
		panic(last.panic)
	case last.goexit:
		runtime.Goexit()
	}
	winner, v, err = last.n, last.v, last.err
	return v, err
}

// heat is one call under a Racer. Its attempts run in goroutines of their own and hand their ends over; one that comes
// after the race is let go of by its own goroutine.
type heat[T any, O operation[T]] struct {
	op    O
	inner *stage
	watch Stopwatch // nil if nobody wants to know
	race  Race
	ended chan struct{} // a token when ends may have grown

	mu     sync.Mutex // guards the fields below
	ends   []attemptEnd[T]
	one    [1]attemptEnd[T] // what ends begins with: most races have one end
	closed bool
}

// run starts attempts and takes their ends until one decides the race, none is left, or ctx is done. Ends come before
// all else: one that comes at the instant at which the caller leaves counts, and nothing starts for one that has left.
func (h *heat[T, O]) run(ctx, attempts context.Context) (last attemptEnd[T]) {
	started, running := 0, 0
	more := false         // another attempt may start
	var timer *time.Timer // made when the first attempt is to start by time
	var next <-chan time.Time
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	start := func() {
		started++
		if h.race.Started(started) {
			running++
			within := attempts
			if started > 1 { // the first one has the number of an outer attempt; see Attempt
				within = WithAttempt(attempts, started)
			}
			go h.attempt(within, started)
		}
		next = nil
		var delay time.Duration
		switch delay, more = h.race.Next(); {
		case !more || delay == math.MaxInt64: // no time comes; a failure may
		case timer == nil:
			timer = time.NewTimer(delay)
			next = timer.C
		default:
			timer.Reset(delay)
			next = timer.C
		}
	}
	start()
	for running > 0 || next != nil {
		due, wanted := 0, 0 // attempts to start: because of the time, because of failures
		select {
		case <-ctx.Done():
		case <-next:
			due = 1
		case <-h.ended:
		}
		for e, ok := h.take(); ok; e, ok = h.take() {
			running--
			if last.n != 0 {
				h.op.discard(last.v)
			}
			last = e
			if e.panic != nil || e.goexit {
				return last
			}
			switch h.race.Ended(e.n, e.err) {
			case Win:
				return last
			case StartNext:
				wanted++
			case KeepRunning:
			}
		}
		if ctx.Err() != nil && (running > 0 || more) {
			h.op.discard(last.v)
			return attemptEnd[T]{err: context.Cause(ctx)}
		}
		for range max(due, wanted) {
			if more {
				start()
			}
		}
	}
	if last.n == 0 {
		last.err = Reject("race", "", ReasonBudget, ErrRejected, 0)
	}
	return last
}

// attempt runs op once, and hands its end over, or lets go of it if the race is over.
func (h *heat[T, O]) attempt(ctx context.Context, n int) {
	e := attemptEnd[T]{n: n, err: ErrAborted, goexit: true}
	defer func() {
		if value := recover(); value != nil {
			e.goexit = false
			if inner, ok := value.(*AttemptPanic); ok {
				e.panic = inner // of a race inside of this one, with the stack that matters
			} else {
				e.panic = &AttemptPanic{Value: value, Stack: debug.Stack()}
			}
		}
		if !h.hand(e) {
			h.letGo(e)
		}
	}()
	e.v, e.err = timed[T](ctx, h.watch, h.inner, h.op)
	e.goexit = false
}

// hand gives an end to run. It returns false if the race is over.
func (h *heat[T, O]) hand(e attemptEnd[T]) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.ends = append(h.ends, e)
	select {
	case h.ended <- struct{}{}:
	default: // there is a token already
	}
	return true
}

// take returns the next end, one at a time: those behind the one that decides the race are left to close.
func (h *heat[T, O]) take() (e attemptEnd[T], ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ends) == 0 {
		return e, false
	}
	e, h.ends = h.ends[0], h.ends[1:]
	return e, true
}

// close ends the race and lets go of what came in after its decision.
func (h *heat[T, O]) close() {
	h.mu.Lock()
	h.closed = true
	late := h.ends
	h.ends = nil
	h.mu.Unlock()
	for _, e := range late {
		h.letGo(e)
	}
}

// letGo disposes of an end that decided nothing. Nobody else learns of its panic, so that is logged. A panic of the
// discard function is logged as well: nobody could recover it in an attempt's goroutine, where it would end the
// process, and on the caller's it would cost the winner's result.
func (h *heat[T, O]) letGo(e attemptEnd[T]) {
	if e.panic != nil {
		slog.Error("seawall.race.loser_panicked", "attempt", e.n, "panic", e.panic.Error())
		return
	}
	defer func() {
		if value := recover(); value != nil {
			slog.Error("seawall.race.discard_panicked",
				"attempt", e.n, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
		}
	}()
	h.op.discard(e.v)
}
