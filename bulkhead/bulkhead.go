package bulkhead

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seawall-go/seawall"
)

const kind = "bulkhead"

var (
	_ seawall.Gate   = (*Bulkhead)(nil)
	_ seawall.Issuer = (*Bulkhead)(nil)
	_ seawall.Member = (*Bulkhead)(nil)
)

// Bulkhead lets a limited number of calls run at once, and a limited number wait for their turn; it is a
// [seawall.Gate]. Use [Bulkhead.Do], or a bulkhead as a member of [seawall.Chain]; where a call does not begin and end
// in one function, such as a stream, use [Bulkhead.Acquire] and the permit's Done.
//
// A Bulkhead is made by [New]; its zero value is not usable. It is safe for concurrent use. Getting in and out while
// nobody waits costs some 25 ns: one compare-and-swap each, no lock, no reading of the clock and no allocation. A
// rejection because all is full costs about the same. A call that waits takes a lock and allocates.
type Bulkhead struct {
	kind     string
	name     string
	registry *seawall.Registry
	settings atomic.Pointer[settings] // written under mu
	refusals [refusalCount]atomic.Pointer[seawall.RejectedError]

	_     [64]byte // every call writes the state: keep it off the line of what every call reads
	state state    // changes of the number of waiting calls are made under mu
	_     [64]byte

	mu     sync.Mutex // guards the fields below
	queue  queue
	pace   pace
	folded int64 // admissions that are no longer counted in the state

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
	return b
}

// newEngine makes a bulkhead that is in no registry: the slots and the queue inside of another gate. Its rejections carry
// the kind and the field name, so that the gate registers that field. cfg is valid.
func newEngine(kind, name string, registry *seawall.Registry, cfg Config) *Bulkhead {
	cfg.Registry = registry
	b := &Bulkhead{kind: kind, name: name, registry: registry}
	b.settings.Store(newSettings(cfg))
	return b
}

// Do runs op when there is a slot for it, and gives the slot back when op has ended, also by a panic or runtime.Goexit.
// It returns op's error, or that of [Bulkhead.Acquire]. Do inside of op takes a second slot.
func (b *Bulkhead) Do(ctx context.Context, op func(context.Context) error) error {
	return seawall.Do(ctx, b, op)
}

// Acquire asks for a slot. It waits in the queue if none is free, never beyond ctx. The permit's Done gives the slot
// back, and is to be called on every path.
//
// The error is a [*seawall.RejectedError], which matches [ErrFull] and [seawall.ErrRejected], or it matches the cause
// of ctx: it is that cause if ctx was done before, and wraps it if ctx ended while the call waited. The latter is
// judged as [seawall.Ignored], since the dependency was not asked.
func (b *Bulkhead) Acquire(ctx context.Context) (seawall.Permit, error) {
	h, err := b.enter(ctx)
	if err != nil || h == nothing {
		return seawall.Permit{}, err
	}
	return seawall.NewPermit(b, seawall.Ticket{Generation: uint64(h)}), nil
}

// enter is Acquire without the permit. What it returns without an error is to be given to exit, once; that does nothing
// for nothing.
func (b *Bulkhead) enter(ctx context.Context) (holding, error) {
	if ctx.Err() != nil {
		return nothing, context.Cause(ctx)
	}
	s := b.settings.Load()
	for w := b.state.load(); w.occupied() < s.free && !w.countFull(); w = b.state.load() {
		if b.state.swap(w, w+oneAdmitted+oneInUse) {
			return slot, nil
		}
	}
	return b.decide(ctx, s)
}

// decide is Acquire for a call that does not get a slot for the asking. Only Acquire handles permits: they are large,
// and each function that one goes through copies it.
func (b *Bulkhead) decide(ctx context.Context, s *settings) (holding, error) {
	switch s.Mode {
	case seawall.ForcedOpen:
		return nothing, b.reject(ctx, forced, 0)
	case seawall.ForcedClosed:
		return b.letIn(slot), nil
	case seawall.Shadow:
		return b.rehearse(s), nil
	case seawall.Off:
		return nothing, nil
	case seawall.Enforce:
	}
	// In overload this is the end of most calls, so it takes no lock.
	if w := b.state.load(); w.occupied() >= s.free && w.waiting() >= s.places {
		return nothing, b.reject(ctx, s.whenFull, 0)
	}
	return b.queueUp(ctx)
}

// Release is called by the permit: call its Done instead. A bulkhead does not judge how a call ended, and no end is
// late: Release returns false only for a ticket that this bulkhead cannot have issued.
func (b *Bulkhead) Release(t seawall.Ticket, _ error) bool { return b.exit(holding(t.Generation)) }

// exit gives back what a call held.
func (b *Bulkhead) exit(h holding) bool {
	switch h {
	case slot:
	case slotBeyond:
		b.counts.beyond.Add(-1)
	default:
		return false
	}
	for w := b.state.load(); w.waiting() == 0; w = b.state.load() {
		if w.inUse() == 0 {
			return false
		}
		// That the swap succeeds means that nobody waits at that instant: whoever comes to wait later finds the slot.
		if b.state.swap(w, w-oneInUse) {
			return true
		}
	}
	b.handOver()
	return true
}

// Name returns the name under which the registry knows the bulkhead.
func (b *Bulkhead) Name() string { return b.name }

// String returns such as: bulkhead "inventory".
func (b *Bulkhead) String() string { return fmt.Sprintf("%s %q", b.kind, b.name) }

// holding is what a call holds while it runs. It is the Generation of its permit's ticket.
type holding int64

const (
	nothing holding = iota // it passes uncounted: its permit belongs to no gate
	slot
	slotBeyond // a slot that enforce mode would not have given
)
