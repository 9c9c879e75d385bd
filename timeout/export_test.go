package timeout

import "context"

// LoseRace makes a live context for a scope that has become another one already, as a goroutine does that asks for Done
// a moment too late, and returns it.
func LoseRace(ctx context.Context) context.Context {
	late := &standard{}
	late.Context, late.cancel = context.WithCancel(context.Background())
	ctx.(*scope).become(late)
	return late
}
