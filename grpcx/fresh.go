package grpcx

import (
	"context"
	"sync/atomic"
	"time"
)

// fresh is the context of the policies of a call that has only just begun. That the limit of time is not over needs no look at
// the clock then. The context of the limit would take one each time that it is asked, which every policy on the way does. A
// call is not fresh any more once somebody waits, an attempt has failed, or the call is over.
type fresh struct {
	within context.Context // with the limit
	caller context.Context // without it
	aged   atomic.Bool
}

func (f *fresh) Deadline() (time.Time, bool) { return f.within.Deadline() }
func (f *fresh) Value(key any) any           { return f.within.Value(key) }

// Done is for who waits.
func (f *fresh) Done() <-chan struct{} {
	f.aged.Store(true)
	return f.within.Done()
}

// Err returns whether the caller has left, and of a call that is not fresh any more whether the limit is over, too.
func (f *fresh) Err() error {
	if f.aged.Load() {
		return f.within.Err()
	}
	return f.caller.Err()
}
