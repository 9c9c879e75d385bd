package breaker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/dice"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

// Breaker is a circuit breaker, a [seawall.Gate]. Make it with [New], one for each dependency whose health is one thing,
// and share it: it is safe for concurrent use.
//
// A call through a closed breaker costs some 80 ns: two readings of the clock and a few atomic operations. Without slow
// calls it is some 45 ns and one reading. It takes no lock and allocates nothing, but for one call in each step of the
// window, a tenth of it, and in each slice of Slow.Over, an eighth of it. A rejection does not allocate either, and costs
// less than a call.
type Breaker struct {
	name   string
	random func() float64 // uniform in [0, 1)
	era    atomic.Pointer[era]
	forced atomic.Pointer[seawall.RejectedError] // of seawall.ForcedOpen; nil until the first

	mu      sync.Mutex   // guards the fields below, and every change of era
	mode    seawall.Mode // that it was made with
	earlier totals       // recorded by the windows of earlier eras
	unended unended
	entered [Ramping + 1]int64 // times that each state was entered
	events  events.Queue[Event]

	_      [64]byte // counters of rare ends, off the line that every call reads
	counts counts
}

// New makes a closed breaker. Its name is a constant of the program, for people, metrics and logs. New panics if cfg is
// not valid; see [Config.Validate].
func New(name string, cfg Config) *Breaker {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	s, now := newSettings(cfg), mono.Now()
	b := &Breaker{name: name, mode: s.Mode, random: dice.Float64}
	first := era{ticket: 1 << phaseBits, since: now, window: newWindow(s.Window, now)}
	first.track(s, now)
	b.era.Store(first.with(s))
	seawall.Register(cfg.Registry, kind, &b.name, b)
	return b
}

// Do runs op if the breaker lets it, and learns from its end. The error is op's, a rejection that matches [ErrOpen], or
// the cause of ctx if that was done before.
func (b *Breaker) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, b, op)
}

// Acquire asks for one call without running it: for streams, transports and whatever ends elsewhere. It never waits.
// The error is a rejection that matches [ErrOpen], or the cause of ctx if that is done. The end of the call is told by
// the permit's Done, on every path: a probe that is never told to have ended counts as a failure after Probes.Timeout,
// and any call as slow after Slow.Over.
func (b *Breaker) Acquire(ctx context.Context) (seawall.Permit, error) {
	if ctx.Err() != nil {
		return seawall.Permit{}, context.Cause(ctx)
	}
	if e := b.era.Load(); e.passes {
		if e.tracking == nil {
			return seawall.NewPermit(b, seawall.Ticket{Generation: e.ticket}), nil
		}
		if now := mono.Now(); now < e.tracking.due() && e.tracking.begin(now) {
			return seawall.NewPermit(b, seawall.Ticket{Generation: e.ticket, Start: int64(now)}), nil
		}
	}
	return b.acquireSlowly(ctx)
}

func (b *Breaker) acquireSlowly(ctx context.Context) (seawall.Permit, error) {
	for {
		e := b.era.Load()
		mode := e.settings.Mode
		switch mode {
		case seawall.Off:
			return seawall.Permit{}, nil
		case seawall.ForcedOpen:
			return seawall.Permit{}, b.reject(ctx, b.forcedRejection())
		case seawall.Enforce, seawall.Shadow, seawall.ForcedClosed:
		}
		now := mono.Now()
		if now >= e.due() || e.ahead(now) {
			b.catchUp(now)
			continue
		}
		switch b.ask(e, now) {
		case admitted:
			return seawall.NewPermit(b, seawall.Ticket{Generation: e.ticket, Start: int64(now)}), nil
		case askAgain:
			continue
		case refused:
		}
		if mode == seawall.Enforce {
			return seawall.Permit{}, b.reject(ctx, e.rejection)
		}
		if mode == seawall.Shadow {
			b.counts.shadowRejected.Add(1)
		}
		return seawall.NewPermit(b, seawall.Ticket{}), nil
	}
}

// answer is what an era says to a call.
type answer uint8

const (
	refused answer = iota
	admitted
	askAgain // another era may say otherwise
)

// ask asks an era, by its state, for a call that begins now.
func (b *Breaker) ask(e *era, now time.Duration) answer {
	switch e.state {
	case Open:
		if now < e.until {
			return refused
		}
		b.startProbing(e)
		return askAgain
	case HalfOpen:
		if !b.takeProbe(e) {
			if b.era.Load() != e {
				return askAgain // its verdict is out
			}
			return refused
		}
	case Ramping:
		if !e.step.admits() {
			return refused
		}
	case Closed:
	}
	if e.tracking != nil && !e.tracking.begin(now) {
		switch e.state { // what was taken is given back
		case HalfOpen:
			e.probes.out.Add(-1)
		case Ramping:
			e.step.arrivals.Add(-1)
		case Open, Closed:
		}
		return askAgain // with a later time
	}
	if e.step != nil {
		e.step.letIn()
	}
	return admitted
}

func (b *Breaker) reject(ctx context.Context, r *seawall.RejectedError) error {
	b.counts.rejection(r.Reason).Add(1)
	if record := seawall.RecordOf(ctx); record != nil {
		record.Note(func(f *seawall.Facts) { f.DecidedBy, f.Reason = b.String(), r.Reason })
	}
	return r
}

// forcedRejection makes the rejection once: the same value does for all calls.
func (b *Breaker) forcedRejection() *seawall.RejectedError {
	if r := b.forced.Load(); r != nil {
		return r
	}
	r := reject(b.name, seawall.ReasonForced, 0)
	b.forced.Store(r)
	return r
}

// Config returns the configuration in force, defaults filled in.
func (b *Breaker) Config() Config { return b.era.Load().settings.Config }

// Name returns the breaker's name.
func (b *Breaker) Name() string { return b.name }

// String returns such as: breaker "payments".
func (b *Breaker) String() string { return fmt.Sprintf("%s %q", kind, b.name) }

// State returns the state. It is true without traffic: once its time is over, an open breaker is [HalfOpen], and calls
// that hang open a closed one.
func (b *Breaker) State() State {
	e, now := b.era.Load(), mono.Now()
	if now >= e.due() || e.ahead(now) {
		b.catchUp(now)
		e = b.era.Load()
	}
	return e.stateAt(now)
}
