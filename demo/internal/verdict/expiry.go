package verdict

import "time"

// Sweep is how much longer than its time a hold may last: the sweeper comes round once in a while.
const Sweep = time.Second

// expiry is I5: a hold lasts until its time is over, and hardly longer. All times are of one clock, that of the
// database.
func expiry(e Evidence) Finding {
	f := Finding{ID: "I5", Claim: "no hold outlives its expiry by more than 1s, and none is lost early", Safety: true}
	var v violation
	holdings, _ := e.Ledger.holdings()
	for _, h := range holdings {
		if h.end == open {
			continue
		}
		when, expires := e.clock(h.until), e.clock(h.expires)
		switch {
		case h.end == Expired && when < expires:
			v.add(when, "order %s lost %v at %s, and had it until %s", h.order, h.seat, at(when), at(expires))
		case when-expires > Sweep:
			v.add(when, "the hold of order %s on %v was over at %s, and ended at %s", h.order, h.seat, at(expires), at(when))
		}
	}
	now := e.clock(e.Ledger.Now)
	for _, c := range e.Ledger.Claims {
		if expires := e.clock(c.Expires); !c.Expires.IsZero() && now-expires > Sweep {
			v.add(now, "the hold of order %s on %v was over at %s, and was still there at %s",
				c.Order, seat{c.Performance, c.Seat}, at(expires), at(now))
		}
	}
	return v.into(f)
}
