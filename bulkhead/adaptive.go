package bulkhead

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/events"
	"github.com/seawall-go/seawall/internal/mono"
)

var (
	_ seawall.Gate      = (*Adaptive)(nil)
	_ seawall.Issuer    = (*Adaptive)(nil)
	_ seawall.Member    = (*Adaptive)(nil)
	_ seawall.Describer = (*Adaptive)(nil)
	_ seawall.Keeper    = (*Adaptive)(nil)
)

// Adaptive is a bulkhead that finds its limit by itself, from how long the calls take and how they end: it admits as many
// at once as the server, or the dependency, can work on. It is a [seawall.Gate], and stands best at the door of a server;
// see [KneeConfig] for what it does there, and for where it is blind. Where a limit is known, such as the size of a
// connection pool, use [Bulkhead].
//
// Its slots and its queue are those of a [Bulkhead], with priorities, shares and deadlines. Each call takes one slot.
//
// An Adaptive is made by [NewAdaptive]; its zero value is not usable. It is safe for concurrent use. A call that does not
// have to wait costs what one through a Bulkhead does, and two readings of the clock and two additions to counters that
// hardly any two calls share: no lock and no allocation. Once in a window one call takes the time to move the limit.
type Adaptive struct {
	engine   *Bulkhead // has the name and the registry as well
	settings atomic.Pointer[adaptiveSettings]
	plan     atomic.Pointer[plan]

	_    [128]byte   // written once in a period at the most: off the lines of what is not
	full atomic.Bool // the limit was reached
	_    [128]byte

	ends ends

	mu        sync.Mutex // guards the fields below, and the writing of settings and plan; taken before the engine's
	algorithm algorithm
	begun     time.Duration // when the period began
	counted   tally         // what the periods before it have counted
	drains    int64
	told      told
	events    events.Queue[LimitEvent]
}

// adaptiveSettings is an AdaptiveConfig made ready for the path of a call.
type adaptiveSettings struct {
	AdaptiveConfig
	learns bool // the limit is kept, so that something can be learned from it
}

func newAdaptiveSettings(cfg AdaptiveConfig) *adaptiveSettings {
	s := &adaptiveSettings{AdaptiveConfig: cfg.withDefaults(), learns: cfg.Mode == seawall.Enforce}
	if s.Classify == nil {
		s.Classify = seawall.Classify
	}
	return s
}

// NewAdaptive makes an adaptive bulkhead and enters it into the registry. The name is used in errors, metrics and events;
// if another living bulkhead of the registry has it, a number is added. NewAdaptive panics if cfg is not valid.
func NewAdaptive(name string, cfg AdaptiveConfig) *Adaptive {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	s := newAdaptiveSettings(cfg)
	a := &Adaptive{
		engine:    newEngine(kind, name, cfg.Registry, s.engine(s.Initial)),
		ends:      newEnds(),
		algorithm: newAlgorithm(s.AdaptiveConfig, s.Initial),
		begun:     mono.Now(),
		told:      told{limit: s.Initial},
	}
	a.settings.Store(s)
	p := a.algorithm.begin(a.begun)
	p.floor = a.begun - time.Minute
	a.plan.Store(&p)
	seawall.Register(cfg.Registry, kind, &a.engine.name, a)
	a.engine.waits = seawall.NewTiming(cfg.Registry, seawall.QueueWait, kind, a.engine.name)
	return a
}

// Do runs op when there is a slot for it, and gives the slot back when op has ended, also by a panic or runtime.Goexit.
// It returns op's error, or that of [Adaptive.Acquire]. Do inside of op takes a second slot.
func (a *Adaptive) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, a, op)
}

// Acquire asks for a slot. It waits in the queue if there is none, never beyond ctx. The permit's Done gives it back, and
// tells how the call ended; it is to be called on every path, and at once: what passes until then is taken for latency.
//
// The error is a [*seawall.RejectedError], which matches [ErrFull] and [seawall.ErrRejected], or it matches the cause
// of ctx, as with [Bulkhead.Acquire].
func (a *Adaptive) Acquire(ctx context.Context) (seawall.Permit, error) {
	h, err := a.engine.enter(ctx)
	if err != nil || h == nothing {
		return seawall.Permit{}, err
	}
	if a.engine.state.load().inUse() >= a.plan.Load().limit && !a.full.Load() {
		a.full.Store(true)
	}
	return seawall.NewPermit(a, seawall.Ticket{Generation: uint64(h), Start: int64(mono.Now())}), nil
}

// Release is called by the permit: call its Done instead. No end is late: Release returns false only for a ticket that
// this bulkhead cannot have issued.
func (a *Adaptive) Release(t seawall.Ticket, err error) bool {
	h, now := holding(t.Generation), mono.Now()
	took := max(0, now-time.Duration(t.Start))
	if h&hasWaited != 0 {
		a.engine.served(took)
	}
	if t.Answer != 0 {
		took = time.Duration(t.Answer)
	}
	if !a.engine.exit(h) {
		return false
	}
	if err == nil {
		a.succeeded(now, took)
	} else {
		a.judge(now, took, err)
	}
	return true
}

// Answered is called by the permit: what passes from here on is not latency, though the slot is in use.
func (a *Adaptive) Answered(t seawall.Ticket) seawall.Ticket {
	t.Answer = max(1, int64(mono.Now())-t.Start)
	return t
}

func (a *Adaptive) succeeded(now, took time.Duration) {
	p := a.plan.Load()
	if took > p.late {
		a.ends.add(now, endedLate)
	} else {
		a.ends.addLatency(now, min(took, p.clip))
	}
	if now >= p.until || now < p.floor {
		a.endPeriod(now)
	}
}

// judge counts the end of a call that had an error. The slot is free by then, whatever the classifier does.
func (a *Adaptive) judge(now, took time.Duration, err error) {
	outcome := seawall.Failure // also if the classifier panics
	defer func() {
		switch {
		case outcome == seawall.Success:
			a.succeeded(now, took)
			return
		case outcome == seawall.Overload:
			a.ends.add(now, endedOverloaded)
		case outcome != seawall.Failure:
			a.ends.add(now, endedIgnored)
		case took > a.plan.Load().slow, timedOut(err) && took > a.plan.Load().vain:
			a.ends.add(now, endedTimedOut)
		case timedOut(err):
			a.ends.add(now, endedInVain)
		default:
			a.ends.add(now, endedFailed)
		}
		if p := a.plan.Load(); now >= p.until || now < p.floor {
			a.endPeriod(now)
		}
	}()
	if err == seawall.ErrCanceled { //nolint:errorlint // the policies pass it bare
		outcome = seawall.Ignored
		return
	}
	outcome = a.settings.Load().Classify(err).Outcome
}

// timedOut reports whether an error says of itself that it is a timeout, as those of contexts, of connections and of our
// own time limits do.
func timedOut(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

// endPeriod lets the algorithm learn, if it has seen enough and nobody else is at it, and tells what came of it.
func (a *Adaptive) endPeriod(now time.Duration) {
	if !a.mu.TryLock() {
		return
	}
	a.endPeriodLocked(now)
	a.mu.Unlock()
	a.events.Tell(a.tell)
}

func (a *Adaptive) endPeriodLocked(now time.Duration) {
	if now < a.plan.Load().floor && a.settings.Load().learns { // what was learned is of another time
		a.algorithm = newAlgorithm(a.settings.Load().AdaptiveConfig, a.algorithm.learned())
		a.told.at, a.told.floor = min(a.told.at, now), min(a.told.floor, now)
		a.startLocked(a.algorithm.begin(now), a.ends.sum(), now)
		return
	}
	if now < a.plan.Load().until || !a.settings.Load().learns {
		return
	}
	sum := a.ends.sum()
	p := sum.since(&a.counted)
	if p.calls() < a.plan.Load().calls {
		return
	}
	p.begin, p.end, p.full = a.begun, now, a.full.Load()
	a.startLocked(a.algorithm.learn(p), sum, now)
	a.noteLocked(now)
}

// startLocked puts a plan in force.
func (a *Adaptive) startLocked(p plan, sum tally, now time.Duration) {
	if p.limit < a.algorithm.learned() && a.plan.Load().limit >= a.algorithm.learned() {
		a.drains++
	}
	a.counted, a.begun = sum, now
	a.full.Store(false)
	p.floor = now - time.Minute
	a.plan.Store(&p)
	if a.engine.settings.Load().Limit != p.limit {
		a.engine.setLimit(p.limit)
	}
}

// Name returns the name under which the registry knows the bulkhead.
func (a *Adaptive) Name() string { return a.engine.name }

// String returns such as: bulkhead "inventory".
func (a *Adaptive) String() string { return a.engine.String() }

// Traits returns the kind, for [seawall.Pipeline.Lint].
func (a *Adaptive) Traits() seawall.Traits { return a.engine.Traits() }

// Keep reports whether slots are in use, calls wait, or the mode is not the one that the bulkhead was made with; see
// [seawall.Keeper]. A limit that was learned is no reason: it is soon learned again.
func (a *Adaptive) Keep() bool { return a.engine.Keep() }
