package fault

import (
	"context"
	"sync/atomic"
	"time"
)

// Injection is what the faults of a point do to one call. Adapters of a protocol carry it out; [Point.Do],
// [Point.RoundTripper] and [Point.Handler] do so for theirs. A nil one is a call that is left alone: its methods do
// nothing, so it need not be looked at but for Err.
//
// In this order: Wait. If Err is set and Lost is not, answer with Err in the place of the work. Do the work. If Lost is
// set, throw the answer away and fail with Err. Let the answer through, Damage its bytes, and break it off when CutAfter
// says so.
//
// What a call has drawn it keeps, but when a fault ends, its wait does, and it does not cut or damage any more. An
// Injection is safe for concurrent use.
type Injection struct {
	// Delay is how long Wait takes at the most, but for a [Timeout].
	Delay time.Duration
	// Err is the answer in the place of that of the work; nil is the work's own.
	Err *InjectedError
	// Lost says that the work is done before Err.
	Lost bool

	delays  []delay
	hang    *run
	cuts    []cut
	corrupt []corruption
}

type delay struct {
	run *run
	by  time.Duration
}

type cut struct {
	run  *run
	told atomic.Bool // the hit is counted
}

// corruption is a fault that changes bytes, and what it has drawn for this call.
type corruption struct {
	run   *run
	drawn uint64
	told  atomic.Bool // the hit is counted
}

// Draw decides what the faults of the point do to one call, and returns nil if they leave it alone. They draw in the
// order of the plan, until one answers in the place of the work; those that aim draw for the calls at which they aim.
// The draw is by the key of ctx if that has one ([WithKey]), and else by the number of draws of the fault so far.
//
// While nothing acts on calls it costs one atomic load, and it allocates nothing for a call that it leaves alone.
// [Slow] and [Capacity] are no part of it: they act on the work, where the program asks.
func (p *Point) Draw(ctx context.Context, c Call) *Injection {
	if e := p.load(); e != nil && len(e.calls) > 0 {
		return e.draw(ctx, &c, wholeAnswers)
	}
	return nil
}

// extent is how much of a call a seam knows.
type extent uint8

const (
	wholeAnswers extent = iota
	errorsOnly          // there is no body, and no stream of messages
	failuresOnly        // and nobody waits
)

func (e *effects) draw(ctx context.Context, c *Call, known extent) *Injection {
	var in *Injection
	for _, r := range e.calls {
		if !r.fault.within(known) || !r.aim.at(c) {
			continue
		}
		drawn := r.drawFor(ctx)
		if !hits(drawn, r.threshold) {
			continue
		}
		if in == nil {
			in = &Injection{}
		}
		if in.add(r, drawn) {
			break
		}
	}
	return in
}

// within reports whether a seam that knows so much of a call can carry the fault out.
func (f Fault) within(known extent) bool {
	switch f.Kind {
	case Error, StatusCode:
		return true
	case Latency, Timeout, AckLost:
		return known != failuresOnly
	case ResetPeer:
		return known == wholeAnswers || known == errorsOnly && f.Bytes == 0 && f.Messages == 0
	}
	return known == wholeAnswers
}

// add takes in a fault that hits, and reports whether it is the last one. drawn is what it has drawn.
func (in *Injection) add(r *run, drawn uint64) (last bool) {
	f := r.fault
	switch f.Kind {
	case Latency:
		if by := f.lateness(draw(drawn, 1)); by > 0 {
			in.Delay += by
			in.delays = append(in.delays, delay{r, by})
			r.hits.Add(1)
		}
		return false
	case Corrupt:
		in.corrupt = append(in.corrupt, corruption{run: r, drawn: draw(drawn, 1)})
		return false
	case Truncate:
		in.cuts = append(in.cuts, cut{run: r})
		return false
	case ResetPeer:
		if f.Bytes > 0 || f.Messages > 0 {
			in.cuts = append(in.cuts, cut{run: r})
			return false
		}
		in.Err = r.injected
	case Timeout:
		in.hang = r
	case AckLost:
		in.Err, in.Lost = r.injected, true
	default:
		in.Err = r.injected
	}
	r.hits.Add(1)
	return true
}

// Wait holds the call back. It returns nil when the work may begin, the cause of ctx as soon as that is done, or, after a
// [Timeout], an [InjectedError]. Each wait ends with its fault.
func (in *Injection) Wait(ctx context.Context) error {
	if in == nil {
		return nil
	}
	for _, d := range in.delays {
		if !d.run.hold(ctx, d.by) {
			return context.Cause(ctx)
		}
	}
	if in.hang == nil {
		return nil
	}
	by := in.hang.fault.Timeout
	if by == 0 {
		by = maxOffset // it ends before
	}
	if !in.hang.hold(ctx, by) {
		return context.Cause(ctx)
	}
	return in.hang.injected
}

// hold waits for a time, or until the fault ends. It reports false if ctx was done first.
func (r *run) hold(ctx context.Context, by time.Duration) bool {
	timer := time.NewTimer(by)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.over:
	case <-ctx.Done():
		return false
	}
	return true
}

// isOver reports whether the fault has ended.
func (r *run) isOver() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// CutAfter returns the error with which a stream breaks off behind so many messages, and nil if it goes on. Ask before
// each message, from 0 on.
func (in *Injection) CutAfter(messages int64) *InjectedError {
	if in == nil {
		return nil
	}
	for i := range in.cuts {
		c := &in.cuts[i]
		f := c.run.fault
		if f.Messages == 0 && f.Bytes > 0 || messages < f.Messages || c.run.isOver() {
			continue
		}
		c.count()
		return c.run.injected
	}
	return nil
}

func (c *cut) count() {
	if !c.told.Swap(true) {
		c.run.hits.Add(1)
	}
}

// room returns how many more bytes of a body go through when so many have, and what cuts it then; nil if nothing does.
func (in *Injection) room(passed int64) (n int64, by *cut) {
	for i := range in.cuts {
		c := &in.cuts[i]
		f := c.run.fault
		if f.Bytes == 0 && f.Messages > 0 || c.run.isOver() {
			continue
		}
		if left := max(0, f.Bytes-passed); by == nil || left < n {
			n, by = left, c
		}
	}
	return n, by
}

// Damage changes bytes of the answer in place, as the faults of [Corrupt] that hit the call say. The first of b is the
// byte at offset of the answer: what becomes of a byte does not depend on how the answer is cut into pieces.
func (in *Injection) Damage(b []byte, offset int64) {
	if in == nil {
		return
	}
	for i := range in.corrupt {
		c := &in.corrupt[i]
		if !c.run.isOver() && c.run.damage(b, c.drawn, uint64(offset)) && !c.told.Swap(true) {
			c.run.hits.Add(1)
		}
	}
}

// damage changes the bytes that a fault of corrupt hits, by a stream of draws, and reports whether there was one.
func (r *run) damage(b []byte, stream, offset uint64) (changed bool) {
	for i := range b {
		d := draw(stream, offset+uint64(i))
		if hits(d, r.damaged) {
			b[i] ^= byte(1 << (d & 7))
			changed = true
		}
	}
	return changed
}
