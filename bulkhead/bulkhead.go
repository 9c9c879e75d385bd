package bulkhead

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/mono"
)

const kind = "bulkhead"

var (
	_ seawall.Gate      = (*Bulkhead)(nil)
	_ seawall.Issuer    = (*Bulkhead)(nil)
	_ seawall.Member    = (*Bulkhead)(nil)
	_ seawall.Describer = (*Bulkhead)(nil)
	_ seawall.Keeper    = (*Bulkhead)(nil)
)

// Bulkhead lets a limited number of calls run at once, and a limited number wait for their turn; it is a
// [seawall.Gate]. Use [Bulkhead.Do], or a bulkhead as a member of [seawall.Chain]; where a call does not begin and end
// in one function, such as a stream, use [Bulkhead.Acquire] and the permit's Done.
//
// A Bulkhead is made by [New]; its zero value is not usable. It is safe for concurrent use. Getting in and out while
// nobody waits costs some 25 ns: one atomic operation each, no lock, no reading of the clock and no allocation. A
// rejection because all is full costs about the same. A call that waits takes a lock, reads the clock and allocates.
type Bulkhead struct {
	kind     string
	name     string
	registry *seawall.Registry
	settings atomic.Pointer[settings] // written under mu
	refusals [refusalCount]atomic.Pointer[seawall.RejectedError]
	waits    *seawall.Timing

	_     [128]byte // every call writes the state: keep it off the lines of what every call reads
	state state     // changes of the number of waiting calls are made under mu
	_     [128]byte

	mu      sync.Mutex // guards the fields below
	queue   queue
	pace    pace
	service service
	dues    dues
	crowds  [levels]crowd
	drops   drops
	shedder *shedder // nil while there is no overload that calls for it
	folded  int64    // admissions that are no longer counted in the state

	// pushers has a bit for each level whose newcomer would get a place in a full queue, at another's cost. It is written
	// under mu, and read without, by calls that would else be turned away.
	pushers atomic.Uint32
	// foretold is how long a newcomer of each level would wait at the end of a full queue. It is written and read as
	// pushers is.
	foretold [levels]atomic.Int64
	fulls    [levels]atomic.Pointer[seawall.RejectedError] // that say so; nil if the queue has moved since

	_      [64]byte
	counts counts
}

// New makes a bulkhead and enters it into the registry. The name is used in errors, metrics and events; if another
// living bulkhead of the registry has it, a number is added. New panics if cfg is not valid.
func New(name string, cfg Config) *Bulkhead {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	b := newEngine(kind, name, cfg.Registry, cfg)
	seawall.Register(cfg.Registry, kind, &b.name, b)
	b.waits = seawall.NewTiming(cfg.Registry, seawall.QueueWait, kind, b.name)
	return b
}

// newEngine makes a bulkhead that is in no registry: the slots and the queue inside of another gate. Its rejections
// carry the kind and the field name, so that the gate registers that field. cfg is valid.
func newEngine(kind, name string, registry *seawall.Registry, cfg Config) *Bulkhead {
	cfg.Registry = registry
	b := &Bulkhead{kind: kind, name: name, registry: registry}
	s := newSettings(cfg)
	b.settings.Store(s)
	b.queue.most = s.Limit
	return b
}

// Do runs op when there is a slot for it, and gives the slot back when op has ended, also by a panic or runtime.Goexit.
// It returns op's error, or that of [Bulkhead.Acquire]. Do inside of op takes a second slot.
func (b *Bulkhead) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, b, op)
}

// Acquire asks for a slot, or for as many as Config.Weight says. It waits in the queue if there are none, never beyond
// ctx. The permit's Done gives them back, and is to be called on every path.
//
// The error is a [*seawall.RejectedError], which matches [ErrFull] and [seawall.ErrRejected], or it matches the cause
// of ctx: it is that cause if ctx was done before, and wraps it if ctx ended while the call waited. The latter is
// judged as [seawall.Ignored], since the dependency was not asked.
//
// A rejection tells when to come back, once the pace of the queue is known; not where there is no queue, nor to the users
// whom [ByUser] turns away.
func (b *Bulkhead) Acquire(ctx context.Context) (seawall.Permit, error) {
	if ctx.Err() != nil {
		return seawall.Permit{}, context.Cause(ctx)
	}
	if s := b.settings.Load(); s.Weight == nil { // the usual case of enter, without a call for it
		if w := b.state.load(); w < s.free && !w.countFull() && b.state.swap(w, w+oneInUse+oneAdmitted) {
			return seawall.NewPermit(b, seawall.Ticket{Generation: uint64(slot)}), nil
		}
	}
	h, err := b.enterAlive(ctx)
	if err != nil || h == nothing {
		return seawall.Permit{}, err
	}
	t := seawall.Ticket{Generation: uint64(h)}
	if h&hasWaited != 0 {
		t.Start = int64(mono.Now())
	}
	return seawall.NewPermit(b, t), nil
}

// enter is Acquire without the permit. What it returns without an error is to be given to exit, once; that does nothing
// for nothing.
func (b *Bulkhead) enter(ctx context.Context) (holding, error) {
	if ctx.Err() != nil {
		return nothing, context.Cause(ctx)
	}
	return b.enterAlive(ctx)
}

// enterAlive is enter for a context that was not done when the call came.
func (b *Bulkhead) enterAlive(ctx context.Context) (holding, error) {
	s := b.settings.Load()
	if s.Weight != nil {
		return b.enterHeavy(ctx, s)
	}
	for w := b.state.load(); w < s.free && !w.countFull(); w = b.state.load() {
		if b.state.swap(w, w+oneInUse+oneAdmitted) {
			return slot, nil
		}
	}
	return b.decide(ctx, s, 1)
}

// enterHeavy is enter for a call that may take several slots.
func (b *Bulkhead) enterHeavy(ctx context.Context, s *settings) (holding, error) {
	asked := min(max(1, s.Weight(ctx)), maxLimit)
	n := min(asked, s.Limit)
	more := word(n-1) * oneInUse
	for w := b.state.load(); w < s.free-more && !w.countFull(); w = b.state.load() {
		if b.state.swap(w, w+more+oneInUse+oneAdmitted) {
			return holdingOf(slot, n), nil
		}
	}
	return b.decide(ctx, s, asked)
}

// decide is Acquire for a call that does not get its slots for the asking. Only Acquire handles permits: they are
// large, and each function that one goes through copies it.
func (b *Bulkhead) decide(ctx context.Context, s *settings, asked int) (holding, error) {
	switch s.Mode {
	case seawall.ForcedOpen:
		return nothing, b.reject(ctx, forced, 0)
	case seawall.ForcedClosed:
		return b.letIn(holdingOf(slot, min(asked, s.Limit))), nil
	case seawall.Shadow:
		return b.rehearse(s, min(asked, s.Limit)), nil
	case seawall.Off:
		return nothing, nil
	case seawall.Enforce:
	}
	c := newcomer{level: levelOf(ctx), asked: asked}
	// In overload this is the end of most calls, so it takes no lock.
	if w := b.state.load(); !s.counts && w >= s.free && w.waiting() >= s.places &&
		(s.places == 0 || b.pushers.Load()&c.level.bit() == 0) {
		return nothing, b.turnAwayFull(ctx, c.level, s.whenFull)
	}
	return b.queueUp(ctx, s, c)
}

// Release is called by the permit: call its Done instead. A bulkhead does not judge how a call ended, and no end is
// late: Release returns false only for a ticket that this bulkhead cannot have issued.
func (b *Bulkhead) Release(t seawall.Ticket, _ error) bool {
	h := holding(t.Generation)
	if h == slot { // the usual case of exit, without a call for it
		w := b.state.add(-oneInUse)
		if w < oneWaiting && w >= 0 {
			return true
		}
		return b.exited(w, oneInUse)
	}
	if h&hasWaited != 0 {
		b.served(mono.Now() - time.Duration(t.Start))
	}
	return b.exit(h)
}

// exit gives back what a call held.
func (b *Bulkhead) exit(h holding) bool {
	if h == slot { // as it nearly always is
		w := b.state.add(-oneInUse)
		if w < oneWaiting && w >= 0 {
			return true
		}
		return b.exited(w, oneInUse)
	}
	if !h.valid() {
		return false
	}
	if h&kindOf == slotBeyond&kindOf {
		b.counts.beyond.Add(-int64(h.slots()))
	}
	n := word(h.slots()) * oneInUse
	return b.exited(b.state.add(-n), n)
}

// exited goes on after n slots were taken out of the state, which is w since. A newcomer does not get them while
// anybody waits, so there is no hurry to find out who does.
func (b *Bulkhead) exited(w, n word) bool {
	switch {
	case w.short():
		b.state.add(n)
		return false
	case w.waiting() > 0:
		b.handOver()
	}
	return true
}

// Name returns the name under which the registry knows the bulkhead.
func (b *Bulkhead) Name() string { return b.name }

// String returns such as: bulkhead "inventory".
func (b *Bulkhead) String() string { return fmt.Sprintf("%s %q", b.kind, b.name) }

// Traits returns the kind and how long a call may wait, for [seawall.Pipeline.Lint].
func (b *Bulkhead) Traits() seawall.Traits {
	t := seawall.Traits{Kind: b.kind}
	if s := b.settings.Load(); s.places > 0 {
		t.Wait = s.Queue.MaxWait
	}
	return t
}

// Keep reports whether slots are in use, calls wait, or the mode is not the one that the bulkhead was made with. A
// family does not forget it then: see [seawall.Keeper].
func (b *Bulkhead) Keep() bool {
	w, s := b.state.load(), b.settings.Load()
	return w.inUse() > 0 || w.waiting() > 0 || s.Mode != s.made
}
