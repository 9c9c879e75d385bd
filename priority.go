package seawall

import (
	"context"
	"fmt"
)

// Priority says how important a call is when not all can be served. The levels are those of Google's SRE book,
// chapter "Handling Overload".
type Priority uint8

// The levels, the least important first, so that they compare. There is no level 0: a context without a priority is
// [Critical], see [PriorityOf].
const (
	Sheddable     Priority = iota + 1 // may be missing for hours: batch work
	SheddablePlus                     // may be missing for minutes: prefetch, refresh
	Critical                          // a user waits for it; the default
	CriticalPlus                      // the last to go: payment, login
)

// String returns the form on the wire: "critical-plus", "critical", "sheddable-plus" or "sheddable".
func (p Priority) String() string {
	switch p {
	case CriticalPlus:
		return "critical-plus"
	case Critical:
		return "critical"
	case SheddablePlus:
		return "sheddable-plus"
	case Sheddable:
		return "sheddable"
	}
	return fmt.Sprintf("Priority(%d)", uint8(p))
}

// ParsePriority reads the form on the wire. ok is false, and the level [Critical], for anything else.
func ParsePriority(s string) (p Priority, ok bool) {
	for p := Sheddable; p <= CriticalPlus; p++ {
		if s == p.String() {
			return p, true
		}
	}
	return Critical, false
}

type priorityKey struct{}

// WithPriority returns a context whose calls have the priority p.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// PriorityOf returns the priority of the calls of ctx: [Critical] if none was set, or if it is none of the four.
func PriorityOf(ctx context.Context) Priority {
	if p, ok := ctx.Value(priorityKey{}).(Priority); ok && p >= Sheddable && p <= CriticalPlus {
		return p
	}
	return Critical
}
