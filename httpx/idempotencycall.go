package httpx

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
)

// mostOverdue is how many calls of a store may go on after their time until no request begins one. Each holds a goroutine,
// and a store that lets so many wait does not answer the next one either. What ends a request is called all the same, and is
// bounded by those that have begun: a store that goes on later keeps the answer then, without which a repeat would run the
// handler again.
const mostOverdue = 64

var errStoreStuck = errors.New("httpx: calls of the store of idempotency keys do not end")

// storeCall is one call of a store. It has a goroutine of its own, so that a store which does not look at its context
// holds no request. What comes first decides, in one atomic step: the end of the call, which the request gets, or the end
// of its time, behind which the goroutine undoes what it has come to.
type storeCall struct {
	decided atomic.Bool
	ended   chan struct{} // closed if the call has ended in time

	// Set before ended is closed.
	claim  Claim
	err    error
	panic  *seawall.AttemptPanic
	exited bool // by runtime.Goexit
}

func (s *storeCall) decide() bool { return s.decided.CompareAndSwap(false, true) }

// call calls the store, and returns when ctx ends, whether the store does or not. A panic or a runtime.Goexit of the store
// goes on here. undo gets what a call that was not waited for comes to; nil is nothing.
func (k *Idempotency) call(
	ctx context.Context, store func(context.Context) (Claim, error), undo func(Claim, error),
) (Claim, error) {
	s := &storeCall{ended: make(chan struct{})}
	go k.run(ctx, s, store, undo) // ends when the store does
	select {
	case <-s.ended:
	case <-ctx.Done():
		k.overdue.Add(1) // before the goroutine takes it back
		if s.decide() {
			return Claim{}, context.Cause(ctx)
		}
		k.overdue.Add(-1)
		<-s.ended
	}
	switch {
	case s.panic != nil:
		panic(s.panic)
	case s.exited:
		runtime.Goexit()
	}
	return s.claim, s.err
}

func (k *Idempotency) run(
	ctx context.Context, s *storeCall, store func(context.Context) (Claim, error), undo func(Claim, error),
) {
	inTime := false
	defer func() {
		v := recover()
		switch {
		case inTime:
		case s.decide(): // it has left by a panic, or by runtime.Goexit
			if s.exited = v == nil; !s.exited {
				s.panic = &seawall.AttemptPanic{Value: v, Stack: debug.Stack()}
			}
			close(s.ended)
		default:
			defer k.overdue.Add(-1)
			if v != nil { // nobody is there to panic, and it must not end the program
				stack := debug.Stack()
				events.Shield(k.registry.Logger(), idempotencyKind, k.name, func() {
					logPanic(k.registry, k.name, nil, v, stack)
				})
			}
		}
	}()
	s.claim, s.err = store(ctx)
	if inTime = s.decide(); inTime {
		close(s.ended)
	} else if undo != nil {
		undo(s.claim, s.err)
	}
}
