package seawall_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall"
)

// gate counts the ends of its calls. It rejects as long as full is set.
type gate struct {
	name     string
	trace    *trace
	full     atomic.Bool
	in, most atomic.Int64
	outcomes [4]atomic.Int64 // by seawall.Outcome
	rejected atomic.Int64
}

func (g *gate) String() string { return "gate " + g.name }

func (g *gate) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, g, op)
}

func (g *gate) Acquire(context.Context) (seawall.Permit, error) {
	if g.full.Load() {
		g.rejected.Add(1)
		return seawall.Permit{}, seawall.Reject("gate", g.name, seawall.ReasonFull, errFull, 0)
	}
	now := g.in.Add(1)
	for old := g.most.Load(); now > old && !g.most.CompareAndSwap(old, now); old = g.most.Load() {
	}
	if g.trace != nil {
		g.trace.add(g.name + " acquires")
	}
	return seawall.NewPermit(g, seawall.Ticket{}), nil
}

func (g *gate) Release(_ seawall.Ticket, err error) bool {
	g.in.Add(-1)
	g.outcomes[seawall.Classify(err).Outcome].Add(1)
	if g.trace != nil {
		g.trace.add(fmt.Sprintf("%s releases: %v", g.name, err))
	}
	return true
}

func (g *gate) count(o seawall.Outcome) int64 { return g.outcomes[o].Load() }

func (g *gate) ended() (n int64) {
	for i := range g.outcomes {
		n += g.outcomes[i].Load()
	}
	return n + g.rejected.Load()
}

// scope derives a context with a value, and changes the error if it is told to.
type scope struct {
	name   string
	trace  *trace
	change func(error) error
	refuse error
}

type scopeKey struct{ name string }

func (s *scope) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, s, op)
}

func (s *scope) Enter(ctx context.Context) (context.Context, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.trace.add(s.name + " enters")
	ctx, cancel := context.WithCancel(ctx)
	return context.WithValue(ctx, scopeKey{s.name}, cancel), nil
}

func (s *scope) Leave(_, inner context.Context, err error) error {
	s.trace.add(fmt.Sprintf("%s leaves: %v", s.name, err))
	inner.Value(scopeKey{s.name}).(context.CancelFunc)()
	if s.change != nil {
		return s.change(err)
	}
	return err
}

// repeater makes a fixed number of attempts.
type repeater struct {
	name     string
	trace    *trace
	attempts int
	wait     time.Duration
	next     func(ctx context.Context, n int) // called by Next, before the wait
}

func (r *repeater) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, r, op)
}

func (r *repeater) Ended(_ context.Context, err error) seawall.Repetition {
	if r.trace != nil {
		r.trace.add(fmt.Sprintf("%s: first ended: %v", r.name, err))
	}
	if err == nil {
		return nil
	}
	return &repetition{repeater: r, made: 1}
}

type repetition struct {
	*repeater
	made int
	last error
}

func (r *repetition) Next(ctx context.Context, err error) (time.Duration, bool) {
	r.last = err
	if r.repeater.next != nil {
		r.repeater.next(ctx, r.made)
	}
	return r.wait, r.made < r.attempts
}

func (r *repetition) Started(n int) {
	r.made++
	if n != r.made {
		panic(fmt.Sprintf("attempt %d is told to be %d", r.made, n))
	}
	r.trace.add(fmt.Sprintf("%s: starts %d", r.name, n))
}

func (r *repetition) End(err error) error {
	r.trace.add(fmt.Sprintf("%s: ends: %v", r.name, err))
	if err != nil && err != r.last { //nolint:errorlint // the very error
		return errors.Join(err, r.last)
	}
	return err
}

// racer starts a fixed number of attempts, one each delay. A success wins, and an error starts the next attempt.
type racer struct {
	name     string
	trace    *trace
	attempts int
	delay    time.Duration
	started  func(n int) bool                        // nil: all may start
	ended    func(n int, err error) seawall.Finish   // nil: as above
	next     func(started int)                       // called by Next
	end      func(winner int, err error) (out error) // nil: err
}

func (r *racer) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, r, op)
}

func (r *racer) Race(context.Context) seawall.Race { return &race{racer: r} }

type race struct {
	*racer
	made int
}

func (r *race) Started(n int) bool {
	r.made = n
	r.trace.add(fmt.Sprintf("%s: starts %d", r.name, n))
	return r.racer.started == nil || r.racer.started(n)
}

func (r *race) Next() (time.Duration, bool) {
	if r.racer.next != nil {
		r.racer.next(r.made)
	}
	return r.delay, r.made < r.attempts
}

func (r *race) Ended(n int, err error) seawall.Finish {
	r.trace.add(fmt.Sprintf("%s: %d ended: %v", r.name, n, err))
	switch {
	case r.racer.ended != nil:
		return r.racer.ended(n, err)
	case err == nil:
		return seawall.Win
	}
	return seawall.StartNext
}

func (r *race) End(winner int, err error) error {
	r.trace.add(fmt.Sprintf("%s: ends with %d: %v", r.name, winner, err))
	if r.racer.end != nil {
		return r.racer.end(winner, err)
	}
	return err
}

// replacer puts a value or an error in the place of an error.
type replacer struct {
	name  string
	trace *trace
	value any
	err   func(error) error // nil: value
}

func (r *replacer) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, r, op)
}

func (r *replacer) Replace(_ context.Context, err error) (any, error) {
	r.trace.add(fmt.Sprintf("%s replaces: %v", r.name, err))
	if r.err != nil {
		return nil, r.err(err)
	}
	return r.value, nil
}

// exerciser is a replacer that tries itself after each success.
type exerciser struct {
	replacer
	refusals []error
}

func (e *exerciser) Exercise(context.Context) func(func(any) error) {
	if e.value == nil {
		return nil
	}
	return func(accept func(any) error) { e.refusals = append(e.refusals, accept(e.value)) }
}

func (e *exerciser) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, e, op)
}

func TestExerciserIsAskedAfterSuccessOnlyAndChangesNothing(t *testing.T) {
	e := &exerciser{}
	call := func(err error) (string, error) {
		return seawall.Call(t.Context(), seawall.Chain(e), func(context.Context) (string, error) { return "fresh", err })
	}
	for _, c := range []struct {
		value   any
		err     error
		want    string
		refused []bool // of the trials
	}{
		{nil, nil, "fresh", nil},
		{"copy", nil, "fresh", []bool{false}},
		{7, nil, "fresh", []bool{true}}, // an int is no string
		{"copy", errDown, "copy", nil},
	} {
		e.value, e.refusals = c.value, nil
		v, err := call(c.err)
		if v != c.want || err != nil || len(e.refusals) != len(c.refused) {
			t.Errorf("%v, %v: got %q, %v, and %v", c.value, c.err, v, err, e.refusals)
			continue
		}
		for i, refused := range c.refused {
			if got := errors.Is(e.refusals[i], seawall.ErrReplacement); got != refused {
				t.Errorf("%v: refused with %v", c.value, e.refusals[i])
			}
		}
	}
}
