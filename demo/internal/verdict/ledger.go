package verdict

import "time"

// Ledger is what an arm's databases say when its traffic has ended. All times in it are of one clock.
type Ledger struct {
	// Now is when it was read.
	Now time.Time
	// Capacity is how many seats each performance has on sale.
	Capacity map[int64]int
	// Events are the beginnings and ends of all holds, one for each seat, in the order in which they were committed.
	Events []Event
	// Claims are the seats that are claimed now, in any order.
	Claims []Claim
}

// Event is what happened to one seat of a hold.
type Event struct {
	At          time.Time
	Kind        EventKind
	Order       string
	Performance int64
	Seat        int64
	// Expires is when a hold that begins is to end by itself. Nothing for other kinds.
	Expires time.Time
}

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of events.
const (
	Held     EventKind = "held"
	Expired  EventKind = "expired"  // its time was over, and it was removed or taken over by another order
	Released EventKind = "released" // its order gave it back
)

// Claim is a seat that is claimed.
type Claim struct {
	Performance, Seat int64
	Order             string
	// Expires is when the claim ends by itself; the zero time if it does not.
	Expires time.Time
}

// holding is the time for which a seat belonged to an order.
type holding struct {
	seat
	order         string
	from, expires time.Time
	end           EventKind // open, Expired or Released
	until         time.Time // means nothing while open
}

type seat struct{ performance, seat int64 }

const open EventKind = ""

// holdings puts beginnings and ends together, in the order of the beginnings. An end without a beginning is returned as
// stray.
func (l Ledger) holdings() (all []holding, stray []Event) {
	type key struct {
		seat
		order string
	}
	last := map[key]int{}
	for _, e := range l.Events {
		k := key{seat{e.Performance, e.Seat}, e.Order}
		n, begun := last[k]
		switch {
		case e.Kind == Held:
			last[k] = len(all)
			all = append(all, holding{seat: k.seat, order: e.Order, from: e.At, expires: e.Expires})
		case !begun || all[n].end != open:
			stray = append(stray, e)
		default:
			all[n].end, all[n].until = e.Kind, e.At
		}
	}
	return all, stray
}
