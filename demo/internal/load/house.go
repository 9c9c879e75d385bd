package load

import (
	"fmt"
	"slices"
)

// House is what is on sale, the most popular performance first.
type House []Performance

// Performance is one show, and its seats in the order in which they are popular; those that stand next to each other
// here are sold together.
type Performance struct {
	ID    int64
	Seats []int64
}

// Validate returns an error if there is nothing to sell.
func (h House) Validate() error {
	if len(h) == 0 {
		return fmt.Errorf("load: house: no performance")
	}
	for i, p := range h {
		if len(p.Seats) == 0 {
			return fmt.Errorf("load: house: performance %d (number %d) has no seats", p.ID, i)
		}
	}
	return nil
}

// Equal reports whether two houses sell the same.
func (h House) Equal(other House) bool {
	return slices.EqualFunc(h, other, func(a, b Performance) bool {
		return a.ID == b.ID && slices.Equal(a.Seats, b.Seats)
	})
}
