package breaker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sony/gobreaker/v2"

	"github.com/seawall-go/seawall"
)

// Gobreaker is a breaker of package gobreaker as a [seawall.Gate], for code that keeps the breakers that it has. Make it
// with [FromGobreaker]. It is safe for concurrent use.
//
// A call costs what gobreaker costs: its mutex twice, and an allocation.
type Gobreaker struct {
	gobreakerView
	allow func() (done func(error), err error)
}

// FromGobreaker lets a two-step breaker of package gobreaker guard calls in a chain. Its rejections match [ErrOpen] and
// [seawall.ErrRejected]. A permit that is told twice counts once, and a call that panics or ends its goroutine is told
// as failed ([seawall.ErrAborted]). name is for people, metrics and logs; a nil registry is the default one.
//
// What gobreaker keeps to itself stays so: its rejections do not know how long to stay away; a late result is dropped,
// but Done says true; it has no modes; its OnStateChange runs under its lock. A probe that never ends keeps it half-open
// for ever: put a timeout inside.
//
// Whether an end is neutral is decided by Settings.IsExcluded, which cannot be set from here, and by default nothing is:
// a caller that leaves ([seawall.ErrCanceled]) would count as a failure. Make the breaker with [GobreakerExcluded].
func FromGobreaker[T any](name string, cb *gobreaker.TwoStepCircuitBreaker[T], r *seawall.Registry) *Gobreaker {
	if cb == nil {
		panic("breaker: FromGobreaker: the breaker is nil")
	}
	g := &Gobreaker{gobreakerView{name: name, peer: cb}, cb.Allow}
	seawall.Register(r, kind, &g.name, g)
	return g
}

// Do runs op if the breaker lets it, and tells it the end. The error is op's, a rejection that matches [ErrOpen], or the
// cause of ctx if that was done before.
func (g *Gobreaker) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, g, op)
}

// Acquire asks for one call without running it; see [Breaker.Acquire].
func (g *Gobreaker) Acquire(ctx context.Context) (seawall.Permit, error) {
	if ctx.Err() != nil {
		return seawall.Permit{}, context.Cause(ctx)
	}
	done, err := g.allow()
	if err != nil {
		return seawall.Permit{}, g.reject(ctx, err)
	}
	return seawall.NewPermit(gobreakerCall(done), seawall.Ticket{}), nil
}

// gobreakerCall is the end of one call.
type gobreakerCall func(error)

func (done gobreakerCall) Release(_ seawall.Ticket, err error) bool {
	done(err)
	return true
}

// GobreakerPolicy is a breaker of package gobreaker that only executes functions, as a [seawall.Policy]. Make it with
// [FromGobreakerExecute]. It is safe for concurrent use.
type GobreakerPolicy[T any] struct {
	gobreakerView
	cb *gobreaker.CircuitBreaker[T]
}

// FromGobreakerExecute is [FromGobreaker] for the other form of gobreaker's breaker, which has no two steps: it guards
// calls in a chain, as a policy without a role, and is no gate.
func FromGobreakerExecute[T any](name string, cb *gobreaker.CircuitBreaker[T], r *seawall.Registry) *GobreakerPolicy[T] {
	if cb == nil {
		panic("breaker: FromGobreakerExecute: the breaker is nil")
	}
	g := &GobreakerPolicy[T]{gobreakerView{name: name, peer: cb}, cb}
	seawall.Register(r, kind, &g.name, g)
	return g
}

// Do runs op if the breaker lets it, and tells it the end; see [Gobreaker.Do].
func (g *GobreakerPolicy[T]) Do(ctx context.Context, op func(context.Context) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var ran, exits bool
	var err error
	defer func() {
		if exits {
			_ = recover() // of errExited, after which the goroutine goes on to exit
		}
	}()
	_, refusal := g.cb.Execute(func() (none T, _ error) {
		ran, exits = true, true
		defer func() {
			if !exits {
				return
			}
			if value := recover(); value != nil {
				exits = false
				panic(value)
			}
			// runtime.Goexit, which Execute does not notice: it counts panics, and so gets one.
			panic(errExited)
		}()
		err = op(ctx)
		exits = false
		return none, seawall.Settle(ctx, err)
	})
	if !ran {
		return g.reject(ctx, refusal)
	}
	return err
}

var errExited = errors.New("breaker: the operation exited its goroutine")

// GobreakerExcluded is a gobreaker.Settings.IsExcluded: it excludes what [seawall.Classify] takes for neither good nor
// bad, the caller's cancellation and rejections by inner gates, and answers that ask for less.
func GobreakerExcluded(err error) bool { return neutral(seawall.Classify(err).Outcome) }

// gobreakerView is what both forms have to show.
type gobreakerView struct {
	name string
	peer interface {
		State() gobreaker.State
		Counts() gobreaker.Counts
	}
	open, probing atomic.Int64
}

func (g *gobreakerView) reject(ctx context.Context, err error) error {
	reason, counter := seawall.ReasonOpen, &g.open
	if errors.Is(err, gobreaker.ErrTooManyRequests) {
		reason, counter = seawall.ReasonProbing, &g.probing
	}
	counter.Add(1)
	if record := seawall.RecordOf(ctx); record != nil {
		record.Note(func(f *seawall.Facts) { f.DecidedBy, f.Reason = g.String(), reason })
	}
	return reject(g.name, reason, 0)
}

// State returns the state. It asks gobreaker, which takes its lock.
func (g *gobreakerView) State() State {
	switch g.peer.State() {
	case gobreaker.StateOpen:
		return Open
	case gobreaker.StateHalfOpen:
		return HalfOpen
	case gobreaker.StateClosed:
	}
	return Closed
}

// Name returns the name that the breaker has in Seawall.
func (g *gobreakerView) Name() string { return g.name }

// String returns such as: breaker "payments".
func (g *gobreakerView) String() string { return fmt.Sprintf("%s %q", kind, g.name) }

// Traits returns what [seawall.Pipeline.Lint] asks for.
func (g *gobreakerView) Traits() seawall.Traits { return seawall.Traits{Kind: kind} }

// Keep reports whether the breaker must be kept although nobody uses it: it is not closed.
func (g *gobreakerView) Keep() bool { return g.State() != Closed }

// Snapshot returns the state and gobreaker's counts, in the form of the registry.
func (g *gobreakerView) Snapshot() seawall.Snapshot {
	c := g.peer.Counts()
	in := WindowCounts{
		Calls: int64(c.TotalSuccesses) + int64(c.TotalFailures), Failures: int64(c.TotalFailures),
	}
	return seawall.Snapshot{
		Kind: kind, Name: g.name, State: g.State().String(),
		Values: []seawall.Value{
			count("window.calls", in.Calls),
			count("window.failures", in.Failures),
			{Name: "failure.ratio", V: in.FailureRatio()},
			count("rejections.open", g.open.Load()),
			count("rejections.probing", g.probing.Load()),
		},
	}
}
