package fault

import (
	"context"
	"math"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Do runs op as a dependency with the point's faults would: [Error], [StatusCode], [ResetPeer], [Latency] and [Timeout]
// fail it or make it wait before op runs, [AckLost] loses its result, and [Slow] stretches it by waiting after op for as
// long as it would have taken longer. Of those that aim, none acts here. [Capacity] has no meaning here. The point
// belongs inside of what guards the dependency, as the last one in a chain.
//
// The waits obey ctx: if that ends first, Do returns the cause, or op's own error if op failed. They follow the plan:
// they end at once when the fault does. A call that began before the fault is not stretched. Do not stretch by Do what
// is slowed by Slow at the same point already.
//
// While nothing acts Do costs one atomic load and no allocation; a call that a fault slows allocates its context and a
// timer.
func (p *Point) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, p, op)
}

// Enter begins a call: it returns the error of the fault that fails it, or the context for what is inside. It makes the
// point a [seawall.Scope], which costs a chain no allocation.
func (p *Point) Enter(ctx context.Context) (context.Context, error) {
	e := p.load()
	if e == nil {
		return ctx, nil
	}
	in := e.draw(ctx, &Call{}, errorsOnly)
	if err := in.Wait(ctx); err != nil {
		return ctx, err
	}
	lost := in != nil && in.Lost
	switch {
	case in != nil && in.Err != nil && !lost:
		return ctx, in.Err
	case len(e.slow) == 0 && !lost:
		return ctx, nil
	}
	t := &timed{Context: ctx, start: mono.Now()}
	if lost {
		t.lost = in.Err
	}
	return t, nil
}

// Leave ends a call, after the wait that [Slow] asks for.
func (p *Point) Leave(outer, inner context.Context, err error) error {
	t, ok := inner.(*timed)
	if !ok || err == seawall.ErrAborted { //nolint:errorlint // the chain passes it bare
		return err
	}
	if o, ok := outer.(*timed); ok && o == t {
		return err // another point's, which this one handed on
	}
	err = p.stretch(outer, t.start, err)
	if t.lost != nil {
		return t.lost
	}
	return err
}

// timed is the context of a call that began while a fault slowed its point, or that loses its result.
type timed struct {
	context.Context

	start time.Duration // reading of mono.Now
	lost  *InjectedError
}

// stretch waits until the work that began at start and ends now would have ended. The point's effects may change
// meanwhile, so its end is reckoned anew with each of them.
func (p *Point) stretch(ctx context.Context, start time.Duration, err error) error {
	took, waited := mono.Now()-start, false
	for {
		e := p.load()
		if e == nil {
			return err
		}
		wait := start + multiply(took, e.slowBy) - mono.Now()
		if wait <= 0 {
			return err
		}
		if !waited {
			count(e.slow)
			waited = true
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			return err
		case <-e.changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			if err == nil {
				err = context.Cause(ctx)
			}
			return err
		}
	}
}

// multiply stays far enough below the largest duration that a reading of the clock can be added.
func multiply(d time.Duration, by float64) time.Duration {
	return time.Duration(min(float64(d)*by, math.MaxInt64/4))
}
