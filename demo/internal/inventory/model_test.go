package inventory_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seawall-go/seawall/demo/internal/inventory"
)

// model is the naive twin of the inventory of one performance: a map of orders, and a look at all of them for each
// question.
type model struct {
	sellable []int64
	orders   map[string]inventory.Holding
}

// at is the hold as it is at an instant: it ends by itself.
func (m *model) at(order string, now int64) (inventory.Holding, bool) {
	h, ok := m.orders[order]
	if h.State == inventory.Held && h.ExpiresAtMS <= now {
		h.State = inventory.Expired
	}
	return h, ok
}

// claims are the seats that are taken at an instant.
func (m *model) claims(now int64) map[int64]inventory.State {
	taken := map[int64]inventory.State{}
	for order := range m.orders {
		h, _ := m.at(order, now)
		if h.State == inventory.Expired || h.State == inventory.Released {
			continue
		}
		for _, seat := range h.Seats {
			taken[seat] = h.State
		}
	}
	return taken
}

func (m *model) hold(r inventory.Request, now int64) (inventory.Holding, error) {
	seats := slices.Sorted(slices.Values(r.Seats))
	if h, ok := m.at(r.Order, now); ok {
		switch {
		case h.Performance != r.Performance || !slices.Equal(h.Seats, seats):
			return inventory.Holding{}, inventory.ErrMismatch
		case h.State == inventory.Expired || h.State == inventory.Released:
			return inventory.Holding{}, inventory.ErrEnded
		}
		h.Repeated = true
		return h, nil
	}
	claims := m.claims(now)
	var taken []int64
	for _, seat := range seats {
		if _, ok := claims[seat]; ok {
			taken = append(taken, seat)
		} else if !slices.Contains(m.sellable, seat) {
			return inventory.Holding{}, inventory.ErrNotForSale
		}
	}
	if taken != nil {
		return inventory.Holding{}, &inventory.TakenError{Seats: taken}
	}
	h := inventory.Holding{
		Order: r.Order, Performance: r.Performance, Seats: seats, State: inventory.Held,
		ExpiresAtMS: now + r.For.Milliseconds(),
	}
	m.orders[r.Order] = h
	return h, nil
}

func (m *model) holding(order string, now int64) (inventory.Holding, error) {
	h, ok := m.at(order, now)
	if !ok {
		return h, inventory.ErrNotFound
	}
	return h, nil
}

func (m *model) release(order string, now int64) (inventory.Holding, error) {
	h, ok := m.at(order, now)
	if !ok {
		return h, inventory.ErrNotFound
	}
	if h.State == inventory.Held || h.State == inventory.Paying {
		h.State = inventory.Released
	}
	m.orders[order] = h
	return h, nil
}

// advance moves a hold that has not ended to the states beyond it.
func (m *model) advance(order string, to inventory.State, now int64) {
	if h, ok := m.at(order, now); ok && (h.State == inventory.Held || h.State == inventory.Paying) {
		h.State = to
		m.orders[order] = h
	}
}

// sameError reports whether two errors are refusals for the same reason.
func sameError(got, want error) bool {
	if taken, ok := errors.AsType[*inventory.TakenError](want); ok {
		other, ok := errors.AsType[*inventory.TakenError](got)
		return ok && slices.Equal(taken.Seats, other.Seats)
	}
	return errors.Is(got, want)
}

func sameMap(m inventory.SeatMap, want map[int64]inventory.State) error {
	var expected []inventory.Claim
	for seat, state := range want {
		expected = append(expected, inventory.Claim{Seat: seat, State: state})
	}
	slices.SortFunc(expected, func(a, b inventory.Claim) int { return int(a.Seat - b.Seat) })
	if !slices.Equal(m.Claims, expected) {
		return fmt.Errorf("claims %v, want %v", m.Claims, expected)
	}
	return nil
}
