package inventory_test

import (
	"fmt"
	"testing"

	"github.com/seawall-go/seawall/demo/internal/inventory"
)

// check is a naive checker of an audit: it walks through the log with a map, and returns what cannot be true.
//
//	I1 no seat is held by two orders at a time    I4 an order holds once
//	I2 claims do not exceed the capacity          I5 no hold outlives its expiry by more than slack, none ends early
func check(a inventory.Audit, slackMS int64) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	type seat struct{ performance, id int64 }
	type hold struct {
		order         string
		begins, until int64
	}
	now := map[seat]hold{}
	began := map[string]int64{} // order to the instant of its hold
	last := inventory.Event{}
	for _, e := range a.Events {
		if e.Seq <= last.Seq || e.AtMS < last.AtMS {
			say("the log goes back: %+v after %+v", e, last)
		}
		last = e
		at := seat{e.Performance, e.Seat}
		before, held := now[at]
		switch e.Kind {
		case inventory.Held:
			if held {
				say("I1: seat %v is held by %s and by %s at %d", at, before.order, e.Order, e.AtMS)
			}
			if t, again := began[e.Order]; again && t != e.AtMS {
				say("I4: order %s holds at %d and again at %d", e.Order, t, e.AtMS)
			}
			began[e.Order] = e.AtMS
			now[at] = hold{e.Order, e.AtMS, e.ExpiresAtMS}
		case inventory.Expired, inventory.Released:
			if !held || before.order != e.Order {
				say("I1: seat %v of %s ends, but it is %+v", at, e.Order, before)
			}
			if e.Kind == inventory.Expired && e.AtMS < before.until {
				say("I5: seat %v of %s expires at %d, before %d", at, e.Order, e.AtMS, before.until)
			}
			if e.Kind == inventory.Expired && e.AtMS > before.until+slackMS {
				say("I5: seat %v of %s expires at %d, after %d", at, e.Order, e.AtMS, before.until)
			}
			if e.Kind == inventory.Released && e.AtMS >= before.until {
				say("I5: seat %v of %s is released at %d, after %d", at, e.Order, e.AtMS, before.until)
			}
			delete(now, at)
		default:
			say("unknown event %+v", e)
		}
	}
	perPerformance := map[int64]int{}
	for _, c := range a.Claims {
		perPerformance[c.Performance]++
		h, held := now[seat{c.Performance, c.Seat}]
		if !held || h.order != c.Order || c.State == inventory.Held && h.until != c.ExpiresAtMS {
			say("the claim %+v is not what the log says: %+v", c, h)
		}
		if c.State == inventory.Held && c.ExpiresAtMS+slackMS < a.AsOfMS {
			say("I5: the claim %+v is still there at %d", c, a.AsOfMS)
		}
	}
	if len(now) != len(a.Claims) {
		say("%d claims, but %d by the log", len(a.Claims), len(now))
	}
	for performance, n := range perPerformance {
		if n > a.Capacity[performance] {
			say("I2: %d claims of %d seats of performance %d", n, a.Capacity[performance], performance)
		}
	}
	return wrong
}

// mustHold reads and checks an audit. By hand nobody sweeps in time, so how late a hold ends is left to other tests.
func mustHold(t testing.TB, s *inventory.Store) inventory.Audit {
	t.Helper()
	a, err := s.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range check(a, 1<<40) {
		t.Error(wrong)
	}
	return a
}

// The checker itself must see each kind of wrong.
func TestTheCheckerIsNotBlind(t *testing.T) {
	held := func(seq, at int64, order string, until int64) inventory.Event {
		return inventory.Event{
			Seq: seq, AtMS: at, Kind: inventory.Held, Order: order, Performance: 1, Seat: 1, ExpiresAtMS: until,
		}
	}
	end := func(seq, at int64, kind inventory.State, order string) inventory.Event {
		return inventory.Event{Seq: seq, AtMS: at, Kind: kind, Order: order, Performance: 1, Seat: 1}
	}
	log := func(events ...inventory.Event) inventory.Audit {
		return inventory.Audit{AsOfMS: 20, Capacity: map[int64]int{1: 1}, Events: events}
	}
	claimed := func(order string, asOf int64, capacity int, events ...inventory.Event) inventory.Audit {
		return inventory.Audit{
			AsOfMS: asOf, Capacity: map[int64]int{1: capacity}, Events: events,
			Claims: []inventory.ClaimRow{{Performance: 1, Seat: 1, Order: order, State: inventory.Held, ExpiresAtMS: 9}},
		}
	}
	a := held(1, 1, "a", 9)
	for name, row := range map[string]struct {
		a     inventory.Audit
		wrong int
	}{
		"nothing":       {inventory.Audit{}, 0},
		"two good ends": {log(a, end(2, 9, "expired", "a"), held(3, 9, "b", 19), end(4, 18, "released", "b")), 0},
		"a good claim":  {claimed("a", 2, 1, a), 0},
		"held twice":    {claimed("b", 2, 1, a, held(2, 2, "b", 9)), 1},
		"too early":     {log(a, end(2, 8, "expired", "a")), 1},
		"too late":      {log(a, end(2, 1010, "expired", "a")), 1},
		"released late": {log(a, end(2, 9, "released", "a")), 1},
		"ends twice":    {log(a, end(2, 3, "released", "a"), end(3, 9, "expired", "a")), 1},
		"order again":   {log(a, end(2, 3, "released", "a"), held(3, 4, "a", 9), end(4, 5, "released", "a")), 1},
		"never swept":   {claimed("a", 1010, 1, a), 1},
		"claim lost":    {log(a), 1},
		"another's":     {claimed("b", 2, 1, a), 1},
		"over capacity": {claimed("a", 2, 0, a), 1},
		"backwards":     {log(held(2, 2, "a", 9), end(1, 1, "released", "a")), 1},
		"unknown":       {log(end(1, 1, "sold", "a")), 1},
	} {
		if wrong := check(row.a, 1000); len(wrong) != row.wrong {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}
