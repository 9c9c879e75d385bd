package hop

import (
	"context"
	"sync/atomic"
)

// Repeats is where those who make a request on behalf of another one note that it was repeated as often as may be, so
// that the layer above does not begin all over. Clients write it, on the path of a failure only; what answers the other
// request, or judges its answer, reads it. The zero value says nothing. It is safe for concurrent use.
type Repeats struct{ usedUp atomic.Bool }

// NoteUsedUp notes that no more attempts are to be made.
func (r *Repeats) NoteUsedUp() { r.usedUp.Store(true) }

// UsedUp reports whether that was noted.
func (r *Repeats) UsedUp() bool { return r.usedUp.Load() }

// RepeatsKey is the key under which a context has its *Repeats, or something else with its NoteUsedUp. It is here for
// contexts that answer for themselves.
type RepeatsKey struct{}

// NoteUsedUp notes for whoever is next above ctx, if there is somebody, that no more attempts are to be made.
func NoteUsedUp(ctx context.Context) {
	if r, ok := ctx.Value(RepeatsKey{}).(interface{ NoteUsedUp() }); ok {
		r.NoteUsedUp()
	}
}

// Repeating is a context in which requests find the Repeats that is in it. It is a part of what the other request has
// anyway, so that the note costs no allocation of its own.
type Repeating struct {
	context.Context
	Repeats
}

// Value finds the Repeats, and what the context inside has.
func (r *Repeating) Value(key any) any {
	if key == (RepeatsKey{}) {
		return &r.Repeats
	}
	return r.Context.Value(key)
}
