package bulkhead

import (
	"fmt"
	"time"
)

// Order says which of the calls that wait, and are equally important, is served first.
type Order uint8

const (
	// FIFO serves the calls in the order of their arrival. It is the default of [New].
	FIFO Order = iota + 1
	// AdaptiveLIFO serves in the order of arrival as long as the queue is what a queue should be, a buffer for bursts.
	// When it has become a standing one, it serves the newest first and drops those that have waited for Queue.Target:
	// they are the likeliest to have been given up, and serving them makes all others as late as they are.
	//
	// The idea and the two times are those of Facebook (Maurer, "Fail at Scale", ACM Queue 13/8, 2015), and the rule by
	// which a queue is a standing one that of CoDel (Nichols and Jacobson, RFC 8289): whenever anybody looked during a
	// whole Queue.Interval, the oldest had waited for Queue.Target. It ends when there was no such sight for a whole
	// Queue.Interval. By Facebook's rule it would begin when the queue has not been empty for that long, as one that is
	// short and quick may be, and end when it is empty, which it soon is where the old are dropped.
	//
	// Each level of importance is judged alone, since the more important one waits less. Where slots come free more slowly
	// than once in Queue.Target, that time stands in for the target: else nobody could wait at all. CoDel has the same
	// exception, for a queue of one packet. And the next one of a level is never dropped for its age: a slot could be
	// lost.
	AdaptiveLIFO
)

var orderNames = [...]string{"", "fifo", "adaptive_lifo"}

// Valid reports whether o is 0, which is the default, or one of the orders.
func (o Order) Valid() bool { return int(o) < len(orderNames) }

// String returns "fifo" or "adaptive_lifo", or "" for 0.
func (o Order) String() string {
	if o.Valid() {
		return orderNames[o]
	}
	return fmt.Sprintf("Order(%d)", uint8(o))
}

// MarshalText returns the form of String, for configuration files.
func (o Order) MarshalText() ([]byte, error) {
	if !o.Valid() {
		return nil, fmt.Errorf("bulkhead: no such order: %d", uint8(o))
	}
	return []byte(orderNames[o]), nil
}

// UnmarshalText reads the form of String.
func (o *Order) UnmarshalText(text []byte) error {
	for i, name := range orderNames {
		if string(text) == name {
			*o = Order(i)
			return nil
		}
	}
	return fmt.Errorf("bulkhead: no such order: %q, want one of %q", text, orderNames[1:])
}

// crowd knows whether the line of a level has become a standing one.
type crowd struct {
	seen     bool          // the oldest was old at the latest look
	since    time.Duration // and has been at all since then; only if seen
	standing bool
	latest   time.Duration // when the oldest was last seen to be old; only if standing
}

// look takes note of a line whose oldest is old from an instant on.
func (c *crowd) look(now, old, interval time.Duration) {
	if !c.stands(now, interval) {
		c.standing = false
	}
	switch {
	case now < old:
		c.seen = false
	case !c.seen:
		c.seen, c.since = true, old
	}
	if c.seen && now-c.since >= interval {
		c.standing = true
	}
	if c.seen && c.standing {
		c.latest = now
	}
}

// stands reports whether the line has been a standing one within the interval.
func (c *crowd) stands(now, interval time.Duration) bool {
	return c.standing && now-c.latest < interval
}
