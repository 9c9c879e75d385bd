package verdict

import (
	"fmt"
	"slices"

	"github.com/seawall-go/seawall/demo/internal/load"
)

// seatsOnce is I1: what customers were told and what the databases say have one order in which all of it is true. Since
// it is known from when to when each seat belonged to whom, four things are left to check: that no two orders had a
// seat at once; that the claims that stand are those that the log of events leaves open; that whoever was told "held"
// was given the seats while it waited for the answer; and that whoever was told "taken" met another order's claim in
// that time.
func seatsOnce(e Evidence) Finding {
	f := Finding{
		ID: "I1", Claim: "no seat is held for two orders at once, and every answer about seats was true", Safety: true,
	}
	var v violation
	holdings, stray := e.Ledger.holdings()
	index := bySeat(holdings)
	for _, list := range index {
		for i, h := range list[:max(0, len(list)-1)] {
			if next := list[i+1]; h.end == open || next.from.Before(h.until) {
				v.add(e.clock(next.from), "%v was given to order %s at %s, and to order %s at %s before that ended",
					h.seat, h.order, at(e.clock(h.from)), next.order, at(e.clock(next.from)))
			}
		}
	}
	e.standing(&v, holdings, stray)
	for _, a := range e.Answers {
		if a.Kind == load.Hold && a.Valid && answered(a) {
			e.truth(&v, index, a)
		}
	}
	return v.into(f)
}

// String names the seat for people.
func (s seat) String() string { return fmt.Sprintf("seat %d of performance %d", s.seat, s.performance) }

// bySeat returns the holdings of each seat, in the order in which they began.
func bySeat(holdings []holding) map[seat][]holding {
	index := map[seat][]holding{}
	for _, h := range holdings {
		index[h.seat] = append(index[h.seat], h)
	}
	for _, list := range index {
		slices.SortStableFunc(list, func(a, b holding) int { return a.from.Compare(b.from) })
	}
	return index
}

// standing holds the table of claims against the log of events.
func (e Evidence) standing(v *violation, holdings []holding, stray []Event) {
	for _, s := range stray {
		when := e.clock(s.At)
		v.add(when, "%v: order %s %s it at %s, and did not hold it", seat{s.Performance, s.Seat}, s.Order, s.Kind, at(when))
	}
	now := e.clock(e.Ledger.Now)
	claims := map[seat]string{}
	for _, c := range e.Ledger.Claims {
		claims[seat{c.Performance, c.Seat}] = c.Order
	}
	for _, h := range holdings {
		if h.end != open {
			continue
		}
		if claims[h.seat] != h.order {
			v.add(now, "%v was given to order %s at %s, that has not ended, and the claims have %q for it",
				h.seat, h.order, at(e.clock(h.from)), claims[h.seat])
		}
		delete(claims, h.seat)
	}
	for s, order := range claims {
		v.add(now, "%v is claimed for order %s, and nothing says since when", s, order)
	}
}

// truth holds one answer against what its seats went through while the customer waited.
func (e Evidence) truth(v *violation, index map[seat][]holding, a load.Answer) {
	if a.Conflict {
		if !e.taken(index, a) {
			v.add(a.At, "order %s was told at %s that one of the seats %v of performance %d is taken, and none of them was",
				a.Order, at(a.Done), a.Seats, a.Performance)
		}
		return
	}
	for _, n := range a.Seats {
		s := seat{a.Performance, n}
		given := slices.ContainsFunc(index[s], func(h holding) bool {
			from := e.clock(h.from)
			return h.order == a.Order && from >= a.Sent-e.Slack && from <= a.Done+e.Slack
		})
		if !given {
			v.add(a.At, "order %s was told at %s that it holds %v, and was not given it while it waited", a.Order, at(a.Done), s)
		}
	}
}

// answered reports whether an answer to a hold says yes, or an honest no.
func answered(a load.Answer) bool { return a.Err == "" && (a.Conflict || success(a)) }

func success(a load.Answer) bool { return a.Status >= 200 && a.Status < 300 }

// taken reports whether another order may have had one of the seats while the customer waited.
func (e Evidence) taken(index map[seat][]holding, a load.Answer) bool {
	return slices.ContainsFunc(a.Seats, func(n int64) bool {
		return slices.ContainsFunc(index[seat{a.Performance, n}], func(h holding) bool {
			return h.order != a.Order && e.covers(h, a)
		})
	})
}
