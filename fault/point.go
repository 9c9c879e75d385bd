package fault

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Point is a seam: a place of the program at which the faults of one target act. Code that models its own service time
// or capacity asks Slow and Capacity; a call is guarded by Err, or has the Point as a [seawall.Policy] in its chain; HTTP
// goes through RoundTripper or Handler, other protocols ask Draw; bytes go through Conn, Listener, Dial or a [Proxy].
//
// It comes from [Injector.Point] and may be held for ever: it feels faults that start later. A nil Point is one that
// feels nothing. A Point is safe for concurrent use. While no fault of its target is active each method costs one
// atomic load and allocates nothing, and so it is while the active ones change nothing by their parameters, such as a
// rate of 0.
type Point struct {
	target  string
	effects atomic.Pointer[effects] // nil while nothing acts here

	count atomic.Uint64 // connections and dials so far
	mu    sync.Mutex    // guards the fields below; taken under the injector's lock
	conns map[*conn]struct{}
	doors map[*door]struct{}
}

// effects is what acts at a point until the next change. Its fields never change.
type effects struct {
	slow     []*run // each list in the order of the plan
	capacity []*run
	calls    []*run // all kinds for calls but those two
	wire     []*run // all kinds for connections

	slowBy  float64       // product of slow
	rest    float64       // product of capacity
	changed chan struct{} // closed when others are in force
}

func newPoint(target string) *Point {
	return &Point{target: target, conns: map[*conn]struct{}{}, doors: map[*door]struct{}{}}
}

// Slow returns by how much the work at the point takes longer now: 1 to 1,000,000, and 1 while nothing slows it. Each
// active fault counts a hit. The seam multiplies a service time by it; ask when the work begins.
func (p *Point) Slow() float64 {
	if e := p.load(); e != nil {
		count(e.slow)
		return e.slowBy
	}
	return 1
}

// Capacity returns the share of workers, slots or rate that is left at the point now: 0.000001 to 1, and 1 while
// nothing takes any. Each active fault counts a hit.
func (p *Point) Capacity() float64 {
	if e := p.load(); e != nil {
		count(e.capacity)
		return e.rest
	}
	return 1
}

// Err returns an [InjectedError] if a fault of [Error] or [StatusCode] hits the call of ctx, and nil otherwise. The
// active ones draw in the order of the plan until one hits, which counts its hit. The draw is by the key of ctx if that
// has one ([WithKey]), and else by the number of draws of the fault so far.
func (p *Point) Err(ctx context.Context) error {
	if e := p.load(); e != nil {
		return e.err(ctx)
	}
	return nil
}

// Target returns the name by which faults aim at the point.
func (p *Point) Target() string {
	if p == nil {
		return ""
	}
	return p.target
}

// String returns such as: fault "payments".
func (p *Point) String() string { return fmt.Sprintf("%s %q", kind, p.Target()) }

func (p *Point) load() *effects {
	if p == nil {
		return nil
	}
	return p.effects.Load()
}

func (e *effects) err(ctx context.Context) error {
	for _, r := range e.calls {
		if r.fault.within(failuresOnly) && r.aim.at(&Call{}) && hits(r.drawFor(ctx), r.threshold) {
			r.hits.Add(1)
			return r.injected
		}
	}
	return nil
}

func count(runs []*run) {
	for _, r := range runs {
		r.hits.Add(1)
	}
}

// publish puts what is active now in force, also on the connections that are open. It returns those that it has cut, and
// the doors that may have to be opened or shut, for the caller to do so outside of all locks. The caller holds the
// injector's lock, so that the latest one wins.
func (p *Point) publish(active []*run, pace pace) (cut []*conn, doors []*door) {
	e := newEffects(active)
	if before := p.effects.Swap(e); before != nil {
		close(before.changed)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	byNumber := func(a, b *conn) int { return cmp.Compare(a.number, b.number) }
	for _, c := range slices.SortedFunc(maps.Keys(p.conns), byNumber) {
		if c.feel(e, pace) {
			cut = append(cut, c)
		}
	}
	return cut, slices.Collect(maps.Keys(p.doors))
}

// newEffects returns nil if nothing acts: then the point costs what it costs without a plan.
func newEffects(active []*run) *effects {
	e := &effects{slowBy: 1, rest: 1, changed: make(chan struct{})}
	for _, r := range active {
		switch {
		case r.fault.idle():
			continue
		case r.fault.Kind == Slow:
			e.slow = append(e.slow, r)
			e.slowBy *= r.fault.Factor
		case r.fault.Kind == Capacity:
			e.capacity = append(e.capacity, r)
			e.rest *= r.fault.Factor
		case r.fault.seam() == OnCall:
			e.calls = append(e.calls, r)
		default:
			e.wire = append(e.wire, r)
		}
	}
	if len(e.slow)+len(e.capacity)+len(e.calls)+len(e.wire) == 0 {
		return nil
	}
	e.slowBy, e.rest = min(e.slowBy, mostSlow), max(e.rest, leastOfRest)
	return e
}
