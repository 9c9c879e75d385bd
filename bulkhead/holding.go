package bulkhead

// holding is what a call holds while it runs. It is the Generation of its permit's ticket.
//
//	bits 0 and 1    0 for nothing, 1 for slots, 2 for slots that enforce mode would not have given
//	bit  2          the call came through the queue, and its ticket has the time from which on it ran
//	bits from 3 on  the number of slots
type holding int64

const (
	nothing    holding = 0 // it passes uncounted: its permit belongs to no gate
	slot               = 1 | oneSlot
	slotBeyond         = 2 | oneSlot

	kindOf    holding = 3
	hasWaited holding = 4
	oneSlot   holding = 8
)

// holdingOf returns n slots of the kind that one is of.
func holdingOf(one holding, n int) holding { return one&kindOf + holding(n)*oneSlot }

func (h holding) slots() int { return int(h / oneSlot) }

// valid reports whether h can be given back.
func (h holding) valid() bool {
	kind := h & kindOf
	return (kind == slot&kindOf || kind == slotBeyond&kindOf) && h >= oneSlot && h/oneSlot <= maxLimit
}
