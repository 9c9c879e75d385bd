package breaker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

// Breaker is a circuit breaker, a [seawall.Gate]. Make it with [New], one for each dependency whose health is one thing,
// and share it: it is safe for concurrent use.
//
// A call through a closed breaker costs some 50 ns: one reading of the clock and a few atomic operations. It takes no lock
// and allocates nothing, but for one call in each step of the window, a tenth of it. A rejection does not allocate either.
type Breaker struct {
	name   string
	random func() float64 // uniform in [0, 1)
	era    atomic.Pointer[era]
	forced atomic.Pointer[seawall.RejectedError] // of seawall.ForcedOpen; nil until the first

	mu         sync.Mutex // guards the fields below, and every change of era
	earlier    totals     // recorded by the windows of earlier eras
	opened     int64      // times opened
	events     []Event    // not yet delivered
	delivering bool

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
	b := &Breaker{name: name, random: rand.Float64}
	b.era.Store(era{generation: 1, since: now, window: newWindow(s.Window, now)}.with(s))
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
// the permit's Done, on every path: a probe that is never told to have ended counts as a failure after Probes.Timeout.
func (b *Breaker) Acquire(ctx context.Context) (seawall.Permit, error) {
	if ctx.Err() != nil {
		return seawall.Permit{}, context.Cause(ctx)
	}
	if e := b.era.Load(); e.passes {
		return seawall.NewPermit(b, seawall.Ticket{Generation: e.generation}), nil
	}
	return b.acquireSlowly(ctx)
}

func (b *Breaker) acquireSlowly(ctx context.Context) (seawall.Permit, error) {
	for {
		e := b.era.Load()
		mode := e.settings.Mode
		switch {
		case mode == seawall.Off:
			return seawall.Permit{}, nil
		case mode == seawall.ForcedOpen:
			return seawall.Permit{}, b.reject(ctx, b.forcedRejection())
		case e.passes:
			return seawall.NewPermit(b, seawall.Ticket{Generation: e.generation}), nil
		case e.state == Open && mono.Now() >= e.until:
			b.startProbing(e)
			continue
		case e.state == HalfOpen:
			if b.takeProbe(e) {
				return seawall.NewPermit(b, seawall.Ticket{Generation: e.generation}), nil
			}
			if b.era.Load() != e {
				continue // its verdict is out
			}
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

func (b *Breaker) reject(ctx context.Context, r *seawall.RejectedError) error {
	b.counts.rejected.Add(1)
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

func (b *Breaker) startProbing(e *era) {
	b.mu.Lock()
	defer b.deliver()
	defer b.mu.Unlock()
	if now := b.era.Load(); now.generation == e.generation {
		b.probeLocked(now)
	}
}

// takeProbe takes one of the probes. If all are out for longer than they may be, those that have not ended are taken as
// failures, which ends the era.
func (b *Breaker) takeProbe(e *era) bool {
	p, limit, timeout := e.probes, int64(e.settings.Probes.Calls), e.settings.Probes.Timeout
	now := mono.Now()
	if p.out.Load() >= limit && now-time.Duration(p.latest.Load()) < timeout {
		return false // the common case while probes are out: no lock
	}
	b.mu.Lock()
	switch {
	case b.era.Load() != e:
	case p.out.Load() < limit:
		p.out.Add(1)
		p.latest.Store(int64(now))
		b.mu.Unlock()
		return true // and no event is delivered: a listener that does not return must not take the probe along
	case now-time.Duration(p.latest.Load()) >= timeout:
		p.failures = limit - p.successes
		b.judgeLocked(e)
	}
	b.mu.Unlock()
	b.deliver()
	return false
}

// Release ends a call; it is what a permit's Done calls. It returns false if the call's generation is over, and changes
// no state then.
func (b *Breaker) Release(t seawall.Ticket, err error) bool {
	e := b.era.Load()
	if err == nil {
		return b.settle(e, t, seawall.Success)
	}
	judged := false
	defer func() {
		if !judged { // the classifier panicked: the call has ended all the same, and a probe must not stay out
			b.settle(e, t, seawall.Failure)
		}
	}()
	outcome := judge(e.settings, err)
	judged = true
	return b.settle(e, t, outcome)
}

// judge asks the classifier, outside of all locks. What only the policies know is not left to it.
func judge(s *settings, err error) seawall.Outcome {
	if err == seawall.ErrCanceled { //nolint:errorlint // the policies pass it bare
		return seawall.Ignored
	}
	return s.Classify(err).Outcome
}

func (b *Breaker) settle(e *era, t seawall.Ticket, outcome seawall.Outcome) bool {
	for ; t.Generation == e.generation; e = b.era.Load() {
		if outcome == seawall.Ignored || outcome == seawall.Overload {
			b.counts.neutral(outcome)
			b.giveBack(e)
			return true
		}
		failure := outcome == seawall.Failure
		if e.state == HalfOpen {
			if b.endProbe(e, failure) {
				return true
			}
			continue
		}
		in, ok := e.window.record(failure)
		if !ok {
			continue // the window was replaced, by a transition or by an update
		}
		if e.settings.trips(in) {
			b.trip(e.window)
		}
		return true
	}
	b.counts.outside(t, outcome)
	return false
}

// endProbe counts the end of a probe. It returns false if the era is over.
func (b *Breaker) endProbe(e *era, failure bool) bool {
	b.mu.Lock()
	defer b.deliver()
	defer b.mu.Unlock()
	if b.era.Load() != e {
		return false
	}
	if failure {
		e.probes.failures++
	} else {
		e.probes.successes++
	}
	b.counts.judged(failure)
	b.judgeLocked(e)
	return true
}

// giveBack frees the slot of a probe whose end says nothing.
func (b *Breaker) giveBack(e *era) {
	if e.state == HalfOpen {
		e.probes.out.Add(-1)
	}
}

// Config returns the configuration in force, defaults filled in.
func (b *Breaker) Config() Config { return b.era.Load().settings.Config }

// Name returns the breaker's name.
func (b *Breaker) Name() string { return b.name }

// String returns such as: breaker "payments".
func (b *Breaker) String() string { return fmt.Sprintf("%s %q", kind, b.name) }

// State returns the state. It is true without traffic: once its time is over, an open breaker is [HalfOpen].
func (b *Breaker) State() State { return b.era.Load().stateAt(mono.Now()) }

func (e *era) stateAt(now time.Duration) State {
	if e.state == Open && now >= e.until {
		return HalfOpen
	}
	return e.state
}
