package seawall

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seawall-go/seawall/internal/mono"
)

// run is the entry of every call.
func run[T any, O operation[T]](ctx context.Context, p Policy, op O) (v T, err error) {
	if ctx.Err() != nil {
		return v, context.Cause(ctx)
	}
	switch p := p.(type) {
	case *Pipeline:
		return walk[T](ctx, p.outermost(), op)
	case Gate:
		return throughGate[T](ctx, p, nil, op)
	case Scope:
		return throughScope[T](ctx, p, nil, op)
	case Repeater:
		watch, _ := p.(Stopwatch)
		return throughRepeater[T](ctx, p, watch, nil, op)
	case Racer:
		watch, _ := p.(Stopwatch)
		return throughRacer[T](ctx, p, watch, nil, op)
	case Replacer:
		trier, _ := p.(Exerciser)
		return throughReplacer[T](ctx, p, trier, nil, op)
	case Live:
		return walk[T](ctx, p.Current().outermost(), op)
	}
	return throughCustom[T](ctx, p, nil, op)
}

// walk runs op inside of a stage and those within it; nil is none. Each role has a frame of its own, because its defer is what keeps the promise that
// a panic or a Goexit gives everything back.
func walk[T any, O operation[T]](ctx context.Context, s *stage, op O) (T, error) {
	if s == nil {
		return op.call(ctx)
	}
	inner := s.inner
	switch s.role {
	case gateRole:
		return throughGate[T](ctx, s.gate, inner, op)
	case scopeRole:
		return throughScope[T](ctx, s.scope, inner, op)
	case repeaterRole:
		return throughRepeater[T](ctx, s.repeater, s.stopwatch, inner, op)
	case racerRole:
		return throughRacer[T](ctx, s.racer, s.stopwatch, inner, op)
	case replacerRole:
		return throughReplacer[T](ctx, s.replacer, s.exerciser, inner, op)
	case customRole:
	}
	return throughCustom[T](ctx, s.policy, inner, op)
}

func throughGate[T any, O operation[T]](ctx context.Context, gate Gate, inner *stage, op O) (v T, err error) {
	permit, err := gate.Acquire(ctx)
	if err != nil {
		return v, err
	}
	err = ErrAborted // until the walk returns
	defer func() { permit.end(Settle(ctx, err)) }()
	v, err = walk[T](ctx, inner, op)
	return v, err
}

func throughScope[T any, O operation[T]](ctx context.Context, scope Scope, inner *stage, op O) (v T, err error) {
	within, err := scope.Enter(ctx)
	if err != nil {
		return v, err
	}
	err = ErrAborted // until the walk returns
	defer func() { err = scope.Leave(ctx, within, err) }()
	v, err = walk[T](within, inner, op)
	return v, err
}

func throughReplacer[T any, O operation[T]](
	ctx context.Context, r Replacer, e Exerciser, inner *stage, op O,
) (T, error) {
	v, err := walk[T](ctx, inner, op)
	if err == nil {
		if e != nil {
			if trial := e.Exercise(ctx); trial != nil {
				trial(func(value any) error { return refuse[T](op, value) })
			}
		}
		return v, nil
	}
	value, rerr := r.Replace(ctx, err)
	if rerr != nil {
		return v, rerr
	}
	replaced, aerr := op.accept(value)
	if aerr != nil {
		return v, errors.Join(aerr, err)
	}
	op.discard(v)
	return replaced, nil
}

// refuse returns why a value cannot be a result, and lets go of one that could.
func refuse[T any, O operation[T]](op O, value any) error {
	v, err := op.accept(value)
	if err == nil {
		op.discard(v)
	}
	return err
}

func throughRepeater[T any, O operation[T]](
	ctx context.Context, r Repeater, watch Stopwatch, inner *stage, op O,
) (v T, err error) {
	returned := false // the first attempt; from then on the defer has nothing to do
	defer func() {
		if !returned {
			if rest := r.Ended(ctx, ErrAborted); rest != nil {
				_ = rest.End(ErrAborted)
			}
		}
	}()
	if watch == nil || !watch.Timed() {
		watch = nil
		v, err = walk[T](ctx, inner, op)
	} else {
		v, err = timed[T](ctx, watch, inner, op)
	}
	returned = true
	if rest := r.Ended(ctx, err); rest != nil {
		return repeat[T](ctx, rest, watch, inner, op, v, err)
	}
	return v, err
}

// timed runs one attempt, and measures it if there is a stopwatch.
func timed[T any, O operation[T]](ctx context.Context, watch Stopwatch, inner *stage, op O) (v T, err error) {
	if watch == nil {
		return walk[T](ctx, inner, op)
	}
	began := mono.Now()
	err = ErrAborted // until the walk returns
	defer func() { watch.Took(ctx, err, mono.Now()-began) }()
	v, err = walk[T](ctx, inner, op)
	return v, err
}

// repeat runs the attempts after the first, which ended with v and err.
func repeat[T any, O operation[T]](
	ctx context.Context, rest Repetition, watch Stopwatch, inner *stage, op O, v T, err error,
) (_ T, final error) {
	final = ErrAborted // until the loop ends
	defer func() { final = rest.End(final) }()
	for n := 2; err != nil; n++ {
		wait, again := rest.Next(ctx, err)
		if !again {
			break
		}
		op.discard(v)
		var zero T
		v = zero
		if err = sleep(ctx, wait); err != nil {
			break
		}
		rest.Started(n)
		v, err = timed[T](WithAttempt(ctx, n), watch, inner, op)
	}
	final = err
	return v, final
}

// sleep waits, and returns the cause of ctx if that is done, also when the wait ends at the same instant: no attempt
// starts for a caller that has left.
func sleep(ctx context.Context, wait time.Duration) error {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func throughCustom[T any, O operation[T]](ctx context.Context, p Policy, inner *stage, op O) (T, error) {
	var box box[T]
	wanted := empty // until the policy returns: if it panics, nobody gets a result
	defer func() {
		if wanted == empty {
			box.take(wanted, op.discard)
		}
	}()
	err := p.Do(ctx, func(ctx context.Context) error {
		v, err := walk[T](ctx, inner, op)
		box.put(v, err, op.discard)
		return err
	})
	wanted = succeeded
	if err != nil {
		wanted = failed
	}
	return box.take(wanted, op.discard), err
}

// box carries the result out of a policy of which nothing is known: it may run op again, side by side, or go on with it
// after it has returned. The first success is kept; until there is one, the latest failure.
type box[T any] struct {
	mu    sync.Mutex // guards the fields below
	state boxState
	v     T
}

type boxState uint8

const (
	empty boxState = iota
	failed
	succeeded
	taken
)

func (b *box[T]) put(v T, err error, discard func(T)) {
	b.mu.Lock()
	loser, lost := v, true
	if b.state < succeeded {
		loser, lost = b.v, b.state == failed
		b.v, b.state = v, failed
		if err == nil {
			b.state = succeeded
		}
	}
	b.mu.Unlock()
	if lost {
		discard(loser)
	}
}

// take closes the box. It returns the result if that is of the wanted kind, and lets go of one that is not.
func (b *box[T]) take(wanted boxState, discard func(T)) (v T) {
	b.mu.Lock()
	kept, state := b.v, b.state
	b.state = taken
	b.mu.Unlock()
	switch state {
	case wanted:
		return kept
	case failed, succeeded:
		discard(kept)
	case empty, taken:
	}
	return v
}
