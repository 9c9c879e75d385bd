package verdict

import (
	"slices"

	"github.com/seawall-go/seawall/demo/internal/load"
)

// orders is I4: the id of an order is its idempotency key, so however often a request was repeated on the way, the
// order has the seats that its customer asked for, all of them or none, and each once.
func orders(e Evidence) Finding {
	f := Finding{ID: "I4", Claim: "a repeated request makes one order", Safety: true}
	asked := map[string]load.Answer{}
	for _, a := range e.Answers {
		if a.Kind == load.Hold {
			asked[a.Order] = a
		}
	}
	var v violation
	byOrder := map[string][]holding{}
	holdings, _ := e.Ledger.holdings()
	for _, h := range holdings {
		byOrder[h.order] = append(byOrder[h.order], h)
	}
	for order, list := range byOrder {
		begun := e.clock(list[0].from)
		a, known := asked[order]
		if !known {
			v.add(begun, "order %s was given %v at %s, and no customer asked for it", order, list[0].seat, at(begun))
			continue
		}
		given := map[int64]bool{}
		for _, h := range list {
			when := e.clock(h.from)
			switch {
			case h.performance != a.Performance || !slices.Contains(a.Seats, h.seat.seat):
				v.add(when, "order %s was given %v at %s, and its customer asked for the seats %v of performance %d",
					order, h.seat, at(when), a.Seats, a.Performance)
			case given[h.seat.seat]:
				v.add(when, "order %s was given %v twice, the second time at %s", order, h.seat, at(when))
			}
			given[h.seat.seat] = true
		}
		if n := slices.IndexFunc(a.Seats, func(s int64) bool { return !given[s] }); n >= 0 {
			v.add(begun, "order %s was given some of the seats %v of performance %d, and not seat %d",
				order, a.Seats, a.Performance, a.Seats[n])
		}
	}
	return v.into(f)
}
