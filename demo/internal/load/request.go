package load

import "time"

// Kind is what a customer asks for.
type Kind string

// The kinds of this cut.
const (
	// SeatMap reads which seats of a performance are free.
	SeatMap Kind = "seatmap"
	// Catalog reads what is on.
	Catalog Kind = "catalog"
	// Hold reserves seats for an order.
	Hold Kind = "hold"
)

// kinds are all of them, in the order in which they are shown and drawn.
var kinds = []Kind{SeatMap, Catalog, Hold}

// Read reports whether the kind changes nothing.
func (k Kind) Read() bool { return k != Hold }

// Request is one arrival: what one customer wants. All arms get the same value.
type Request struct {
	// N is the number of the arrival in its scene, from 1. With the number of the attempt it keys every draw that is made
	// for the request.
	N uint64
	// At is when it is to be sent, on the clock of the scene: latency counts from here.
	At   time.Duration
	Kind Kind
	// Customer is whose request it is: the number of an account.
	Customer int64
	// Performance is which show it is about. 0 for Catalog.
	Performance int64
	// Seats are the seats of a Hold, at least one, ascending in the order of the house. Whoever gets the request shares
	// them and must not change them.
	Seats []int64
	// Order is the id of the order that a Hold is for, unique in its scene. A customer who repeats a Hold sends the same one: it
	// is the idempotency key. Empty otherwise.
	Order string
}

// Answer is what came of a request, as the customer saw it.
type Answer struct {
	Request

	// Sent and Done are when the request was really sent, and when the answer was complete or given up, on the clock of
	// the scene. Whoever drives the load sets them, alike for all arms.
	Sent, Done time.Duration

	// Status is the HTTP status, 0 if there was none.
	Status int
	// Err says why there is no answer, or none that can be read. Empty otherwise.
	Err string
	// Valid says that the body was validated: it is complete, and about what was asked for.
	Valid bool
	// Stale says that the answer marks itself as older than it should be.
	Stale bool
	// Age is how old the data of a read is by its own word. 0 if it says nothing.
	Age time.Duration
	// Conflict says that the seats are taken: an honest no.
	Conflict bool
	// Pushback says that the box office refused to do the work, as 429 or 503 with a hint does.
	Pushback bool
}

// Latency is the time from the intended send to the end.
func (a Answer) Latency() time.Duration { return a.Done - a.At }

// LateAfter is how much later than intended a request may be sent. Later ones are counted: then the machine that makes
// the load is short of time, and not what is measured.
const LateAfter = 10 * time.Millisecond

// Late reports whether the request was sent more than [LateAfter] later than intended.
func (a Answer) Late() bool { return a.Sent-a.At > LateAfter }
