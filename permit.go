package seawall

import "sync/atomic"

// Ticket is what a [Gate] notes on a permit and sees again when the call ends.
type Ticket struct {
	// Generation is the period of the gate's state in which the call was admitted. An end that comes in a later one
	// is late, and must change nothing.
	Generation uint64
	// Start is the gate's own, such as a reading of its clock or an index.
	Start int64
	// Answer is the gate's own as well, noted when the answer began; see [Timekeeper]. It is 0 before.
	Answer int64
}

// Issuer is the side of a [Gate] that its permits report to.
type Issuer interface {
	// Release ends a call: err is nil for success. It returns false if the end was late and so dropped. A slot that
	// the call held comes back in either case.
	Release(t Ticket, err error) bool
}

// Timekeeper is an [Issuer] that judges a call by the time it took as well: breaker, adaptive bulkhead.
type Timekeeper interface {
	Issuer
	// Answered is told that the answer to a call has begun. It returns the ticket for Release, with Answer set.
	Answered(t Ticket) Ticket
}

// Permit is the right to make one call through a [Gate]. Its holder calls Done when the call has ended, on every path.
//
// A Permit must not be copied once it is in use; go vet finds copies. The zero Permit belongs to no gate, and its Done
// does nothing.
type Permit struct {
	issuer Issuer
	ticket Ticket
	used   atomic.Bool // Done was called; it also lets go vet report copies
}

// NewPermit makes the permit that a gate's Acquire returns.
func NewPermit(issuer Issuer, t Ticket) Permit { return Permit{issuer: issuer, ticket: t} }

// Done tells the gate that the call has ended: nil is success, other errors are judged by the gate's classifier. It
// returns false when that changed nothing, because the end came late, in a later period of the gate's state, or was told
// before. Done is safe for concurrent use; the first one counts.
//
// An error that is only the caller's own cancellation is no fault of the dependency: tell Done(Settle(ctx, err)).
func (p *Permit) Done(err error) bool {
	if p.issuer == nil || !p.used.CompareAndSwap(false, true) {
		return false
	}
	return p.issuer.Release(p.ticket, err)
}

// Answered tells the gate that the answer has begun, such as the headers of a response. What passes from then on until Done
// is not taken for the dependency's time: how long a body takes is up to its size and its reader. The slot is held until
// Done all the same. Answered is called before Done, by one goroutine. A second one changes nothing, nor does one for a
// gate that does not go by time.
func (p *Permit) Answered() {
	if k, ok := p.issuer.(Timekeeper); ok && p.ticket.Answer == 0 {
		p.ticket = k.Answered(p.ticket)
	}
}

// end is Done for a walk, whose frame has the only hand on its permit.
func (p *Permit) end(err error) {
	if p.issuer != nil {
		p.issuer.Release(p.ticket, err)
	}
}
