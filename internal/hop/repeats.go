package hop

import (
	"context"
	"sync/atomic"
)

// Repeats is where those who make a request on behalf of another one note that it was repeated as often as may be, so
// that the layer above does not begin all over. Clients write it, on the path of a failure only; what answers the other
// request, or judges its answer, reads it. The zero value says nothing. It is safe for concurrent use.
type Repeats struct{ usedUp atomic.Bool }

// RepeatsKey is the key under which a context has its *Repeats, or something else with its NoteUsedUp. It is here for
// contexts that answer for themselves.
type RepeatsKey struct{}

// WithRepeats returns a context in which requests find r.
func WithRepeats(ctx context.Context, r *Repeats) context.Context {
	return context.WithValue(ctx, RepeatsKey{}, r)
}

// NoteUsedUp notes for whoever is next above ctx, if there is somebody, that no more attempts are to be made.
func NoteUsedUp(ctx context.Context) {
	if r, ok := ctx.Value(RepeatsKey{}).(interface{ NoteUsedUp() }); ok {
		r.NoteUsedUp()
	}
}

// NoteUsedUp notes that no more attempts are to be made.
func (r *Repeats) NoteUsedUp() { r.usedUp.Store(true) }

// UsedUp reports whether that was noted.
func (r *Repeats) UsedUp() bool { return r.usedUp.Load() }
