package inventory

import (
	"errors"
	"fmt"
)

// The reasons for which a request is refused, besides [TakenError]. Refused requests change nothing.
var (
	// ErrInvalid is matched by the error about a request that can never be fulfilled as it stands.
	ErrInvalid = errors.New("invalid request")
	// ErrNotFound is matched by the error about an order or a performance that the inventory does not know.
	ErrNotFound = errors.New("not found")
	// ErrNotForSale is matched by the error about a hold of a seat that the performance does not have.
	ErrNotForSale = errors.New("not for sale")
	// ErrMismatch is matched by the error about an order that comes again and wants something else.
	ErrMismatch = errors.New("the order has a hold of other seats")
	// ErrEnded is matched by the error about an order that comes again when its hold has expired or was released.
	ErrEnded = errors.New("the order's hold has ended")
)

// TakenError says which of the seats that an order wants are claimed by others. The order has no hold, and may ask for
// other seats.
type TakenError struct {
	Seats []int64 // ascending
}

func (e *TakenError) Error() string { return fmt.Sprintf("inventory: seats %v are taken", e.Seats) }
