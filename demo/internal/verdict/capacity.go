package verdict

import (
	"cmp"
	"slices"
	"time"
)

// capacity is I2: a performance never has more seats given away than it has.
func capacity(e Evidence) Finding {
	f := Finding{ID: "I2", Claim: "no performance gives away more seats than it has", Safety: true}
	byPerformance := map[int64][]change{}
	holdings, _ := e.Ledger.holdings()
	for _, h := range holdings {
		changes := append(byPerformance[h.performance], change{h.from, 1, h.order})
		if h.end != open {
			changes = append(changes, change{h.until, -1, h.order})
		}
		byPerformance[h.performance] = changes
	}
	var v violation
	for performance, changes := range byPerformance {
		// At one instant, an end comes first: a seat that is taken over is not counted twice.
		slices.SortStableFunc(changes, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), a.seats-b.seats) })
		given, most := 0, e.Ledger.Capacity[performance]
		for _, c := range changes {
			if given += c.seats; given > most && c.seats > 0 {
				when := e.clock(c.at)
				v.add(when, "performance %d has %d seats, and at %s order %s was given one more than that",
					performance, most, at(when), c.order)
			}
		}
	}
	return v.into(f)
}

// change is by how many seats more or less are given away from an instant on.
type change struct {
	at    time.Time
	seats int
	order string
}
